"""Minutes of load: memory and descriptors of the origin and of its workers must not grow.

    python -m tests.soak.load [--minutes 10] [--json]

Clients fetch playlists and segments of several titles, cached ones and ones that the cache, which
is kept small, has given up; ask for parts, for things that are not there, and hang up in
mid-answer. The slope is that of a straight line through what is resident after the first third.
Exits with 1 if it is 1 MiB per minute or more, of the origin or of its workers, if descriptors
have grown, or if anything was not answered as it should be.
"""

import argparse
import contextlib
import json
import random
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.http_client import get, title
from tests.media.synth import Clip, write_hls
from tests.soak.processes import Origin, children, usage
from tests.tools import free_port

CLIENTS = 6
TITLES = 8
SAMPLE_SECONDS = 2.0
MOST_MIB_PER_MINUTE = 1.0
SPARE_DESCRIPTORS = 3
SETTINGS = """\
log_level = "warning"
cache_size = "2MB"
ram_cache_size = "1MB"
"""


def _client(urls: list[str], seed: int, stop: threading.Event, statuses: Counter[str]) -> None:
    rng = random.Random(seed)
    while not stop.is_set():
        url = rng.choice(urls)
        match rng.randrange(10):
            case 0:
                statuses[str(get(f"{url}.not").status)] += 1
            case 1:
                statuses[str(get(url, Range=f"bytes={rng.randrange(500)}-999").status)] += 1
            case 2:
                _ask_and_leave(url, rng)
                statuses["left"] += 1
            case _:
                statuses[str(get(url).status)] += 1


def _ask_and_leave(url: str, rng: random.Random) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as client:
        client.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        client.settimeout(rng.random() / 5)
        with contextlib.suppress(TimeoutError):
            client.recv(rng.randrange(1, 4000))


def _sample(origin: Origin) -> tuple[float, float, int]:
    """MiB of the origin, MiB of its workers, descriptors of all."""
    own = usage(origin.pid)
    assert own is not None, "the origin has ended"
    workers = [found for pid in children(origin.pid) if (found := usage(pid))]
    descriptors = own.descriptors + sum(worker.descriptors for worker in workers)
    return own.memory / 2**20, sum(worker.memory for worker in workers) / 2**20, descriptors


def soak(origin: Origin, minutes: float) -> dict[str, Any]:
    """Load it; figures."""
    lists = [title(origin.base + path) for path in origin.paths()]
    urls = [url for one in lists for url in (one.url, *one.produced_track().segments)]
    stop, statuses = threading.Event(), Counter[str]()
    clients = [
        threading.Thread(target=_client, args=(urls, seed, stop, statuses), daemon=True)
        for seed in range(CLIENTS)
    ]
    idle = _sample(origin)
    for client in clients:
        client.start()
    started, rows = time.monotonic(), []
    while (at := (time.monotonic() - started) / 60) < minutes:
        rows.append((at, *_sample(origin)))
        time.sleep(SAMPLE_SECONDS)
    stop.set()
    for client in clients:
        client.join()
    time.sleep(SAMPLE_SECONDS)
    settled = [row for row in rows if row[0] > minutes / 3]
    times = [row[0] for row in settled]
    slopes = [
        statistics.linear_regression(times, [row[i] for row in settled]).slope for i in (1, 2)
    ]
    return {
        "minutes": minutes,
        "origin_mib_per_minute": slopes[0],
        "workers_mib_per_minute": slopes[1],
        "origin_mib": settled[-1][1],
        "workers_mib": settled[-1][2],
        "descriptors_before": idle[2],
        "descriptors_after": _sample(origin)[2],
        "encodes": origin.metric("upscale_origin_encodes_total"),
        "worker_restarts": origin.metric("upscale_origin_worker_restarts_total"),
        "answers": dict(sorted(statuses.items())),
    }


def main() -> int:
    """Prints the figures; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(TITLES):
            clip = Clip(frames=240 + number, gop=24, noise=True)
            write_hls(folder / "library" / str(number), clip, "mpegts", segment_seconds=0.9)
        origin = Origin(folder / "library", folder / "origin", free_port(), SETTINGS)
        try:
            figures = soak(origin, options.minutes)
        finally:
            origin.terminate()
    print(json.dumps(figures, indent=1) if options.json else f"load: {figures}")
    slopes = figures["origin_mib_per_minute"], figures["workers_mib_per_minute"]
    more = figures["descriptors_after"] - figures["descriptors_before"]
    failed = [
        status for status in figures["answers"] if status not in ("200", "206", "404", "left")
    ]
    is_well = max(slopes) < MOST_MIB_PER_MINUTE and more <= SPARE_DESCRIPTORS and not failed
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
