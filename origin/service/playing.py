"""Segments for viewers: who needs what by when, and what they will need next."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from urllib.parse import unquote, urljoin, urlsplit

from manifests.urls import Route, match
from origin.cmcd import NOTHING, Cmcd
from origin.scheduler import Klass
from origin.service.answers import ProducedAnswer
from origin.service.production import Call, Item, Production
from origin.viewers import Need, Part, Viewers, lookahead_depth
from origin.worker.lanes import Lane
from origin.worker.pool import WorkerPool

STALE_SECONDS = 30.0
"""After it should have been asked for, a segment is not made ahead any more."""
_TIMELINES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks, as far as one can tell."""

    address: str = ""
    cmcd: Cmcd = NOTHING
    takes_any: bool = True
    """A lighter model's body will do. Not so where parts are fetched that must fit together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One track of a title, as viewers go through it."""

    title: str
    """Names its timeline, and changes with it."""
    kind: str
    """What a player has one buffer for: `video`, or an audio track."""
    durations: Callable[[], tuple[float, ...]]
    """Seconds of each segment."""
    item: Callable[[int], Item]
    is_upscaled: bool
    """It is worth making ahead, and has lighter models."""


@dataclass(frozen=True, slots=True)
class _Timeline:
    starts: tuple[float, ...]
    durations: tuple[float, ...]

    def part(self, index: int) -> Part:
        if index >= len(self.starts):
            return Part(index=index, start_seconds=0.0, duration_seconds=0.0)
        return Part(
            index=index,
            start_seconds=self.starts[index],
            duration_seconds=self.durations[index],
        )


class Playing:
    """Answers viewers, and works ahead of them. One event loop owns it."""

    def __init__(
        self, *, production: Production, pool: WorkerPool, viewers: Viewers, most_ahead: int
    ) -> None:
        """Set up.

        Args:
            production: Makes and keeps bodies.
            pool: Who makes them, and how fast.
            viewers: What is remembered of those who ask.
            most_ahead: Segments to make ahead of one viewer, at most.
        """
        self._production = production
        self._pool = pool
        self._viewers = viewers
        self._most_ahead = most_ahead
        self._ahead: dict[Hashable, dict[str, asyncio.Task[None]]] = {}
        self._timelines: OrderedDict[str, _Timeline] = OrderedDict()

    async def get(
        self,
        stream: Stream,
        index: int,
        viewer: Viewer,
        *,
        next_index: int | None = None,
        by_reference: bool = False,
    ) -> ProducedAnswer:
        """A segment for a player that waits.

        Args:
            stream: Of the segment.
            index: Of the segment.
            viewer: Who asks.
            next_index: What it says that it will ask for next.
            by_reference: Where the body lies will do, if it is on the disk.

        Raises:
            OriginError: It cannot be made.
        """
        loop = asyncio.get_running_loop()
        who = (viewer.cmcd.session or viewer.address, stream.title, stream.kind)
        part = self._timeline(stream).part(index)
        need = self._viewers.ask(who, part, viewer.cmcd, loop.time())
        if need.has_sought:
            self._drop(who)
        call = Call(
            deadline=need.deadline,
            is_firm=need.is_firm and stream.is_upscaled and viewer.takes_any,
            by_reference=by_reference,
        )
        answer = await self._production.get(stream.item(index), call)
        self._viewers.answered(who, part, loop.time())
        if stream.is_upscaled:
            first = index + 1 if next_index is None else next_index
            self._work_ahead(who, stream, part, first, need)
        return answer

    def warm(self, stream: Stream, count: int) -> None:
        """Have the first segments made, below all that anyone waits for."""
        loop = asyncio.get_running_loop()
        timeline = self._timeline(stream)
        for index in range(min(count, len(timeline.starts))):
            deadline = loop.time() + timeline.starts[index]
            self._make_ahead(("first", stream.title), stream.item(index), deadline)

    def close(self) -> None:
        """Give up what is being made ahead."""
        for who in list(self._ahead):
            self._drop(who)

    def _work_ahead(
        self, who: Hashable, stream: Stream, part: Part, first: int, need: Need
    ) -> None:
        timeline = self._timeline(stream)
        most = range(first, min(first + self._most_ahead, len(timeline.starts)))
        missing = [index for index in most if not self._production.holds(stream.item(index))]
        if not missing:
            return
        beyond = first + self._depth(stream, part)
        for index in (index for index in missing if index < beyond):
            deadline = need.deadline + max(0.0, timeline.starts[index] - part.start_seconds)
            self._make_ahead(who, stream.item(index), deadline)

    def _depth(self, stream: Stream, part: Part) -> int:
        """How far ahead, by the speed that was measured and by what others wait for."""
        cost = self._pool.costs(stream.item(part.index).job())[0]
        load = self._pool.load_seconds(Lane.UPSCALE)
        each = cost / self._pool.slots(Lane.UPSCALE)
        return lookahead_depth(self._most_ahead, each, part.duration_seconds, load)

    def _make_ahead(self, who: Hashable, item: Item, deadline: float) -> None:
        if item.key in self._ahead.get(who, {}) or self._production.holds(item):
            return
        task = asyncio.create_task(self._prepare(item, deadline))
        self._ahead.setdefault(who, {})[item.key] = task
        task.add_done_callback(lambda _: self._forget(who, item.key, task))

    async def _prepare(self, item: Item, deadline: float) -> None:
        call = Call(klass=Klass.LOOKAHEAD, deadline=deadline, may_return=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline + STALE_SECONDS):
                await self._production.prepare(item, call)

    def _forget(self, who: Hashable, key: str, task: asyncio.Task[None]) -> None:
        mine = self._ahead.get(who, {})
        if mine.get(key) is task:
            del mine[key]
            if not mine:
                del self._ahead[who]

    def _drop(self, who: Hashable) -> None:
        for task in list(self._ahead.pop(who, {}).values()):
            task.cancel()

    def _timeline(self, stream: Stream) -> _Timeline:
        timeline = self._timelines.get(stream.title)
        if timeline is None:
            durations = stream.durations()
            starts, at = [], 0.0
            for duration in durations:
                starts.append(at)
                at += duration
            timeline = _Timeline(tuple(starts), durations)
        self._timelines[stream.title] = timeline
        self._timelines.move_to_end(stream.title)
        if len(self._timelines) > _TIMELINES:
            self._timelines.popitem(last=False)
        return timeline


def next_index(route: Route, raw_path: str, cmcd: Cmcd) -> int | None:
    """The segment that a player says it will ask for next, if it is of the track it plays.

    Args:
        route: Of the request.
        raw_path: The same, percent-encoded.
        cmcd: What the player says.
    """
    if not cmcd.next_object or cmcd.object_type == "a":
        return None
    try:
        path = urlsplit(urljoin(f"/{raw_path}", unquote(cmcd.next_object))).path
    except ValueError:
        return None
    said = match(path)
    if said is None or said.kind != "segment" or said.index is None:
        return None
    return said.index if replace(said, index=route.index) == route else None
