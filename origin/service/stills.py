"""A title's still pictures: which there are, and the jobs that make them. Pure.

The player's timeline begins at 0 where the first segment does. It is cut into equal intervals, and
each shows the last keyframe at or before its middle; keyframes alone decide how near that is.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from manifests.stream_inf import display_size
from manifests.timeline import SegmentFacts
from manifests.urls import POSTER, THUMBNAILS, Route, build, sheet_uri
from origin.errors import NotFoundError
from origin.media.types import MakePoster, MakeSheet, Moment, StillJob, StillShape
from origin.service import jobs
from origin.service.plans import ENCODER
from origin.service.titles import FileTitle, Title

_VERSION = 1
"""Raised whenever the same title would give other pictures."""
_MOST_TILES = 150
_COLUMNS, _ROWS = 5, 5
_TILE_SIDE = 160
_POSTER_SIDE = 1280
_CANDIDATES = tuple(Fraction(n, 100) for n in (10, 15, 20, 25, 30))
_OTHERS = tuple(Fraction(n, 100) for n in (40, 50, 60, 70, 80, 90, 5))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    """A segment that has a keyframe to show."""

    index: int
    start_seconds: Fraction
    """On the player's timeline."""
    first_pts: int


def digest(title: Title) -> str:
    """The digest in the paths of a title's still pictures."""
    text = f"{title.snapshot.identity}/stills/{_VERSION}/{ENCODER}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def urls(title: Title) -> tuple[str | None, str | None]:
    """Of the poster, and of the file that says where the thumbnails are; None if there are none."""
    if not _has_any(title):
        return None, None
    poster, thumbnails = (
        build(Route(kind="still", title_path=title.title_path, digest=digest(title), name=name))
        for name in (POSTER, THUMBNAILS)
    )
    return poster, thumbnails


def job(title: Title, name: str) -> StillJob:
    """The job that makes a picture.

    Args:
        title: Whose.
        name: The last part of its path.

    Raises:
        NotFoundError: There is no such picture.
    """
    segments = _segments(title)
    if name == POSTER and segments:
        return _poster(title, segments)
    number = name.removesuffix(".jpg")
    sheets = _by_sheet(_intervals(title)) if segments else []
    if not number.isdecimal() or int(number) >= len(sheets):
        raise NotFoundError(f"{title.title_path} has no picture {name}", source=name)
    middles = [(start + end) / 2 for start, end in sheets[int(number)]]
    return MakeSheet(
        name=title.title_path,
        moments=tuple(_moment(title, segments, at) for at in middles),
        shape=_shape(title, _TILE_SIDE, even=True),
        columns=min(_COLUMNS, len(middles)),
    )


def thumbnails(title: Title) -> str:
    """WebVTT: for each interval of the title the place of its picture in a sheet.

    Raises:
        NotFoundError: Not one keyframe can be shown.
    """
    if not _has_any(title):
        raise NotFoundError(f"{title.title_path} has no pictures", source=THUMBNAILS)
    shape = _shape(title, _TILE_SIDE, even=True)
    lines = ["WEBVTT", ""]
    for number, sheet in enumerate(_by_sheet(_intervals(title))):
        for place, (start, end) in enumerate(sheet):
            row, column = divmod(place, _COLUMNS)
            box = (column * shape.width, row * shape.height, shape.width, shape.height)
            lines.append(f"{_clock(start)} --> {_clock(end)}")
            lines.append(f"{sheet_uri(number)}#xywh={','.join(map(str, box))}")
            lines.append("")
    return "\n".join(lines)


def _poster(title: Title, segments: Sequence[_Segment]) -> MakePoster:
    length = _bounds(title)[-1]
    chosen, others = (
        tuple(dict.fromkeys(_moment(title, segments, length * part) for part in parts))
        for parts in (_CANDIDATES, _OTHERS)
    )
    return MakePoster(
        name=title.title_path,
        moments=chosen,
        others=others,
        shape=_shape(title, _POSTER_SIDE, even=False),
    )


def _moment(title: Title, segments: Sequence[_Segment], at_seconds: Fraction) -> Moment:
    """In the segment that is on screen then; where that shows nothing, in the one before it."""
    after = bisect_right(segments, at_seconds, key=lambda segment: segment.start_seconds)
    segment = segments[max(0, after - 1)]
    since = max(Fraction(0), at_seconds - segment.start_seconds)
    return Moment(
        source=jobs.still_source(title, segment.index),
        pts=segment.first_pts + int(since / title.facts.video.time_base),
    )


def _has_any(title: Title) -> bool:
    return isinstance(title, FileTitle) or any(map(_is_shown, title.facts.segments))


def _is_shown(segment: SegmentFacts) -> bool:
    return segment.has_key and segment.error is None


def _segments(title: Title) -> list[_Segment]:
    bounds = _bounds(title)
    if isinstance(title, FileTitle):
        rows = [(index, span.first_pts) for index, span in enumerate(title.facts.spans)]
    else:
        facts = enumerate(title.facts.segments)
        rows = [(index, row.first_pts) for index, row in facts if _is_shown(row)]
    return [_Segment(index=i, start_seconds=bounds[i], first_pts=pts) for i, pts in rows]


def _bounds(title: Title) -> list[Fraction]:
    """Where each segment begins on the player's timeline, and where the last one ends."""
    if isinstance(title, FileTitle):
        base, spans = title.facts.video.time_base, title.facts.spans
        lengths = [(span.end_pts - span.first_pts) * base for span in spans]
    else:
        lengths = [Fraction(segment.duration) for segment in title.source.media.segments]
    return list(accumulate(lengths, initial=Fraction(0)))


def _intervals(title: Title) -> list[tuple[Fraction, Fraction]]:
    length = _bounds(title)[-1]
    step = max(1, -(-length // _MOST_TILES))
    count = max(1, -(-length // step))
    return list(pairwise([*(Fraction(n * step) for n in range(count)), length]))


def _by_sheet(
    intervals: Sequence[tuple[Fraction, Fraction]],
) -> list[Sequence[tuple[Fraction, Fraction]]]:
    size = _COLUMNS * _ROWS
    return [intervals[first : first + size] for first in range(0, len(intervals), size)]


def _shape(title: Title, side: int, *, even: bool) -> StillShape:
    """The picture upright and in square pixels, its longer side no more than `side`."""
    video = title.facts.video
    width, height = display_size(video.width, video.height, video.sar, video.rotation)
    scale = min(Fraction(1), Fraction(side, max(width, height)))
    unit = 2 if even else 1
    width, height = (max(2, round(n * scale / unit) * unit) for n in (width, height))
    color = video.color.resolved(video.height)
    return StillShape(width=width, height=height, rotation=video.rotation, color=color)


def _clock(at_seconds: Fraction) -> str:
    """WebVTT's timestamp, `hh:mm:ss.ttt`."""
    milliseconds = round(at_seconds * 1000)
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
