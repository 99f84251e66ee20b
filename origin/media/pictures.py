"""Still pictures out of frames, for people to look at."""

from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation
from numpy.typing import NDArray

from origin.media.frames import frame_of
from origin.media.reference import Frame
from sr.types import Matrix

_EXACT = (
    Interpolation.BICUBIC
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
)


_COLORSPACES: dict[Matrix, Colorspace] = {
    "bt601": Colorspace.ITU601,
    "bt709": Colorspace.ITU709,
    "bt2020": Colorspace.BT2020,
}


def rgb_of(planes: Frame, matrix: Matrix, *, full_range: bool) -> NDArray[np.uint8]:
    """Convert a frame to (H, W, 3) R'G'B'."""
    height, width = planes[0].shape
    picture = frame_of(planes, width, height).reformat(
        format="rgb24",
        src_colorspace=_COLORSPACES[matrix],
        src_color_range=2 if full_range else 1,
        dst_color_range=2,
        interpolation=_EXACT,
        threads=1,
    )
    return cast("NDArray[np.uint8]", picture.to_ndarray())


def png_of(rgb: NDArray[np.uint8]) -> bytes:
    """Compress (H, W, 3) R'G'B' as a PNG file."""
    context = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt = rgb.shape[1], rgb.shape[0], "rgb24"
    context.time_base = Fraction(1)
    context.options = {"pred": "mixed", "compression_level": "9"}
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    frame.pts = 0
    packets = [*context.encode(frame), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def jpeg_of(rgb: NDArray[np.uint8], quantiser: int) -> bytes:
    """Compress (H, W, 3) R'G'B' as a JFIF file: full range, BT.601, 4:2:0.

    Args:
        rgb: At least one pixel.
        quantiser: 2 (finest) to 31.
    """
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = rgb.shape[1], rgb.shape[0], "yuv420p"
    context.time_base = context.sample_aspect_ratio = Fraction(1)
    context.color_range = 2
    context.thread_count = 1
    context.options = {"qmin": str(quantiser), "qmax": str(quantiser), "flags": "+bitexact"}
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=2,
        interpolation=_EXACT,
        threads=1,
    )
    frame.pts = 0
    packets = [*context.encode(frame), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
