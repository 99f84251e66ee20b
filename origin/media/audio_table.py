"""What one pass over a media file finds of an audio track, and the facts that follow from it."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import cast

from av.audio.stream import AudioStream

from manifests import timeline
from manifests.errors import ManifestError
from manifests.timeline import SegmentSpan, TrackSpan
from origin.errors import UnsupportedSourceError
from origin.media import aac_grid, fmp4, streams
from origin.media.demux import AnyPacket
from origin.media.track import Track
from origin.media.types import AudioFacts


@dataclass(slots=True, kw_only=True)
class AudioTable:
    """The packets of one audio track, in order."""

    pts: "array[int]" = field(default_factory=lambda: array("q"))
    durations: "array[int]" = field(default_factory=lambda: array("q"))
    sizes: "array[int]" = field(default_factory=lambda: array("q"))
    first: bytes = b""
    skip: int = 0

    def add(self, packet: AnyPacket) -> None:
        """Append a packet; one without a timestamp follows the one before."""
        if not self.pts:
            self.first = bytes(packet)
            if packet.has_sidedata("skip_samples"):
                data = bytes(packet.get_sidedata("skip_samples"))
                self.skip = int.from_bytes(data[:4], "little")
        expected = self.pts[-1] + self.durations[-1] if self.pts else 0
        pts = expected if packet.pts is None else packet.pts
        self.pts.append(pts)
        self.durations.append(packet.duration or 0)
        self.sizes.append(packet.size)


def audio_facts(
    stream: AudioStream,
    table: AudioTable,
    spans: Sequence[SegmentSpan],
    time_base: Fraction,
    name: str,
) -> AudioFacts:
    """Describe a track of a media file, and deal its packets out to the video's segments.

    Args:
        stream: The track.
        table: Its packets, one or more.
        spans: Of the video.
        time_base: Of `spans`.
        name: How to name the file in errors.

    Raises:
        UnsupportedSourceError: Its timestamps go backwards.
    """
    if not _can_copy(stream, table.first):
        return _transcoded_facts(stream, table, spans, time_base)
    own = cast("Fraction", stream.time_base)
    rows = zip(table.pts, table.durations, strict=True)
    try:
        dealt = timeline.audio_spans(rows, spans, time_base, own)
    except ManifestError as error:
        raise UnsupportedSourceError(f"has audio out of order: {error}", source=name) from error
    return streams.audio_facts(
        stream,
        first_packet=table.first,
        peak_bandwidth=_audio_peak(table, dealt, own),
        spans=dealt,
    )


def _can_copy(stream: AudioStream, first_packet: bytes) -> bool:
    """Whether MP4 can carry the packets as they are."""
    track = Track.from_stream(stream, first_packet=first_packet)
    has_config = track.codec != "aac" or bool(track.extradata)
    return track.codec in streams.COPIED and has_config


def _audio_peak(table: AudioTable, spans: Sequence[TrackSpan], time_base: Fraction) -> int:
    peak, at = 0.0, 0
    for span in spans:
        seconds = float((span.end_pts - span.first_pts) * time_base)
        size = sum(table.sizes[at : at + span.packet_count])
        at += span.packet_count
        if seconds > 0:
            peak = max(peak, 8 * fmp4.fragment_size(size, span.packet_count) / seconds)
    return ceil(peak)


def _transcoded_facts(
    stream: AudioStream, table: AudioTable, spans: Sequence[SegmentSpan], time_base: Fraction
) -> AudioFacts:
    grid = aac_grid.grid_of(stream, table.pts, table.skip, len(table.first))
    rate = aac_grid.served_rate(grid.sample_rate)
    last = grid.position(table.pts[-1])
    end = last + round(table.durations[-1] * grid.time_base * grid.sample_rate)
    scale = Fraction(rate, grid.sample_rate)
    dealt = aac_grid.aac_spans(
        origin=round(grid.origin * scale),
        samples=ceil((end - grid.origin) * scale),
        rate=rate,
        spans=spans,
        time_base=time_base,
    )
    return streams.aac_facts(stream, grid=grid, rate=rate, spans=dealt)
