"""The bucket tier against an S3 that we did not write (moto), and against buckets that fail."""

import asyncio
import hashlib
import math
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from origin.cache import BucketTier, Cache, CachedObject, open_bucket
from origin.cache.health import Breaker, Health
from origin.errors import ConfigError
from tests.tools import free_port, stopping, wait_for_port

obstore = pytest.importorskip("obstore")

RACERS = 200


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-p", str(port)]
    process = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    with stopping(process):
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def bucket_url(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A new bucket; the environment says how to reach it."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{time.time_ns()}"
    request = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")
    urllib.request.urlopen(request).close()
    return f"s3://{bucket}/cache"


@pytest.fixture
def tier(bucket_url: str) -> BucketTier:
    return open_bucket(bucket_url, timeout_seconds=60)


def memory_tier(**options: object) -> BucketTier:
    return BucketTier(obstore.store.MemoryStore(), **options)


def opened(folder: Path, bucket: BucketTier) -> Cache:
    return Cache(folder, budget_bytes=10**7, ram_bytes=0, bucket=bucket)


async def test_of_200_racers_one_wins_and_all_serve_its_body(bucket_url: str, tmp_path: Path):
    tiers = [open_bucket(bucket_url, timeout_seconds=60) for _ in range(4)]
    caches = [opened(tmp_path / str(number), tier) for number, tier in enumerate(tiers)]
    gate = asyncio.Event()

    async def race(number: int) -> CachedObject:
        await gate.wait()
        body = f"made by {number}".encode() * 1000
        return await tiers[number % 4].commit(
            CachedObject(key="k-0", body=body, sha256=sha256(body), cost_seconds=1.5)
        )

    racers = [asyncio.create_task(race(number)) for number in range(RACERS)]
    gate.set()
    answers = Counter(found.body for found in await asyncio.gather(*racers))
    assert list(answers.values()) == [RACERS]
    (winner,) = answers
    for cache in caches:
        found = await cache.aget("k-0")
        assert found is not None
        assert (found.body, found.cost_seconds) == (winner, 1.5)
        put = await cache.aput("k-0", b"too late")
        assert put.body == winner
        cache.close()


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


async def test_what_one_origin_made_another_finds(bucket_url: str, tmp_path: Path):
    one = opened(tmp_path / "one", open_bucket(bucket_url, timeout_seconds=60))
    two = opened(tmp_path / "two", open_bucket(bucket_url, timeout_seconds=60))
    assert await two.aget("k") is None
    put = await one.aput("k", b"body", cost_seconds=2.0, library="movies")
    assert await two.aget("k") == put
    assert two.contains("k")
    assert two.stats().tiers["bucket"].hits == 1
    one.close()
    two.close()


async def test_no_flipped_bit_comes_out_of_a_bucket(tmp_path: Path):
    tier = memory_tier()
    body = b"body" * 50
    made = CachedObject(key="k", body=body, sha256=sha256(body), library="movies")
    await tier.commit(made)
    (path,) = [item["path"] for batch in tier._store.list() for item in batch]
    sound = bytes(tier._store.get(path).bytes())
    served = 0
    for position in range(len(sound)):
        flipped = bytearray(sound)
        flipped[position] ^= 1 << (position % 8)
        tier._store.put(path, bytes(flipped))
        found = await tier.get("k")
        served += found is not None and found.body != body
    for length in range(len(sound)):
        tier._store.put(path, sound[:length])
        assert await tier.get("k") is None
    assert served == 0
    cache = opened(tmp_path, tier)
    assert (await cache.aput("k", b"made anew")).body == b"made anew"
    cache.close()
    found = await tier.get("k")
    assert found is not None
    assert found.body == b"made anew"


@pytest.fixture
def silent() -> Iterator[str]:
    """An endpoint that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


async def test_a_bucket_that_hangs_is_asked_a_few_times_and_then_left_alone(
    silent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", silent)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    tier = open_bucket("s3://bucket", timeout_seconds=0.05)
    monkeypatch.setattr(tier._breaker, "_rest_seconds", math.inf)
    cache = opened(tmp_path, tier)
    asked = 0
    for number in range(50):
        asked += tier._breaker.allows()
        assert await cache.aget(f"k{number}") is None
        assert (await cache.aput(f"k{number}", b"body")).body == b"body"
        assert await cache.aget(f"k{number}") is not None
    assert asked <= 2
    assert not cache.stats().tiers["bucket"].works
    assert len([record for record in caplog.records if "bucket" in record.message]) == 1
    cache.close()


async def test_a_bucket_that_refuses_costs_nothing_but_its_hits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    cache = opened(tmp_path, open_bucket("s3://bucket", timeout_seconds=0.2))
    for number in range(10):
        assert await cache.aget(f"k{number}") is None
        assert (await cache.aput(f"k{number}", b"body")).body == b"body"
    cache.close()


def test_the_breaker_lets_one_try_through_after_each_rest():
    now = 0.0
    breaker = Breaker(Health("it"), limit=2, rest_seconds=10, clock=lambda: now)
    breaker.failed("x")
    assert breaker.allows()
    breaker.failed("x")
    assert not breaker.allows()
    now = 10.0
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    now = 20.0
    assert breaker.allows()
    breaker.worked()
    assert all(breaker.allows() for _ in range(3))
    assert breaker.health.works


@pytest.mark.parametrize("url", ["nonsense", "ftp://host/x", "s3://"])
def test_what_is_no_bucket_is_a_config_error(url: str):
    with pytest.raises(ConfigError, match="bucket"):
        open_bucket(url, timeout_seconds=1)


def test_without_the_extra_it_is_a_config_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigError, match=r"upscale-origin\[bucket\]"):
        open_bucket("s3://bucket", timeout_seconds=1)
