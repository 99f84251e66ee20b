"""Checks on planes, and the views of them that kernels take."""

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from sr.errors import UpscalerError
from sr.types import Planes, Signal


def plane_shapes(signal: Signal) -> tuple[tuple[int, int], tuple[int, int]]:
    """(rows, columns) of luma and of each chroma plane."""
    height, width = signal.height, signal.width
    return (height, width), (-(-height // 2), -(-width // 2))


def check_planes(planes: Planes, signal: Signal) -> None:
    """Raise UpscalerError unless the planes are what the signal says."""
    luma, chroma = plane_shapes(signal)
    for name, plane, shape in zip("yuv", planes, (luma, chroma, chroma), strict=True):
        if plane.shape != shape or plane.dtype != np.uint8:
            found = f"{plane.dtype} {plane.shape}"
            raise UpscalerError(f"plane {name}: expected uint8 {shape}, found {found}")
        pitch, step = plane.strides
        if (shape[1] > 1 and step != 1) or (shape[0] > 1 and pitch < shape[1]):
            raise UpscalerError(f"plane {name}: rows are not contiguous: {plane.strides}")


def whole_rows(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The plane with its padding: (H, row stride), C-contiguous and read-only.

    One array type for every plane means one compilation of each kernel. The padding must not be
    read: behind the last row there may be none.
    """
    rows = plane.shape[0]
    pitch = plane.strides[0] if rows > 1 else plane.shape[1]
    return as_strided(plane, (rows, pitch), (pitch, 1), writeable=False)
