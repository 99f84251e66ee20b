"""Decoding: the frames of one segment, each exactly once, as 4:2:0 in presentation order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple, cast

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation

from origin.errors import BrokenSourceError, UnsupportedSourceError
from origin.media import limits
from origin.media.demux import VideoPacket
from origin.media.frames import TEN_BITS
from origin.media.packets import SourceSegment
from sr.types import Depth

_PLAIN: dict[Depth, tuple[str, ...]] = {8: ("yuv420p", "yuvj420p"), 10: (TEN_BITS,)}
"""By depth, what is taken as it comes; the first is what the rest is converted to."""
_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


class Picture(NamedTuple):
    """A decoded frame in yuv420p or yuv420p10le, and when it is shown."""

    pts: int
    frame: VideoFrame


def depth_of(segment: SourceSegment) -> Depth:
    """Ten where frames come as ten-bit 4:2:0; what else there is becomes eight bits."""
    return 10 if segment.video.codec_context.pix_fmt == TEN_BITS else 8


def decode(segment: SourceSegment, threads: int, depth: Depth = 8) -> Iterator[Picture]:
    """Yield the segment's own frames, decoding what they borrow from first.

    Leading pictures of a segment that has nothing to borrow from (the first of a title cut out of
    a longer one) cannot be decoded by anyone: its first frame is shown in their place.

    Args:
        segment: Its codec context is used up.
        threads: For FFmpeg's decoder.
        depth: Of the frames that come out.

    Raises:
        BrokenSourceError: A frame is missing or damaged.
        UnsupportedSourceError: The size changes within the segment.
    """
    context = segment.video.codec_context
    _set_up(context, segment, threads)
    wanted = Counter(cast("int", packet.pts) for packet in segment.packets)
    size = (context.width, context.height)
    started = bool(segment.preroll)
    damage = ""
    for frame, problem in _decoded(context, chain(segment.preroll, segment.packets)):
        damage = damage or problem
        if frame is None or frame.pts is None or not wanted[frame.pts]:
            continue
        _check(frame, size, segment.name)
        plain = to_420(frame, depth)
        if not started:
            yield from _undecodable(segment.packets, plain, wanted)
            started = True
        wanted[frame.pts] -= 1
        yield Picture(frame.pts, plain)
    if missing := wanted.total():
        raise BrokenSourceError(
            f"{missing} of {len(segment.packets)} frames cannot be decoded" + damage,
            source=segment.name,
        )


def _set_up(context: VideoCodecContext, segment: SourceSegment, threads: int) -> None:
    context.thread_type = "AUTO"
    context.thread_count = max(1, threads)
    context.options = {"max_pixels": str(limits.MAX_PIXELS)}
    if segment.video.codec_context.codec.canonical_name == "h264":
        # Streams may not state their reorder depth; FFmpeg then guesses, and drops what is late.
        packets = [*segment.preroll, *segment.packets]
        context.reorder_depth = max(context.reorder_depth, min(15, _reorder_depth(packets)))


def _reorder_depth(packets: Sequence[VideoPacket]) -> int:
    """How many frames at most are decoded before one that is shown before them."""
    rank = {pts: index for index, pts in enumerate(sorted(packet.pts or 0 for packet in packets))}
    return max(index - rank[packet.pts or 0] for index, packet in enumerate(packets))


def _decoded(
    context: VideoCodecContext, packets: Iterator[VideoPacket]
) -> Iterator[tuple[VideoFrame | None, str]]:
    """Frames, or what the decoder complained of; a frame that is lost is found missing later."""
    for packet in chain(packets, (None,)):
        try:
            for frame in context.decode(packet):
                yield frame, ""
        except av.FFmpegError as error:
            yield None, f": {error}"


def _check(frame: VideoFrame, size: tuple[int, int], name: str) -> None:
    if frame.is_corrupt:
        raise BrokenSourceError("has damaged frames", source=name)
    if (frame.width, frame.height) != size:
        raise UnsupportedSourceError(
            f"changes its size from {size[0]}x{size[1]} to {frame.width}x{frame.height}",
            source=name,
        )


def _undecodable(
    packets: Sequence[VideoPacket], frame: VideoFrame, wanted: Counter[int]
) -> Iterator[Picture]:
    lost = sorted(
        pts
        for packet in packets
        if (pts := cast("int", packet.pts))
        < min(cast("int", packets[0].pts), cast("int", frame.pts))
    )
    for pts in lost:
        wanted[pts] -= 1
        yield Picture(pts, frame)


def to_420(frame: VideoFrame, depth: Depth = 8) -> VideoFrame:
    """Convert to 4:2:0 of this depth where needed; matrix, range and timestamp stay."""
    if frame.format.name in _PLAIN[depth]:
        return frame
    return frame.reformat(
        format=_PLAIN[depth][0],
        interpolation=_EXACT,
        src_color_range=_range(frame),
        dst_color_range=_range(frame),
        threads=1,
    )


def _range(frame: VideoFrame) -> int:
    full = frame.color_range == 2 or frame.format.name.startswith("yuvj")
    return 2 if full else 1
