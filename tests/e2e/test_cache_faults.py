"""Whatever befalls the cache of a running origin: the same bytes are served, and nothing else."""

import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.http_client import Reply, get, get_many, title
from tests.media.synth import Clip, write_hls
from tests.tools import run_origin

SEGMENTS = 20
OPTIONS = ("--rendition", "2x:lanczos", "--device", "cpu")
SETTINGS = """\
ram_cache_size = 0
lookahead_segments = 0
warm_first_segments = 0
log_level = "error"
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """A title of 20 segments that are made in no time."""
    library = tmp_path_factory.mktemp("faults") / "library"
    write_hls(library / "t", Clip(frames=24 * SEGMENTS), "mpegts", segment_seconds=0.9)
    return library


@pytest.fixture
def arguments(library, tmp_path) -> tuple[str | Path, ...]:
    settings = tmp_path / "origin.toml"
    settings.write_text(SETTINGS)
    return (f"lib={library}", *OPTIONS, "--config", settings)


@pytest.fixture(scope="module")
def bodies(library, tmp_path_factory) -> dict[str, bytes]:
    """What every origin must answer, by path, from one that nothing befalls."""
    folder = tmp_path_factory.mktemp("undisturbed")
    settings = folder / "origin.toml"
    settings.write_text(SETTINGS)
    with run_origin(
        f"lib={library}", *OPTIONS, "--config", settings, "--cache", folder / "c"
    ) as base:
        urls = title(f"{base}/lib/t/index.m3u8").produced_track().segments
        assert len(urls) == SEGMENTS
        return {url.removeprefix(base): get(url).body for url in urls}


def assert_all_served(base: str, bodies: dict[str, bytes]) -> list[Reply]:
    replies = get_many([base + path for path in bodies], threads=8)
    assert {reply.status for reply in replies} == {200}
    assert [reply.body for reply in replies] == list(bodies.values())
    return replies


def cached_files(cache: Path) -> list[Path]:
    return sorted(path for path in (cache / "bodies-2").rglob("*") if path.is_file())


def assert_sound(cache: Path) -> None:
    """Every file is what its name says."""
    for path in cached_files(cache):
        _, sha256, size, _, _ = path.name.rsplit(".", 4)
        body = path.read_bytes()
        assert (len(body), hashlib.sha256(body).hexdigest()) == (int(size), sha256)


def flip(path: Path, rng: random.Random) -> None:
    body = bytearray(path.read_bytes())
    body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    path.write_bytes(body)


def metric(base: str, name: str) -> float:
    rows = [line.split() for line in get(f"{base}/metrics").body.decode().splitlines()]
    return sum(float(row[-1]) for row in rows if row[0].startswith(f"upscale_origin_{name}"))


def test_flipped_bits_are_never_served(arguments, bodies, tmp_path):
    cache, rng = tmp_path / "cache", random.Random(11)
    with run_origin(*arguments, "--cache", cache) as base:
        assert_all_served(base, bodies)
        for _ in range(3):
            for path in cached_files(cache):
                flip(path, rng)
            assert_all_served(base, bodies)
        assert metric(base, 'cache_events_total{event="corrupt"}') == 3 * SEGMENTS
    assert_sound(cache)


def test_the_directory_may_be_deleted_at_any_time(arguments, bodies, tmp_path):
    cache = tmp_path / "cache"
    with run_origin(*arguments, "--cache", cache) as base, ThreadPoolExecutor(1) as pool:
        for _ in range(4):
            asking = pool.submit(assert_all_served, base, bodies)
            while not asking.done():
                shutil.rmtree(cache, ignore_errors=True)
                time.sleep(0.05)
            asking.result()
        assert_all_served(base, bodies)
        replies = assert_all_served(base, bodies)
        assert {reply.headers["X-Cache"] for reply in replies} == {"hit"}
    assert len(cached_files(cache)) == SEGMENTS
    assert_sound(cache)


class Disk:
    """A small file system if we may mount one, else a folder that can only be made read-only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path]
        self.is_mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        filler = self.path / "filler"
        if not self.is_mounted:
            with self.read_only():
                yield
            return
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield
        filler.unlink()

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        if self.is_mounted:
            subprocess.run(["mount", "-o", "remount,ro", self.path], check=True)
            yield
            subprocess.run(["mount", "-o", "remount,rw", self.path], check=True)
            return
        folders = [path for path in self.path.rglob("*") if path.is_dir()]
        for folder in folders:
            folder.chmod(0o555)
        yield
        for folder in folders:
            folder.chmod(0o755)

    def close(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", self.path], check=True)


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.close()


@pytest.mark.parametrize("trouble", ["full", "read_only"])
def test_a_disk_in_trouble_costs_hits_only_and_recovers(arguments, bodies, disk, trouble):
    cache = disk.path / "cache"
    with run_origin(*arguments, "--cache", cache) as base:
        some = dict(list(bodies.items())[:5])
        assert_all_served(base, some)
        with getattr(disk, trouble)():
            assert_all_served(base, bodies)
            assert_sound(cache)
            assert metric(base, 'cache_works{tier="disk"}') == 0 or trouble == "full"
            assert get(f"{base}/healthz").status == 200
        assert_all_served(base, bodies)
        assert metric(base, 'cache_works{tier="disk"}') == 1
        replies = assert_all_served(base, bodies)
        assert {reply.headers["X-Cache"] for reply in replies} == {"hit"}
    assert_sound(cache)


def test_kill_9_in_twenty_moments_of_committing_leaves_nothing_half_written(
    arguments, bodies, tmp_path
):
    cache, rng = tmp_path / "cache", random.Random(20)
    killed_with = []
    for _ in range(20):
        shutil.rmtree(cache / "bodies-2", ignore_errors=True)
        with run_origin(*arguments, "--cache", cache) as base, ThreadPoolExecutor(9) as pool:
            asked = [pool.submit(ask, base + path) for path in bodies]
            while not cached_files(cache):
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.2))
            os.kill(int((cache / "lock").read_text()), signal.SIGKILL)
            for path, answer in zip(bodies, asked, strict=True):
                assert answer.result() in (None, bodies[path])
        assert_sound(cache)
        killed_with.append(len(cached_files(cache)))
    assert min(killed_with) < SEGMENTS
    with run_origin(*arguments, "--cache", cache) as base:
        assert_all_served(base, bodies)
        assert not list(cache.glob("tmp/*"))
        assert metric(base, 'cache_events_total{event="corrupt"}') == 0
    assert_sound(cache)


def ask(url: str) -> bytes | None:
    """The body, or None if the origin was killed first."""
    with contextlib.suppress(OSError):
        return get(url).body
    return None
