"""How fast a model is here, and what here is."""

import platform
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
        The seconds that the calls took: without files, and without a first call that warms up.

    Raises:
        UpscalerError: The upscaler does.
    """
    upscaler([low[0]])
    seconds, step = 0.0, upscaler.batch * upscaler.concurrency
    with ThreadPoolExecutor(upscaler.concurrency) as pool:
        for start in range(0, len(low), step):
            frames = [low[i] for i in range(start, min(start + step, len(low)))]
            size = upscaler.batch
            batches = [frames[i : i + size] for i in range(0, len(frames), size)]
            began = time.perf_counter()
            results = list(pool.map(upscaler, batches))
            seconds += time.perf_counter() - began
            for planes in (planes for result in results for planes in result):
                made.append(planes)
            advance(len(frames))
    return seconds


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
