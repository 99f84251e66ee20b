"""Frames per second of every model on a CUDA device: `python tests/benchmarks/bench_cuda.py`.

8-bit planes in and out, doubled, transfers included. A rate is set beside what the device reaches
at multiplying float16 matrices in the same run.
"""

import time

import numpy as np
import torch

import sr

SIZE = (640, 480)
ROUNDS = 3
ROUND_SECONDS = 1.0
MATRIX = 8192
MODELS = ("lanczos", "anime4k-m", "anime4k-vl", "anime4k-a", "waifu2x-upconv7", "waifu2x-cunet")


def matrix_tflops() -> float:
    """Of float16 products on this device, the best of a few."""
    a, b = (torch.randn(MATRIX, MATRIX, device="cuda", dtype=torch.float16) for _ in range(2))
    best = 0.0
    for _ in range(5):
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(5):
            torch.mm(a, b)
        torch.cuda.synchronize()
        best = max(best, 5 * 2 * MATRIX**3 / (time.perf_counter() - started) / 1e12)
    return best


def frames_per_second(model: str) -> float:
    """Best of a few rounds of whole batches."""
    width, height = SIZE
    source = sr.Signal(width=width, height=height, matrix="bt601")
    target = sr.Signal(width=2 * width, height=2 * height, matrix="bt709")
    upscale = sr.open_upscaler(model=model, source=source, target=target, device="cuda:0")
    random = np.random.default_rng(0)
    shapes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    frames = [
        sr.Planes(*(random.integers(16, 236, shape, np.uint8) for shape in shapes))
        for _ in range(upscale.batch)
    ]
    upscale(frames)
    best = 0.0
    for _ in range(ROUNDS):
        count, started = 0, time.perf_counter()
        while time.perf_counter() - started < ROUND_SECONDS:
            count += len(upscale(frames))
        best = max(best, count / (time.perf_counter() - started))
    return best


def main() -> None:
    """Prints one line per model; says so where there is no device."""
    if not torch.cuda.is_available():
        print("no CUDA device: nothing to measure")
        return
    peak = matrix_tflops()
    print(f"{torch.cuda.get_device_name()}: {peak:.0f} TFLOP/s in float16 products")
    costs = {info.name: info.kmac_per_pixel for info in sr.list_models()}
    for model in MODELS:
        try:
            rate = frames_per_second(model)
        except sr.UpscalerError as error:
            print(f"{model}: {error}")
            continue
        teraflops = rate * SIZE[0] * SIZE[1] * costs[model] * 2e3 / 1e12
        print(f"{model}: {rate:.0f} fps, {teraflops:.1f} TFLOP/s, {teraflops / peak:.1%} of that")


if __name__ == "__main__":
    main()
