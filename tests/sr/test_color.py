import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from sr import Matrix, Planes, Signal, UpscalerError, open_upscaler
from sr.color import codes_from_codes, rgb_from_codes
from tests.sr.frames import gradient, signal

KINDS = tuple(itertools.product(("bt601", "bt709", "bt2020"), (False, True)))
PAIRS = tuple(itertools.product(KINDS, KINDS))
COEFFICIENTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


def kinds(size: tuple[int, int], kind: tuple[Matrix, bool]) -> Signal:
    return signal(*size, matrix=kind[0], full_range=kind[1])


def textbook_rgb(codes: NDArray[np.float64], kind: Signal) -> NDArray[np.float64]:
    """Codes (3, ...) to R'G'B', by the formulas of BT.601 section 2.5 and its successors."""
    kr, kb = COEFFICIENTS[kind.matrix]
    y, cb, cr = codes[0], codes[1] - 128, codes[2] - 128
    y, cb, cr = (
        (y / 255, cb / 255, cr / 255) if kind.full_range else ((y - 16) / 219, cb / 224, cr / 224)
    )
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    return np.stack([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue])


def textbook_codes(rgb: NDArray[np.float64], kind: Signal) -> NDArray[np.float64]:
    kr, kb = COEFFICIENTS[kind.matrix]
    red, green, blue = rgb
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    if kind.full_range:
        return np.stack([255 * y, 255 * cb + 128, 255 * cr + 128])
    return np.stack([219 * y + 16, 224 * cb + 128, 224 * cr + 128])


@pytest.mark.parametrize("kind", KINDS)
def test_rgb_is_the_textbooks(kind: tuple[Matrix, bool]) -> None:
    codes = np.random.default_rng(0).uniform(0, 255, (3, 100))
    ours = rgb_from_codes(kinds((2, 2), kind))[:3] @ np.vstack([codes, np.ones(100)])
    np.testing.assert_allclose(ours, textbook_rgb(codes, kinds((2, 2), kind)), atol=1e-12)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_grey_never_reaches_chroma(
    source: tuple[Matrix, bool], target: tuple[Matrix, bool]
) -> None:
    matrix = codes_from_codes(kinds((2, 2), source), kinds((2, 2), target))
    assert np.all(matrix[1:3, 0] == 0)
    grey = matrix @ [100.0, 128.0, 128.0, 1.0]
    np.testing.assert_allclose(grey[1:3], 128.0)


def test_unknown_matrix_is_refused() -> None:
    with pytest.raises(UpscalerError, match="no such matrix: bt470m"):
        rgb_from_codes(signal(2, 2, matrix="bt470m"))  # type: ignore[arg-type]


def color_bars(width: int, height: int) -> Planes:
    """Eight bars of 75 % colours in BT.601; each as wide as an even number of columns."""
    rgb = np.array([[(bar >> c & 1) * 0.75 for bar in (7, 6, 3, 2, 5, 4, 1, 0)] for c in (1, 2, 0)])
    codes = textbook_codes(rgb, signal(2, 2, matrix="bt601")).round().astype(np.uint8)
    luma, cb, cr = (np.repeat(row, width // 8)[None].repeat(height, 0) for row in codes)
    return Planes(luma, *(np.ascontiguousarray(c[::2, ::2]) for c in (cb, cr)))


def on_luma_grid(plane: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float64]:
    """Linear interpolation of left-sited 4:2:0 chroma, by numpy."""
    rows, columns = plane.shape
    x, y = np.arange(width) / 2, (np.arange(height) - 0.5) / 2
    wide = np.stack([np.interp(x, np.arange(columns), row) for row in plane.astype(float)])
    return np.stack([np.interp(y, np.arange(rows), column) for column in wide.T], axis=1)


@pytest.mark.parametrize("picture", [gradient, color_bars])
@pytest.mark.parametrize("size", [(256, 64), (176, 47)])
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_planes_are_within_one_code_of_float64(picture, size, source, target) -> None:
    frame: Planes = picture(*size)
    into, out = kinds(size, source), kinds(size, target)
    ours = open_upscaler(model="identity", source=into, target=out)([frame])[0]
    cb, cr = (on_luma_grid(c, *size) for c in (frame.u, frame.v))
    luma = textbook_codes(textbook_rgb(np.stack([frame.y.astype(float), cb, cr]), into), out)[0]
    small = np.stack([np.zeros(frame.u.shape), frame.u.astype(float), frame.v.astype(float)])
    chroma = textbook_codes(textbook_rgb(small, into), out)[1:]
    for plane, exact in zip(ours, (luma, *chroma), strict=True):
        assert np.abs(plane - exact.clip(0, 255)).max() <= 0.51
