"""Deadlines, lookahead and substitutes from the request to the pool, which is made up."""

import asyncio
from typing import Any

import pytest

from manifests.urls import Route, build
from origin.cache import Cache
from origin.cmcd import Cmcd
from origin.errors import NotFoundError, UnavailableError
from origin.media.types import Produced
from origin.scheduler import Klass
from origin.service.answers import CacheResult
from origin.service.playing import Playing, Viewer, next_index
from origin.service.production import Call, Item, Production
from origin.service.streams import Stream, parts_of
from origin.telemetry import Metrics
from origin.viewers import Viewers
from tests.origin.made_up import FakePool, until

COUNT = 10
FIRM = Call(deadline=0.0, is_firm=True)


class Pool(FakePool):
    """Foretells what it is told to, and keeps the ladders it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.ready_at = 0.0
        self.ladders: dict[str, Any] = {}
        self.waits: list[dict[str, Any]] = []

    async def run(self, job: object, *, key: str, **options: Any) -> object:
        self.ladders[key] = options.pop("ladder")
        return await super().run(job, key=key, **options)

    def waiting(self, key: str, klass: Klass, deadline: float, **options: Any) -> Any:
        self.waits.append({"key": key, "klass": klass, "deadline": deadline, **options})
        return super().waiting(key, klass)

    def forecast(self, lane: object, cost: float, deadline: float) -> float:
        return asyncio.get_running_loop().time() + self.ready_at

    def deliver(self, key: str, body: bytes) -> None:
        """As if a lighter model had made it."""
        self.ladders[key].deliver(Produced(body=body), "lanczos")


@pytest.fixture
def pool():
    return Pool()


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
async def production(pool, metrics, tmp_path):
    cache = Cache(tmp_path, budget_bytes=10**6)
    production = Production(cache=cache, pool=pool, metrics=metrics)
    yield production
    await production.close()
    cache.close()


@pytest.fixture
def playing(pool, production):
    return Playing(production=production, pool=pool, viewers=Viewers(), most_ahead=2)


def item(index: int, *, is_current: bool = True) -> Item:
    return Item(
        key=f"segment-{index}",
        content_type="video/mp2t",
        job=lambda: index,
        is_current=lambda: is_current,
        lighter=lambda job: (job,),
    )


STREAM = Stream(
    title="title", kind="video", parts=parts_of([4.0] * COUNT), item=item, is_upscaled=True
)


async def degraded(production, pool, **changes: Any):
    """An answer by a lighter model, while the full one is still being made."""
    pool.gate.clear()
    asking = asyncio.create_task(production.get(item(0, **changes), FIRM))
    await until(lambda: "segment-0" in pool.ladders)
    pool.deliver("segment-0", b"light")
    return await asking


async def test_a_degraded_body_answers_and_the_full_one_follows(production, pool, metrics):
    answer = await degraded(production, pool)
    assert (answer.body, answer.cache_result) == (b"light", CacheResult.DEGRADED)
    assert not production.holds(item(0))
    assert pool.waits[-1]["klass"] is Klass.WARM, "the full one is made when there is time"
    pool.gate.set()
    await until(lambda: production.holds(item(0)))
    full = await production.get(item(0))
    assert full.cache_result is CacheResult.HIT
    assert full.etag != answer.etag
    assert len(pool.jobs) == 1
    assert metrics.value("upscale_origin_degraded_total", model="lanczos") == 1
    assert metrics.value("upscale_origin_segments_total", result="degraded") == 1


async def test_it_is_given_again_while_the_full_one_would_be_late(production, pool):
    await degraded(production, pool)
    pool.ready_at = 5.0
    again = await production.get(item(0), FIRM)
    assert (again.body, again.cache_result) == (b"light", CacheResult.DEGRADED)


async def test_who_has_no_deadline_waits_for_the_full_body(production, pool):
    await degraded(production, pool)
    waiting = asyncio.create_task(production.get(item(0)))
    ahead = asyncio.create_task(production.prepare(item(0), Call(klass=Klass.WARM)))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    pool.gate.set()
    assert (await waiting).cache_result is CacheResult.COALESCED
    await ahead


async def test_a_degraded_body_of_a_source_that_changed_is_not_given(production, pool):
    with pytest.raises(NotFoundError, match="changed"):
        await degraded(production, pool, is_current=False)


async def test_what_even_the_lightest_model_cannot_make_is_refused(production, pool, metrics):
    pool.ready_at = 10.5
    with pytest.raises(UnavailableError) as caught:
        await production.get(item(0), FIRM)
    assert caught.value.retry_after_seconds == 3
    assert not pool.jobs
    assert metrics.value("upscale_origin_deadlines_total", outcome="refused") == 1


async def test_what_is_under_way_is_never_refused(production, pool):
    pool.gate.clear()
    first = asyncio.create_task(production.get(item(0)))
    await until(lambda: pool.jobs)
    pool.ready_at = 11.0
    second = asyncio.create_task(production.get(item(0), FIRM))
    await asyncio.sleep(0.01)
    pool.gate.set()
    assert (await first).cache_result is CacheResult.MISS
    assert (await second).cache_result is CacheResult.COALESCED


async def test_nobody_is_refused_who_has_no_deadline(production, pool):
    pool.ready_at = 1000.0
    assert (await production.get(item(0))).cache_result is CacheResult.MISS


async def test_deadlines_are_counted(production, metrics):
    now = asyncio.get_running_loop().time()
    await production.get(item(0), Call(deadline=now + 900, is_firm=True))
    await production.get(item(1), Call(deadline=now - 9, is_firm=True))
    for outcome in ("met", "missed"):
        assert metrics.value("upscale_origin_deadlines_total", outcome=outcome) == 1


async def test_a_failure_is_heard_by_those_with_deadlines_too(production, pool):
    def fail(_: object) -> None:
        raise NotFoundError("none")

    pool.before = fail
    with pytest.raises(NotFoundError):
        await production.get(item(0), FIRM)


async def test_a_player_that_leaves_takes_nothing_down(production, pool):
    pool.gate.clear()
    asking = asyncio.create_task(production.get(item(0), FIRM))
    await until(lambda: pool.jobs)
    asking.cancel()
    await asyncio.wait((asking,))
    pool.gate.set()
    assert (await production.get(item(0))).cache_result is CacheResult.COALESCED


def said(seconds: float, **more: Any) -> Viewer:
    return Viewer(cmcd=Cmcd(session="s", deadline_seconds=seconds, **more))


async def test_what_a_player_says_reaches_the_pool(playing, pool):
    clock = asyncio.get_running_loop().time
    before = clock()
    await playing.get(STREAM, 3, said(5.0))
    first = pool.waits[0]
    assert first["klass"] is Klass.BLOCKING
    assert first["firm"]
    assert before + 5 <= first["deadline"] <= clock() + 5


@pytest.mark.parametrize("viewer", [Viewer(address="a"), said(5.0)])
async def test_nothing_is_degraded_where_that_would_not_do(playing, pool, viewer):
    whole = Viewer(address=viewer.address, cmcd=viewer.cmcd, takes_any=False)
    await playing.get(STREAM, 3, whole)
    assert not pool.waits[0]["firm"]


async def test_the_next_segments_are_made_ahead_by_when_they_will_be_asked_for(playing, pool):
    await playing.get(STREAM, 3, said(5.0))
    await until(lambda: len(pool.jobs) == 3)
    ahead = pool.waits[1:]
    assert [(wait["key"], wait["klass"]) for wait in ahead] == [
        ("segment-4", Klass.LOOKAHEAD),
        ("segment-5", Klass.LOOKAHEAD),
    ]
    assert not any(wait["may_return"] for wait in ahead)
    deadlines = [wait["deadline"] - pool.waits[0]["deadline"] for wait in ahead]
    assert deadlines == pytest.approx([4.0, 8.0])


async def test_it_ends_with_the_title_and_begins_where_the_player_says(playing, pool):
    await playing.get(STREAM, COUNT - 1, said(5.0))
    await playing.get(STREAM, 0, said(5.0), next_index=7)
    await until(lambda: len(pool.jobs) == 4)
    assert pool.jobs == [COUNT - 1, 0, 7, 8]


async def test_a_seek_drops_what_was_made_ahead(playing, pool):
    await playing.get(STREAM, 0, said(5.0))
    pool.gate.clear()
    await asyncio.sleep(0)
    before = list(playing._ahead.values())
    tasks = [task for mine in before for task in mine.values()]
    assert len(tasks) == 2
    asking = asyncio.create_task(playing.get(STREAM, 7, said(5.0)))
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    pool.gate.set()
    await asking


async def test_what_is_cached_is_not_made_ahead(playing, production, pool):
    for index in range(3):
        await production.get(item(index))
    await playing.get(STREAM, 0, said(5.0))
    await asyncio.sleep(0.01)
    assert pool.jobs == [0, 1, 2]


async def test_the_first_segments_can_be_warmed(playing, pool):
    playing.warm(STREAM, 2)
    await until(lambda: len(pool.jobs) == 2)
    assert [wait["klass"] for wait in pool.waits] == [Klass.LOOKAHEAD] * 2
    playing.warm(STREAM, 0)
    await asyncio.sleep(0.01)
    assert pool.jobs == [0, 1]


ROUTE = Route(
    kind="segment",
    title_path="lib/a b.mkv",
    track_id="up-720p-lanczos",
    digest="0" * 16,
    index=3,
    extension="m4s",
)


@pytest.mark.parametrize(
    ("said", "index"),
    [
        ("4.m4s", 4),
        ("../0000000000000000/9.m4s", 9),
        ("..%2F0000000000000000%2F9.m4s", 9),
        ("/lib/a%20b.mkv/up-720p-lanczos/0000000000000000/5.m4s", 5),
        ("4.m4s?CMCD=x", 4),
        ("4.ts", None),
        ("../1111111111111111/9.m4s", None),
        ("../../up-720p-other/0000000000000000/9.m4s", None),
        ("../../../../../../etc/passwd", None),
        ("init.mp4", None),
        ("http://[", None),
        ("", None),
    ],
)
def test_hints_are_believed_about_the_track_that_is_played_only(said, index) -> None:
    path = build(ROUTE).removeprefix("/")
    assert next_index(ROUTE, path, Cmcd(next_object=said)) == index
    assert next_index(ROUTE, path, Cmcd(next_object=said, object_type="a")) is None
