"""Tracks as viewers go through them, each described once."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate

from manifests.urls import Route
from origin.media.types import BodyJob
from origin.service import jobs
from origin.service.items import item_of
from origin.service.production import Item
from origin.service.titles import Title, find_offer
from origin.viewers import Part

_SEGMENT_TYPES = {"ts": "video/mp2t", "m4s": "video/iso.segment"}
_REMEMBERED = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One track of a title."""

    title: str
    """Names its timeline, and changes with it."""
    kind: str
    """What a player has one buffer for: `video`, or an audio track."""
    parts: Sequence[Part]
    """Its segments."""
    item: Callable[[int], Item]
    """The body of a segment."""
    is_upscaled: bool
    """It is worth making ahead, and has lighter models."""

    def part(self, index: int) -> Part:
        """A segment, which may be one that there is not."""
        if index < len(self.parts):
            return self.parts[index]
        return Part(index=index, start_seconds=0.0, duration_seconds=0.0)


def parts_of(durations: Sequence[float]) -> tuple[Part, ...]:
    """Segments that last for so many seconds each, one after the other."""
    starts = accumulate(durations, initial=0.0)
    return tuple(
        Part(index=index, start_seconds=start, duration_seconds=duration)
        for index, (start, duration) in enumerate(zip(starts, durations, strict=False))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    title: Title
    digest: str
    extension: str
    stream: Stream


class Streams:
    """Describes tracks, and remembers the latest. One event loop owns it."""

    def __init__(self, *, device: str, threads: int, ladder: Mapping[str, str]) -> None:
        """Set up.

        Args:
            device: Where segments are upscaled.
            threads: Of one worker.
            ladder: Digest by name of the models that may stand in for others.
        """
        self._device = device
        self._threads = threads
        self._ladder = ladder
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()

    def get(self, title: Title, track_id: str) -> Stream:
        """A track of a title.

        Raises:
            NotFoundError: The title has no such track.
        """
        key = title.title_path, track_id
        known = self._known.get(key)
        if known is None or known.title is not title:
            known = self._known[key] = self._describe(title, track_id)
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known.stream

    def at_hand(self, title: Title, route: Route) -> Stream | None:
        """The track that a segment's path is right for, if it is remembered."""
        known = self._known.get((route.title_path, route.track_id or ""))
        if (
            known is None
            or known.title is not title
            or known.digest != route.digest
            or known.extension != route.extension
        ):
            return None
        return known.stream

    def _describe(self, title: Title, track_id: str) -> _Known:
        digest = jobs.track_digest(title, track_id)
        extension = jobs.extension(title, track_id)

        @lru_cache(maxsize=64)
        def item(index: int) -> Item:
            has_next = jobs.has_segment(title, track_id, index + 1)
            return item_of(
                title,
                digest=digest,
                name=str(index),
                content_type=_SEGMENT_TYPES[extension],
                job=cache(lambda: self._job(title, track_id, index)),
                lighter=lambda job: jobs.lighter_jobs(job, self._ladder),
                next_uri=f"{index + 1}.{extension}" if has_next else None,
            )

        stream = Stream(
            title=f"{title.title_path} {title.snapshot.identity}",
            kind=track_id if track_id.startswith("audio-") else "video",
            parts=parts_of(jobs.durations(title)),
            item=item,
            is_upscaled=find_offer(title, track_id) is not None,
        )
        return _Known(title=title, digest=digest, extension=extension, stream=stream)

    def _job(self, title: Title, track_id: str, index: int) -> BodyJob:
        return jobs.segment_job(title, track_id, index, device=self._device, threads=self._threads)
