"""Bodies on demand: from the cache, else made once however many ask."""

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from origin.cache import Cache, CachedObject
from origin.errors import NotFoundError, OriginError, UnavailableError
from origin.media.types import BodyJob, Produced, ProduceSegment
from origin.scheduler import Klass
from origin.service.answers import CacheResult, ProducedAnswer
from origin.service.substitutes import Substitutes
from origin.singleflight import Role, SingleFlight
from origin.telemetry import Metrics
from origin.worker.lanes import Lane
from origin.worker.pool import WorkerPool
from origin.worker.tickets import Ladder

SUBSTITUTES_BYTES = 64 * 2**20
_MOST_REMAKES = 1000
_HASHED_LENGTH = 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One body that a path stands for."""

    key: str
    """For the cache: says what is in the body, and nothing of who asks."""
    content_type: str
    job: Callable[[], BodyJob]
    """Raises what is wrong with the path or the source."""
    is_current: Callable[[], bool]
    """Whether the source is still the one that the key speaks of; blocks."""
    lighter: Callable[[BodyJob], Sequence[ProduceSegment]] = lambda job: ()
    """What may stand in for the job when time is short, the lightest last."""
    library: str = ""
    """Whose part of the cache it takes."""
    next_uri: str | None = None
    """As `ProducedAnswer` has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How somebody asks for a body."""

    klass: Klass = Klass.BLOCKING
    """How urgent it is, if it has to be made."""
    deadline: float = math.inf
    """In the loop's time."""
    is_firm: bool = False
    """The deadline is a player's own: what a lighter model makes in time is better than waiting."""
    may_return: bool = True
    """Who leaves may come back for it."""
    by_reference: bool = False
    """Where the body lies on the disk is all that is asked for; nothing is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    cached: CachedObject
    stages: dict[str, float] = field(default_factory=dict)
    found: bool = False
    """Another request had committed it between our look and our turn."""


class Production:
    """Makes bodies in the workers and keeps them. One event loop owns it."""

    def __init__(
        self, *, cache: Cache, pool: WorkerPool, metrics: Metrics, patience_seconds: float = 8.0
    ) -> None:
        """Set up.

        Args:
            cache: Where bodies are kept.
            pool: Who makes them.
            metrics: What is counted.
            patience_seconds: After which players give up: what can't be there by then is refused.
        """
        self._cache = cache
        self._pool = pool
        self._metrics = metrics
        self._patience_seconds = patience_seconds
        self._flights: SingleFlight[_Made] = SingleFlight()
        self._substitutes = Substitutes(SUBSTITUTES_BYTES)
        self._remakes: dict[str, asyncio.Task[None]] = {}

    async def get(self, item: Item, call: Call | None = None) -> ProducedAnswer:
        """The body, by default for a player that waits.

        Raises:
            OriginError: It cannot be made; nothing is cached.
            NotFoundError: It is asked for by reference, and not on the disk.
            UnavailableError: A player asks, and would have given up before it is there.
        """
        call = call or Call()
        if call.by_reference:
            return await self._located(item)
        cached = await self._cache.aget(item.key)
        if cached is not None:
            return self._answer(item, cached, CacheResult.HIT)
        if call.is_firm:
            return await self._in_time(item, call)
        return self._made_answer(item, *await self._make(item, call))

    async def _located(self, item: Item) -> ProducedAnswer:
        located = await self._cache.alocate(item.key)
        if located is None:
            raise NotFoundError(f"{item.key} is not on the disk")
        self._metrics.segment(CacheResult.HIT.value)
        return ProducedAnswer(
            body=b"",
            etag=located.sha256,
            content_type=item.content_type,
            cache_result=CacheResult.HIT,
            located=located,
            next_uri=item.next_uri,
        )

    def at_hand(self, item: Item) -> ProducedAnswer | None:
        """The body if it is in memory."""
        cached = self._cache.peek(item.key)
        return self._answer(item, cached, CacheResult.HIT) if cached else None

    def holds(self, item: Item) -> bool:
        """Whether the body is cached."""
        return self._cache.contains(item.key)

    async def prepare(self, item: Item, call: Call) -> None:
        """Have a body made that nobody asked for yet; a failure is for those who do to hear."""
        try:
            await self._make(item, call)
        except OriginError as error:
            _log.info("%s was not made ahead: %s", item.key, error.detail)

    async def close(self) -> None:
        """Give up what nobody waits for any more."""
        for task in list(self._remakes.values()):
            task.cancel()
        await self._flights.close()

    async def _make(self, item: Item, call: Call) -> tuple[_Made, Role]:
        with self._pool.waiting(
            item.key, call.klass, call.deadline, firm=call.is_firm, may_return=call.may_return
        ):
            return await self._flights.do(item.key, lambda: self._run(item))

    async def _in_time(self, item: Item, call: Call) -> ProducedAnswer:
        """The full body by the deadline, else one by a lighter model, else a refusal."""
        job = item.job()
        costs = self._pool.costs(job, item.lighter(job))
        early = self._substitutes.get(item.key)
        is_late = self._pool.forecast(Lane.UPSCALE, costs[0], call.deadline) > call.deadline
        if early is not None and is_late:
            answer = await self._stand_in(item, early)
        else:
            self._refuse_if_hopeless(item, costs[-1], call)
            answer = await self._first(item, call)
        is_met = asyncio.get_running_loop().time() <= call.deadline
        self._metrics.deadline("met" if is_met else "missed")
        return answer

    def _refuse_if_hopeless(self, item: Item, least: float, call: Call) -> None:
        """Send away whom the queue would keep for too long.

        A slow machine alone is no reason: what it begins is there when the player asks again.
        """
        if item.key in self._flights:
            return
        now, patience = asyncio.get_running_loop().time(), self._patience_seconds
        queue = self._pool.forecast(Lane.UPSCALE, 0.0, call.deadline) - now
        if queue > patience / 2 and queue + least > patience:
            self._metrics.deadline("refused")
            after = math.ceil(queue + least - patience)
            raise UnavailableError(
                f"overloaded: even a lighter model would take {queue + least:.0f} s",
                retry_after_seconds=max(1, min(30, after)),
            )

    async def _first(self, item: Item, call: Call) -> ProducedAnswer:
        """Whichever body is there first."""
        making = asyncio.create_task(self._make(item, call))
        try:
            with self._substitutes.waiting(item.key) as substitute:
                await asyncio.wait((making, substitute), return_when=asyncio.FIRST_COMPLETED)
                if making.done():
                    return self._made_answer(item, *making.result())
                self._remake(item)
                return await self._stand_in(item, substitute.result())
        finally:
            making.cancel()
            making.add_done_callback(_retrieve)

    async def _stand_in(self, item: Item, made: CachedObject) -> ProducedAnswer:
        if not await asyncio.to_thread(item.is_current):
            raise _changed()
        self._remake(item)
        return self._answer(item, made, CacheResult.DEGRADED)

    def _remake(self, item: Item) -> None:
        """See to it that the full body is made when there is time."""
        if item.key in self._remakes or len(self._remakes) >= _MOST_REMAKES:
            return
        now = asyncio.get_running_loop().time()
        call = Call(klass=Klass.WARM, deadline=now, may_return=False)
        task = self._remakes[item.key] = asyncio.create_task(self.prepare(item, call))
        task.add_done_callback(lambda _: self._remakes.pop(item.key, None))

    async def _run(self, item: Item) -> _Made:
        cached = await self._cache.aget(item.key)
        if cached is not None:
            return _Made(cached=cached, found=True)
        asked = time.monotonic()
        queued: list[float] = []
        job = item.job()
        produced = await self._pool.run(
            job,
            key=item.key,
            on_start=lambda: queued.append(time.monotonic() - asked),
            ladder=self._ladder(item, job),
        )
        if not await asyncio.to_thread(item.is_current):
            raise _changed()
        stages = {"queue": queued[-1], **produced.stages}
        self._metrics.stages(stages)
        cost = sum(produced.stages.values())
        kept = await self._cache.aput(
            item.key, produced.body, cost_seconds=cost, library=item.library
        )
        self._substitutes.drop(item.key)
        return _Made(cached=kept, stages=stages)

    def _ladder(self, item: Item, job: BodyJob) -> Ladder:
        def deliver(produced: Produced, model: str) -> None:
            self._metrics.degraded(model)
            self._metrics.stages(produced.stages)
            sha256 = hashlib.sha256(produced.body).hexdigest()
            self._substitutes.put(CachedObject(key=item.key, body=produced.body, sha256=sha256))

        return Ladder(
            lighter=item.lighter(job),
            deliver=deliver,
            reuse=lambda: self._substitutes.reuse(item.key),
        )

    def _made_answer(self, item: Item, made: _Made, role: Role) -> ProducedAnswer:
        result = CacheResult.MISS if role is Role.LEADER else CacheResult.COALESCED
        result = CacheResult.HIT if made.found else result
        return self._answer(item, made.cached, result, made.stages)

    def _answer(
        self,
        item: Item,
        cached: CachedObject,
        result: CacheResult,
        stages: dict[str, float] | None = None,
    ) -> ProducedAnswer:
        self._metrics.segment(result.value)
        return ProducedAnswer(
            body=cached.body,
            etag=cached.sha256,
            content_type=item.content_type,
            cache_result=result,
            stages=stages or {},
            is_stored=result is CacheResult.MISS and self.holds(item),
            next_uri=item.next_uri,
        )


def _changed() -> NotFoundError:
    return NotFoundError("the source has changed: fetch its playlists again")


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Hear a failure that nobody waits for."""
    if not task.cancelled():
        task.exception()


def cache_key(digest: str, name: str) -> str:
    """The cache's key for a body: its place under the plan's digest."""
    if len(name) < _HASHED_LENGTH and name.isascii() and name.isalnum():
        return f"{digest}-{name}"
    return f"{digest}-{hashlib.sha256(name.encode()).hexdigest()[:_HASHED_LENGTH]}"
