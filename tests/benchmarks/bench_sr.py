"""Frames per second of every model on this machine: `python tests/benchmarks/bench_sr.py [--json]`.

Planes of 8 bits in and out, doubled. A rate is the best of a few rounds, each long enough to be
steady; it is set beside the machine's own rate at multiplying float32 matrices. Then other engines
on the same network, or made for the same, in turn with ours so that each sees the same machine.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

import sr
from sr.models.anime4k.weights import UPSCALE_M, UPSCALE_VL, load_weights
from tests.sr import peers

SIZES = ((640, 480), (640, 360))
THREADS = (1, 2)
ROUNDS = 4
ROUND_SECONDS = 0.5
MATRIX = 1024
HEAVY_KMAC = 100
HEAVY_SIZE = (160, 120)
PEER_SIZE = (640, 480)
PEER_THREADS = 2

Work = Callable[[], object]


def random_frame(width: int, height: int) -> sr.Planes:
    """Noise: the kernels take the same time for any content."""
    random = np.random.default_rng(0)
    chroma = (-(-height // 2), -(-width // 2))
    shapes = ((height, width), chroma, chroma)
    return sr.Planes(*(random.integers(0, 256, s, np.uint8) for s in shapes))


def best_rates(works: dict[str, tuple[Work, int]]) -> dict[str, float]:
    """Calls per second of each work, made from so many threads at a time; in turns."""

    def repeat(work: Work, deadline: float) -> int:
        count = 0
        while time.perf_counter() < deadline:
            work()
            count += 1
        return count

    best = dict.fromkeys(works, 0.0)
    for work, _ in works.values():
        work()
    for _ in range(ROUNDS):
        for name, (work, threads) in works.items():
            with ThreadPoolExecutor(threads) as pool:
                start = time.perf_counter()
                deadlines = [start + ROUND_SECONDS] * threads
                done = sum(pool.map(repeat, [work] * threads, deadlines))
                best[name] = max(best[name], done / (time.perf_counter() - start))
    return best


def best_rate(work: Work, threads: int) -> float:
    """Calls per second of `work`, made from `threads` threads at a time."""
    return best_rates({"": (work, threads)})[""]


def multiplication(threads: int) -> Work:
    """Torch's product of two float32 matrices."""
    import torch  # noqa: PLC0415 (heavy)

    a, b = torch.rand(MATRIX, MATRIX), torch.rand(MATRIX, MATRIX)

    def multiply() -> None:
        torch.set_num_threads(threads)  # OpenMP keeps this by calling thread
        torch.mm(a, b)

    return multiply


def sgemm_gflops(threads: int) -> float:
    """The rate at which torch multiplies float32 matrices here."""
    return best_rate(multiplication(threads), 1) * 2 * MATRIX**3 / 1e9


def opened(model: sr.ModelInfo, width: int, height: int, threads: int, device: str) -> sr.Upscaler:
    """A model that doubles frames of a size."""
    source = sr.Signal(width=width, height=height, matrix="bt709")
    target = sr.Signal(width=2 * width, height=2 * height, matrix="bt709")
    return sr.open_upscaler(
        model=model.name, source=source, target=target, device=device, threads=threads
    )


def measure(
    model: sr.ModelInfo, width: int, height: int, threads: int, device: str
) -> dict[str, Any]:
    """One row of the table."""
    upscale = opened(model, width, height, threads, device)
    frames = [random_frame(width, height)] * upscale.batch
    fps = best_rate(lambda: upscale(frames), upscale.concurrency) * len(frames)
    return {
        "model": model.name,
        "size": f"{width}x{height}",
        "threads": threads,
        "fps": round(fps, 1 if fps > 10 else 3),
        "ms_per_frame": round(1e3 / fps, 2),
        "gflops": round(2e-6 * model.kmac_per_pixel * width * height * fps, 1),
    }


def models_to_measure() -> list[sr.ModelInfo]:
    """Every model, but of heavy ones that cost the same only one whose weights are installed."""
    chosen: dict[object, sr.ModelInfo] = {}
    for model in sr.list_models():
        heavy = model.kmac_per_pixel > HEAVY_KMAC
        key = model.kmac_per_pixel if heavy else model.name
        try:
            if key not in chosen:
                sr.model_digest(model.name)
                chosen[key] = model
        except sr.UpscalerError as error:
            print(f"skipped {model.name}: {error}", file=sys.stderr)
    return list(chosen.values())


def measure_all(device: str) -> list[dict[str, Any]]:
    """The table of our own models."""
    rows = []
    for model in models_to_measure():
        heavy = model.kmac_per_pixel > HEAVY_KMAC
        for size in (HEAVY_SIZE,) if heavy else SIZES:
            for threads in THREADS if device == "cpu" and not heavy else THREADS[-1:]:
                rows.append(measure(model, *size, threads, device))
    return rows


def our_work(name: str, width: int, height: int) -> tuple[Work, int]:
    """Ours on planes, from as many threads as the peers have."""
    (model,) = (m for m in sr.list_models() if m.name == name)
    upscale = opened(model, width, height, PEER_THREADS, "cpu")
    frames = [random_frame(width, height)] * upscale.batch
    return partial(upscale, frames), upscale.concurrency


def same_network(network: str, engines: dict[str, peers.Engine]) -> dict[str, tuple[Work, int]]:
    """Engines as works, once they have computed what torch does."""
    width, height = PEER_SIZE
    images = np.random.default_rng(0).random((1, 3, height, width), np.float32)
    expected = peers.torch_engine(load_weights(network), PEER_THREADS)(images)
    inner = (..., slice(32, -32), slice(32, -32))  # engines may see other edges
    for name, engine in engines.items():
        if np.abs(engine(images)[inner] - expected[inner]).max() > 0.05:
            raise SystemExit(f"{name} does not compute {network}")
    return {name: (partial(engine, images), 1) for name, engine in engines.items()}


def network_peers(network: str) -> dict[str, tuple[Work, int]]:
    """The engines that are installed, on one of Anime4K's networks."""
    weights = load_weights(network)
    engines = {"torch": peers.torch_engine(weights, PEER_THREADS)}
    if peers.is_installed("onnx"):
        model = peers.onnx_network(weights, *PEER_SIZE)
        if peers.is_installed("onnxruntime"):
            engines["onnxruntime"] = peers.onnxruntime_engine(model, PEER_THREADS)
        if peers.is_installed("openvino"):
            for precision in ("f32", "bf16"):
                name = f"openvino {precision}"
                engines[name] = peers.openvino_engine(model, PEER_THREADS, precision)
    return same_network(network, engines)


def compare() -> list[dict[str, Any]]:
    """Ours against each peer: how many times its frames per second."""
    needed = ("onnx", "onnxruntime", "openvino", "pyanime4k", "ncnn")
    missing = [package for package in needed if not peers.is_installed(package)]
    if missing:
        hint = "pip install 'upscale-origin[bench]'"
        print(f"not compared with {', '.join(missing)}: {hint}", file=sys.stderr)
    rows, luma = [], random_frame(*PEER_SIZE).y
    for model, network in (("anime4k-m", UPSCALE_M), ("anime4k-vl", UPSCALE_VL)):
        works = network_peers(network)
        if model == "anime4k-vl" and peers.is_installed("pyanime4k"):
            works["acnet of anime4kcpp"] = (partial(peers.acnet_engine(), luma), 1)
        rows += ratios(model, PEER_SIZE, works)
    if peers.is_installed("ncnn"):
        rows += compare_with_ncnn("waifu2x-upconv7")
    return rows


def compare_with_ncnn(model: str) -> list[dict[str, Any]]:
    """The network alone there, planes in and out here."""
    width, height = HEAVY_SIZE
    try:
        engine = peers.ncnn_engine(model, PEER_THREADS)
        return ratios(model, HEAVY_SIZE, {"ncnn": (partial(engine, width, height), 1)})
    except sr.UpscalerError as error:
        print(f"skipped {model}: {error}", file=sys.stderr)
        return []


def ratios(
    model: str, size: tuple[int, int], works: dict[str, tuple[Work, int]]
) -> list[dict[str, Any]]:
    """Ours and the peers, and two threads that multiply matrices, in turns."""
    sgemm = (multiplication(PEER_THREADS), 1)
    rates = best_rates({"ours": our_work(model, *size), **works, "sgemm": sgemm})
    flops = 2 * next(m.kmac_per_pixel for m in sr.list_models() if m.name == model) * 1e3
    share = flops * size[0] * size[1] * rates["ours"] / (rates["sgemm"] * 2 * MATRIX**3)
    return [
        {
            "model": model,
            "size": f"{size[0]}x{size[1]}",
            "fps": round(rates["ours"], 2),
            "share_of_sgemm": round(share, 3),
            "peer": name,
            "peer_fps": round(rates[name], 2),
            "ratio": round(rates["ours"] / rates[name], 2),
        }
        for name in works
    ]


def print_table(rows: list[dict[str, Any]]) -> None:
    """Columns as wide as what is in them."""
    if not rows:
        return
    lines = [list(rows[0]), *([str(v) for v in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
    print()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--peers-only", action="store_true", help="only compare with others")
    options = parser.parse_args()
    gflops = {threads: sgemm_gflops(threads) for threads in THREADS}
    rows = [] if options.peers_only else measure_all(options.device)
    for row in rows:
        row["share_of_sgemm"] = round(row["gflops"] / gflops[row["threads"]], 3)
    compared = compare() if options.device == "cpu" else []
    if options.json:
        print(json.dumps({"sgemm_gflops": gflops, "rows": rows, "peers": compared}))
        return
    print("sgemm:", ", ".join(f"{r:.0f} GFLOP/s on {t} threads" for t, r in gflops.items()))
    print_table(rows)
    print_table(compared)


if __name__ == "__main__":
    main()
