"""Colour matrices between Y'CbCr signals and R'G'B', derived from Kr and Kb alone.

All maps are affine and written as 4x4 float64 matrices on column vectors (c0, c1, c2, 1). Signals
are converted in their gamma-coded form: the matrix and the range change, the primaries and the
transfer do not (BT.601, BT.709 and BT.2020 share their transfer to within what SDR needs).
"""

import numpy as np
from numpy.typing import NDArray

from sr.errors import UpscalerError
from sr.types import Depth, Matrix, Signal

Affine = NDArray[np.float64]

LUMA_COEFFICIENTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
"""(Kr, Kb) of Rec. ITU-R BT.601-7, BT.709-6 and BT.2020-2 (non-constant luminance)."""


def luma_gain(full_range: bool, depth: Depth = 8) -> float:
    """Code values between black and white."""
    return (1 << depth) - 1.0 if full_range else 219.0 * (1 << depth - 8)


def rgb_from_codes(signal: Signal) -> Affine:
    """From code values (Y', Cb, Cr) to R'G'B' in [0, 1]."""
    return np.asarray(np.linalg.inv(codes_from_rgb(signal)), np.float64)


def codes_from_rgb(signal: Signal) -> Affine:
    """From R'G'B' in [0, 1] to code values (Y', Cb, Cr)."""
    return _codes_from_ycc(signal) @ _ycc_from_rgb(signal.matrix)


def codes_from_codes(source: Signal, target: Signal) -> Affine:
    """From the code values of one signal to those of another.

    Grey keeps its level in every matrix, so the chroma rows do not read luma: Cb' and Cr' are a
    2x2 map of Cb and Cr, and Y' is a gain on Y plus a correction by Cb and Cr.
    """
    if _meaning(source) == _meaning(target):
        return np.eye(4)
    result = np.linalg.inv(rgb_from_codes(target)) @ rgb_from_codes(source)
    result[np.abs(result) < 1e-11] = 0.0
    return result


def _ycc_from_rgb(matrix: Matrix) -> Affine:
    if matrix not in LUMA_COEFFICIENTS:
        raise UpscalerError(f"no such matrix: {matrix}; expected {', '.join(LUMA_COEFFICIENTS)}")
    kr, kb = LUMA_COEFFICIENTS[matrix]
    red, blue = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
    luma = np.array([kr, 1.0 - kr - kb, kb])
    result = np.eye(4)
    result[:3, :3] = luma, (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    return result


def _meaning(signal: Signal) -> tuple[Matrix, bool, Depth]:
    return signal.matrix, signal.full_range, signal.depth


def _codes_from_ycc(signal: Signal) -> Affine:
    unit = float(1 << signal.depth - 8)
    luma = luma_gain(signal.full_range, signal.depth)
    chroma = luma if signal.full_range else 224 * unit
    result = np.diag([luma, chroma, chroma, 1.0])
    result[:3, 3] = (0.0 if signal.full_range else 16 * unit), 128 * unit, 128 * unit
    return result
