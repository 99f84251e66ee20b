"""Segments made ahead on an administrator's word, below everything that a player waits for."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from manifests.urls import Route, build, decode_path, fits, title_url
from origin.errors import NotFoundError, OriginError
from origin.scheduler import Klass
from origin.service import jobs
from origin.service.answers import Answer, CacheResult, ProducedAnswer
from origin.service.titles import Offer, Title

MAX_ROWS = 100
"""How many errands are remembered, those under way not counted."""
_MAX_NOTES = 20
_STATES = ("running", "done", "cancelled")
_OUTCOMES = ("made", "found", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmRequest:
    """What is to be made."""

    titles: tuple[str, ...]
    """Title paths, paths of multivariant playlists, or patterns of either with `*` and `?`."""
    renditions: tuple[str, ...] = ()
    """Ids, or patterns of them; all if empty."""
    start_seconds: float = 0.0
    end_seconds: float | None = None

    @property
    def id(self) -> str:
        """The same for the same request."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def has_title(self, title_path: str) -> bool:
        """Whether a title is meant."""
        names = {title_path, decode_path(title_url(title_path)) or title_path}
        patterns = [decode_path(title) or title for title in self.titles]
        return any(fits(name, pattern) for pattern in patterns for name in names)

    def has_rendition(self, rendition_id: str) -> bool:
        """Whether a rendition is meant."""
        return not self.renditions or any(fits(rendition_id, p) for p in self.renditions)


@dataclass(slots=True, kw_only=True)
class Errand:
    """One request and how it goes."""

    request: WarmRequest
    state: str = "running"
    """`running`, `done` or `cancelled`."""
    total: int = 0
    made: int = 0
    found: int = 0
    """In the cache already."""
    failed: int = 0
    compute_seconds: float = 0.0
    """Of workers, over all segments made."""
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    notes: list[str] = field(default_factory=list)
    """What failed, the first of it."""

    def fail(self, text: str) -> None:
        """Remember what went wrong."""
        if len(self.notes) < _MAX_NOTES:
            self.notes.append(text)

    def end(self, state: str) -> None:
        """Nothing more is done; what ended stays as it was."""
        if self.state == "running":
            self.state = state
            self.ended = time.monotonic()

    @property
    def left(self) -> int:
        """Segments that are still to be looked at."""
        return self.total - self.made - self.found - self.failed

    def row(self) -> Mapping[str, Any]:
        """As /api/warm shows it."""
        request = self.request
        seconds = (self.ended or time.monotonic()) - self.started
        return {
            "id": request.id,
            "url": f"/api/warm/{request.id}",
            "state": self.state,
            "titles": list(request.titles),
            "renditions": list(request.renditions),
            "from": request.start_seconds,
            "to": request.end_seconds,
            "segments": {
                "total": self.total,
                "made": self.made,
                "found": self.found,
                "failed": self.failed,
            },
            "seconds": round(seconds, 3),
            "compute_seconds": round(self.compute_seconds, 3),
            "eta_seconds": round(seconds / self.made * self.left, 1) if self.made else None,
            "errors": list(self.notes),
        }


class Answers(Protocol):
    """What is asked of the service."""

    async def find_titles(self, is_meant: Callable[[str], bool]) -> list[Title]:
        """Those that are meant and can be upscaled."""

    async def answer(self, raw_path: str, klass: Klass = Klass.BLOCKING) -> Answer:
        """What a path stands for."""


class Warming:
    """Runs errands. One event loop owns it."""

    def __init__(self, service: Answers, *, concurrency: int) -> None:
        self._service = service
        self._concurrency = concurrency
        self._errands: dict[str, Errand] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, request: WarmRequest) -> Errand:
        """Begin; the same request while it runs is the same errand."""
        known = self._errands.pop(request.id, None)
        if known is not None and known.state == "running":
            errand = known
        else:
            errand = Errand(request=request)
            self._tasks[request.id] = asyncio.create_task(self._run(errand))
        self._errands[request.id] = errand
        self._forget()
        return errand

    def errands(self) -> Sequence[Errand]:
        """All that are remembered, the oldest first."""
        return tuple(self._errands.values())

    def errand(self, id_: str) -> Errand:
        """One of them.

        Raises:
            NotFoundError: There is none, or it is forgotten.
        """
        if id_ not in self._errands:
            raise NotFoundError(f"nothing is warmed under the id {id_}", source=id_)
        return self._errands[id_]

    async def cancel(self, id_: str) -> Errand:
        """Stop one; what is made stays.

        Raises:
            NotFoundError: There is none.
        """
        errand = self.errand(id_)
        await _stop([errand], [self._tasks[id_]])
        return errand

    def segments(self) -> Mapping[str, int]:
        """How many segments of the errands that are remembered were made, found and so on."""
        errands = self._errands.values()
        count = {name: sum(getattr(one, name) for one in errands) for name in _OUTCOMES}
        running = [one for one in errands if one.state == "running"]
        return count | {"waiting": sum(one.left for one in running)}

    def states(self) -> Mapping[str, int]:
        """How many errands are remembered, by state."""
        states = [errand.state for errand in self._errands.values()]
        return {state: states.count(state) for state in _STATES}

    async def aclose(self) -> None:
        """Stop all."""
        await _stop(self.errands(), list(self._tasks.values()))

    def _forget(self) -> None:
        over = [id_ for id_, errand in self._errands.items() if errand.state != "running"]
        for id_ in over[: max(0, len(over) - MAX_ROWS)]:
            del self._errands[id_], self._tasks[id_]

    async def _run(self, errand: Errand) -> None:
        try:
            await self._work(errand)
        except OriginError as error:
            errand.fail(error.detail)
        errand.end("done")

    async def _work(self, errand: Errand) -> None:
        titles = await self._service.find_titles(errand.request.has_title)
        if not titles:
            errand.fail("there is no such title, or none that can be upscaled")
        paths = [path for title in titles for path in _paths(title, errand.request)]
        errand.total = len(paths)
        waiting = iter(paths)

        async def work() -> None:
            for path in waiting:
                await self._one(errand, path)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._concurrency):
                group.create_task(work())

    async def _one(self, errand: Errand, path: str) -> None:
        try:
            answer = await self._service.answer(path, Klass.WARM)
        except OriginError as error:
            errand.failed += 1
            errand.fail(f"{path}: {error.detail}")
            return
        assert isinstance(answer, ProducedAnswer)
        if answer.cache_result is CacheResult.HIT:
            errand.found += 1
        else:
            errand.made += 1
            errand.compute_seconds += sum(answer.stages.values()) - answer.stages.get("queue", 0)


async def _stop(errands: Sequence[Errand], tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for errand in errands:
        errand.end("cancelled")


def _paths(title: Title, request: WarmRequest) -> Iterable[str]:
    offers = [offer for offer in title.offers if request.has_rendition(offer.plan.rendition_id)]
    for offer in offers:
        end = 0.0
        for index, duration in enumerate(jobs.durations(title)):
            start, end = end, end + duration
            is_late = request.end_seconds is not None and start >= request.end_seconds
            if end > request.start_seconds and not is_late and jobs.can_be_made(title, index):
                yield _path(title, offer, index)


def _path(title: Title, offer: Offer, index: int) -> str:
    rendition_id = offer.plan.rendition_id
    return build(
        Route(
            kind="segment",
            title_path=title.title_path,
            track_id=rendition_id,
            digest=offer.digest,
            index=index,
            extension=jobs.extension(title, rendition_id),
        )
    )
