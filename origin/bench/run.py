"""Measures models one after the other in a worker, as segments are made."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sr
from manifests.ladder import IDENTITY
from origin.errors import ConfigError
from origin.media.types import Measure, Measured
from origin.progress import Report
from origin.worker.alone import upscale_workers
from origin.worker.pool import WorkerPool

STORY_RATE = 24000 / 1001
"""Frames per second of what the catalogue holds: the pace that counts as real time."""
_FIRST_FRAMES = 8
_MOST_FRAMES = 240
_SECONDS = 4.0
"""How long a measurement should take, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one model reaches at one size, x264 included."""

    model: str
    width: int
    """Of the source; the target is twice as large."""
    height: int
    frames: int
    frames_per_second: float
    real_time: float
    """Times as fast as 23.976 frames per second."""
    stages: Mapping[str, float]
    """Seconds of work per frame; stages overlap."""


async def measure_all(
    models: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    *,
    device: str,
    threads: int,
    report: Report,
) -> list[Measurement]:
    """Measure every model at every size.

    Args:
        models: Names, or paths of files.
        sizes: Of sources, width and height.
        device: `cpu` or `cuda:N`.
        threads: Of the worker.
        report: Told how many are done.

    Raises:
        ConfigError: There is no such model, or its weights are missing.
        OriginError: A model cannot be run.
    """
    for model in models:
        _check(model)
    report.begin(total=len(models) * len(sizes))
    found: list[Measurement] = []
    async with upscale_workers(1) as pool:
        for model in models:
            for width, height in sizes:
                job = Measure(
                    model=model,
                    width=width,
                    height=height,
                    frames=_FIRST_FRAMES,
                    device=device,
                    threads=threads,
                )
                found.append(await _measure(pool, job))
                report.advance(len(found))
    return found


def _check(model: str) -> None:
    try:
        if model == IDENTITY:
            raise sr.UpscalerError(f"{IDENTITY} upscales nothing")
        sr.model_digest(model)
    except sr.UpscalerError as error:
        raise ConfigError(str(error), source=model) from error


async def _measure(pool: WorkerPool, job: Measure) -> Measurement:
    """A short run tells how many frames a good one may have."""
    began = time.monotonic()
    measured = await pool.run(job, key=f"{job.model} {job.width}x{job.height} first")
    took = time.monotonic() - began
    frames = min(_MOST_FRAMES, int(_SECONDS * measured.frames_per_second))
    if frames > job.frames and took < 2 * _SECONDS:
        job = replace(job, frames=frames)
        measured = await pool.run(job, key=f"{job.model} {job.width}x{job.height}")
    return _row(job, measured)


def _row(job: Measure, measured: Measured) -> Measurement:
    return Measurement(
        model=job.model,
        width=job.width,
        height=job.height,
        frames=job.frames,
        frames_per_second=measured.frames_per_second,
        real_time=measured.frames_per_second / STORY_RATE,
        stages={name: seconds / job.frames for name, seconds in measured.stages.items()},
    )
