"""Between FFmpeg's frames and arrays: 8-bit 4:2:0 only."""

from collections.abc import Sequence

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from origin.errors import ProductionError

Plane = NDArray[np.uint8]


def planes_of(frame: VideoFrame) -> tuple[Plane, Plane, Plane]:
    """Return the Y, U and V of a yuv420p frame, each (H, W), as views that keep it alive."""
    y, u, v = (_view(plane) for plane in frame.planes)
    return y, u, v


def frame_of(planes: Sequence[Plane], width: int, height: int) -> VideoFrame:
    """Copy Y, U and V, each (H, W), into a yuv420p frame.

    Raises:
        ProductionError: The sizes do not belong together.
    """
    frame = VideoFrame(width, height, "yuv420p")
    for source, plane in zip(planes, frame.planes, strict=True):
        target = _view(plane)
        if source.shape != target.shape:
            raise ProductionError(f"a plane of {source.shape} in a frame of {width}x{height}")
        target[:] = source
    return frame


def _view(plane: VideoPlane) -> Plane:
    rows = np.frombuffer(memoryview(plane), np.uint8)
    stride = plane.line_size
    return np.lib.stride_tricks.as_strided(rows, (plane.height, plane.width), (stride, 1))
