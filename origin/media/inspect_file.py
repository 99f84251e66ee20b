"""Inspects a media file: one pass over its packets, none of them decoded but the first few."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import cast

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from manifests import timeline
from manifests.errors import ManifestError
from manifests.timeline import SegmentSpan
from manifests.webvtt import segment_starts
from origin.errors import BrokenSourceError, UnsupportedSourceError
from origin.media import fmp4, nal, streams
from origin.media.audio_table import AudioTable, audio_facts
from origin.media.containers import detect_container
from origin.media.demux import demux, open_file, pick_video
from origin.media.fonts import list_fonts
from origin.media.subtitles import Tables as SubtitleTables
from origin.media.subtitles import make_tracks, text_streams
from origin.media.types import AudioFacts, Container, FileFacts, InspectFile

MAX_DURATION_SECONDS = 24 * 3600
MAX_SEGMENTS = 50_000
MAX_VIDEO_PACKETS = MAX_DURATION_SECONDS * 120


@dataclass(slots=True, kw_only=True)
class _Tables:
    """Everything that one pass over the file finds."""

    video: list[timeline.Packet] = field(default_factory=list)
    sizes: "array[int]" = field(default_factory=lambda: array("q"))
    audio: dict[int, AudioTable] = field(default_factory=dict)
    subtitles: SubtitleTables

    def of(self, stream_index: int) -> AudioTable | SubtitleTables:
        """Where the packets of a stream other than the video go."""
        return self.audio.get(stream_index, self.subtitles)


def inspect_file(job: InspectFile) -> FileFacts:
    """Find a file's streams, its segments, and what serving them takes.

    Raises:
        BrokenSourceError: Missing, empty, truncated or unreadable.
        UnsupportedSourceError: No container, codec or timeline that we can serve, or beyond the
            limits.
    """
    container = detect_container(job.path, job.name)
    with open_file(job.path, container, job.name) as opened:
        video = pick_video(opened, job.name)
        tracks = _usable_tracks(opened) if job.audio else []
        texts, warnings = text_streams(opened) if job.audio else ([], [])
        tables = _scan(opened, video, tracks, texts, job.name)
        if container is Container.MATROSKA or not _has_sound_dts(tables.video):
            tables.video = _with_made_dts(tables.video)
        time_base = cast("Fraction", video.time_base)
        spans = _spans(tables.video, time_base, job)
        audio = tuple(
            audio_facts(stream, tables.audio[stream.index], spans, time_base, job.name)
            for stream in tracks
            if tables.audio[stream.index].pts
        )
        offset_seconds = _offset_seconds(spans, time_base, audio)
        starts = segment_starts(spans, time_base, offset_seconds)
        made = make_tracks(texts, tables.subtitles, starts, offset_seconds)
        fonts, font_warnings = list_fonts(opened)
        # The decoder gets a container of its own: this one is spent.
        with open_file(job.path, container, job.name) as again:
            own = pick_video(again, job.name)
            first = streams.decode_first(own, streams.from_key(again, own, job.name), job.name)
            facts = streams.video_facts(
                own,
                first,
                frame_rate=_frame_rate(tables.video, own, time_base),
                reorders=_reorders(tables.video, spans),
            )
    peak, average = _bandwidth(tables, spans, time_base)
    return FileFacts(
        container=container,
        video=facts,
        audio=audio,
        spans=spans,
        duration_seconds=float((spans[-1].end_pts - spans[0].first_pts) * time_base),
        video_peak_bandwidth=peak,
        video_average_bandwidth=average,
        offset_seconds=offset_seconds,
        subtitles=tuple(made[0]),
        texts=tuple(made[1]),
        fonts=tuple(fonts),
        warnings=(*warnings, *made[2], *font_warnings),
    )


def _usable_tracks(container: InputContainer) -> list[AudioStream]:
    """The audio tracks that can be copied or decoded."""
    return [stream for stream in streams.audio_streams(container) if stream.time_base]


def _scan(
    container: InputContainer,
    video: VideoStream,
    tracks: Sequence[AudioStream],
    texts: Sequence[SubtitleStream],
    name: str,
) -> _Tables:
    tables = _Tables(
        audio={stream.index: AudioTable() for stream in tracks},
        subtitles=SubtitleTables.of(texts),
    )
    longest = MAX_DURATION_SECONDS / cast("Fraction", video.time_base)
    prefixed = not nal.is_annex_b(video.codec_context.extradata)
    for packet in demux(container, name, video, *tracks, *texts):
        if packet.stream_index != video.index:
            tables.of(packet.stream_index).add(packet)
            continue
        if packet.pts is None:
            raise UnsupportedSourceError("has video packets without a timestamp", source=name)
        row = timeline.Packet(
            pts=packet.pts,
            dts=packet.pts + 1 if packet.dts is None else packet.dts,
            duration=packet.duration or 0,
            is_key=packet.is_keyframe,
        )
        tables.video.append(row)
        # A start code may be a byte shorter than the length that replaces it.
        grown = 0 if prefixed else bytes(packet).count(b"\0\0\1")
        tables.sizes.append(packet.size + grown)
        if abs(row.pts - tables.video[0].pts) > longest or len(tables.video) > MAX_VIDEO_PACKETS:
            raise UnsupportedSourceError(
                f"is longer than {MAX_DURATION_SECONDS // 3600} hours", source=name
            )
    if not tables.video:
        raise BrokenSourceError("has no video frames", source=name)
    return tables


def _has_sound_dts(packets: Sequence[timeline.Packet]) -> bool:
    rises = all(a.dts < b.dts for a, b in pairwise(packets))
    return rises and all(packet.dts <= packet.pts for packet in packets)


def _with_made_dts(packets: Sequence[timeline.Packet]) -> list[timeline.Packet]:
    """Give each packet the PTS of its rank, less the delay that keeps every DTS before its PTS."""
    shown = sorted(packet.pts for packet in packets)
    delay = max(at - packet.pts for at, packet in zip(shown, packets, strict=True))
    return [
        timeline.Packet(
            pts=packet.pts, dts=at - delay, duration=packet.duration, is_key=packet.is_key
        )
        for at, packet in zip(shown, packets, strict=True)
    ]


def _spans(
    packets: Sequence[timeline.Packet], time_base: Fraction, job: InspectFile
) -> tuple[SegmentSpan, ...]:
    try:
        spans = timeline.segment_spans(
            packets, time_base=time_base, max_seconds=job.max_segment_seconds
        )
    except ManifestError as error:
        raise UnsupportedSourceError(f"cannot be segmented: {error}", source=job.name) from error
    if len(spans) > MAX_SEGMENTS:
        raise UnsupportedSourceError(f"has more than {MAX_SEGMENTS} segments", source=job.name)
    return spans


def _by_span(
    packets: Sequence[timeline.Packet], spans: Sequence[SegmentSpan]
) -> Iterator[tuple[SegmentSpan, slice]]:
    """Each span with its rows of the packet table."""
    at = next(i for i, packet in enumerate(packets) if packet.is_key)
    for span in spans:
        yield span, slice(at, at + span.packet_count)
        at += span.packet_count


def _frame_rate(
    packets: Sequence[timeline.Packet], video: VideoStream, time_base: Fraction
) -> Fraction:
    shown = sorted(packet.pts for packet in packets)
    rate = streams.estimate_frame_rate([shown], time_base)
    return rate or video.average_rate or Fraction(25)


def _reorders(packets: Sequence[timeline.Packet], spans: Sequence[SegmentSpan]) -> bool:
    """Whether the DTS that spans are served with (`packets.span_timing`) leave a frame's room."""
    for span, rows in _by_span(packets, spans):
        shown = sorted(packet.pts for packet in packets[rows])
        delay = max(0, span.first_pts - span.key_dts)
        if not streams.delays_by_a_frame(shown, [at - delay for at in shown]):
            return False
    return True


def _bandwidth(
    tables: _Tables, spans: Sequence[SegmentSpan], time_base: Fraction
) -> tuple[int, int]:
    """Peak and average bits per second of the remuxed video."""
    bits = seconds = 0.0
    peak = 0.0
    for span, rows in _by_span(tables.video, spans):
        size = 8 * fmp4.fragment_size(sum(tables.sizes[rows]), span.packet_count)
        length = float((span.end_pts - span.first_pts) * time_base)
        peak = max(peak, size / length)
        bits, seconds = bits + size, seconds + length
    return ceil(peak), ceil(bits / seconds)


def _offset_seconds(
    spans: Sequence[SegmentSpan], time_base: Fraction, audio: Sequence[AudioFacts]
) -> int:
    """The fewest whole seconds that leave no timestamp negative."""
    earliest = [min(span.first_pts, span.key_dts) * time_base for span in spans[:1]]
    earliest += [track.spans[0].first_pts * track.time_base for track in audio]
    return max(0, ceil(-min(earliest)))
