"""Checks on planes, and the views of them that kernels take."""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from sr.errors import UpscalerError
from sr.types import Plane, Planes, Signal


def plane_shapes(signal: Signal) -> tuple[tuple[int, int], tuple[int, int]]:
    """(rows, columns) of luma and of each chroma plane."""
    height, width = signal.height, signal.width
    return (height, width), (-(-height // 2), -(-width // 2))


def code_type(signal: Signal) -> np.dtype[np.uint8 | np.uint16]:
    """What planes of a signal are made of."""
    return np.dtype(np.uint8 if signal.depth == 8 else np.uint16)


def top_code(signal: Signal) -> int:
    """The largest code value."""
    return (1 << signal.depth) - 1


def check_planes(planes: Planes, signal: Signal) -> None:
    """Raise UpscalerError unless the planes are what the signal says."""
    luma, chroma = plane_shapes(signal)
    wanted = code_type(signal)
    for name, plane, shape in zip("yuv", planes, (luma, chroma, chroma), strict=True):
        if plane.shape != shape or plane.dtype != wanted:
            found = f"{plane.dtype} {plane.shape}"
            raise UpscalerError(f"plane {name}: expected {wanted} {shape}, found {found}")
        (pitch, odd), step = divmod(plane.strides[0], plane.itemsize), plane.strides[1]
        scattered = shape[1] > 1 and step != plane.itemsize
        if scattered or (shape[0] > 1 and (odd or pitch < shape[1])):
            raise UpscalerError(f"plane {name}: rows are not contiguous: {plane.strides}")


def whole_rows(plane: Plane) -> Plane:
    """The plane with its padding: (H, row stride), C-contiguous and read-only.

    One array type for every plane means one compilation of each kernel. The padding must not be
    read: behind the last row there may be none.
    """
    rows = plane.shape[0]
    size = plane.itemsize
    pitch = plane.strides[0] // size if rows > 1 else plane.shape[1]
    return as_strided(plane, (rows, pitch), (pitch * size, size), writeable=False)
