"""Two origins behind nginx are restarted in turns under load: no request may fail.

    python -m tests.soak.rolling [--restarts 50] [--json]

nginx caches nothing here, so that every request meets an origin. A request fails if it is not
answered with 200 and the bytes that it was answered with before. Exits with 1 if one has failed.
"""

import argparse
import hashlib
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.http_client import get, title
from tests.media.synth import Clip, write_hls
from tests.nginx import balancer
from tests.soak.processes import Origin
from tests.tools import free_port

CLIENTS = 6
SETTINGS = """\
log_level = "warning"
drain_notice_seconds = 1
cache_size = "2MB"
ram_cache_size = "1MB"
"""


class Clients:
    """Ask for one URL after the other until they are stopped. Threads share it."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._bodies: dict[str, str] = {}
        self.answers: Counter[str] = Counter()
        self.seconds: list[float] = []
        self._threads = [
            threading.Thread(target=self._run, args=(seed,), daemon=True) for seed in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Returns when all have heard their last answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, seed: int) -> None:
        rng = random.Random(seed)
        while not self._stop.is_set():
            url = rng.choice(self._urls)
            started = time.monotonic()
            try:
                reply = get(url)
                sha256 = hashlib.sha256(reply.body).hexdigest()
                outcome = "ok" if reply.status == 200 else f"{reply.status} {reply.body[:200]!r}"
            except Exception as error:
                outcome, sha256 = repr(error), ""
            with self._lock:
                if outcome == "ok" and self._bodies.setdefault(url, sha256) != sha256:
                    outcome = "another body"
                self.answers[outcome] += 1
                self.seconds.append(time.monotonic() - started)


def roll(folder: Path, restarts: int) -> dict[str, Any]:
    """Restart them; figures."""
    clip = Clip(frames=960, gop=24, noise=True)
    write_hls(folder / "library" / "long", clip, "mpegts", segment_seconds=0.9)
    origins = [
        Origin(folder / "library", folder / str(number), free_port(), SETTINGS)
        for number in range(2)
    ]
    try:
        with balancer(folder, [origin.base for origin in origins]) as base:
            listed = title(base + origins[0].paths()[0])
            origins[1].paths()
            clients = Clients([listed.url, *listed.produced_track().segments])
            for number in range(restarts):
                origin = origins[number % 2]
                origin.terminate()
                origin.start()
            clients.stop()
    finally:
        for origin in origins:
            origin.terminate()
    waits = sorted(clients.seconds)
    return {
        "restarts": restarts,
        "requests": len(waits),
        "failed": len(waits) - clients.answers["ok"],
        "p99_seconds": waits[len(waits) * 99 // 100],
        "most_seconds": waits[-1],
        "answers": dict(clients.answers),
    }


def main() -> int:
    """Prints the figures; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--restarts", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = roll(Path(name), options.restarts)
    print(json.dumps(figures, indent=1) if options.json else f"rolling: {figures}")
    return 1 if figures["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
