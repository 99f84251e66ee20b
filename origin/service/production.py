"""Bodies on demand: from the cache, else made once however many ask."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from origin.cache import Cache, CachedObject
from origin.errors import NotFoundError, OriginError
from origin.media.types import BodyJob
from origin.scheduler import Klass
from origin.service.answers import CacheResult, ProducedAnswer
from origin.singleflight import Role, SingleFlight
from origin.telemetry import Metrics
from origin.worker.pool import WorkerPool

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    cached: CachedObject
    stages: dict[str, float] = field(default_factory=dict)
    found: bool = False
    """Another request had committed it between our look and our turn."""


class Production:
    """Makes bodies in the workers and keeps them. One event loop owns it."""

    def __init__(self, *, cache: Cache, pool: WorkerPool, metrics: Metrics) -> None:
        self._cache = cache
        self._pool = pool
        self._metrics = metrics
        self._flights: SingleFlight[_Made] = SingleFlight()
        self._ahead: set[asyncio.Task[None]] = set()

    async def get(
        self, item: Item, klass: Klass = Klass.BLOCKING, *, by_reference: bool = False
    ) -> ProducedAnswer:
        """The body, by default for a player that waits.

        Args:
            item: What is asked for.
            klass: How urgent it is, if it has to be made.
            by_reference: Where it lies will do, if it is on the disk.

        Raises:
            OriginError: It cannot be made; nothing is cached.
        """
        if by_reference and (located := await self._cache.alocate(item.key)):
            self._metrics.segment(CacheResult.HIT.value)
            return ProducedAnswer(
                body=b"",
                etag=located.sha256,
                content_type=item.content_type,
                cache_result=CacheResult.HIT,
                located=located,
            )
        cached = await self._cache.aget(item.key)
        if cached is not None:
            return self._answer(item, _Made(cached=cached), CacheResult.HIT)
        made, role = await self._make(item, klass)
        result = CacheResult.MISS if role is Role.LEADER else CacheResult.COALESCED
        return self._answer(item, made, CacheResult.HIT if made.found else result)

    def look_ahead(self, items: Iterable[Item]) -> None:
        """Have bodies made that a player will probably ask for, below all that anyone waits for."""
        for item in items:
            if not self._cache.contains(item.key) and item.key not in self._flights:
                task = asyncio.create_task(self._prefetch(item))
                self._ahead.add(task)
                task.add_done_callback(self._ahead.discard)

    async def close(self) -> None:
        """Give up what nobody waits for any more."""
        for task in self._ahead:
            task.cancel()
        await self._flights.close()

    async def _prefetch(self, item: Item) -> None:
        try:
            await self._make(item, Klass.LOOKAHEAD)
        except OriginError as error:
            _log.info("lookahead of %s failed: %s", item.key, error.detail)

    async def _make(self, item: Item, klass: Klass) -> tuple[_Made, Role]:
        with self._pool.waiting(item.key, klass):
            return await self._flights.do(item.key, lambda: self._run(item))

    async def _run(self, item: Item) -> _Made:
        cached = await self._cache.aget(item.key)
        if cached is not None:
            return _Made(cached=cached, found=True)
        asked = time.monotonic()
        queued: list[float] = []
        produced = await self._pool.run(
            item.job(), key=item.key, on_start=lambda: queued.append(time.monotonic() - asked)
        )
        if not await asyncio.to_thread(item.is_current):
            raise NotFoundError("the source has changed: fetch its playlists again")
        stages = {"queue": queued[-1], **produced.stages}
        self._metrics.stages(stages)
        return _Made(cached=await self._cache.aput(item.key, produced.body), stages=stages)

    def _answer(self, item: Item, made: _Made, result: CacheResult) -> ProducedAnswer:
        self._metrics.segment(result.value)
        return ProducedAnswer(
            body=made.cached.body,
            etag=made.cached.sha256,
            content_type=item.content_type,
            cache_result=result,
            stages=made.stages,
        )


def cache_key(digest: str, name: str) -> str:
    """The cache's key for a body: its place under the plan's digest."""
    return f"{digest}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
