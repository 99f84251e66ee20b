import asyncio
from functools import partial

import pytest

from origin.cache import Cache
from origin.errors import BrokenSourceError, NotFoundError
from origin.scheduler import Klass
from origin.service.answers import CacheResult
from origin.service.production import Call, Item, Production, cache_key
from origin.telemetry import Metrics
from tests.origin.made_up import FakePool, until

AHEAD = Call(klass=Klass.LOOKAHEAD)


@pytest.fixture
def pool():
    return FakePool()


@pytest.fixture
def cache(tmp_path):
    cache = Cache(tmp_path, budget_bytes=10**6)
    yield cache
    cache.close()


@pytest.fixture
async def production(pool, cache):
    production = Production(cache=cache, pool=pool, metrics=Metrics())
    yield production
    await production.close()


def item(number: int = 0, *, is_current: bool = True) -> Item:
    return Item(
        key=cache_key("d" * 16, str(number)),
        content_type="video/mp2t",
        job=lambda: number,
        is_current=lambda: is_current,
    )


async def test_a_miss_is_made_once_and_then_hit(production, pool):
    answers = await asyncio.gather(*(production.get(item()) for _ in range(100)))
    results = [answer.cache_result for answer in answers]
    assert results.count(CacheResult.MISS) == 1
    assert results.count(CacheResult.COALESCED) == 99
    assert set(answers[0].stages) == {"queue", "encode"}
    again = await production.get(item())
    assert (again.cache_result, again.stages) == (CacheResult.HIT, {})
    assert len(pool.jobs) == 1


async def test_all_who_wait_hear_of_a_failure_and_nothing_is_kept(production, pool, cache):
    def fail(_: object) -> None:
        raise BrokenSourceError("cut off")

    pool.before = fail
    calls = [production.get(item()) for _ in range(100)]
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in errors} == {BrokenSourceError}
    assert len(pool.jobs) == 1
    pool.before = lambda job: None
    assert (await production.get(item())).cache_result is CacheResult.MISS


async def test_what_was_made_from_a_source_that_changed_meanwhile_is_dropped(production, cache):
    with pytest.raises(NotFoundError, match="changed"):
        await production.get(item(is_current=False))
    assert not cache.contains(item().key)
    assert (await production.get(item())).cache_result is CacheResult.MISS


async def test_lookahead_ranks_below_players_and_joins_them(production, pool):
    pool.gate.clear()
    ahead = [asyncio.create_task(production.prepare(item(n), AHEAD)) for n in (1, 2)]
    await asyncio.sleep(0)
    waiting = asyncio.create_task(production.get(item(2)))
    await until(lambda: (item(2).key, Klass.BLOCKING) in pool.waited)
    pool.gate.set()
    assert (await waiting).cache_result is CacheResult.COALESCED
    await asyncio.gather(*ahead)
    assert [klass for _, klass in pool.waited] == [*[Klass.LOOKAHEAD] * 2, Klass.BLOCKING]
    assert sorted(pool.jobs) == [1, 2]


async def test_warming_ranks_as_it_asks_to(production, pool):
    await production.get(item(), Call(klass=Klass.WARM))
    assert pool.waited == [(item().key, Klass.WARM)]


async def test_what_fails_ahead_fails_quietly(production, pool):
    pool.before = partial(_raise, BrokenSourceError("cut off"))
    await production.prepare(item(), AHEAD)
    assert not production.holds(item())


def _raise(error: Exception, _: object) -> None:
    raise error
