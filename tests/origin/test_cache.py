import contextlib
import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from origin.cache import Cache, StateStore, TierStats, publish
from origin.errors import ConfigError
from origin.telemetry import Metrics

BUDGET = 10_000


def body_of(key: str, size: int = 1000) -> bytes:
    return random.Random(key).randbytes(size)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def opened(folder: Path, budget: int = BUDGET, ram: int = 0) -> Cache:
    return Cache(folder, budget_bytes=budget, ram_bytes=ram)


@pytest.fixture
def cache(folder: Path) -> Iterator[Cache]:
    cache = opened(folder)
    yield cache
    cache.close()


def disk(cache: Cache) -> TierStats:
    return cache.stats().tiers["disk"]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")


def test_what_is_put_is_got_with_its_checksum(cache: Cache) -> None:
    body = body_of("a")
    put = cache.put("a", body)
    assert cache.get("a") == put
    assert put.body == body
    assert put.sha256 == hashlib.sha256(body).hexdigest()
    assert cache.contains("a")
    assert cache.get("b") is None
    assert not cache.contains("b")


def test_an_empty_body_is_a_body(cache: Cache) -> None:
    cache.put("empty", b"")
    found = cache.get("empty")
    assert found is not None
    assert found.body == b""


def test_the_first_commit_wins(cache: Cache) -> None:
    first = cache.put("k", b"first")
    assert cache.put("k", b"second") == first
    assert cache.get("k") == first
    assert disk(cache).objects == 1


@pytest.mark.parametrize("key", ["", "../up", "a/b", ".hidden", "a" * 200, "nul\0"])
def test_a_key_that_is_no_safe_file_name_is_refused(cache: Cache, key: str) -> None:
    with pytest.raises(ValueError, match="safe file name"):
        cache.put(key, b"")
    assert cache.get(key) is None


def test_objects_outlive_the_process_that_made_them(folder: Path) -> None:
    cache = opened(folder)
    cache.put("a.b-c_d", b"body")
    cache.close()
    cache = opened(folder)
    found = cache.get("a.b-c_d")
    assert found is not None
    assert found.body == b"body"
    assert disk(cache).size_bytes == 4
    cache.close()


def test_what_nobody_asked_for_makes_room_in_the_order_it_came(cache: Cache, folder: Path) -> None:
    for number in range(10):
        cache.put(f"k{number}", bytes(1000))
    cache.get("k0")
    cache.put("new", bytes(1500))
    assert [cache.contains(f"k{number}") for number in range(4)] == [True, False, False, True]
    assert disk(cache).evicted == 2
    assert disk(cache).size_bytes == sum(path.stat().st_size for path in files(folder)) <= BUDGET


def test_an_object_larger_than_the_budget_is_served_uncached(cache: Cache, folder: Path) -> None:
    assert cache.put("k", bytes(BUDGET + 1)).body == bytes(BUDGET + 1)
    assert not cache.contains("k")
    assert cache.stats().uncached == 1
    assert files(folder) == []


def test_a_smaller_budget_holds_from_the_start(folder: Path) -> None:
    cache = opened(folder)
    for number in range(10):
        cache.put(f"k{number}", bytes(1000))
    cache.close()
    cache = opened(folder, budget=3000)
    assert disk(cache).objects == len(files(folder)) == 3
    cache.close()


def test_memory_answers_without_the_disk_within_its_budget(folder: Path) -> None:
    cache = opened(folder, ram=100_000)
    for number in range(10):
        cache.put(f"k{number}", bytes(10_000))
    assert cache.peek("k0") is None
    for path in files(folder):
        path.unlink()
    assert cache.get("k9") is not None
    ram = cache.stats().tiers["ram"]
    assert ram.objects == 9
    assert 9 * 10_000 < ram.size_bytes < 100_000
    cache.close()


async def test_the_async_forms_do_the_same(cache: Cache) -> None:
    assert await cache.aget("k") is None
    put = await cache.aput("k", b"body")
    assert await cache.aget("k") == put


def test_one_process_owns_a_directory(folder: Path) -> None:
    cache = opened(folder)
    with pytest.raises(ConfigError, match=f"running origin .process {os.getpid()}."):
        opened(folder)
    cache.close()
    opened(folder).close()


def test_a_directory_that_cannot_be_made_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        opened(tmp_path / "file" / "cache")


def test_no_flipped_bit_is_ever_served(folder: Path) -> None:
    cache, rng = opened(folder, 10**6), random.Random(5)
    for number in range(1000):
        key = f"k{number}"
        cache.put(key, body_of(key, 64))
        (path,) = folder.glob(f"bodies-2/*/*/{key}.*")
        flipped = bytearray(path.read_bytes())
        flipped[rng.randrange(64)] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        assert cache.get(key) is None
        assert not path.exists()
        assert cache.put(key, body_of(key, 64)) == cache.get(key)
    assert cache.stats().corrupt == 1000
    cache.close()


@pytest.mark.parametrize("damage", [b"", b"short", bytes(2000)])
def test_a_file_of_another_length_is_a_miss_after_a_restart(folder: Path, damage: bytes) -> None:
    cache = opened(folder)
    cache.put("k", bytes(1000))
    cache.close()
    files(folder)[0].write_bytes(damage)
    cache = opened(folder)
    assert cache.get("k") is None
    assert disk(cache).size_bytes == 0
    cache.close()


def test_start_up_deletes_leftovers_and_second_bodies_and_ignores_the_rest(folder: Path) -> None:
    cache = opened(folder)
    first = cache.put("k", b"first")
    cache.close()
    second = f"k.{'0' * 64}.5.0.9999999999"
    for name in ("tmp/123-abc", "bodies-2/no/no/readme.txt", f"bodies-2/_/00/{second}"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"other")
    cache = opened(folder)
    assert cache.get("k") == first
    names = sorted(path.name for path in files(folder))
    assert names[0].startswith(f"k.{first.sha256}.5.0.")
    assert names[1:] == ["readme.txt"]
    cache.close()


def test_service_goes_on_when_the_directory_is_deleted(folder: Path) -> None:
    cache = opened(folder)
    cache.put("before", b"before")
    subprocess.run(["rm", "-r", folder], check=True)
    assert cache.get("before") is None
    cache.put("after", b"after")
    assert cache.get("after") is not None
    assert disk(cache).size_bytes == 5
    cache.close()


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_costs_a_hit_and_not_an_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    cache, state = opened(folder), StateStore(folder / "state")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        assert cache.put("k", b"body").body == b"body"
        state.put("title", {"kept": True})
    assert files(folder) == []
    assert cache.get("k") is None
    assert cache.stats().uncached == 1
    assert state.get("title") == {"kept": True}
    assert cache.put("k", b"body") == cache.get("k")
    cache.close()


@pytest.fixture
def tiny_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 256 KiB where we may mount one, else one that claims to be full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode == 0:
        yield disk
        subprocess.run(["umount", "--lazy", disk], check=True)
        return
    write, written = os.write, 0

    def limited(descriptor: int, data: bytes) -> int:
        nonlocal written
        if (written := written + len(data)) > 256 * 1024:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", limited)
    yield disk


def test_a_disk_smaller_than_the_budget_holds_what_it_can(tiny_disk: Path) -> None:
    cache = opened(tiny_disk / "cache", budget=10**9)
    bodies = {f"k{number}": body_of(f"k{number}", 60_000) for number in range(10)}
    for key, body in bodies.items():
        assert cache.put(key, body).body == body
    kept = [key for key in bodies if cache.contains(key)]
    assert 1 <= len(kept) < 10
    assert cache.stats().uncached == 0
    assert disk(cache).evicted == 10 - len(kept)
    assert disk(cache).works
    for key in kept:
        found = cache.get(key)
        assert found is not None
        assert found.body == bodies[key]
    cache.close()


def test_a_full_disk_is_no_hindrance_at_start(tiny_disk: Path) -> None:
    opened(tiny_disk / "cache").close()
    (tiny_disk / "cache" / "lock").write_bytes(b"")
    with contextlib.suppress(OSError), (tiny_disk / "filler").open("wb", buffering=0) as file:
        for _ in range(100):
            os.write(file.fileno(), bytes(4096))
    cache = opened(tiny_disk / "cache")
    assert cache.put("k", bytes(10_000)).body == bytes(10_000)
    assert cache.stats().uncached == 1
    cache.close()


def test_threads_agree_on_one_body(folder: Path) -> None:
    cache, barrier = opened(folder, budget=10**6), threading.Barrier(16)

    def race(number: int) -> list[bytes]:
        barrier.wait()
        return [cache.put(f"k{key}", f"{key} {number}".encode()).body for key in range(20)]

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(race, range(16)))
    for key, bodies in enumerate(zip(*answers, strict=True)):
        found = cache.get(f"k{key}")
        assert found is not None
        assert set(bodies) == {found.body}
    assert len(files(folder)) == 20
    cache.close()


def test_the_budget_holds_under_threads(folder: Path) -> None:
    cache = opened(folder, ram=8000)

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(60):
            key = f"k{rng.randrange(40)}"
            found = cache.get(key) or cache.put(key, body_of(key))
            assert found.body == body_of(key)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    stats = cache.stats()
    assert stats.corrupt == stats.uncached == 0
    assert stats.tiers["ram"].size_bytes <= 8000
    assert (
        stats.tiers["disk"].size_bytes
        == sum(path.stat().st_size for path in files(folder))
        <= BUDGET
    )
    cache.close()


KILLED = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from random import Random

    from origin.cache import Cache, StateStore

    folder, moment, salt = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

    def interrupted(name, partly):
        call = getattr(os, name)
        def step(*arguments, **options):
            global moment
            if (moment := moment - 1) < 0:
                partly(call, *arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)
        setattr(os, name, step)

    cache = Cache(folder, budget_bytes=10**8, ram_bytes=0)
    state = StateStore(folder / "state")
    interrupted("write", lambda call, descriptor, data: call(descriptor, data[: len(data) // 3]))
    interrupted("fsync", lambda call, descriptor: None)
    interrupted("replace", lambda call, *paths: call(*paths))
    for number in range(100):
        key = f"{salt}-{number}"
        cache.put(key, Random(key).randbytes(20_000))
        state.put("title", {"number": number, "again": number})
    """
)


def test_kill_9_in_fifty_moments_of_writing_leaves_no_partial_object(folder: Path) -> None:
    for moment in range(50):
        child = subprocess.run(
            [sys.executable, "-c", KILLED, folder, str(moment), str(moment)], check=False
        )
        assert child.returncode == -signal.SIGKILL
        cache = opened(folder, budget=10**8)
        state = StateStore(folder / "state")
        assert not list(folder.glob("tmp/*"))
        assert not list(folder.glob("state/tmp/*"))
        for key in cache.held_keys():
            found = cache.get(key)
            assert found is not None
            assert found.body == random.Random(key).randbytes(20_000)
        assert moment < 6 or cache.contains(f"{moment}-0")
        document = state.get("title")
        assert document is None or document["number"] == document["again"]
        assert cache.stats().corrupt == 0
        cache.close()


def test_documents_are_kept_replaced_and_decided_once(folder: Path) -> None:
    state = StateStore(folder)
    assert state.get("movies/a b.mkv") is None
    assert state.decide("movies/a b.mkv", [1, 2.5, None]) == [1, 2.5, None]
    assert state.decide("movies/a b.mkv", "other") == [1, 2.5, None]
    state.put("movies/a b.mkv", {"new": "ü"})
    assert StateStore(folder).get("movies/a b.mkv") == {"new": "ü"}


def test_a_corrupt_or_foreign_document_is_absent(folder: Path) -> None:
    state = StateStore(folder)
    state.put("a", 1)
    assert StateStore(folder, version=2).get("a") is None
    (path,) = files(folder)
    sound = path.read_bytes()
    for position in range(len(sound)):
        flipped = bytearray(sound)
        flipped[position] ^= 4
        path.write_bytes(flipped)
        assert state.get("a") is None
    for length in range(len(sound)):
        path.write_bytes(sound[:length])
        assert state.get("a") is None


def test_the_numbers_are_published(cache: Cache) -> None:
    metrics = Metrics()
    publish(cache, metrics)
    cache.put("k", bytes(10))
    cache.put("large", bytes(BUDGET + 1))
    assert metrics.value("upscale_origin_cache_bytes", tier="disk") == 10
    assert metrics.value("upscale_origin_cache_objects", tier="disk") == 1
    assert metrics.value("upscale_origin_cache_events_total", event="uncached") == 1
