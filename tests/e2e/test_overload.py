"""More at once than the machine can do: work is done once, players are answered in time."""

import contextlib
import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import av
import pytest

from tests.e2e import crowd
from tests.e2e.watched_origin import work
from tests.http_client import Reply, Track, get, title
from tests.media.synth import Clip, write_hls
from tests.tools import run_origin

KEYS, CLIENTS = 50, 500
KILLS = 20
PATIENCE_SECONDS = 300
FULL, LIGHT = "anime4k-m", "lanczos"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One title of 50 segments of a second, 160x90."""
    library = tmp_path_factory.mktemp("overload") / "library"
    write_hls(library / "t", Clip(frames=25 * KEYS, gop=25), "mpegts", segment_seconds=0.9)
    return library


@contextlib.contextmanager
def watched(
    library: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, model: str, settings: str = ""
) -> Iterator[tuple[str, Path, Track]]:
    """An origin whose workers tell what they begin: base URL, their log, the upscaled track."""
    log = folder / "work.log"
    monkeypatch.setenv("ORIGIN_WORK_LOG", str(log))
    (folder / "origin.toml").write_text(settings)
    arguments = (f"lib={library}", "--rendition", f"2x:{model}", "--device", "cpu")
    places = ("--cache", folder / "cache", "--config", folder / "origin.toml")
    with run_origin(*arguments, *places, module="tests.e2e.watched_origin") as base:
        yield base, log, title(f"{base}/lib/t/index.m3u8").produced_track()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@contextlib.contextmanager
def holding(*files: Path) -> Iterator[None]:
    """Meanwhile no segment ends whose `ORIGIN_HELD_...` is one of these."""
    for file in files:
        file.touch()
    try:
        yield
    finally:
        for file in files:
            file.unlink()


def player(url: str, deadline_ms: int) -> Reply:
    """A request by a player that says how long it can wait."""
    said = f'dl={deadline_ms},bl={deadline_ms},sid="{url[-8:]}",ot=v'
    return get(f"{url}?CMCD={quote(said)}")


def test_five_hundred_clients_and_fifty_cold_keys_are_fifty_encodes(library, tmp_path, monkeypatch):
    settings = "player_patience_seconds = 600\n"  # nobody is refused for the machine's slowness
    with watched(library, tmp_path, monkeypatch, LIGHT, settings) as (_, log, track):
        assert len(track.segments) == KEYS
        answers = crowd.ask(list(track.segments), clients=CLIENTS)
        assert answers.statuses == {200: KEYS * CLIENTS}
        assert sorted(index for _, _, index in work(log)) == list(range(KEYS))
        assert [len(answers.bodies[url]) for url in track.segments] == [1] * KEYS
        assert answers.caches.keys() <= {"hit", "miss", "coalesced"}
        assert answers.caches["miss"] <= KEYS


def shown(body: bytes) -> tuple[list[int], bytes]:
    """PTS of every frame in order, and the parameter sets."""
    with av.open(io.BytesIO(body), format="mpegts") as container:
        stream = container.streams.video[0]
        pts = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
        return pts, stream.codec_context.extradata


def test_a_player_that_cannot_wait_gets_a_lighter_model_and_others_the_full_one_later(
    library, tmp_path, monkeypatch
):
    held = tmp_path / "held"
    monkeypatch.setenv("ORIGIN_HELD_anime4k_m", str(held))
    settings = 'lighter_models = ["lanczos"]\nlookahead_segments = 0\n'
    with watched(library, tmp_path, monkeypatch, FULL, settings) as (base, log, track):
        url = track.segments[0]
        playlists = [get(f"{base}/lib/t/index.m3u8").body, get(track.url).body]
        with holding(held):
            degraded = player(url, 1000)
        assert (degraded.status, degraded.headers["X-Cache"]) == (200, "degraded")
        assert degraded.headers["Cache-Control"] == "public, max-age=5"
        assert [get(f"{base}/lib/t/index.m3u8").body, get(track.url).body] == playlists
        full = get(url)
        assert full.status == 200
        assert full.headers["X-Cache"] in ("hit", "coalesced")
        assert "immutable" in full.headers["Cache-Control"]
        assert full.headers["ETag"] != degraded.headers["ETag"]
        assert full.body != degraded.body
        assert shown(full.body) == shown(degraded.body)
        again = player(url, 1000)
        assert (again.headers["X-Cache"], again.body) == ("hit", full.body)
        assert sorted(model for _, model, _ in work(log)) == [FULL, LIGHT], "each was made once"
        text = get(f"{base}/metrics").body.decode()
        assert 'upscale_origin_degraded_total{model="lanczos"} 1.0' in text


def test_when_the_pace_is_known_the_lighter_model_is_chosen_at_once(library, tmp_path, monkeypatch):
    held = tmp_path / "held"
    monkeypatch.setenv("ORIGIN_SLOW_anime4k_m", "3")
    monkeypatch.setenv("ORIGIN_HELD_anime4k_m", str(held))
    settings = (
        'lighter_models = ["lanczos"]\nlookahead_segments = 0\nexpress_workers = 0\n'
        "player_patience_seconds = 600\n"
    )
    with watched(library, tmp_path, monkeypatch, FULL, settings) as (_, log, track):
        for url in track.segments[:2]:
            assert get(url).headers["X-Cache"] == "miss"
        with holding(held):
            answer = player(track.segments[2], 2500)
            assert answer.headers["X-Cache"] == "degraded"
            until(lambda: (FULL, 2) in [row[1:] for row in work(log)])
            assert [row[1:] for row in work(log)] == [(FULL, 0), (FULL, 1), (LIGHT, 2), (FULL, 2)]
            assert player(track.segments[2], 2500).headers["X-Cache"] == "degraded", "given again"
        unhurried = player(track.segments[3], 500_000)
        assert unhurried.headers["X-Cache"] == "miss"
        assert get(track.segments[2]).headers["X-Cache"] in ("hit", "coalesced")


def test_whom_nothing_can_serve_in_time_is_told_when_to_come_again(library, tmp_path, monkeypatch):
    held = tmp_path / "held"
    monkeypatch.setenv("ORIGIN_SLOW_anime4k_m", "3")
    for model in (FULL, LIGHT):
        monkeypatch.setenv(f"ORIGIN_HELD_{model.replace('-', '_')}", str(held))
    settings = (
        'lighter_models = ["lanczos"]\nlookahead_segments = 0\nexpress_workers = 0\n'
        "player_patience_seconds = 2\n"
    )
    with watched(library, tmp_path, monkeypatch, FULL, settings) as (base, log, track):
        for url in track.segments[:2]:
            assert get(url).status == 200
        with ThreadPoolExecutor(2) as pool:
            with holding(held):
                first = pool.submit(player, track.segments[2], 1000)
                until(lambda: len(work(log)) == 3)
                patient = pool.submit(get, track.segments[3])
                until(lambda: queued(base) == 1)
                refused = player(
                    track.segments[4], 2000
                )  # later than the patient one, so behind it
            assert refused.status == 503
            assert int(refused.headers["Retry-After"]) >= 1
            assert refused.headers["Cache-Control"] == "no-store"
            assert first.result().status == 200
            assert patient.result().status == 200


def queued(base: str) -> float:
    """Jobs that somebody waits for and no worker is at."""
    rows = [line.split() for line in get(f"{base}/metrics").body.decode().splitlines()]
    name = 'upscale_origin_queue_depth{class="blocking"}'
    return sum(float(row[-1]) for row in rows if row[0] == name)


def workers() -> list[int]:
    """Process ids of the workers of this test's origin: grandchildren of ours."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if b"origin.worker.child" in words and _mark() in environment:
                found.append(int(entry.name))
    return found


def _mark() -> bytes:
    return f"ORIGIN_WORK_LOG={os.environ['ORIGIN_WORK_LOG']}".encode()


def test_killed_workers_cost_one_redo_each_and_no_byte(library, tmp_path, monkeypatch):
    monkeypatch.setenv("ORIGIN_SLOW_lanczos", "0.2")
    killed = 0

    def kill(stop: threading.Event) -> None:
        nonlocal killed
        while killed < KILLS and not stop.is_set():
            for pid in workers()[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
            stop.wait(0.7)

    def fetch(url: str) -> bytes:
        while (reply := get(url)).status == 500:  # killed twice
            assert "died twice" in reply.json["detail"]
        assert reply.status == 200
        return reply.body

    # One worker, so that even a fast machine is at it for ten seconds.
    settings = "upscale_workers = 1\nplayer_patience_seconds = 600\n"
    with watched(library, tmp_path, monkeypatch, LIGHT, settings) as (_, log, track):
        stop = threading.Event()
        with ThreadPoolExecutor(9) as pool:
            killer = pool.submit(kill, stop)
            bodies = list(pool.map(fetch, track.segments))
            stop.set()
            killer.result()
        assert killed > 5
        assert KEYS <= len(work(log)) <= KEYS + killed
        assert [get(url).body for url in track.segments] == bodies
    monkeypatch.setenv("ORIGIN_SLOW_lanczos", "0")
    (tmp_path / "calm").mkdir()
    with watched(library, tmp_path / "calm", monkeypatch, LIGHT) as (_, _, track):
        assert [get(url).body for url in track.segments] == bodies
