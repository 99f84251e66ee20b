"""Text subtitles of media files: found, read once, and made into WebVTT segments and ASS scripts.

A track's packets are collected in the one pass that inspects the file; `package_subtitles` is for
the day that a cache has lost what was made of them. Nothing a track holds may stop the video.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import av
import msgspec
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.subtitles.stream import SubtitleStream

from manifests import webvtt
from manifests.errors import ManifestError
from manifests.webvtt import Cue
from origin.errors import BrokenSourceError
from origin.media import ass
from origin.media.demux import AnyPacket, demux, open_file
from origin.media.types import (
    PackageSubtitles,
    Produced,
    SubtitleFacts,
    SubtitleFormat,
    SubtitleTexts,
)

MAX_TRACKS = 100
MAX_EVENTS = 200_000
"""Of one track."""
MAX_EVENT_BYTES = 2**20
MAX_BYTES = 96 * 2**20
"""Of all tracks of a file together."""

_FORMATS: dict[str, SubtitleFormat] = {
    "ass": "ass",
    "ssa": "ass",
    "subrip": "srt",
    "text": "srt",
    "mov_text": "mov_text",
    "webvtt": "webvtt",
}
_UNKNOWN_LENGTH = 5_000
"""Milliseconds that an event of no stated length is shown, or until the next."""
_log = logging.getLogger(__name__)


class Row(NamedTuple):
    """One packet. Times are milliseconds in the file's own timeline; `end` may be unknown."""

    start: int
    end: int | None
    data: bytes
    settings: str


@dataclass(slots=True, kw_only=True)
class Tables:
    """The packets of every text track of a file, as one pass over it finds them."""

    rows: dict[int, list[Row]]
    """By stream index."""
    left_out: dict[int, str] = field(default_factory=dict)
    """Stream index → why it cannot be offered."""
    size: int = 0

    @classmethod
    def of(cls, streams: Sequence[SubtitleStream]) -> "Tables":
        """Empty tables."""
        return cls(rows={stream.index: [] for stream in streams})

    def add(self, packet: AnyPacket) -> None:
        """Append a packet; one that is larger than any text is passed over."""
        index = packet.stream_index
        if packet.pts is None or packet.size > MAX_EVENT_BYTES or index in self.left_out:
            return
        rows = self.rows[index]
        self.size += packet.size
        if len(rows) >= MAX_EVENTS or self.size > MAX_BYTES:
            self.left_out[index] = (
                f"they have more than {MAX_BYTES >> 20} MiB or {MAX_EVENTS} lines"
            )
            self.size -= sum(len(row.data) for row in rows) + packet.size
            rows.clear()
            return
        base = 1000 * packet.time_base
        end = round((packet.pts + packet.duration) * base) if packet.duration else None
        settings = packet.get_sidedata("webvtt_settings") if _has_settings(packet) else b""
        rows.append(Row(round(packet.pts * base), end, bytes(packet), _text(bytes(settings))))


def _has_settings(packet: AnyPacket) -> bool:
    return bool(packet.has_sidedata("webvtt_settings"))


def text_streams(container: InputContainer) -> tuple[list[SubtitleStream], list[str]]:
    """The subtitle tracks that hold text, and warnings about the others."""
    found: list[SubtitleStream] = []
    warnings = []
    for stream in container.streams.subtitles:
        context = stream.codec_context
        codec = context.codec.canonical_name if context else "unknown codec"
        if codec not in _FORMATS:
            warnings.append(_left_out(stream, f"{codec} is no text"))
        elif stream.time_base is None or len(found) >= MAX_TRACKS:
            warnings.append(_left_out(stream, f"only {MAX_TRACKS} are taken"))
        else:
            found.append(stream)
    return found, warnings


def make_tracks(
    streams: Sequence[SubtitleStream],
    tables: Tables,
    starts: Sequence[int],
    offset_seconds: int,
) -> tuple[list[SubtitleFacts], list[SubtitleTexts], list[str]]:
    """What can be offered of collected tracks.

    Args:
        streams: Of a container that is still open.
        tables: Their packets.
        starts: See `webvtt.segment_starts`.
        offset_seconds: Added to all times (see FileFacts).

    Returns:
        Facts and texts, one each for every usable track, and warnings about the others.
    """
    facts, texts, warnings = [], [], []
    for stream in streams:
        reason = tables.left_out.get(stream.index)
        if reason is None:
            try:
                made = _make(stream, tables.rows[stream.index], starts, offset_seconds)
            except ManifestError as error:
                reason = str(error)
            except Exception:  # whatever a track does to us, the video plays
                _log.exception("subtitles of stream %d", stream.index)
                reason = "they cannot be read"
            else:
                reason = None if made.webvtt else "they are empty"
        if reason is None:
            facts.append(_facts(stream))
            texts.append(made)
        else:
            warnings.append(_left_out(stream, reason))
    return facts, texts, warnings


def _left_out(stream: SubtitleStream, reason: str) -> str:
    return f"the subtitles of stream {stream.index} are left out: {reason}"


def _facts(stream: SubtitleStream) -> SubtitleFacts:
    disposition = stream.disposition
    return SubtitleFacts(
        stream_index=stream.index,
        format=_FORMATS[stream.codec_context.codec.canonical_name],
        language=stream.language if stream.language != "und" else None,
        title=stream.metadata.get("title"),
        is_default=bool(disposition & Disposition.default),
        is_forced=bool(disposition & Disposition.forced),
        is_accessible=bool(disposition & Disposition.hearing_impaired),
    )


def package_subtitles(job: PackageSubtitles) -> Produced:
    """Make the segments of a track, or its script, by reading the whole file again.

    Raises:
        BrokenSourceError: The track is not what it was when it was inspected.
    """
    started = time.perf_counter()
    with open_file(job.path, job.container, job.name) as container:
        stream = _stream(container, job)
        tables = Tables.of([stream])
        for packet in demux(container, job.name, stream):
            tables.add(packet)
        read = time.perf_counter()
        _, texts, warnings = make_tracks([stream], tables, job.starts, job.offset_seconds)
    if not texts:
        raise BrokenSourceError(f"has changed: {'; '.join(warnings)}", source=job.name)
    body = texts[0].ass if job.form == "ass" else texts[0].webvtt
    stages = {"fetch": read - started, "mux": time.perf_counter() - read}
    return Produced(body=body, stages=stages)


def _stream(container: InputContainer, job: PackageSubtitles) -> SubtitleStream:
    index = job.stream_index
    stream = container.streams[index] if index < len(container.streams) else None
    if not isinstance(stream, SubtitleStream) or stream.codec_context is None:
        raise BrokenSourceError("has changed since it was inspected", source=job.name)
    for other in container.streams:
        if other.index != index:
            other.discard = Discard.all
    return stream


def _make(
    stream: SubtitleStream, rows: Sequence[Row], starts: Sequence[int], offset_seconds: int
) -> SubtitleTexts:
    script = b""
    kind = _FORMATS[stream.codec_context.codec.canonical_name]
    if kind == "webvtt":
        cues = [_cue(row, end) for row, end in _timed(rows)]
    else:
        header = _text(stream.codec_context.extradata or b"") if kind == "ass" else ""
        events = list(_script_events(rows) if kind == "ass" else _decoded_events(stream, rows))
        if kind == "ass":
            script = ass.write_script(header, events).encode()
        else:
            header = _text(stream.codec_context.subtitle_header or b"")
        cues = ass.to_cues(ass.read_header(header), events)
    offset = 1000 * offset_seconds
    shifted = [
        replace(cue, start=cue.start + offset, end=cue.end + offset) for cue in cues if cue.text
    ]
    if not shifted:
        return SubtitleTexts(webvtt=b"", ass=b"")
    body = msgspec.json.encode(webvtt.segments(shifted, starts))
    return SubtitleTexts(webvtt=body, ass=script)


def _timed(rows: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """Rows and their ends; an unknown one is the next row's start, or soon."""
    ordered = sorted(rows, key=lambda row: row.start)
    following = [row.start for row in ordered[1:]] + [None]
    for row, after in zip(ordered, following, strict=True):
        latest = row.start + _UNKNOWN_LENGTH
        until = latest if after is None else min(after, latest)
        yield row, until if row.end is None else row.end


def _cue(row: Row, end: int) -> Cue:
    settings = " ".join(row.settings.replace("-->", "").split())
    return Cue(start=row.start, end=end, text=webvtt.tidy(_text(row.data)), settings=settings)


def _script_events(rows: Sequence[Row]) -> Iterator[ass.Event]:
    for row in rows:
        event = ass.read_event(
            _text(row.data), row.start, row.start if row.end is None else row.end
        )
        if event is not None:
            yield event


def _decoded_events(stream: SubtitleStream, rows: Sequence[Row]) -> Iterator[ass.Event]:
    """FFmpeg reads every other format into events."""
    context = stream.codec_context
    is_binary = context.codec.canonical_name == "mov_text"
    for row, end in _timed(rows):
        data = row.data if is_binary else _text(row.data).encode()
        try:
            decoded = context.decode2(av.Packet(data)) if data else None
        except av.FFmpegError:
            continue
        for rect in decoded or ():
            event = ass.read_event(_text(getattr(rect, "ass", b"")), row.start, end)
            if event is not None:
                yield event


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\0", "")
