"""Models from a path: our own files, an ncnn pair, and whatever else spandrel knows.

A file is read once and never trusted: numbers are copied out of it, nothing in it is executed, and
what does not fit is one `UpscalerError`.
"""

# ruff: noqa: PLC0415 (torch is heavy: imported where it is used)

import copy
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from sr.errors import UpscalerError
from sr.models import srcnn
from sr.models.anime4k import files as anime4k_files
from sr.models.descriptor import Descriptor, Model
from sr.models.srcnn import weights as srcnn_weights
from sr.models.weight_file import WeightFile, parse_weight_file, read_bytes
from sr.types import ModelInfo, Signal, Upscaler

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

SUFFIXES = (".safetensors", ".pth", ".param", ".bin")
_RGB_CODE_VERSION = 1


def is_model_file(model: str) -> bool:
    """Whether a model's name is the path of a file."""
    return model.lower().endswith(SUFFIXES)


def describe_file(path: Path) -> Descriptor:
    """The model in a file. Files of our own are described without torch.

    Args:
        path: With one of `SUFFIXES`; of an ncnn pair, either of its two files.

    Raises:
        UpscalerError: It cannot be read, is broken or hostile, or no model that we can run.
    """
    if path.suffix.lower() in (".param", ".bin"):
        return _describe_ncnn(path)
    data = read_bytes(path)
    sha256 = hashlib.sha256(data).hexdigest()
    if path.suffix.lower() == ".safetensors":
        file = parse_weight_file(data, path)
        if file is not None:
            return _describe_ours(file, path, sha256)
    from sr.models.foreign import load_foreign

    return _describe_rgb(load_foreign(data, path), path, sha256)


def _describe_ours(file: WeightFile, path: Path, sha256: str) -> Descriptor:
    known: dict[str, Callable[[], Descriptor]] = {
        srcnn_weights.ARCHITECTURE: lambda: srcnn.describe(
            srcnn_weights.from_file(file), name=path.stem, origin=str(path), weights_sha256=sha256
        ),
        anime4k_files.ARCHITECTURE: lambda: anime4k_files.describe(
            anime4k_files.from_file(file), name=path.stem, origin=str(path), weights_sha256=sha256
        ),
    }
    if file.architecture not in known:
        raise UpscalerError(
            f"{path} holds {file.architecture!r}; this version knows {', '.join(known)}"
        )
    try:
        return known[file.architecture]()
    except UpscalerError as error:
        raise UpscalerError(f"{path}: {error}") from error


def _describe_ncnn(path: Path) -> Descriptor:
    from sr.ncnn.network import read_network

    param, binary = (read_bytes(_beside(path, suffix)) for suffix in (".param", ".bin"))
    try:
        network = read_network(param, binary)
    except UpscalerError as error:
        raise UpscalerError(f"{path}: {error}") from error
    return _describe_rgb(network, path, hashlib.sha256(param + binary).hexdigest())


def _beside(path: Path, suffix: str) -> Path:
    """The other file of a pair, in the case that the given one is written in."""
    return path.with_suffix(suffix.upper() if path.suffix.isupper() else suffix)


def _describe_rgb(network: "torch.nn.Module", path: Path, sha256: str) -> Descriptor:
    """An `RgbNetwork` (see `sr.rgb`) that is loaded already."""

    def load(info: ModelInfo, device: str) -> Model:
        from sr.models.tensors import NetworkModel

        return NetworkModel(info=info, device=device, module=copy.deepcopy(network).to(device))

    def open_cpu(source: Signal, target: Signal, threads: int) -> Upscaler:
        from sr.rgb import open_rgb

        return open_rgb(lambda: copy.deepcopy(network), source, target, "cpu", 1, threads=threads)

    def open_torch(source: Signal, target: Signal, device: str, batch: int) -> Upscaler:
        from sr.rgb import open_rgb

        return open_rgb(lambda: copy.deepcopy(network), source, target, device, batch)

    scale, radius = int(network.scale), int(network.radius)  # type: ignore[arg-type]
    info = ModelInfo(
        name=path.stem,
        scale=scale,
        kmac_per_pixel=sum(p.numel() for p in network.parameters() if p.ndim > 1) / 1000,
        radius=radius,
        licence="its author's",
        weights=str(path),
    )
    return Descriptor(
        info=info,
        code_version=_RGB_CODE_VERSION,
        weights_sha256=lambda: sha256,
        load=load,
        open_cpu=open_cpu,
        open_torch=open_torch,
    )
