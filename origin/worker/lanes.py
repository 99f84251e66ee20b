"""What the pool knows about jobs: who does them, how long they are, what to call them."""

import math
from enum import StrEnum

from origin.media.types import (
    InspectFile,
    InspectHls,
    Measure,
    PackageSubtitles,
    PrepareRendition,
    ProduceSegment,
)


class Lane(StrEnum):
    """Who does a job."""

    UPSCALE = "upscale"
    """Owns the device."""
    PACKAGE = "package"
    """Remuxes, packages audio: short jobs that must not wait behind long ones."""
    PREPARE = "prepare"
    """Inspects titles, or reads them again, which may take long, and readies what they offer."""


def lane_of(job: object) -> Lane:
    """The lane that a job belongs in."""
    if isinstance(job, ProduceSegment | Measure):
        return Lane.UPSCALE
    is_preparation = isinstance(job, PrepareRendition) or is_silent(job)
    return Lane.PREPARE if is_preparation else Lane.PACKAGE


def expected_count(job: object) -> float:
    """The count that `progress` will reach: frames of a segment; unknown for other jobs."""
    if isinstance(job, ProduceSegment):
        return max(1.0, float(job.duration_seconds * job.plan.frame_rate))
    return math.inf


def is_silent(job: object) -> bool:
    """Whether a job reports no progress although it may take long: it reads whole titles."""
    return isinstance(job, InspectFile | InspectHls | PackageSubtitles)


def source_of(job: object) -> str | None:
    """The file that a job is about, as errors name it."""
    name = getattr(job, "name", None) or getattr(getattr(job, "source", None), "name", None)
    return str(name) if name else None


def describe(job: object) -> str:
    """A job in words, for errors."""
    source = source_of(job)
    return f"{type(job).__name__} of {source}" if source else type(job).__name__
