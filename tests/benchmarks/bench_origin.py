"""What the origin reaches on this machine, each figure beside a named peer in the same run.

    [DEVICE=cuda] python tests/benchmarks/bench_origin.py [--json] [--only steady,cold]

steady: an uncached title of 360p at 23.976 fps is fetched segment by segment, upscaled to 720p by
anime4k-m, in multiples of real time. steady480: the same from 480p to 960p. cold: one uncached
lanczos segment over HTTP against one FFmpeg process that does the same job on the same file, in
pairs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from origin.demo import find_clip, prepare
from tests.http_client import get, title, titles
from tests.tools import ffmpeg, run_origin

PAIRS = 9


@contextmanager
def _serving(library: Path, folder: Path, spec: str, settings: str = "") -> Iterator[str]:
    cache = Path(tempfile.mkdtemp(dir=folder))
    device = os.environ.get("DEVICE", "cpu")
    config = folder / "origin.toml"
    config.write_text(f'log_level = "warning"\n{settings}\n')
    arguments = [f"demo={library}", "--rendition", spec, "--cache", cache, "--device", device]
    with run_origin(*arguments, "--config", config) as base:
        titles(base)
        yield base


def steady(library: Path, folder: Path) -> dict[str, Any]:
    """Seconds of video per second of waiting, a player's requests one after the other."""
    with _serving(library, folder, "2x:anime4k-m") as base:
        warm_up = title(f"{base}/demo/bunny-ts/master.m3u8").produced_track()
        for url in warm_up.segments:
            get(url)
        track = title(f"{base}/demo/bunny-fmp4/master.m3u8").produced_track()
        get(track.segments[0])
        started = time.monotonic()
        for url in track.segments[1:]:
            get(url)
        elapsed = time.monotonic() - started
        media = sum(track.durations()[1:])
        return {
            "real_time_factor": media / elapsed,
            "target": 1.25,
            "media_seconds": media,
            "cores": os.cpu_count(),
        }


def steady480(_: Path, folder: Path) -> dict[str, Any]:
    """The same for a title of 480p."""
    library = folder / "library480"
    prepare(find_clip(), library, height=480, seconds=32)
    return steady(library, folder) | {"target": 1.1}


def cold(library: Path, folder: Path) -> dict[str, Any]:
    """Wall time of a cold lanczos segment over that of one FFmpeg process, in pairs."""
    with _serving(library, folder, "2x:lanczos", "lookahead_segments = 0") as base:
        playlists = title(f"{base}/demo/bunny-ts/master.m3u8")
        sources, produced = playlists.source_track(), playlists.produced_track()
        get(produced.segments[-1])
        ratios, ours, theirs = [], [], []
        for index in range(PAIRS):
            source = folder / f"{index}.ts"
            source.write_bytes(get(sources.segments[index]).body)
            theirs.append(_ffmpeg_seconds(source, folder / "out.ts"))
            started = time.monotonic()
            reply = get(produced.segments[index])
            ours.append(time.monotonic() - started)
            assert reply.headers["X-Cache"] == "miss"
            ratios.append(ours[-1] / theirs[-1])
        return {
            "median_ratio": statistics.median(ratios),
            "target": 1.1,
            "pairs": len(ratios),
            "ours_seconds": statistics.median(ours),
            "ffmpeg_seconds": statistics.median(theirs),
        }


def _ffmpeg_seconds(source: Path, target: Path) -> float:
    command = [ffmpeg(), "-v", "error", "-y", "-f", "mpegts", "-i", str(source)]
    command += ["-vf", "scale=iw*2:ih*2:flags=lanczos", "-c:v", "libx264", "-preset", "veryfast"]
    command += ["-crf", "20", "-maxrate", "4M", "-bufsize", "4M", "-bf", "2", "-profile:v", "high"]
    command += ["-x264-params", "b-pyramid=none:keyint=infinite:scenecut=0", "-c:a", "copy"]
    command += ["-f", "mpegts", str(target)]
    started = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - started


def main() -> None:
    """Prints one figure per line, or all as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="steady,steady480,cold")
    options = parser.parse_args()
    benchmarks = {"steady": steady, "steady480": steady480, "cold": cold}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = folder / "library"
        prepare(find_clip(), library)
        results = {only: benchmarks[only](library, folder) for only in options.only.split(",")}
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for name, figures in results.items():
        shown = ", ".join(
            f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in figures.items()
        )
        print(f"{name}: {shown}")


if __name__ == "__main__":
    main()
