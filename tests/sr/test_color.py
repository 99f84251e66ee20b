import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from sr import Matrix, Planes, Signal, UpscalerError, open_upscaler
from sr.color import codes_from_codes, rgb_from_codes
from sr.types import Depth
from tests.sr.frames import code_type, gradient, signal

KINDS = tuple(itertools.product(("bt601", "bt709", "bt2020"), (False, True), (8, 10)))
PAIRS = tuple(itertools.product(KINDS, KINDS))
COEFFICIENTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


Kind = tuple[Matrix, bool, Depth]


def kinds(size: tuple[int, int], kind: Kind) -> Signal:
    return signal(*size, *kind)


def textbook_rgb(codes: NDArray[np.float64], kind: Signal) -> NDArray[np.float64]:
    """Codes (3, ...) to R'G'B', by the formulas of BT.601 section 2.5 and its successors."""
    kr, kb = COEFFICIENTS[kind.matrix]
    unit, top = 2.0 ** (kind.depth - 8), 2.0**kind.depth - 1
    y, cb, cr = codes[0], codes[1] - 128 * unit, codes[2] - 128 * unit
    if kind.full_range:
        y, cb, cr = y / top, cb / top, cr / top
    else:
        y, cb, cr = (y / unit - 16) / 219, cb / unit / 224, cr / unit / 224
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    return np.stack([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue])


def textbook_codes(rgb: NDArray[np.float64], kind: Signal) -> NDArray[np.float64]:
    kr, kb = COEFFICIENTS[kind.matrix]
    red, green, blue = rgb
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    unit, top = 2.0 ** (kind.depth - 8), 2.0**kind.depth - 1
    if kind.full_range:
        return np.stack([top * y, top * cb + 128 * unit, top * cr + 128 * unit])
    return np.stack([219 * y + 16, 224 * cb + 128, 224 * cr + 128]) * unit


@pytest.mark.parametrize("kind", KINDS)
def test_rgb_is_the_textbooks(kind: Kind) -> None:
    codes = np.random.default_rng(0).uniform(0, 255, (3, 100))
    ours = rgb_from_codes(kinds((2, 2), kind))[:3] @ np.vstack([codes, np.ones(100)])
    np.testing.assert_allclose(ours, textbook_rgb(codes, kinds((2, 2), kind)), atol=1e-12)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_grey_never_reaches_chroma(source: Kind, target: Kind) -> None:
    matrix = codes_from_codes(kinds((2, 2), source), kinds((2, 2), target))
    assert np.all(matrix[1:3, 0] == 0)
    middle, expected = (float(1 << kind[2] - 1) for kind in (source, target))
    grey = matrix @ [100.0, middle, middle, 1.0]
    np.testing.assert_allclose(grey[1:3], expected)


def test_unknown_matrix_is_refused() -> None:
    with pytest.raises(UpscalerError, match="no such matrix: bt470m"):
        rgb_from_codes(signal(2, 2, matrix="bt470m"))  # type: ignore[arg-type]


def color_bars(width: int, height: int, depth: Depth = 8) -> Planes:
    """Eight bars of 75 % colours in BT.601; each as wide as an even number of columns."""
    rgb = np.array([[(bar >> c & 1) * 0.75 for bar in (7, 6, 3, 2, 5, 4, 1, 0)] for c in (1, 2, 0)])
    codes = textbook_codes(rgb, signal(2, 2, "bt601", depth=depth)).round()
    codes = codes.astype(code_type(depth))
    luma, cb, cr = (np.repeat(row, width // 8)[None].repeat(height, 0) for row in codes)
    return Planes(luma, *(np.ascontiguousarray(c[::2, ::2]) for c in (cb, cr)))


def on_luma_grid(plane: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float64]:
    """Linear interpolation of left-sited 4:2:0 chroma, by numpy."""
    rows, columns = plane.shape
    x, y = np.arange(width) / 2, (np.arange(height) - 0.5) / 2
    wide = np.stack([np.interp(x, np.arange(columns), row) for row in plane.astype(float)])
    return np.stack([np.interp(y, np.arange(rows), column) for column in wide.T], axis=1)


@pytest.mark.parametrize(("picture", "size"), [(gradient, (128, 24)), (color_bars, (48, 15))])
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_planes_are_within_one_code_of_float64(picture, size, source, target) -> None:
    into, out = kinds(size, source), kinds(size, target)
    frame: Planes = picture(*size, into.depth)
    cb, cr = (on_luma_grid(c, *size) for c in (frame.u, frame.v))
    luma = textbook_codes(textbook_rgb(np.stack([frame.y.astype(float), cb, cr]), into), out)[0]
    small = np.stack([np.zeros(frame.u.shape), frame.u.astype(float), frame.v.astype(float)])
    chroma = textbook_codes(textbook_rgb(small, into), out)[1:]
    for device, dither in (("cpu", False), ("cpu", True), ("torch-cpu", False)):
        ours = open_upscaler(
            model="identity", source=into, target=out, device=device, dither=dither
        )([frame])[0]
        for plane, exact in zip(ours, (luma, *chroma), strict=True):
            assert plane.dtype == code_type(out.depth)
            error = np.abs(plane - exact.clip(0, 2**out.depth - 1)).max()
            assert error <= (0.88 if dither else 0.51)
