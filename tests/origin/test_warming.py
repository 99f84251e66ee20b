import asyncio
import json
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from origin.errors import NotFoundError, ProductionError
from origin.scheduler import Klass
from origin.service import warming
from origin.service.answers import CacheResult, ProducedAnswer
from origin.service.warming import Warming, WarmRequest
from origin.warm_api import WARMING, add_warm_routes, parse_request

NAMES = ("lib/a/master.m3u8", "lib/b.mkv")


class FakeService:
    """Two titles of three segments; a segment named in `failing` cannot be made."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.cached: set[str] = set()
        self.failing: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.most = self.now = 0

    async def find_titles(self, is_meant):
        return [SimpleNamespace(title_path=name) for name in NAMES if is_meant(name)]

    async def answer(self, path: str, klass: Klass) -> ProducedAnswer:
        assert klass is Klass.WARM
        self.asked.append(path)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
        finally:
            self.now -= 1
        if path in self.failing:
            raise ProductionError("died twice")
        result = CacheResult.HIT if path in self.cached else CacheResult.MISS
        self.cached.add(path)
        stages = {"queue": 9.0, "upscale": 2.0, "encode": 1.0}
        return ProducedAnswer(
            body=b"x",
            etag="e",
            content_type="video/mp2t",
            cache_result=result,
            stages={} if result is CacheResult.HIT else stages,
        )


@pytest.fixture(autouse=True)
def _paths(monkeypatch: pytest.MonkeyPatch) -> None:
    def paths(title, request):
        return [f"{title.title_path}/{n}" for n in range(3)]

    monkeypatch.setattr(warming, "_paths", paths)


async def ended(warmer: Warming, request: WarmRequest) -> dict:
    errand = warmer.start(request)
    while errand.state == "running":  # noqa: ASYNC110
        await asyncio.sleep(0)
    return dict(errand.row())


async def test_all_segments_of_the_titles_that_are_meant_are_made() -> None:
    service = FakeService()
    row = await ended(Warming(service, concurrency=2), WarmRequest(titles=("lib/*",)))
    assert row["state"] == "done"
    assert row["segments"] == {"total": 6, "made": 6, "found": 0, "failed": 0}
    assert row["compute_seconds"] == 18
    assert sorted(service.asked) == sorted(f"{name}/{n}" for name in NAMES for n in range(3))
    assert service.most == 2


async def test_what_is_there_is_found_and_what_fails_stops_nothing() -> None:
    service = FakeService()
    service.cached = {"lib/b.mkv/0"}
    service.failing = {"lib/b.mkv/1"}
    row = await ended(
        Warming(service, concurrency=1), WarmRequest(titles=("lib/b.mkv/index.m3u8",))
    )
    assert row["segments"] == {"total": 3, "made": 1, "found": 1, "failed": 1}
    assert row["errors"] == ["lib/b.mkv/1: died twice"]


@pytest.mark.parametrize(
    "wanted",
    [
        "lib/[Group] Show 01.mkv",
        "lib/[Group] Show 01.mkv/index.m3u8",
        "lib/%5BGroup%5D%20Show%2001.mkv/index.m3u8",
        "lib/[Group]*",
        "lib/* 0?.mkv",
    ],
)
def test_a_title_is_meant_by_its_name_its_url_or_a_pattern(wanted: str) -> None:
    request = WarmRequest(titles=("other", wanted))
    assert request.has_title("lib/[Group] Show 01.mkv")
    assert not request.has_title("lib/G Show 01.mp4")


async def test_the_same_request_while_it_runs_is_the_same_errand() -> None:
    service = FakeService()
    service.gate.clear()
    warmer = Warming(service, concurrency=1)
    first = warmer.start(WarmRequest(titles=("lib/b.mkv",)))
    assert warmer.start(WarmRequest(titles=("lib/b.mkv",))) is first
    assert warmer.start(WarmRequest(titles=("lib/a/*",))) is not first
    await asyncio.sleep(0.01)
    await warmer.cancel(first.request.id)
    assert first.state == "cancelled"
    service.gate.set()
    again = await ended(warmer, first.request)
    assert again["segments"]["made"] == 3
    await warmer.aclose()


async def test_errands_that_ended_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "MAX_ROWS", 2)
    warmer = Warming(FakeService(), concurrency=1)
    for second in range(5):
        await ended(warmer, WarmRequest(titles=("lib/*",), start_seconds=second))
    warmer.start(WarmRequest(titles=("lib/b.mkv",)))
    assert len(warmer.errands()) == 3
    with pytest.raises(NotFoundError):
        warmer.errand(WarmRequest(titles=("lib/*",)).id)
    await warmer.aclose()


async def test_no_title_is_an_errand_that_says_so() -> None:
    row = await ended(Warming(FakeService(), concurrency=1), WarmRequest(titles=("other/*",)))
    assert row["errors"] == ["there is no such title, or none that can be upscaled"]


async def test_over_http() -> None:
    app = web.Application()
    app[WARMING] = warmer = Warming(FakeService(), concurrency=2)
    add_warm_routes(app.router)
    async with TestClient(TestServer(app)) as client:
        reply = await client.post("/api/warm", json={"titles": ["/lib/*"], "to": 60})
        assert reply.status == 202
        url = reply.headers["Location"]
        while (row := await (await client.get(url)).json())["state"] == "running":  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert row["segments"]["made"] == 6
        assert row["to"] == 60
        assert [r["id"] for r in await (await client.get("/api/warm")).json()] == [row["id"]]
        assert (await client.delete(url)).status == 200
        assert (await client.put("/api/warm")).status == 405
        big = json.dumps({"titles": ["x" * 70_000]})
        assert (await client.post("/api/warm", data=big)).status == 413
    await warmer.aclose()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"titles": []}',
        '{"titles": "lib/*"}',
        '{"titles": [1]}',
        '{"titles": ["a"], "renditions": [""]}',
        '{"titles": ["a"], "from": "1"}',
        '{"titles": ["a"], "from": 5, "to": 5}',
        '{"titles": ["a"], "from": -1}',
        '{"titles": ["a"], "to": NaN}',
        '{"titles": ["a"], "speed": 1}',
        "[" * 100_000,
    ],
)
def test_a_request_that_is_none_is_refused_in_words(body: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_request(body.encode())
