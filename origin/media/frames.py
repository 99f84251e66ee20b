"""Between FFmpeg's frames and arrays: 4:2:0 of 8 bits, or of 10 on the way in."""

from collections.abc import Sequence

import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from origin.errors import ProductionError

Plane = NDArray[np.uint8 | np.uint16]


TEN_BITS = "yuv420p10le"


def planes_of(frame: VideoFrame) -> tuple[Plane, Plane, Plane]:
    """Return the Y, U and V of a frame, each (H, W), as views that keep it alive.

    uint8 of yuv420p, uint16 of yuv420p10le.
    """
    kind = np.dtype("<u2" if frame.format.name == TEN_BITS else np.uint8)
    y, u, v = (_view(plane, kind) for plane in frame.planes)
    return y, u, v


def frame_of(planes: Sequence[Plane], width: int, height: int) -> VideoFrame:
    """Copy Y, U and V, each (H, W) uint8, into a yuv420p frame.

    Raises:
        ProductionError: The sizes do not belong together.
    """
    frame = VideoFrame(width, height, "yuv420p")
    for source, plane in zip(planes, frame.planes, strict=True):
        target = _view(plane, np.dtype(np.uint8))
        if source.shape != target.shape or source.dtype != target.dtype:
            found = f"{source.dtype} {source.shape}"
            raise ProductionError(f"a plane of {found} in a frame of {width}x{height}")
        target[:] = source
    return frame


def side_data(frame: VideoFrame, kind: str) -> bytes | None:
    """Return what a decoded frame carries of a kind (FFmpeg's name less `AV_FRAME_DATA_`).

    `VideoFrame.side_data` would tie the frame into a reference cycle: its memory, which Python's
    garbage collector does not count, would stay until that next looks at the oldest objects.
    """
    container = SideDataContainer(frame)  # type: ignore[call-arg]  # as PyAV itself makes it
    data = container.get(kind)
    return None if data is None else bytes(data)


def _view(plane: VideoPlane, kind: np.dtype[np.uint8 | np.uint16]) -> Plane:
    samples = np.frombuffer(memoryview(plane), kind)
    strides = (plane.line_size, kind.itemsize)
    return np.lib.stride_tricks.as_strided(samples, (plane.height, plane.width), strides)
