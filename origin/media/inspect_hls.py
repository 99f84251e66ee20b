"""Inspects an HLS media playlist's segments: one row of facts each, without decoding."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import cast

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from manifests.timeline import SegmentFacts
from origin.errors import BrokenSourceError, OriginError, UnsupportedSourceError
from origin.media import streams
from origin.media.demux import AnyPacket, VideoPacket, demux, open_bytes, pick_video, read_range
from origin.media.packets import unwrap
from origin.media.ts import PACKET
from origin.media.types import AudioFacts, Container, HlsBody, HlsFacts, InspectHls, VideoFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A readable segment, reduced to what the title's facts need."""

    facts: SegmentFacts
    pts: list[int] = field(default_factory=list)
    reorders: bool = False
    audio_bytes: dict[int, int] = field(default_factory=dict)


def inspect_hls(job: InspectHls) -> HlsFacts:
    """Read every segment's packets, and decode the first frames of the first readable one.

    A segment that cannot be read has its reason in its row, and does not fail the title.

    Raises:
        BrokenSourceError: Not one segment can be read.
        UnsupportedSourceError: The first readable segment has no video that we decode.
    """
    rows = _inspect_all(job.segments)
    error = BrokenSourceError("has no segments", source=job.name)
    for body in job.segments:
        try:
            video, audio = _describe(body, rows)
            return HlsFacts(video=video, audio=audio, segments=tuple(row.facts for row in rows))
        except BrokenSourceError as failure:
            error = failure
    raise error


@contextmanager
def _open(body: HlsBody, before: bytes = b"") -> Iterator[InputContainer]:
    init = read_range(body.init, body.name) if body.init else b""
    data = read_range(body.body, body.name)
    if body.container is Container.MPEGTS and len(data) % PACKET:
        raise BrokenSourceError("ends within a transport packet", source=body.name)
    with open_bytes(init + before + data, body.container, body.name) as container:
        if not container.streams:
            raise BrokenSourceError("holds no streams", source=body.name)
        yield container


def _inspect_all(bodies: Iterable[HlsBody]) -> list[_Row]:
    rows: list[_Row] = []
    whole: HlsBody | None = None
    for body in bodies:
        try:
            rows.append(_read(body))
            whole = body
        except (BrokenSourceError, UnsupportedSourceError) as error:
            rows.append(_with_parameter_sets(body, whole, error))
    return rows


def _with_parameter_sets(body: HlsBody, whole: HlsBody | None, error: OriginError) -> _Row:
    """Read an MPEG-TS segment behind one that can be read alone.

    One that begins with an open GOP may have no parameter sets of its own.
    """
    if whole is not None and body.container is Container.MPEGTS:
        with suppress(BrokenSourceError, UnsupportedSourceError):
            row = _read(body, read_range(whole.body, whole.name))
            return replace(row, facts=replace(row.facts, has_parameter_sets=False))
    nothing = SegmentFacts(
        first_pts=0,
        end_pts=0,
        frames=0,
        has_key=False,
        leading=False,
        video_bytes=0,
        audio_bytes=0,
        error=error.detail,
    )
    return _Row(facts=nothing)


def _read(body: HlsBody, before: bytes = b"") -> _Row:
    with _open(body, before) as container:
        video = pick_video(container, body.name)
        packets = [
            packet
            for packet in demux(container, body.name)
            if not before or packet.pos is None or packet.pos >= len(before)
        ]
        return _row(body, video, packets)


def _row(body: HlsBody, video: VideoStream, packets: list[AnyPacket]) -> _Row:
    own = [packet for packet in packets if packet.stream_index == video.index]
    pts, dts = _timestamps(body, own)
    in_order = sorted(pts)
    keys = [at for at, packet in zip(pts, own, strict=True) if packet.is_keyframe]
    last = own[pts.index(in_order[-1])].duration or _usual_step(in_order)
    audio_bytes: dict[int, int] = {}
    for packet in packets:
        if isinstance(packet.stream, AudioStream):
            size = audio_bytes.get(packet.stream_index, 0) + packet.size
            audio_bytes[packet.stream_index] = size
    facts = SegmentFacts(
        first_pts=in_order[0],
        end_pts=in_order[-1] + last,
        frames=len(own),
        has_key=bool(keys),
        leading=not own[0].is_keyframe or in_order[0] < keys[0],
        video_bytes=sum(packet.size for packet in own),
        audio_bytes=sum(audio_bytes.values()),
    )
    return _Row(
        facts=facts,
        pts=in_order,
        reorders=streams.delays_by_a_frame(in_order, dts),
        audio_bytes=audio_bytes,
    )


def _timestamps(body: HlsBody, packets: list[AnyPacket]) -> tuple[list[int], list[int]]:
    """PTS and DTS in decode order, unwrapped within the segment."""
    if not packets:
        raise BrokenSourceError("has no video frames", source=body.name)
    if any(packet.is_corrupt for packet in packets):
        raise BrokenSourceError("has incomplete video packets", source=body.name)
    pts = [packet.pts for packet in packets]
    if None in pts:
        raise BrokenSourceError("has video packets without a timestamp", source=body.name)
    if len(set(pts)) < len(pts):
        raise BrokenSourceError("has several frames with the same timestamp", source=body.name)
    dts = [packet.pts if packet.dts is None else packet.dts for packet in packets]
    if body.container is Container.MPEGTS:
        reference = cast("int", dts[0])
        pts = [unwrap(at, reference) for at in pts]
        dts = [unwrap(at, reference) for at in dts]
    return cast("list[int]", pts), cast("list[int]", dts)


def _usual_step(pts: list[int]) -> int:
    steps = sorted(after - before for before, after in pairwise(pts))
    return steps[len(steps) // 2] if steps else 1


def _describe(body: HlsBody, rows: list[_Row]) -> tuple[VideoFacts, tuple[AudioFacts, ...]]:
    """Facts of the streams, from a segment that can be decoded and what all segments say."""
    with _open(body) as container:
        video = pick_video(container, body.name)
        firsts: dict[int, bytes] = {}
        own: list[VideoPacket] = []
        for packet in demux(container, body.name):
            firsts.setdefault(packet.stream_index, bytes(packet))
            if packet.stream_index == video.index:
                own.append(cast("VideoPacket", packet))
        first = streams.decode_first(video, own, body.name)
        time_base = cast("Fraction", video.time_base)
        rate = streams.estimate_frame_rate((row.pts for row in rows), time_base)
        readable = [row for row in rows if row.facts.error is None]
        facts = streams.video_facts(
            video,
            first,
            frame_rate=rate or video.average_rate or Fraction(25),
            reorders=all(row.reorders for row in readable),
        )
        audio = tuple(
            streams.audio_facts(
                stream,
                first_packet=firsts.get(stream.index, b""),
                peak_bandwidth=_peak(stream.index, readable, time_base),
            )
            for stream in streams.audio_streams(container)
        )
    return facts, audio


def _peak(index: int, rows: list[_Row], time_base: Fraction) -> int:
    rates = (
        8 * row.audio_bytes.get(index, 0) / row.facts.duration_seconds(time_base) for row in rows
    )
    return int(max(rates, default=0)) + 1
