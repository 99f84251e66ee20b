"""The packets of one segment of a source, with the timestamps that they will be served with.

DTS (facts: they are ours to choose, and source and produced variants must share one grid):
HLS segments keep those of the source. In a media file the packet of rank i in decode order gets
the i-th smallest PTS of its span, minus the span's own delay `first_pts - key_dts`; containers
without DTS (Matroska) and with odd ones are thus alike, and the remuxed source agrees.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from typing import cast

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from manifests import timeline
from manifests.timeline import SegmentSpan
from origin.errors import BrokenSourceError, UnsupportedSourceError
from origin.media import limits
from origin.media.demux import (
    AnyPacket,
    VideoPacket,
    demux,
    open_bytes,
    open_file,
    pick_video,
    read_range,
)
from origin.media.types import Container, FileBody, HlsBody, SegmentSource

TS_MODULUS = 2**33
_SEEK_BACK_SECONDS = 10
_SEEKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSegment:
    """One segment of a source, demuxed. Belongs to one thread; dies with `open_segment`."""

    name: str
    video: VideoStream
    """Of a container that is open."""
    time_base: Fraction
    preroll: Sequence[VideoPacket]
    """To decode and not to show, in decode order."""
    packets: Sequence[VideoPacket]
    """The segment's own, in decode order; timestamps as demuxed but unwrapped, and with the
    offset of a media file added. The decoder is fed with them."""
    timing: Sequence[timeline.Packet]
    """What each own packet is served with."""
    others: dict[int, list[AnyPacket]]
    """HLS only: the packets of every other stream, by stream index."""
    streams: Sequence[Stream]
    """All of the container's, in its order."""
    init: bytes | None
    body: bytes
    """HLS only: the segment as it is."""


@contextmanager
def open_segment(source: SegmentSource) -> Iterator[SourceSegment]:
    """Demux one segment.

    Raises:
        BrokenSourceError: Unreadable, empty, truncated, or not what its timeline says.
        UnsupportedSourceError: No video, a codec we never decode, or beyond `limits`.
    """
    with ExitStack() as stack:
        if isinstance(source, HlsBody):
            yield _hls_segment(source, stack)
        else:
            yield _file_segment(source, stack)


def _hls_segment(source: HlsBody, stack: ExitStack) -> SourceSegment:
    init = read_range(source.init, source.name) if source.init else None
    preroll = b"".join(read_range(part, source.name) for part in source.preroll)
    body = read_range(source.body, source.name)
    head = (init or b"") + preroll
    container = stack.enter_context(open_bytes(head + body, source.container, source.name))
    video = pick_video(container, source.name)
    rows: dict[int, list[AnyPacket]] = {stream.index: [] for stream in container.streams}
    before: list[VideoPacket] = []
    for packet in demux(container, source.name):
        if packet.pos is None or packet.pos >= len(head) or not source.preroll:
            rows[packet.stream_index].append(packet)
        elif packet.stream_index == video.index:
            before.append(cast("VideoPacket", packet))
    own = cast("list[VideoPacket]", rows.pop(video.index))
    _check_packets(own, source.name)
    if source.container is Container.MPEGTS:
        first = own[0].dts if own[0].dts is not None else own[0].pts
        for shown in (*before, *own):
            shown.pts = unwrap(shown.pts, cast("int", first))
            shown.dts = unwrap(shown.dts, cast("int", first))
    return SourceSegment(
        name=source.name,
        video=video,
        time_base=cast("Fraction", video.time_base),
        preroll=before,
        packets=own,
        timing=_stored_timing(own),
        others=rows,
        streams=tuple(container.streams),
        init=init,
        body=body,
    )


def unwrap(timestamp: int | None, reference: int) -> int | None:
    """Move an MPEG-TS timestamp by whole wraps to within half a wrap of `reference`."""
    if timestamp is None:
        return None
    half = TS_MODULUS // 2
    return reference + (timestamp - reference + half) % TS_MODULUS - half


def _check_packets(packets: Sequence[VideoPacket], name: str) -> None:
    if not packets:
        raise BrokenSourceError("has no video frames", source=name)
    if len(packets) > limits.MAX_SEGMENT_FRAMES:
        raise UnsupportedSourceError(f"has {len(packets)} frames in a segment", source=name)
    if any(packet.is_corrupt for packet in packets):
        raise BrokenSourceError("has incomplete video packets", source=name)
    if any(packet.pts is None for packet in packets):
        raise BrokenSourceError("has video packets without a timestamp", source=name)


def _stored_timing(packets: Sequence[VideoPacket]) -> list[timeline.Packet]:
    """The packets' own DTS, or their sorted PTS where those are missing or do not rise."""
    pts = sorted(cast("int", packet.pts) for packet in packets)
    dts = [packet.dts for packet in packets]
    if None in dts or any(a >= b for a, b in pairwise(cast("list[int]", dts))):
        dts = list(pts)
    grid = cast("list[int]", dts)
    last = packets[-1].duration or (grid[-1] - grid[-2] if len(grid) > 1 else 1)
    return _rows(packets, grid, grid[-1] + last, 0)


def _rows(
    packets: Sequence[VideoPacket], dts: Sequence[int], end: int, offset: int
) -> list[timeline.Packet]:
    steps = [after - before for before, after in pairwise([*dts, end])]
    return [
        timeline.Packet(
            pts=cast("int", packet.pts) + offset,
            dts=at + offset,
            duration=step,
            is_key=packet.is_keyframe,
        )
        for packet, at, step in zip(packets, dts, steps, strict=True)
    ]


def _file_segment(source: FileBody, stack: ExitStack) -> SourceSegment:
    container = stack.enter_context(open_file(source.path, source.container, source.name))
    video = pick_video(container, source.name)
    before: list[VideoPacket] = []
    if source.span.leading and source.previous:
        before, own = _adjacent_spans(container, video, source)
    else:
        own = read_span(container, video, source.span, source.name)
    _check_packets(own, source.name)
    time_base = cast("Fraction", video.time_base)
    offset = offset_ticks(source.offset_seconds, time_base)
    timing = span_timing(own, source.span, offset)
    for packet in (*before, *own):
        packet.pts = cast("int", packet.pts) + offset
        packet.dts = None if packet.dts is None else packet.dts + offset
    return SourceSegment(
        name=source.name,
        video=video,
        time_base=time_base,
        preroll=before,
        packets=own,
        timing=timing,
        others={},
        streams=tuple(container.streams),
        init=None,
        body=b"",
    )


def offset_ticks(offset_seconds: int, time_base: Fraction) -> int:
    """Whole seconds in ticks of `time_base`."""
    return round(offset_seconds / time_base)


def span_timing(
    packets: Sequence[VideoPacket], span: SegmentSpan, offset: int
) -> list[timeline.Packet]:
    """Timestamps that a media file's segment is served with (see the module's docstring).

    Args:
        packets: Those of the span, as demuxed, in decode order.
        span: Where they belong.
        offset: Ticks to add to all of them.
    """
    delay = max(0, span.first_pts - span.key_dts)
    dts = [pts - delay for pts in sorted(cast("int", packet.pts) for packet in packets)]
    return _rows(packets, dts, span.end_pts - delay, offset)


def _adjacent_spans(
    container: InputContainer, video: VideoStream, source: FileBody
) -> tuple[list[VideoPacket], list[VideoPacket]]:
    previous = cast("SegmentSpan", source.previous)
    count = previous.packet_count
    rows = _packets_from(container, video, previous, count + source.span.packet_count, source.name)
    if rows[count].pts != source.span.key_pts:
        raise BrokenSourceError("has changed since it was inspected", source=source.name)
    return rows[:count], rows[count:]


def read_span(
    container: InputContainer, video: VideoStream, span: SegmentSpan, name: str
) -> list[VideoPacket]:
    """Seek to a span and read its packets as demuxed, in decode order.

    Raises:
        BrokenSourceError: The file does not hold what the span says.
    """
    return _packets_from(container, video, span, span.packet_count, name)


def span_packets(
    container: InputContainer, video: VideoStream, span: SegmentSpan, name: str
) -> Iterator[VideoPacket]:
    """Seek to a span and yield its packets as demuxed, in decode order, as far as there are any."""
    return islice(_from_keyframe(container, video, span, name), span.packet_count)


def _packets_from(
    container: InputContainer, video: VideoStream, span: SegmentSpan, count: int, name: str
) -> list[VideoPacket]:
    """Read `count` packets from the keyframe of `span` on; seek earlier if a seek overshoots."""
    rows: list[VideoPacket] = []
    for packet in _from_keyframe(container, video, span, name):
        rows.append(packet)
        if len(rows) == count:
            return rows
    raise BrokenSourceError(
        f"ends early, or has changed: {len(rows)} of {count} frames are there", source=name
    )


def _from_keyframe(
    container: InputContainer, video: VideoStream, span: SegmentSpan, name: str
) -> Iterator[VideoPacket]:
    back = round(_SEEK_BACK_SECONDS / cast("Fraction", video.time_base))
    for attempt in range(_SEEKS):
        target = min(span.key_pts, span.key_dts) - attempt**2 * back
        if attempt == _SEEKS - 1:
            target = -(2**62)
        try:
            container.seek(target, stream=video)
        except av.FFmpegError:
            continue
        found = False
        for packet in demux(container, name, video):
            own = cast("VideoPacket", packet)
            found = found or (own.is_keyframe and own.pts == span.key_pts)
            if found:
                yield own
            elif own.is_keyframe and own.pts is not None and own.pts > span.key_pts:
                break
        if found:
            return
