"""ncnn itself, framed as waifu2x-, realcugan- and Real-ESRGAN-ncnn-vulkan frame their networks.

The numbers are those of the three tools' `main.cpp` (prepadding) and of their process functions:
what is added to reach a multiple, and what the border is made of (`replicate`, and `reflect`, which
numpy calls by the same name). Alpha is not ours. One tile holds the image.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from sr.models.packaged import PackagedNetwork

Image = NDArray[np.float32]
"""(3, H, W), R'G'B' in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    prepadding: int
    multiple: int
    border: Literal["edge", "reflect"]
    inputs: tuple[str, str]
    """Names of the input and the output."""
    adds_input: bool = False


def framing(file: str, scale: int) -> Framing:
    if "WAIFU2X" in file:
        prepadding = 18 if "CUNET" in file else 7
        names = ("Input1", "Eltwise4")
        return Framing(prepadding=prepadding, multiple=2, border="edge", inputs=names)
    if "REALCUGAN" in file:
        return Framing(
            prepadding={2: 18, 3: 14, 4: 19}[scale],
            multiple=4 if scale == 3 else 2,
            border="reflect",
            inputs=("in0", "out0"),
            adds_input=scale == 4,
        )
    return Framing(prepadding=10, multiple=1, border="reflect", inputs=("data", "output"))


def files(network: PackagedNetwork) -> tuple[Path, Path]:
    return (
        network.package.find(f"{network.stem}.param"),
        network.package.find(f"{network.stem}.bin"),
    )


def upscale(param: Path, binary: Path, image: Image, scale: int) -> Image:
    """What the tools make of an image, before they round it to 8 bits."""
    frame = framing(param.name, scale)
    height, width = image.shape[1:]
    margins = [(0, 0)]
    margins += [(frame.prepadding, frame.prepadding + -n % frame.multiple) for n in (height, width)]
    padded = np.pad(image, margins, mode=frame.border)
    result = run(param, binary, padded, *frame.inputs)
    if param.name.startswith("REALESRGAN"):
        result = result[:, scale * frame.prepadding :, scale * frame.prepadding :]
    result = result[:, : scale * height, : scale * width]
    return result + enlarged(image, scale) if frame.adds_input else result


def run(param: Path, binary: Path, image: Image, name_in: str, name_out: str) -> Image:
    """ncnn in plain float32."""
    ncnn = pytest.importorskip("ncnn")
    net = ncnn.Net()
    for option in dir(net.opt):
        if option.startswith(("use_fp16", "use_bf16", "use_int8", "use_winograd", "use_vulkan")):
            setattr(net.opt, option, False)
    net.opt.num_threads = 1
    assert (net.load_param(str(param)), net.load_model(str(binary))) == (0, 0)
    extractor = net.create_extractor()
    contiguous = np.ascontiguousarray(image)  # its memory is read until the result is there
    extractor.input(name_in, ncnn.Mat(contiguous))
    status, result = extractor.extract(name_out)
    assert status == 0
    return np.array(result)


def enlarged(image: Image, scale: int) -> Image:
    return image.repeat(scale, axis=1).repeat(scale, axis=2)
