"""What a cache needs now and then while the origin runs."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable

from origin.cache.objects import Cache
from origin.cache.pins import Pins

_TEND_SECONDS = 5.0
_REST_SECONDS = 600.0
_logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def upkeep(cache: Cache, pins: Pins, *, scrub_bytes_per_second: int) -> AsyncIterator[None]:
    """Tend the cache, and verify what lies on its disk at a bounded rate; 0 for never."""
    calls: list[Callable[[], Awaitable[None]]] = [lambda: _tend(cache, pins)]
    if scrub_bytes_per_second:
        calls.append(lambda: _scrub(cache, scrub_bytes_per_second))
    tasks = [asyncio.create_task(_forever(call)) for call in calls]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(pins.tend)


async def _forever(call: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await call()
        except Exception:
            _logger.exception("the upkeep of the cache failed")
            await asyncio.sleep(_TEND_SECONDS)


async def _tend(cache: Cache, pins: Pins) -> None:
    await asyncio.to_thread(cache.tend)
    await asyncio.to_thread(pins.tend)
    await asyncio.sleep(_TEND_SECONDS)


async def _scrub(cache: Cache, bytes_per_second: int) -> None:
    keys = cache.held_keys()
    random.shuffle(keys)  # so that an origin that often restarts gets to all of them, too
    for key in keys:
        size = await asyncio.to_thread(cache.scrub, key)
        await asyncio.sleep(size / bytes_per_second)
    await asyncio.sleep(_REST_SECONDS)
