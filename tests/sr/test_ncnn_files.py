"""Broken, truncated and hostile ncnn files: one clear error each, before memory is taken."""

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sr
from sr import UpscalerError
from sr.ncnn.graph import read_graph
from sr.ncnn.network import read_network

HEADER = "7767517\n{layers} {blobs}\nInput in 0 1 in\n"
CONV = "Convolution c 1 1 {i} {o} 0={f} 1=3 4=1 5=1 6={n}"
FP16, FP32, INT8 = (struct.pack("<I", tag) for tag in (0x01306B47, 0, 0x000D4B38))


def text(*layers: str, blobs: int | None = None) -> str:
    count = blobs or 1 + len(layers)
    return HEADER.format(layers=1 + len(layers), blobs=count) + "\n".join(layers) + "\n"


def conv(i: str = "in", o: str = "out", f: int = 3, channels: int = 3) -> str:
    return CONV.format(i=i, o=o, f=f, n=9 * f * channels)


def weights(tag: bytes = FP32, count: int = 81, bias: int = 3) -> bytes:
    dtype = np.float16 if tag == FP16 else np.float32
    data = np.linspace(-1, 1, count, dtype=dtype).tobytes()
    return tag + data + bytes(-len(data) % 4) + np.ones(bias, np.float32).tobytes()


def write(folder: Path, param: str | bytes, binary: bytes) -> str:
    path = folder / "net.param"
    path.write_bytes(param.encode() if isinstance(param, str) else param)
    path.with_suffix(".bin").write_bytes(binary)
    return str(path)


@pytest.mark.parametrize("tag", [FP16, FP32])
def test_float_weights_of_both_sizes_are_read(tag: bytes, tmp_path: Path) -> None:
    model = sr.load_model(write(tmp_path, text(conv()), weights(tag)))
    pixels = torch.rand(1, 3, 5, 7)
    kernel = torch.linspace(-1, 1, 81).reshape(3, 3, 3, 3)
    padded = torch.nn.functional.pad(pixels, (1, 1, 1, 1))
    expected = torch.nn.functional.conv2d(padded, kernel, torch.ones(3))
    assert model.info.scale == 1
    assert torch.allclose(model(pixels), expected, atol=5e-3 if tag == FP16 else 1e-5)


CROP = "Crop c 1 1 out end -23309=2,{before} -23310=2,{after} -23311=2,-2,-1"
POOL = ("Split s 1 2 in a b", "Pooling p 1 1 b v 0=1 4=1")
BAD_PARAMS: dict[str, tuple[str | bytes, str]] = {
    "binary": (b"\x7f\xff\x80pickle", "not a text file"),
    "other text": ("#version 450\nvoid main() {}\n", "expected 7767517"),
    "pickle": (b"\x80\x04cos\nsystem\n(S'true'\ntR.", "not a text file"),
    "cut after the header": ("7767517\n9 9\n", "expected 7767517"),
    "cut inside": (text(conv(), conv("out", "end"))[:-60], "ncnn param|weights, expected"),
    "layers missing": ("7767517\n8 8\nInput in 0 1 in\n", "header says 8 8"),
    "no input layer": ("7767517\n1 1\nSplit s 0 1 in\n", "must start with its one input"),
    "huge counts": (text("Split s 1 99999999999 in a"), "number of blobs"),
    "negative counts": (text("Split s -1 2 in a b"), "number of blobs"),
    "many layers": (text(*["Split s 1 1 in a"] * 5000), "layers"),
    "long": (text("Split s 1 1 in " + "a" * (1 << 21)), "larger than"),
    "unknown layer": (text("Exec c 1 1 in out 0=3"), "Exec c: not supported"),
    "quantised": (text(conv() + " 8=2"), "options"),
    "grouped": (text("ConvolutionDepthWise c 1 1 in out 0=3 1=3 6=27 7=3"), "not supported"),
    "dilated": (text(conv() + " 2=2"), "whole number from 1 to 1"),
    "loop": (text(conv("out", "end"), conv("end", "out")), "not made by an earlier layer"),
    "output twice": (text(conv("in", "in")), "exists already"),
    "two outputs": (text(conv(o="a"), conv(o="b")), "has 2 outputs"),
    "no number": (text("Convolution c 1 1 in out 0=x"), "no layer"),
    "not finite": (text("Convolution c 1 1 in out 0=nan"), "no layer"),
    "fraction": (text("Convolution c 1 1 in out 0=2.5"), "whole number"),
    "array for a number": (text("Convolution c 1 1 in out -23300=2,1,2"), "must be one number"),
    "array cut": (text(conv() + " 9=2 -23310=9,0.1"), "no layer"),
    "weights that lie": (text("Convolution c 1 1 in out 0=3 1=3 6=999999999"), "expected 81"),
    "a terabyte": (text("Convolution c 1 1 in out 0=2000000000 1=3 6=54000000000"), "whole number"),
    "kernel of a million": (text("Convolution c 1 1 in out 0=3 1=1000000 6=9"), "whole number"),
    "memory bomb": (text("Interp i 1 1 in out 0=1 1=9999 2=9999"), "scales by"),
    "many small bombs": (
        text("Interp i 1 1 in a 0=1 1=16 2=16", "Interp j 1 1 a b 0=1 1=16 2=16"),
        "256 times the size",
    ),
    "activation": (text(conv() + " 9=5"), "activation 5"),
    "one channel": (text(conv(f=1)), "gives 1 channels"),
    "smaller": (text("Interp i 1 1 in out 0=3 1=0.5 2=0.5"), "1/2 times the size"),
    "shuffle": (text("PixelShuffle p 1 1 in out 0=2"), "no multiple of 4"),
    "pooled": (text(POOL[0], POOL[1], "Sigmoid g 1 1 v w", blobs=5), "has 2 outputs"),
    "pooled result": (text("Pooling p 1 1 in out 0=1 4=1"), "0 times the size"),
    "sum of two sizes": (
        text("Split s 1 2 in a b", "Interp i 1 1 a c 0=1 1=2 2=2", "Eltwise e 2 1 b c d 0=1",
             blobs=5),
        "no maps of one size",
    ),
    "sum with a pooled one": (text(*POOL, "BinaryOp a 2 1 a v d 0=0", blobs=5), "no maps"),
    "crop from the end": (text(conv(), CROP.format(before="-4,-4", after="-9,-9")), "no whole"),
    "crop of one axis": (text(conv(), CROP.format(before="1,0", after="-1,0")), "same on both"),
    "crop by size": (text("Crop c 1 1 in out 0=0 1=0 3=9 4=9"), "not supported"),
    "uneven crop": (text(conv(), CROP.format(before="1,1", after="-2,-2")), "margin"),
}  # fmt: skip


def test_what_a_network_gives_too_much_is_cut_off_on_both_sides() -> None:
    param = text("Deconvolution d 1 1 in out 0=3 1=4 3=2 5=1 6=144")
    network = read_network(param.encode(), weights(count=144))
    pixels = torch.rand(1, 3, 5, 7)
    kernel = torch.linspace(-1, 1, 144).reshape(3, 3, 4, 4).swapaxes(0, 1)
    whole = torch.nn.functional.conv_transpose2d(pixels, kernel, torch.ones(3), stride=2)
    assert torch.allclose(network(pixels), whole[..., 1:-1, 1:-1], atol=1e-5)


@pytest.mark.parametrize("case", BAD_PARAMS)
def test_a_bad_param_file_is_one_error(case: str, tmp_path: Path) -> None:
    param, message = BAD_PARAMS[case]
    with pytest.raises(UpscalerError, match=message) as caught:
        sr.load_model(write(tmp_path, param, weights()))
    assert len(str(caught.value)) < 700


BAD_WEIGHTS = {
    "only a tag": (FP32, "cut short"),
    "half": (weights()[:150], "cut short"),
    "no bias": (weights(bias=0), "cut short"),
    "int8": (weights(INT8), "not float32 or float16"),
    "garbage": (b"\x93NUMPY" + weights(), "not float32 or float16"),
    "a pickle": (b"\x80\x04cos\nsystem\n(S'true'\ntR." * 20, "not float32 or float16"),
    "another network's": (weights(count=162), "more than the network has"),
    "nan": (weights()[:8] + struct.pack("<f", float("nan")) + weights()[12:], "finite"),
    "infinite bias": (weights()[:-4] + struct.pack("<f", float("inf")), "finite"),
}


@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_a_bad_bin_file_is_one_error(case: str, tmp_path: Path) -> None:
    binary, message = BAD_WEIGHTS[case]
    with pytest.raises(UpscalerError, match=message):
        sr.load_model(write(tmp_path, text(conv()), binary))


@pytest.mark.parametrize("suffix", [".param", ".bin"])
def test_missing_and_empty_files_are_one_error(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path, text(conv()), weights())
    Path(path).with_suffix(suffix).write_bytes(b"")
    with pytest.raises(UpscalerError, match="empty"):
        sr.load_model(path)
    Path(path).with_suffix(suffix).unlink()
    with pytest.raises(UpscalerError, match="cannot be read"):
        sr.load_model(path)


def test_sizes_are_checked_before_memory_is_taken() -> None:
    """Ten layers that claim 0.5 GiB of weights each, in a file of a hundred bytes."""
    wide = "Convolution c{k} 1 1 b{k} b{j} 0=4096 1=3 4=1 5=1 6=150994944"
    layers = [conv(o="b0", f=4096)] + [wide.format(k=k, j=k + 1) for k in range(10)]
    param = text(*layers, conv("b10", "out", 3, 4096))
    tracemalloc.start()
    try:
        with pytest.raises(UpscalerError, match="cut short"):
            read_network(param.encode(), FP16 + bytes(100))
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


TOKENS = [
    *("Convolution", "Crop", "Split", "Interp", "in", "out", "a", "2", "0", "-1", "99"),
    *("0=3", "1=4", "3=2", "4=1", "5=1", "6=81", "9=2", "-23310=1,0.1", "-23309=2,4,4", "0=1e99"),
]


@settings(deadline=None)  # timings decide nothing
@given(st.data())
def test_damaged_text_is_refused_or_read(data: st.DataObject) -> None:
    words = text(conv(o="a", f=12), "PixelShuffle p 1 1 a out 0=2").split(" ")
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(words) - 1))
        words[index] = data.draw(st.sampled_from(TOKENS))
    try:
        graph = read_graph(" ".join(words))
    except UpscalerError:
        return
    assert 1 <= graph.scale <= 8


@settings(deadline=None)  # timings decide nothing
@given(st.integers(0, 340), st.binary(max_size=8))
def test_damaged_weights_are_refused_or_read(position: int, noise: bytes) -> None:
    binary = weights()
    damaged = binary[:position] + noise + binary[position + len(noise) :]
    try:
        network = read_network(text(conv()).encode(), damaged)
    except UpscalerError:
        return
    assert network(torch.zeros(1, 3, 4, 4)).shape == (1, 3, 4, 4)
