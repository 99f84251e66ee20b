"""A worker is killed in mid-encode, time and again: how much later is the player answered?

    python -m tests.soak.recovery [--kills 20] [--json]

Each time a segment that nothing has made yet is asked for and, while it is being encoded, every
worker that is busy gets SIGKILL. What a segment takes undisturbed is measured before. Exits with 1
if the slowest answer came later than 5 s plus one encode, or if one was not a 200.
"""

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.http_client import get, title
from tests.media.synth import Clip, write_hls
from tests.soak.processes import Origin, children
from tests.tools import free_port

UNDISTURBED = 5
MOST_SECONDS = 5.0
SETTINGS = """\
log_level = "error"
lookahead_segments = 0
express_workers = 0
upscale_workers = 1
"""


def _ticks(pid: int) -> int:
    """Of the CPU that it has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _busy(origin: Origin) -> list[int]:
    """Workers that compute just now."""
    before = {pid: _ticks(pid) for pid in children(origin.pid)}
    time.sleep(0.1)
    return [pid for pid, ticks in before.items() if _ticks(pid) > ticks]


def _timed(url: str) -> tuple[float, int]:
    started = time.monotonic()
    status = get(url).status
    return time.monotonic() - started, status


def recover(folder: Path, kills: int) -> dict[str, Any]:
    """Kill workers; figures."""
    segments = kills + UNDISTURBED + 1
    clip = Clip(width=640, height=360, frames=48 * segments, gop=48, noise=True)
    write_hls(folder / "library" / "long", clip, "mpegts", segment_seconds=1.9)
    origin = Origin(folder / "library", folder / "origin", free_port(), SETTINGS)
    rng = random.Random(1)
    try:
        urls = title(origin.base + origin.paths()[0]).produced_track().segments
        get(urls[0])
        encode = statistics.median(_timed(url)[0] for url in urls[1 : UNDISTURBED + 1])
        answers = []
        with ThreadPoolExecutor(1) as pool:
            for url in urls[UNDISTURBED + 1 :][:kills]:
                began = origin.metric("upscale_origin_encodes_total")
                answer = pool.submit(_timed, url)
                while origin.metric("upscale_origin_encodes_total") == began:
                    time.sleep(0.01)
                time.sleep(rng.random() * encode / 4)
                for pid in _busy(origin):
                    os.kill(pid, signal.SIGKILL)
                answers.append(answer.result())
        restarts = origin.metric("upscale_origin_worker_restarts_total")
    finally:
        origin.terminate()
    seconds = sorted(answer[0] for answer in answers)
    return {
        "kills": kills,
        "worker_restarts": restarts,
        "failed": sum(answer[1] != 200 for answer in answers),
        "encode_seconds": encode,
        "median_seconds": statistics.median(seconds),
        "most_seconds": seconds[-1],
    }


def main() -> int:
    """Prints the figures; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = recover(Path(name), options.kills)
    print(json.dumps(figures, indent=1) if options.json else f"recovery: {figures}")
    is_well = figures["most_seconds"] <= MOST_SECONDS + figures["encode_seconds"]
    return 0 if is_well and not figures["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
