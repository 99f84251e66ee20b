import numpy as np
import pytest

from sr import Planes, open_upscaler
from sr.resample import CHROMA_X, CHROMA_Y, Kernel, make_taps
from tests.sr.frames import (
    filter_frame,
    gradient,
    largest_difference,
    noise,
    padded,
    psnr,
    signal,
    split_planes,
)

KERNELS: tuple[Kernel, ...] = ("bilinear", "bicubic", "lanczos")
ZIMG = {
    "bilinear": "bilinear",
    "bicubic": "bicubic:param_a=0:param_b=0.5",  # Catmull-Rom
    "lanczos": "lanczos",
}
SIZES = [(320, 180), (240, 136), (128, 72), (322, 182), (160, 90)]


def resize(frame: Planes, kernel: str, width: int, height: int, device: str = "cpu") -> Planes:
    source, target = signal(*frame.y.shape[::-1]), signal(width, height)
    return open_upscaler(model=kernel, source=source, target=target, device=device)([frame])[0]


def zimg(frame: Planes, kernel: str, width: int, height: int, matrix: str = "bt709") -> Planes:
    meaning = (
        "rangein=tv:range=tv:primariesin=bt709:primaries=bt709:transferin=bt709:transfer=bt709"
    )
    siting = "chromalin=left:chromal=left:dither=none"
    filters = (
        f"setparams=range=tv,zscale=w={width}:h={height}:filter={ZIMG[kernel]}"
        f":matrixin={matrix}:matrix=bt709:{meaning}:{siting}"
    )
    return split_planes(filter_frame(frame, filters), width, height)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_is_zimg(film: Planes, kernel: str, size: tuple[int, int]) -> None:
    ours, theirs = resize(film, kernel, *size), zimg(film, kernel, *size)
    for a, b in zip(ours, theirs, strict=True):
        inner = (slice(6, -6), slice(6, -6))  # zimg mirrors at the edges where we clamp
        assert np.abs(a[inner].astype(int) - b[inner]).max() <= 1
        assert psnr(a, b) >= 55


def test_converts_as_zimg_does(film: Planes) -> None:
    source, target = signal(160, 90, "bt601"), signal(320, 180, "bt709")
    ours = open_upscaler(model="bilinear", source=source, target=target)([film])[0]
    assert largest_difference(ours, zimg(film, "bilinear", 320, 180, matrix="170m")) <= 1


@pytest.mark.parametrize("size", [(322, 182), (320, 180), (481, 273), (80, 46), (161, 91), (8, 8)])
@pytest.mark.parametrize("kernel", KERNELS)
def test_numba_is_torch(kernel: str, size: tuple[int, int]) -> None:
    for frame in (noise(161, 91), gradient(161, 91)):
        fast, reference = (resize(frame, kernel, *size, device) for device in ("cpu", "torch-cpu"))
        assert largest_difference(fast, reference) <= 1


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("size", [(24, 16), (39, 27), (9, 7), (12, 8)])
def test_flat_areas_stay_exact(kernel: str, size: tuple[int, int]) -> None:
    flat = Planes(
        *(np.full(s, c, np.uint8) for s, c in (((8, 12), 77), ((4, 6), 3), ((4, 6), 250)))
    )
    assert [set(np.unique(p)) for p in resize(flat, kernel, *size)] == [{77}, {3}, {250}]


@pytest.mark.parametrize("size", [(160, 90), (320, 180), (240, 135)])
def test_row_stride_does_not_matter(size: tuple[int, int]) -> None:
    frame = noise(160, 90)
    assert (
        largest_difference(resize(padded(frame), "lanczos", *size), resize(frame, "lanczos", *size))
        == 0
    )


@pytest.mark.parametrize("scale", [2, 3, 1.5, 0.5])
@pytest.mark.parametrize("kernel", KERNELS)
def test_luma_and_chroma_edges_stay_aligned(kernel: str, scale: float) -> None:
    """A straight ramp in luma and chroma keeps the same place on the picture in both."""
    columns = np.arange(96)
    luma = np.tile((40 + columns * 2).astype(np.uint8), (48, 1))
    chroma = np.ascontiguousarray(luma[::2, ::2])  # left-sited: samples of the even columns
    out = resize(Planes(luma, chroma, chroma), kernel, int(96 * scale), int(48 * scale))
    inner = slice(8, -8)
    assert np.abs(out.u[:, inner].astype(int) - out.y[::2, ::2][: out.u.shape[0], inner]).max() <= 1
    upright = Planes(*(np.ascontiguousarray(p.T) for p in (luma, chroma, chroma)))
    out = resize(upright, kernel, int(48 * scale), int(96 * scale))
    between = (out.y[::2].astype(int) + out.y[1::2]) / 2
    # The chroma sampled above lies on even rows, half a luma row above where 4:2:0 has it.
    assert np.abs(out.u[inner] + 1.0 - between[: out.u.shape[0], ::2][inner]).max() <= 1.5


@pytest.mark.parametrize("siting", [CHROMA_X, CHROMA_Y])
@pytest.mark.parametrize(("source", "target"), [(160, 320), (161, 322), (160, 240), (320, 128)])
def test_taps_sum_to_one_and_stay_near(siting, source: int, target: int) -> None:
    for kernel in KERNELS:
        taps = make_taps(kernel, source, target, siting)
        assert np.all(taps.weights.sum(axis=1, dtype=float) == 1)
        assert taps.first.size == -(-target // 2)
        later, earlier = slice(taps.phases, None), slice(None, -taps.phases)
        assert np.all(taps.weights[later] == taps.weights[earlier])
        assert np.all(taps.first[later] == taps.first[earlier] + taps.advance)


def test_identity_copies_and_owns_its_memory() -> None:
    frame = noise(161, 91)
    same = resize(frame, "identity", 161, 91)
    assert largest_difference(frame, same) == 0
    assert not any(np.shares_memory(a, b) for a, b in zip(frame, same, strict=True))
    assert resize(frame, "identity", 162, 92).y.shape == (92, 162)
