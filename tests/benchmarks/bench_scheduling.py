"""What players wait for besides the work itself.

    python tests/benchmarks/bench_scheduling.py [--json] [--only promotion,coalesced,flood]

promotion: 10,000 jobs are queued and the slot is taken; from a player's asking for one of them
until a process has it. coalesced: 100 players wait for one cold segment of about 1 MB; from its
commit in the cache until the last of them has it all. flood: a cold segment for a player while
twelve others ask for segments all the time that nobody waits for, against the same when idle.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[2]))

from origin.media.types import BuildInit, Container
from origin.scheduler import Klass
from origin.telemetry import Metrics
from origin.worker.lanes import Lane
from origin.worker.pool import WorkerPool
from origin.worker.process import WorkerSettings
from tests.http_client import get, title
from tests.media.synth import Clip, write_hls
from tests.tools import run_origin

QUEUED, PROMOTIONS = 10_000, 500
WAITERS, ROUNDS = 100, 5
FLOOD_CLIENTS, SEGMENTS, ALTERNATIONS = 12, 5, 4


class _Instant:
    """A process that is done as soon as it begins, but for the one job that holds the slot."""

    pid, is_ready, is_warm = 1, True, True

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    async def run(self, job: BuildInit, *_: object) -> object:
        if job.name == "hold":
            await asyncio.Event().wait()
        return None


def promotion() -> dict[str, Any]:
    """Milliseconds from a player's asking to the start of a job that was queued among 10,000."""
    return asyncio.run(_promotion())


async def _promotion() -> dict[str, Any]:
    make: Callable[..., Any] = lambda *_: _Instant()  # noqa: E731
    pool = WorkerPool(WorkerSettings(), Metrics(), express_workers=1, make_process=make)
    await pool.start()
    await asyncio.sleep(0)
    started: dict[str, float] = {}

    def job(name: str, klass: Klass, deadline: float) -> asyncio.Task[object]:
        made = BuildInit(name=name, path="", container=Container.MP4, stream_index=0, copied=True)
        call = pool.run(
            made,
            key=name,
            klass=klass,
            deadline=deadline,
            lane=Lane.UPSCALE,
            on_start=lambda: started.setdefault(name, time.perf_counter()),
        )
        return asyncio.create_task(call)

    tasks = [job("hold", Klass.LOOKAHEAD, 0.0)]
    await asyncio.sleep(0.01)
    dice = random.Random(1)
    names = [f"job-{number}" for number in range(QUEUED)]
    for name in names:
        tasks.append(job(name, dice.choice((Klass.LOOKAHEAD, Klass.WARM)), dice.random() + 1))
    await asyncio.sleep(1)
    took = []
    for name in dice.sample(names, PROMOTIONS):
        asked = time.perf_counter()
        with pool.waiting(name, Klass.BLOCKING, asked):
            while name not in started:  # noqa: ASYNC110
                await asyncio.sleep(0)
        took.append(1000 * (started[name] - asked))
    left = sum(not task.done() for task in tasks)
    await pool.close()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"queued": left, "p50_ms": _p(took, 50), "p99_ms": _p(took, 99), "target_p99_ms": 5}


def coalesced(folder: Path) -> dict[str, Any]:
    """Seconds from a body's commit until the last of those who waited for it has it."""
    library = folder / "large"
    clip = Clip(frames=100 * ROUNDS, gop=100, width=480, height=270, noise=True)
    write_hls(library / "t", clip, "mpegts", segment_seconds=3.9)
    took, sizes = [], []
    with _origin(library, folder / "coalesced", "2x:lanczos") as base:
        for url in title(f"{base}/lib/t/index.m3u8").produced_track().segments[:ROUNDS]:
            ends = asyncio.run(_wait_together(url))
            sizes.append(ends[0][0])
            files = (path.stat() for path in (folder / "coalesced").rglob("*") if path.is_file())
            commit = max(file.st_ctime for file in files if file.st_size >= sizes[-1])
            took.append(max(end for _, end in ends) - commit)
    return {
        "waiters": WAITERS,
        "bytes": round(statistics.mean(sizes)),
        "last_after_commit_seconds": [round(seconds, 3) for seconds in took],
        "target_seconds": 0.7,
    }


async def _wait_together(url: str) -> list[tuple[int, float]]:
    """Size of the body and when it was there, for each of those who wait."""

    async def wait() -> tuple[int, float]:
        async with session.get(url) as response:
            return len(await response.read()), time.time()

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        return await asyncio.gather(*(wait() for _ in range(WAITERS)))


def flood(folder: Path) -> dict[str, Any]:
    """Seconds for a cold segment, idle and under a flood of what nobody waits for."""
    library = folder / "library"
    clip = Clip(frames=50 * 240, gop=50, width=320, height=180)
    write_hls(library / "t", clip, "mpegts", segment_seconds=1.9)
    with _origin(library, folder / "flood", "2x:anime4k-vl") as base:
        urls = list(title(f"{base}/lib/t/index.m3u8").produced_track().segments)
        for url in urls[:4]:
            get(url)
        mine, others = iter(urls[10:110]), iter(urls[110:])
        idle: list[float] = []
        busy: list[float] = []
        for _ in range(ALTERNATIONS):
            idle += _latencies(list(islice(mine, SEGMENTS)))
            stop = threading.Event()
            with ThreadPoolExecutor(FLOOD_CLIENTS) as pool:
                for _ in range(FLOOD_CLIENTS):
                    pool.submit(_keep_asking, others, stop)
                time.sleep(2)
                busy += _latencies(list(islice(mine, SEGMENTS)))
                stop.set()
    return {
        "idle_seconds": _p(idle, 50),
        "flood_seconds": _p(busy, 50),
        "ratio": round(statistics.median(busy) / statistics.median(idle), 3),
        "worst_ratio": round(max(busy) / max(idle), 3),
        "target_ratio": "1.2, plus one batch of frames",
    }


def _keep_asking(urls: Iterator[str], stop: threading.Event) -> None:
    while not stop.is_set():
        get(next(urls), Priority="u=7")


def _latencies(urls: Sequence[str]) -> list[float]:
    took = []
    for url in urls:
        began = time.perf_counter()
        reply = get(url)
        took.append(time.perf_counter() - began)
        assert reply.status == 200
    return took


def _origin(library: Path, cache: Path, spec: str) -> Any:
    config = cache.with_suffix(".toml")
    config.write_text('log_level = "warning"\nlookahead_segments = 0\n')
    arguments = (f"lib={library}", "--rendition", spec, "--device", "cpu")
    return run_origin(*arguments, "--cache", cache, "--config", config)


def _p(values: Sequence[float], percent: int) -> float:
    return round(statistics.quantiles(values, n=100)[percent - 1], 3)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="promotion,coalesced,flood")
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "promotion": promotion,
            "coalesced": lambda: coalesced(folder),
            "flood": lambda: flood(folder),
        }
        for part in options.only.split(","):
            results[part] = parts[part]()
            if not options.json:
                print(part, *(f"{key}={value}" for key, value in results[part].items()))
    if options.json:
        print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
