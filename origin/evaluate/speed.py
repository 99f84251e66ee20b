"""How fast a model is here, and what here is."""

import platform
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from origin.evaluate.spool import FrameFile
from origin.evaluate.types import Machine
from sr.types import Upscaler


def upscale(
    upscaler: Upscaler, low: FrameFile, made: FrameFile, advance: Callable[[int], None]
) -> float:
    """Upscale every frame of a file into another, as many at a time as the upscaler serves.

    Args:
        upscaler: From the planes of `low` to those of `made`.
        low: At least one frame.
        made: Empty.
        advance: Told how many frames were done since it was told last.

    Returns:
        Seconds per frame: the median over calls made together, without first ones that warm up.

    Raises:
        UpscalerError: The upscaler does.
    """
    seconds: list[float] = []
    size, step = upscaler.batch, upscaler.batch * upscaler.concurrency
    with ThreadPoolExecutor(upscaler.concurrency) as pool:
        list(pool.map(upscaler, [[low[0]]] * upscaler.concurrency))
        for start in range(0, len(low), step):
            frames = [low[i] for i in range(start, min(start + step, len(low)))]
            batches = [frames[i : i + size] for i in range(0, len(frames), size)]
            began = time.perf_counter()
            results = list(pool.map(upscaler, batches))
            seconds.append((time.perf_counter() - began) / len(frames))
            for planes in (planes for result in results for planes in result):
                made.append(planes)
            advance(len(frames))
    whole = seconds[: len(low) // step] or seconds
    return median(whole)


def describe_machine(device: str, threads: int) -> Machine:
    """What speeds are measured on."""
    return Machine(device=device, processor=_processor(device), threads=threads)


def _processor(device: str) -> str:
    if device.startswith("cuda"):
        import torch  # noqa: PLC0415 (heavy)

        return torch.cuda.get_device_name(device)
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()
