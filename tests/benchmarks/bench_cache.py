"""What the cache reaches on this machine, beside nginx and beside LRU in the same run.

    python tests/benchmarks/bench_cache.py [--json] [--only ram,xaccel,start,eviction]

ram: cached segments of 1 MiB and 64 KiB from the origin's memory against nginx serving the same
bytes from a file, 32 connections, by wrk, rounds taken in turns. xaccel: the same through an nginx
that sends the origin's files itself, against one alone that answers with the same head, with
tcp_nopush on and off; and against one with the head that files have by default, which says less:
what the length of a head does to sendfile on loopback is up to a quarter, either way.
start: seconds to open a cache of 100,000 bodies. eviction: the share of compute seconds that a
cache spares, against LRU, on made-up traffic.
"""

import argparse
import hashlib
import http.client
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[2]))

from origin.cache import Cache
from origin.demo import find_clip, prepare
from origin.service.production import cache_key
from tests.http_client import get, title, titles
from tests.nginx import OPEN_FILES, same_head, sending_proxy, static_server
from tests.origin.traffic import lru_savings, our_savings, traces
from tests.tools import run_origin

SIZES = {"1MiB": 2**20, "64KiB": 2**16}
CONNECTIONS = 32
SECONDS = 5
ROUNDS = 5
ENTRIES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An origin that has bodies of these sizes in its cache, and the same bytes as files."""

    base: str
    paths: dict[str, str]
    cache: Path
    static: Path


@contextmanager
def _serving(folder: Path) -> Iterator[Served]:
    library, cache, static = folder / "library", folder / "cache", folder / "static"
    prepare(find_clip(), library, height=144, seconds=16)
    config = folder / "origin.toml"
    config.write_text('log_level = "warning"\nx_accel_prefix = "/bodies-2/"\n')
    arguments = [f"demo={library}", "--rendition", "2x:lanczos", "--cache", cache]
    arguments += ["--device", "cpu", "--config", config]
    with run_origin(*arguments) as base:
        titles(base)
        segments = title(f"{base}/demo/bunny-ts/master.m3u8").produced_track().segments
    static.mkdir()
    paths = {name: urlsplit(url).path for name, url in zip(SIZES, segments, strict=False)}
    opened = Cache(cache, budget_bytes=10**9)
    for name, path in paths.items():
        digest, _, file = path.rpartition("/")
        body = Random(name).randbytes(SIZES[name])
        (static / name).write_bytes(body)
        opened.put(cache_key(digest.rpartition("/")[2], file.partition(".")[0]), body)
    opened.close()
    with run_origin(*arguments) as base:
        titles(base)
        yield Served(base=base, paths=paths, cache=cache, static=static)


def ram(folder: Path) -> dict[str, Any]:
    """Requests per second from memory over those of nginx."""
    with _serving(folder) as served, static_server(folder, served.static) as nginx:
        return {
            name: _against(served.base + path, f"{nginx}/{name}", target=target)
            for (name, path), target in zip(served.paths.items(), (0.7, 0.3), strict=True)
        }


def xaccel(folder: Path) -> dict[str, Any]:
    """Requests per second of an nginx that sends the origin's files over those of one alone."""
    for part in ("front", "default"):
        (folder / part).mkdir()
    with (
        _serving(folder) as served,
        sending_proxy(folder / "front", served.base, served.cache) as front,
        static_server(folder / "default", served.static, http=OPEN_FILES) as default,
    ):
        figures = {
            f"{name} with a file's head": _against(front + path, f"{default}/{name}", target=0.9)
            for name, path in served.paths.items()
        }
        for setting in ("tcp_nopush on", "tcp_nopush off"):
            for name, path in served.paths.items():
                place = folder / setting.replace(" ", "-") / name
                figures[f"{name} {setting}"] = _against_alike(place, served, path, name, setting)
        return figures


def _against_alike(
    folder: Path, served: Served, path: str, name: str, setting: str
) -> dict[str, Any]:
    """Against files that are sent with the same head, both with a setting of nginx."""
    for part in ("front", "alike"):
        (folder / part).mkdir(parents=True)
    with sending_proxy(folder / "front", served.base, served.cache, more=f"{setting};") as front:
        ours = front + path
        location = f"{same_head(get(ours).headers)} {setting};"
        with static_server(
            folder / "alike", served.static, http=OPEN_FILES, location=location
        ) as alike:
            assert _head_length(ours) == _head_length(f"{alike}/{name}")
            return _against(ours, f"{alike}/{name}", target=0.9)


def _against(ours: str, theirs: str, *, target: float) -> dict[str, Any]:
    wrk = shutil.which("wrk")
    if wrk is None:
        return {"skipped": "wrk is missing: apt-get install wrk"}
    assert hashlib.sha256(get(ours).body).digest() == hashlib.sha256(get(theirs).body).digest()
    rates: dict[str, list[float]] = {ours: [], theirs: []}
    for _ in range(ROUNDS):
        for url, measured in rates.items():
            measured.append(_requests_per_second(wrk, url))
    return {
        "ratio": statistics.median(a / b for a, b in zip(*rates.values(), strict=True)),
        "target": target,
        "ours_per_second": statistics.median(rates[ours]),
        "nginx_per_second": statistics.median(rates[theirs]),
    }


def _head_length(url: str) -> int:
    """Bytes of the head of an answer."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    connection.request("GET", address.path)
    response = connection.getresponse()
    return sum(len(f"{name}: {value}\r\n") for name, value in response.getheaders())


def _requests_per_second(wrk: str, url: str) -> float:
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in text, text
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert found is not None, text
    return float(found[1])


def start(folder: Path) -> dict[str, Any]:
    """Seconds to open a cache of 100,000 bodies, none of it in the kernel's memory if we may."""
    cache = folder / "cache"
    for number in range(ENTRIES):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        place = cache / "bodies-2" / "movies" / sha256[:2]
        place.mkdir(parents=True, exist_ok=True)
        made = 1_700_000_000 + number
        (place / f"{sha256[:16]}-{sha256[16:32]}.{sha256}.0.2500000.{made}").touch()
    subprocess.run(["sync"], check=True)
    dropped = _drop_caches()
    started = time.perf_counter()
    opened = Cache(cache, budget_bytes=10**9)
    seconds = time.perf_counter() - started
    objects = opened.stats().tiers["disk"].objects
    opened.close()
    return {"seconds": seconds, "target": 5, "objects": objects, "cold": dropped}


def _drop_caches() -> bool:
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
    except OSError:
        return False
    return True


def eviction(_: Path) -> dict[str, Any]:
    """Shares of requests and of compute seconds that were spared, ours and LRU's."""
    return {
        name: {
            "ours": asdict(our_savings(trace, share)),
            "lru": asdict(lru_savings(trace, share)),
        }
        for name, (trace, share) in traces().items()
    }


def main() -> None:
    """Prints one figure per line, or all as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="ram,xaccel,start,eviction")
    options = parser.parse_args()
    benchmarks = {"ram": ram, "xaccel": xaccel, "start": start, "eviction": eviction}
    results = {}
    for only in options.only.split(","):
        with tempfile.TemporaryDirectory() as name:
            results[only] = benchmarks[only](Path(name))
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for name, figures in results.items():
        print(f"{name}: {json.dumps(figures)}")


if __name__ == "__main__":
    main()
