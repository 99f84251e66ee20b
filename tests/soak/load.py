"""Minutes of load: memory and descriptors of the origin and of its workers must not grow.

    python -m tests.soak.load [--minutes 10] [--json]

Clients fetch playlists and segments of several titles, cached ones and ones that the cache, which
is kept small, has given up; ask for parts, for things that are not there, and hang up in
mid-answer. The slope is that of a straight line through what is resident after the first third.
Exits with 1 if it is 1 MiB per minute or more, of the origin or of its workers together, if
descriptors have grown, or if anything was not answered as it should be. What each process has on
average in each third of the time tells a leak, which goes on, from a start, which ends.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from tests.http_client import get, title, titles, track
from tests.media.synth import Clip, Sound, write_file, write_hls
from tests.soak.processes import Origin, children, usage
from tests.tools import free_port

CLIENTS = 6
TITLES = 8
FILM = "film.mkv"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the origin and its workers take at a time."""

    minute: float
    mib: dict[str, float]
    """Resident, by process."""
    descriptors: int

    @property
    def origin(self) -> float:
        return self.mib["origin"]

    @property
    def workers(self) -> float:
        return sum(self.mib.values()) - self.origin


def _sample(origin: Origin, minute: float = 0.0) -> Sample:
    pids = {"origin": origin.pid, **{f"worker {pid}": pid for pid in children(origin.pid)}}
    used = {name: found for name, pid in pids.items() if (found := usage(pid))}
    return Sample(
        minute=minute,
        mib={name: one.memory / 2**20 for name, one in used.items()},
        descriptors=sum(one.descriptors for one in used.values()),
    )


def _urls(origin: Origin) -> list[str]:
    """Playlists and produced segments; of media files all else that is made on request as well."""
    found = []
    for row in titles(origin.base).values():
        one = title(origin.base + row["url"])
        found += [one.url, *one.produced_track().segments]
        if row["url"].endswith(f"{FILM}/index.m3u8"):
            audio = [track(urljoin(one.url, media.uri)) for media in one.playlist.media]
            for packaged in (one.source_track(), *audio):
                found += packaged.segments
            found.append(origin.base + row["poster"])
    return found


def _means_by_third(samples: list[Sample], minutes: float) -> dict[str, list[float]]:
    thirds: dict[str, list[list[float]]] = {}
    for sample in samples:
        for name, mib in sample.mib.items():
            thirds.setdefault(name, [[], [], []])[int(3 * sample.minute / minutes)].append(mib)
    return {
        name: [round(statistics.fmean(third), 1) for third in rows if third]
        for name, rows in thirds.items()
    }


def soak(origin: Origin, minutes: float) -> dict[str, Any]:
    """Load it; figures."""
    urls = _urls(origin)
    stop, statuses = threading.Event(), Counter[str]()
    clients = [
        threading.Thread(target=_client, args=(urls, seed, stop, statuses), daemon=True)
        for seed in range(CLIENTS)
    ]
    idle = _sample(origin)
    for client in clients:
        client.start()
    started, samples = time.monotonic(), []
    while (at := (time.monotonic() - started) / 60) < minutes:
        samples.append(_sample(origin, at))
        time.sleep(SAMPLE_SECONDS)
    stop.set()
    for client in clients:
        client.join()
    time.sleep(SAMPLE_SECONDS)
    settled = [sample for sample in samples if sample.minute > minutes / 3]
    times = [sample.minute for sample in settled]
    origins = [sample.origin for sample in settled]
    workers = [sample.workers for sample in settled]
    return {
        "minutes": minutes,
        "origin_mib_per_minute": statistics.linear_regression(times, origins).slope,
        "workers_mib_per_minute": statistics.linear_regression(times, workers).slope,
        "origin_mib": origins[-1],
        "workers_mib": workers[-1],
        "mean_mib_by_third": _means_by_third(samples, minutes),
        "descriptors_before": idle.descriptors,
        "descriptors_after": _sample(origin).descriptors,
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
        sounds = (Sound(), Sound(codec="libopus", language="de"))
        write_file(folder / "library" / FILM, Clip(frames=240, gop=24, noise=True, sounds=sounds))
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
