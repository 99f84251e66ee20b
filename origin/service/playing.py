"""Segments for viewers: who needs what by when, and what they will need next."""

import asyncio
import contextlib
from collections.abc import Hashable
from dataclasses import dataclass, replace
from urllib.parse import unquote, urljoin, urlsplit

from manifests.urls import Route, match
from origin.cmcd import NOTHING, Cmcd
from origin.scheduler import Klass
from origin.service.answers import ProducedAnswer
from origin.service.production import Call, Item, Production
from origin.service.streams import Stream
from origin.viewers import Need, Part, Viewers, lookahead_depth
from origin.worker.lanes import Lane
from origin.worker.pool import WorkerPool

STALE_SECONDS = 30.0
"""After it should have been asked for, a segment is not made ahead any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who asks, as far as one can tell."""

    address: str = ""
    cmcd: Cmcd = NOTHING
    takes_any: bool = True
    """A lighter model's body will do. Not so where parts are fetched that must fit together."""


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
            by_reference: Where the body lies on the disk is all that is asked for.

        Raises:
            OriginError: It cannot be made, or is not there to be referred to.
        """
        who, part = _who(stream, viewer), stream.part(index)
        need = self._asked(who, part, viewer)
        call = Call(
            deadline=need.deadline,
            is_firm=need.is_firm and stream.is_upscaled and viewer.takes_any,
            by_reference=by_reference,
        )
        answer = await self._production.get(stream.item(index), call)
        self._answered(who, stream, part, need, next_index)
        return answer

    def at_hand(
        self, stream: Stream, index: int, viewer: Viewer, *, next_index: int | None = None
    ) -> ProducedAnswer | None:
        """The same, if nobody has to wait for it: its body is in memory."""
        answer = self._production.at_hand(stream.item(index))
        if answer is not None:
            who, part = _who(stream, viewer), stream.part(index)
            need = self._asked(who, part, viewer)
            self._answered(who, stream, part, need, next_index)
        return answer

    def warm(self, stream: Stream, count: int) -> None:
        """Have the first segments made, below all that anyone waits for."""
        now = asyncio.get_running_loop().time()
        for part in stream.parts[:count]:
            item = stream.item(part.index)
            self._make_ahead(("first", stream.title), item, now + part.start_seconds)

    def close(self) -> None:
        """Give up what is being made ahead."""
        for who in list(self._ahead):
            self._drop(who)

    def _asked(self, who: Hashable, part: Part, viewer: Viewer) -> Need:
        now = asyncio.get_running_loop().time()
        need = self._viewers.ask(who, part, viewer.cmcd, now)
        if need.has_sought:
            self._drop(who)
        return need

    def _answered(
        self, who: Hashable, stream: Stream, part: Part, need: Need, next_index: int | None
    ) -> None:
        self._viewers.answered(who, part, asyncio.get_running_loop().time())
        if stream.is_upscaled:
            first = part.index + 1 if next_index is None else next_index
            self._work_ahead(who, stream, part, first, need)

    def _work_ahead(
        self, who: Hashable, stream: Stream, part: Part, first: int, need: Need
    ) -> None:
        most = stream.parts[first : first + self._most_ahead]
        missing = [later for later in most if not self._production.holds(stream.item(later.index))]
        if not missing:
            return
        beyond = first + self._depth(stream, part)
        for later in (later for later in missing if later.index < beyond):
            deadline = need.deadline + max(0.0, later.start_seconds - part.start_seconds)
            self._make_ahead(who, stream.item(later.index), deadline)

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


def _who(stream: Stream, viewer: Viewer) -> Hashable:
    return viewer.cmcd.session or viewer.address, stream.title, stream.kind


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
