"""There and back through x264 at a bitrate: what catalogues did to their low-resolution video."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.codec.context import Flags
from av.container import OutputContainer

from manifests.color import Color
from origin.errors import ProductionError
from origin.media.encode import same_on_every_x86
from origin.media.frames import frame_of, planes_of
from origin.media.reference import Frame

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

KEYFRAME_SECONDS = 4
DESCRIPTION = f"x264 medium, two passes, a keyframe at least every {KEYFRAME_SECONDS} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encode:
    """What frames are, and how they are encoded."""

    width: int
    height: int
    frame_rate: Fraction
    """Made constant."""
    color: Color
    bitrate: int
    """Average, bits per second."""
    threads: int
    """x264's."""


def compress(frames: Callable[[], Iterator[Frame]], encode: Encode, path: Path) -> int:
    """Encode frames by two passes of x264 into a Matroska file.

    Args:
        frames: Called once for each pass.
        encode: How.
        path: Where the file goes; what the first pass learned stands beside it.

    Returns:
        The bits per second that the video's packets have.

    Raises:
        ProductionError: x264 refuses.
    """
    try:
        _run_pass(frames(), encode, path, first=True)
        return _run_pass(frames(), encode, path, first=False)
    except (av.FFmpegError, ValueError) as error:
        size = f"{encode.width}x{encode.height}"
        raise ProductionError(f"x264 cannot encode {size}: {error}") from error


def decompress(path: Path, threads: int) -> Iterator[Frame]:
    """Yield the frames of a file that `compress` wrote, in display order."""
    with av.open(str(path), "r", format="matroska") as container:
        video = container.streams.video[0]
        video.codec_context.thread_type = "AUTO"
        video.codec_context.thread_count = threads
        for frame in container.decode(video):
            yield planes_of(frame)


def _run_pass(frames: Iterator[Frame], encode: Encode, path: Path, *, first: bool) -> int:
    """What a first pass learned is in its file once the encoder is gone: when this returns."""
    size = count = 0
    with av.open(str(path), "w", format="matroska") as container:
        stream = _add_stream(container, encode, path)
        stream.codec_context.flags |= Flags.pass1 if first else Flags.pass2
        for planes in frames:
            frame = frame_of(planes, encode.width, encode.height)
            frame.pts, frame.time_base = count, 1 / encode.frame_rate
            size += _mux(container, stream.encode(frame))
            count += 1
        size += _mux(container, stream.encode(None))
    return round(8 * size * encode.frame_rate / count)


def _add_stream(container: OutputContainer, encode: Encode, path: Path) -> "VideoStream":
    stream = container.add_stream("libx264", rate=encode.frame_rate)
    stream.width, stream.height, stream.pix_fmt = encode.width, encode.height, "yuv420p"
    context = stream.codec_context
    context.color_range = 2 if encode.color.full_range else 1
    context.colorspace = encode.color.matrix
    context.color_primaries = encode.color.primaries
    context.color_trc = encode.color.transfer
    context.bit_rate = encode.bitrate
    context.thread_count, context.thread_type = encode.threads, "FRAME"
    context.options = {
        "preset": "medium",
        "profile": "high",
        "g": str(round(KEYFRAME_SECONDS * encode.frame_rate)),
        "stats": str(path.with_suffix(".stats")),
        "x264-params": ":".join(f"{k}={v}" for k, v in same_on_every_x86().items()),
    }
    return stream


def _mux(container: OutputContainer, packets: "Sequence[Packet[VideoStream]]") -> int:
    container.mux(packets)
    return sum(packet.size for packet in packets)
