"""Keyframes out of a source: those shown at certain times, decoded one by one and nothing else."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import cast

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from origin.errors import BrokenSourceError
from origin.media import limits
from origin.media.demux import VideoPacket, demux, open_bytes, open_file, pick_video, read_range
from origin.media.packets import span_packets, unwrap
from origin.media.types import Container, HlsBody, Moment, SegmentSource


def keyframes(moments: Sequence[Moment]) -> Iterator[VideoFrame | None]:
    """Yield for each moment the last keyframe of its segment that is shown by then, else the first.

    A segment is opened once for all consecutive moments in it, and read no further than needed.
    None stands for what cannot be read or decoded.

    Args:
        moments: Those of a segment in order of time.

    Raises:
        UnsupportedSourceError: Beyond `limits`.
    """
    for source, group in groupby(moments, key=lambda moment: moment.source):
        times = [moment.pts for moment in group]
        done = 0
        try:
            for frame in _of_segment(source, times):
                yield frame
                done += 1
        except BrokenSourceError:
            yield from [None] * (len(times) - done)


def _of_segment(source: SegmentSource, times: Sequence[int]) -> Iterator[VideoFrame | None]:
    with ExitStack() as stack:
        video, packets = _open(source, stack, times[0])
        context = _set_up(video.codec_context)
        chosen = _choose(packets, times)
        for _, group in groupby(chosen, key=id):
            same = list(group)
            frame = _decode(context, same[0]) if same[0] is not None else None
            yield from [frame] * len(same)


def _open(
    source: SegmentSource, stack: ExitStack, near: int
) -> tuple[VideoStream, Iterator[VideoPacket]]:
    """The video of a segment, and its packets as they are read; timestamps as demuxed."""
    if isinstance(source, HlsBody):
        return _open_hls(source, stack, near)
    container = stack.enter_context(open_file(source.path, source.container, source.name))
    video = pick_video(container, source.name)
    return video, span_packets(container, video, source.span, source.name)


def _open_hls(
    source: HlsBody, stack: ExitStack, near: int
) -> tuple[VideoStream, Iterator[VideoPacket]]:
    parts = [source.init] if source.init else []
    head = b"".join(read_range(part, source.name) for part in (*parts, *source.preroll))
    body = read_range(source.body, source.name)
    container = stack.enter_context(open_bytes(head + body, source.container, source.name))
    video = pick_video(container, source.name)

    def own() -> Iterator[VideoPacket]:
        for packet in demux(container, source.name, video):
            if source.preroll and packet.pos is not None and packet.pos < len(head):
                continue
            if source.container is Container.MPEGTS:
                packet.pts = unwrap(packet.pts, near)
            yield cast("VideoPacket", packet)

    return video, own()


def _choose(packets: Iterator[VideoPacket], times: Sequence[int]) -> "Iterator[VideoPacket | None]":
    """For each of the rising times the last keyframe at or before it, else the first there is."""
    last: VideoPacket | None = None
    waiting = list(times)
    for packet in packets:
        if not packet.is_keyframe or packet.pts is None or packet.is_corrupt:
            continue
        while waiting and packet.pts > waiting[0] and last is not None:
            waiting.pop(0)
            yield last
        last = packet
        if not waiting:
            return
    yield from [last] * len(waiting)


def _set_up(context: VideoCodecContext) -> VideoCodecContext:
    context.skip_frame = "NONKEY"
    context.thread_count = 1
    context.options = {"max_pixels": str(limits.MAX_PIXELS)}
    return context


def _decode(context: VideoCodecContext, packet: VideoPacket) -> VideoFrame | None:
    """The picture of a keyframe; the context is then ready for another."""
    try:
        frames = [*context.decode(packet), *context.decode(None)]
    except av.FFmpegError:
        frames = []
    context.flush_buffers()
    sound = (frame for frame in frames if not frame.is_corrupt)
    return next(sound, None)
