"""The title's timeline: which frames belong to which segment.

Timestamps are integers in the `time_base` of their stream. Every packet of the source belongs to
exactly one span (law 1), in decode order: a leading picture of an open GOP belongs to the segment
of the keyframe that precedes it in decode order.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from manifests.errors import ManifestError


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSpan:
    """The video packets of one segment of a media file."""

    index: int
    key_pts: int
    """PTS of the keyframe that the segment begins with in decode order."""
    key_dts: int
    packet_count: int
    first_pts: int
    """Smallest PTS of the segment's packets."""
    end_pts: int
    """Smallest PTS of the next segment, or the end of the last packet."""
    leading: bool
    """Open GOP: packets with a PTS before `key_pts` follow the keyframe, and borrow from the
    previous segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSpan:
    """The packets of one segment of an audio track: those whose PTS falls in the video's span."""

    index: int
    first_pts: int
    packet_count: int
    end_pts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One row of a packet table, as demuxed, in decode order."""

    pts: int
    dts: int
    duration: int
    is_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFacts:
    """What the packets of one HLS source segment say, for comparison with its playlist."""

    first_pts: int
    """Smallest video PTS, in the stream's time base, unwrapped within the segment."""
    end_pts: int
    """Largest video PTS plus its duration."""
    frames: int
    has_key: bool
    leading: bool
    """The first packet is no keyframe, or packets are shown before the first keyframe: decoding
    borrows from the segment before."""
    video_bytes: int
    audio_bytes: int
    has_parameter_sets: bool = True
    """Whether it can be opened alone; an open GOP in MPEG-TS may rely on an earlier segment's."""
    error: str | None = None
    """Why this segment cannot be used; the other fields are then 0."""

    def duration_seconds(self, time_base: Fraction) -> float:
        """Length of the segment's video in seconds."""
        return float((self.end_pts - self.first_pts) * time_base)


MIN_SEGMENT_SECONDS = 4
MAX_SEGMENT_SECONDS = 20


def segment_spans(
    packets: Iterable[Packet],
    *,
    time_base: Fraction,
    min_seconds: int = MIN_SEGMENT_SECONDS,
    max_seconds: int = MAX_SEGMENT_SECONDS,
) -> tuple[SegmentSpan, ...]:
    """Cut a video track where its keyframes allow it.

    A segment starts on the first keyframe at or after `min_seconds` of the keyframe before.
    Packets before the first keyframe are in no span, for no decoder can show them. Leading pictures
    belong to the keyframe that they follow; those of the very first keyframe are kept, and make
    span 0 `leading`, although a decoder may drop them.

    Args:
        packets: In decode order. A duration of 0 means unknown.
        time_base: Seconds per tick of the packets' timestamps.
        min_seconds: Shortest segment, the last one apart.
        max_seconds: Longest segment.

    Returns:
        Spans without a gap or an overlap.

    Raises:
        ManifestError: There is no keyframe, keyframes lie too far apart, two packets have one PTS,
            or a packet is shown after a packet of the next segment.
    """
    groups = _groups(packets, math.ceil(min_seconds / time_base))
    spans: list[SegmentSpan] = []
    for index, group in enumerate(groups):
        following = groups[index + 1] if index + 1 < len(groups) else None
        span = _span(index, group, following, time_base)
        seconds = float((span.end_pts - span.first_pts) * time_base)
        if seconds > max_seconds:
            at = float(span.first_pts * time_base)
            raise ManifestError(
                f"segment {index} at {at:.3f} s would be {seconds:.3f} s long, more than "
                f"{max_seconds} s: keyframes lie too far apart"
            )
        spans.append(span)
    return tuple(spans)


def _groups(packets: Iterable[Packet], min_ticks: int) -> list[list[Packet]]:
    groups: list[list[Packet]] = []
    for packet in packets:
        if packet.is_key and (not groups or packet.pts - groups[-1][0].pts >= min_ticks):
            groups.append([packet])
        elif groups:
            groups[-1].append(packet)
    if not groups:
        raise ManifestError("the video has no keyframe")
    return groups


def _span(
    index: int, group: list[Packet], following: list[Packet] | None, time_base: Fraction
) -> SegmentSpan:
    shown = sorted(packet.pts for packet in group)
    for one, other in pairwise(shown):
        if one == other:
            raise ManifestError(f"two video packets at {float(one * time_base):.3f} s")
    end_pts = min(packet.pts for packet in following) if following else _end(group, shown)
    if end_pts <= shown[-1]:
        at = float(shown[-1] * time_base)
        raise ManifestError(f"the video packet at {at:.3f} s belongs after the next keyframe's")
    return SegmentSpan(
        index=index,
        key_pts=group[0].pts,
        key_dts=group[0].dts,
        packet_count=len(group),
        first_pts=shown[0],
        end_pts=end_pts,
        leading=shown[0] < group[0].pts,
    )


def _end(group: list[Packet], shown: list[int]) -> int:
    """End of the last packet shown; one of unknown length lasts as long as the one before."""
    last = max(group, key=lambda packet: packet.pts)
    step = shown[-1] - shown[-2] if len(shown) > 1 else 1
    return last.pts + (last.duration if last.duration > 0 else step)


def audio_spans(
    packets: Iterable[tuple[int, int]],
    spans: Sequence[SegmentSpan],
    video_time_base: Fraction,
    audio_time_base: Fraction,
) -> tuple[TrackSpan, ...]:
    """Deal the packets of an audio track out to the video's segments.

    A packet belongs to the segment that is on screen at its PTS, earlier ones to the first, later
    ones to the last. A segment without packets has a count of 0 and no length; it lies where its
    packets would.

    Args:
        packets: PTS and duration of each, in order.
        spans: Of the video.
        video_time_base: Of `spans`.
        audio_time_base: Of `packets` and the result.

    Returns:
        One span for each segment, each ending where the next begins.

    Raises:
        ManifestError: There are no packets, or their PTS go backwards.
    """
    table = list(packets)
    for (one, _), (other, _) in pairwise(table):
        if other < one:
            at = float(other * audio_time_base)
            raise ManifestError(f"audio timestamps go backwards at {at:.3f} s")
    if not table:
        raise ManifestError("the audio track has no packets")
    starts = [pts for pts, _ in table]
    scale = video_time_base / audio_time_base
    cuts = [bisect_left(starts, math.ceil(span.first_pts * scale)) for span in spans[1:]]
    bounds = [0, *cuts, len(table)]
    starts.append(starts[-1] + max(table[-1][1], 0))
    return tuple(
        TrackSpan(index=index, first_pts=starts[a], packet_count=b - a, end_pts=starts[b])
        for index, (a, b) in enumerate(pairwise(bounds))
    )


def target_duration(durations: Iterable[Decimal | Fraction | float]) -> int:
    """EXT-X-TARGETDURATION: no EXTINF, rounded to the nearest integer, is larger."""
    rounded = (math.floor(Fraction(seconds) + Fraction(1, 2)) for seconds in durations)
    return max(rounded, default=1) or 1


def extinf_deviation(
    durations: Sequence[Decimal | Fraction | float],
    facts: Sequence[SegmentFacts],
    time_base: Fraction,
) -> float:
    """How far a playlist's EXTINF lie from the media at most, in seconds.

    Both the difference of each segment and their running sum count, as a player adds them up.
    Segments with an error are left out.
    """
    total = worst = Fraction()
    for seconds, fact in zip(durations, facts, strict=True):
        if fact.error is None:
            difference = Fraction(seconds) - (fact.end_pts - fact.first_pts) * time_base
            total += difference
            worst = max(worst, abs(difference), abs(total))
    return float(worst)
