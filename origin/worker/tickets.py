"""A job on its way through the pool."""

import asyncio
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Required, TypedDict

import sr
from origin.degrade import Kind
from origin.errors import OriginError, ProductionError
from origin.media.types import Produced, ProduceSegment
from origin.scheduler import Klass
from origin.worker.lanes import Lane, describe, source_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """How a segment may be made when time is short."""

    lighter: Sequence[ProduceSegment] = ()
    """By lighter and lighter models."""
    deliver: Callable[[Produced, str], None] = lambda produced, model: None
    """Takes what a lighter model made; those with firm deadlines are served with it."""
    reuse: Callable[[], bool] = lambda: False
    """Serves them with what a lighter model made before, if that is still there."""


class Options(TypedDict, total=False):
    """How a job is run."""

    key: Required[str]
    """Unique among the jobs that are queued or running."""
    klass: Klass
    """BLOCKING unless given. Counts, as `deadline` does, only if nobody is `waiting` for the key;
    else the most urgent of those who wait decides."""
    deadline: float
    """In the loop's time."""
    lane: Lane
    """Follows from the job unless given."""
    on_start: Callable[[], None]
    """A worker takes it; called again for the second attempt."""
    on_progress: Callable[[int], None]
    ladder: Ladder


@dataclass(slots=True, eq=False, kw_only=True)
class Ticket:
    """A job, and who is told what becomes of it."""

    job: object
    key: str
    lane: Lane
    future: asyncio.Future[Any]
    on_start: Callable[[], None] = lambda: None
    on_progress: Callable[[int], None] = lambda count: None
    ladder: Ladder = field(default_factory=Ladder)
    twin: "Ticket | None" = None
    """The same segment by a lighter model, while this one runs too late."""

    @property
    def rungs(self) -> list[object]:
        """The job itself, then what stands in for it."""
        return [self.job, *self.ladder.lighter]

    def fail(self, error: OriginError) -> None:
        """Tell whoever waits, unless they know already."""
        fail(self.future, error)


def kind_of(job: ProduceSegment) -> Kind:
    """What its cost depends on."""
    plan = job.plan
    return Kind(model=plan.model, width=plan.width, height=plan.height, kmac=_kmac(plan.model))


@functools.lru_cache(maxsize=256)
def _kmac(model: str) -> float:
    return next((info.kmac_per_pixel for info in sr.list_models() if info.name == model), math.inf)


def died(job: object, deaths: list[str]) -> ProductionError:
    """What is said of a job that took two workers with it."""
    first, second = deaths
    then = "twice" if first == second else f"and then {second}"
    detail = f"the worker died twice while doing {describe(job)}: it {first} {then}"
    return ProductionError(detail, source=source_of(job))


def fail(future: asyncio.Future[Any], error: OriginError) -> None:
    """End a future with an error, unless it has ended."""
    if not future.done():
        future.set_exception(error)
        future.exception()  # retrieved, though nobody may be waiting
