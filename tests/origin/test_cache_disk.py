"""The disk tier: what befalls a directory, and who may stay in it."""

import asyncio
import errno
import hashlib
import json
import logging
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from origin.cache import Cache, Pins, StateStore, publish, upkeep
from origin.cli import main
from origin.telemetry import Metrics
from tests.tools import write_later

BUDGET = 100_000


def body_of(key: str, size: int = 1000) -> bytes:
    return random.Random(key).randbytes(size)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cache(folder: Path) -> Iterator[Cache]:
    cache = Cache(folder, budget_bytes=BUDGET)
    yield cache
    cache.close()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "bodies-2").rglob("*") if path.is_file())


def flip(path: Path, rng: random.Random) -> None:
    body = bytearray(path.read_bytes())
    body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    write_later(path, body)


def failing(number: int):
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_disk_that_fails_is_reported_once_and_so_is_its_return(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(errno.EROFS))
        for number in range(20):
            assert cache.put(f"k{number}", b"body").body == b"body"
        assert not cache.stats().tiers["disk"].works
    assert len(caplog.records) == 1
    assert "Read-only file system" in caplog.text
    cache.put("k", b"body")
    cache.put("l", b"body")
    assert cache.stats().tiers["disk"].works
    assert len(caplog.records) == 2
    assert "works again" in caplog.records[-1].getMessage()


def test_a_read_that_fails_for_now_deletes_nothing(
    cache: Cache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put("k", b"body")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", failing(errno.EMFILE))
        assert cache.get("k") is None
    assert len(files(folder)) == 1
    found = cache.get("k")
    assert found is not None
    assert found.body == b"body"


def test_a_deleted_directory_is_noticed_and_taken_again(cache: Cache, folder: Path) -> None:
    for number in range(10):
        cache.put(f"k{number}", body_of(f"k{number}"))
    subprocess.run(["rm", "-r", folder], check=True)
    cache.tend()
    assert cache.stats().tiers["disk"].objects == 0
    assert not cache.contains("k0")
    with pytest.raises(Exception, match="running origin"):
        Cache(folder, budget_bytes=BUDGET)
    assert cache.put("k0", b"body") == cache.get("k0")


def test_what_an_earlier_version_left_is_deleted(folder: Path) -> None:
    old = folder / "objects" / "ab" / f"k.{'a' * 64}"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"body")
    cache = Cache(folder, budget_bytes=BUDGET)
    assert cache.get("k") is None
    cache.tend()
    assert not (folder / "objects").exists()
    cache.close()


def test_a_start_knows_100_000_bodies_by_their_names_alone(folder: Path) -> None:
    for number in range(100_000):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        place = folder / "bodies-2" / "movies" / sha256[:2]
        if number < 10_000:
            place.mkdir(parents=True, exist_ok=True)
        name = f"{sha256[:16]}-{sha256[16:32]}.{sha256}.5.2500000.{number}"
        os.close(os.open(place / name, os.O_CREAT))
    cache = Cache(folder, budget_bytes=10**9)
    disk = cache.stats().tiers["disk"]
    assert (disk.objects, disk.size_bytes) == (100_000, 500_000)
    cache.close()
    shutil.rmtree(folder)


def test_cost_and_library_outlive_a_restart(folder: Path) -> None:
    cache = Cache(folder, budget_bytes=BUDGET)
    put = cache.put("k", b"body", cost_seconds=12.25, library="movies")
    cache.close()
    cache = Cache(folder, budget_bytes=BUDGET)
    assert cache.get("k") == put
    cache.close()


def test_a_library_name_is_never_a_way_out_of_the_directory(cache: Cache, folder: Path) -> None:
    cache.put("k", b"body", library="../../elsewhere")
    assert len(files(folder)) == 1


def test_a_library_with_its_own_budget_takes_nothing_from_others(folder: Path) -> None:
    cache = Cache(folder, budget_bytes=BUDGET, libraries={"small": 5000})
    for number in range(50):
        cache.put(f"other{number}", bytes(1000), library="other")
        cache.put(f"small{number}", bytes(1000), library="small")
    held = cache.held_keys()
    assert sum(key.startswith("small") for key in held) == 5
    assert sum(key.startswith("other") for key in held) == 50
    for number in range(50, 200):
        cache.put(f"other{number}", bytes(1000), library="other")
    held = cache.held_keys()
    assert sum(key.startswith("small") for key in held) == 5
    assert sum(key.startswith("other") for key in held) == 95
    cache.close()


def test_a_pinned_group_stays_until_it_is_let_go(cache: Cache) -> None:
    for number in range(20):
        cache.put(f"warm-{number}", bytes(1000))
    cache.pin(["warm"])
    for number in range(300):
        cache.put(f"cold-{number}", bytes(1000), cost_seconds=60)
    assert all(cache.contains(f"warm-{number}") for number in range(20))
    assert cache.stats().tiers["disk"].pinned_bytes == 20_000
    cache.put("warm-20", bytes(1000))
    assert cache.stats().tiers["disk"].pinned_bytes == 21_000
    cache.pin([])
    for number in range(300, 600):
        cache.put(f"cold-{number}", bytes(1000), cost_seconds=60)
        cache.get(f"cold-{number}")
    assert not any(cache.contains(f"warm-{number}") for number in range(20))


def test_pins_leave_room_for_what_comes(cache: Cache) -> None:
    cache.pin(["warm"])
    for number in range(100):
        cache.put(f"warm-{number}", bytes(1000))
    assert cache.stats().tiers["disk"].pinned_bytes == 80_000
    cache.put("cold", bytes(1000))
    assert cache.contains("cold")
    assert cache.stats().tiers["disk"].size_bytes == 100_000


def test_pins_are_remembered_until_the_title_changes(cache: Cache, folder: Path) -> None:
    state = StateStore(folder / "state")
    pins = Pins(cache, state)
    pins.note("lib/a", current=["one", "two"], warmed=["one"])
    pins.note("lib/b", current=["three"], warmed=["three"])
    pins.note("lib/c", current=["four"], warmed=[])
    pins.tend()
    pins = Pins(cache, state)
    assert pins.titles() == {"lib/a": ["one"], "lib/b": ["three"]}
    pins.note("lib/a", current=["one", "two"], warmed=[])
    assert pins.titles()["lib/a"] == ["one"]
    pins.note("lib/a", current=["changed"], warmed=[])
    assert pins.titles() == {"lib/b": ["three"]}


def test_pins_are_released_by_command(
    cache: Cache, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins = Pins(cache, StateStore(folder / "state"))
    pins.note("lib/a", current=["one"], warmed=["one"])
    pins.tend()
    assert main(["pins", "--cache", str(folder)]) == 0
    assert capsys.readouterr().out == "lib/a\n"
    assert main(["pins", "--cache", str(folder), "--release", "lib/a"]) == 0
    pins.tend()
    pins.note("lib/a", current=["one"], warmed=["one"])
    pins.tend()
    assert pins.titles() == {}
    assert main(["pins", "--cache", str(folder), "--keep", "lib/a"]) == 0
    pins.tend()
    assert pins.titles() == {"lib/a": ["one"]}


async def test_the_background_finds_flipped_bits(cache: Cache, folder: Path) -> None:
    for number in range(50):
        cache.put(f"k{number}", body_of(f"k{number}"))
    rng = random.Random(1)
    damaged = rng.sample(files(folder), 20)
    for path in damaged:
        flip(path, rng)
    pins = Pins(cache, StateStore(folder / "state"))
    async with upkeep(cache, pins, scrub_bytes_per_second=10**9):
        while cache.stats().scrubbed < 50:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    stats = cache.stats()
    assert stats.corrupt == 20
    assert stats.tiers["disk"].objects == len(files(folder)) == 30
    assert not any(path.exists() for path in damaged)


def test_the_command_finds_flipped_bits_in_a_cache_in_use(
    cache: Cache, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(10):
        cache.put(f"k{number}", body_of(f"k{number}"))
    assert main(["scrub", "--cache", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"sound": 10, "bytes": 10_000, "corrupt": []}
    flip(next(folder.glob("bodies-2/*/*/k3.*")), random.Random(1))
    assert main(["scrub", "--cache", str(folder), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["corrupt"] == ["k3"]
    assert cache.get("k3") is None
    assert cache.stats().corrupt == 0
    assert cache.put("k3", b"anew") == cache.get("k3")


async def test_no_file_with_a_flipped_bit_is_given_to_a_server_in_front(
    cache: Cache, folder: Path
) -> None:
    rng = random.Random(7)
    for number in range(300):
        key = f"k{number % 60}"
        put = await cache.aput(key, body_of(key))
        located = await cache.alocate(key)
        assert located is not None
        path = cache.bodies / located.path
        assert (path.read_bytes(), located.sha256) == (put.body, put.sha256)
        flip(path, rng)
        assert await cache.alocate(key) is None
        assert not path.exists()
    assert cache.stats().corrupt == 300


async def test_a_file_is_read_once_before_it_is_given_out(folder: Path) -> None:
    cache = Cache(folder, budget_bytes=BUDGET)
    cache.put("k", b"body")
    cache.close()
    flip(files(folder)[0], random.Random(1))
    cache = Cache(folder, budget_bytes=BUDGET)
    assert await cache.alocate("k") is None
    cache.put("k", b"body")
    cache.close()
    cache = Cache(folder, budget_bytes=BUDGET)
    located = await cache.alocate("k")
    assert located is not None
    assert located == await cache.alocate("k")
    assert located.size == 4
    files(folder)[0].unlink()
    assert await cache.alocate("k") is None
    cache.close()


def test_the_metrics_have_a_fixed_set_of_labels(cache: Cache) -> None:
    metrics = Metrics()
    publish(cache, metrics)
    cache.put("k", bytes(10), library="movies")
    cache.get("k")
    lines = metrics.render().decode().splitlines()
    labels = {line.partition("{")[2].partition("}")[0] for line in lines if "_cache_" in line}
    events = {f'event="{name}"' for name in ("miss", "uncached", "corrupt", "scrubbed")}
    assert labels - {""} == {'tier="ram"', 'tier="disk"'} | events
    assert metrics.value("upscale_origin_cache_hits_total", tier="disk") == 1
    assert metrics.value("upscale_origin_cache_works", tier="disk") == 1
