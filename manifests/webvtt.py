"""WebVTT as HLS carries it: cues dealt out to the segments that they touch.

A cue stands in every segment that it touches, with its whole times (RFC 8216bis section 3.5.3), and
under the same identifier, by which players tell that it is one cue.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from manifests.errors import ManifestError
from manifests.timeline import SegmentSpan

MAX_BYTES = 32 * 2**20
"""Of all segments of a track together: a cue that lasts for hours stands in many of them."""

_HEAD = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n"
"""Cues are timed by the timeline of the media: the map is the identity."""
_OVERHEAD = 64
_CONTROL = {code: None for code in (*range(9), *range(11, 32), 127)} | {0xFEFF: None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """One cue. Times are milliseconds on the timeline of the media segments."""

    start: int
    end: int
    text: str
    """Cue text as WebVTT writes it: tags and entities, no empty line."""
    settings: str = ""


def escape(text: str) -> str:
    """Plain text as cue text; no `-->` is left in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def tidy(text: str) -> str:
    """Cue text without what would end the cue or upset a parser; empty if there is nothing to show.

    Control characters go, empty lines at both ends too; one in between gets a no-break space.
    """
    clean = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL)
    lines = [line.rstrip(" \t") for line in clean.replace("-->", "--&gt;").split("\n")]
    shown = [row for row, line in enumerate(lines) if line.strip()]
    if not shown:
        return ""
    return "\n".join(line or "\u00a0" for line in lines[shown[0] : shown[-1] + 1])


def segment_starts(
    spans: Sequence[SegmentSpan], time_base: Fraction, offset_seconds: int
) -> tuple[int, ...]:
    """Where each segment of the title starts, in milliseconds on the timeline that is served."""
    return tuple(round(1000 * (span.first_pts * time_base + offset_seconds)) for span in spans)


def segments(cues: Iterable[Cue], starts: Sequence[int]) -> list[str]:
    """The WebVTT of every segment of a track.

    Args:
        cues: In any order; those that end before they start are left out.
        starts: See `segment_starts`. What lies before the first or after the
            last belongs to it.

    Raises:
        ManifestError: They would be larger than `MAX_BYTES` together.
    """
    shown = sorted((cue for cue in cues if cue.start < cue.end), key=lambda cue: cue.start)
    dealt: list[list[str]] = [[] for _ in starts]
    total = 0
    for number, cue in enumerate(shown, start=1):
        block = _block(number, cue)
        first = max(0, bisect_right(starts, cue.start) - 1)
        last = max(first, bisect_left(starts, cue.end) - 1)
        total += (len(block) + _OVERHEAD) * (last - first + 1)
        if total > MAX_BYTES:
            raise ManifestError(f"their cues take more than {MAX_BYTES >> 20} MiB")
        for index in range(first, last + 1):
            dealt[index].append(block)
    # FFmpeg reads segments as one text: each ends with an empty line.
    return ["\n".join([_HEAD, *blocks, ""]) for blocks in dealt]


def _block(number: int, cue: Cue) -> str:
    timing = f"{timestamp(cue.start)} --> {timestamp(cue.end)}"
    return f"{number}\n{timing} {cue.settings}".rstrip() + f"\n{cue.text}\n"


def timestamp(milliseconds: int) -> str:
    """`HH:MM:SS.mmm`."""
    seconds, fraction = divmod(max(0, milliseconds), 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{fraction:03d}"
