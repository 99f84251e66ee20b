"""Frames per second of every model on this machine: `python tests/benchmarks/bench_sr.py [--json]`.

Planes of 8 bits in and out, doubled. A rate is the best of a few rounds, each long enough to be
steady; it is set beside the machine's own rate at multiplying float32 matrices.
"""

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import sr

SIZES = ((640, 480), (640, 360))
THREADS = (1, 2)
ROUNDS = 4
ROUND_SECONDS = 0.5
MATRIX = 1024


def random_frame(width: int, height: int) -> sr.Planes:
    """Noise: the kernels take the same time for any content."""
    random = np.random.default_rng(0)
    chroma = (-(-height // 2), -(-width // 2))
    shapes = ((height, width), chroma, chroma)
    return sr.Planes(*(random.integers(0, 256, s, np.uint8) for s in shapes))


def best_rate(work: Callable[[], object], threads: int) -> float:
    """Calls per second of `work`, made from `threads` threads at a time."""

    def repeat(deadline: float) -> int:
        count = 0
        while time.perf_counter() < deadline:
            work()
            count += 1
        return count

    work()
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS):
            start = time.perf_counter()
            done = sum(pool.map(repeat, [start + ROUND_SECONDS] * threads))
            best = max(best, done / (time.perf_counter() - start))
    return best


def sgemm_gflops(threads: int) -> float:
    """The rate at which torch multiplies float32 matrices here."""
    import torch  # noqa: PLC0415 (heavy)

    a, b = torch.rand(MATRIX, MATRIX), torch.rand(MATRIX, MATRIX)

    def multiply() -> None:
        torch.set_num_threads(threads)  # OpenMP keeps this by calling thread
        torch.mm(a, b)

    return best_rate(multiply, 1) * 2 * MATRIX**3 / 1e9


def measure(
    model: sr.ModelInfo, width: int, height: int, threads: int, device: str
) -> dict[str, Any]:
    """One row of the table."""
    scale = model.scale or 2
    source = sr.Signal(width=width, height=height, matrix="bt709")
    target = sr.Signal(width=scale * width, height=scale * height, matrix="bt709")
    upscale = sr.open_upscaler(
        model=model.name, source=source, target=target, device=device, threads=threads
    )
    frames = [random_frame(width, height)] * upscale.batch
    fps = best_rate(lambda: upscale(frames), upscale.concurrency) * len(frames)
    return {
        "model": model.name,
        "size": f"{width}x{height}",
        "threads": threads,
        "fps": round(fps, 1),
        "ms_per_frame": round(1e3 / fps, 2),
        "gflops": round(2e-6 * model.kmac_per_pixel * width * height * fps, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    rates = {threads: sgemm_gflops(threads) for threads in THREADS}
    rows = [
        measure(model, *size, threads, options.device)
        for model in sr.list_models()
        for size in SIZES
        for threads in (THREADS if options.device == "cpu" else THREADS[:1])
    ]
    for row in rows:
        row["share_of_sgemm"] = round(row["gflops"] / rates[row["threads"]], 3)
    if options.json:
        print(json.dumps({"sgemm_gflops": rates, "rows": rows}))
        return
    print("sgemm:", ", ".join(f"{r:.0f} GFLOP/s on {t} threads" for t, r in rates.items()))
    print(
        f"{'model':<12}{'size':<10}{'threads':>8}{'fps':>9}{'ms':>8}{'GFLOP/s':>9}{'of sgemm':>9}"
    )
    for row in rows:
        print(
            f"{row['model']:<12}{row['size']:<10}{row['threads']:>8}{row['fps']:>9}"
            f"{row['ms_per_frame']:>8}{row['gflops']:>9}{row['share_of_sgemm']:>9.0%}"
        )


if __name__ == "__main__":
    main()
