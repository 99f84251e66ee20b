"""The title's timeline: which frames belong to which segment. Values only; no I/O.

Timestamps are integers in the `time_base` of their stream. Every packet of the source belongs to
exactly one span (law 1), in decode order: a leading picture of an open GOP belongs to the segment
of the keyframe that precedes it in decode order.
"""

from dataclasses import dataclass
from fractions import Fraction


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
    error: str | None = None
    """Why this segment cannot be used; the other fields are then 0."""

    def duration_seconds(self, time_base: Fraction) -> float:
        """Length of the segment's video in seconds."""
        return float((self.end_pts - self.first_pts) * time_base)
