"""How long segments take to make, and which model can still answer in time. Pure.

The *ladder* of a segment is what it can be made by: its own model first, then lighter ones, the
lightest last. *Costs* are seconds of one worker by rung of that ladder; 0 where nothing is known.
"""

import heapq
import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_KINDS = 256
_NEWEST = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Segments that cost the same, frame by frame."""

    model: str
    width: int
    """Of the output, luma samples."""
    height: int
    kmac: float = 0.0
    """Of the model, per input pixel: orders models that were not measured yet."""


@dataclass(slots=True, kw_only=True)
class _Rate:
    seconds: float
    """Per frame, wall time of one worker."""
    share: float
    """Of the work, how much is the model's."""


class Pace:
    """Measured seconds per frame, by kind. Remembers a bounded number of kinds."""

    def __init__(self) -> None:
        self._rates: OrderedDict[Kind, _Rate] = OrderedDict()

    def learn(self, kind: Kind, frames: float, seconds: float, share: float) -> None:
        """Note that a segment of so many frames took so long.

        Args:
            kind: What was made.
            frames: Of the segment.
            seconds: From start to end, pauses left out.
            share: What part of the stages' time was the model's, 0 to 1.
        """
        if frames <= 0 or not 0 < seconds < math.inf:
            return
        new = _Rate(seconds=seconds / frames, share=min(max(share, 0.0), 1.0))
        old = self._rates.pop(kind, new)
        old.seconds += _NEWEST * (new.seconds - old.seconds)
        old.share += _NEWEST * (new.share - old.share)
        self._rates[kind] = old
        if len(self._rates) > _KINDS:
            self._rates.popitem(last=False)

    def seconds(self, kind: Kind, frames: float) -> float:
        """How long a segment will take; 0 where nothing is known.

        What was not measured in this size is taken from another size of the same model.
        """
        rate = self._rates.get(kind)
        if rate is not None:
            return rate.seconds * frames
        for other, known in reversed(self._rates.items()):
            if other.model == kind.model:
                pixels = kind.width * kind.height / (other.width * other.height)
                return known.seconds * pixels * frames
        return 0.0

    def costs(self, ladder: Sequence[Kind], frames: float) -> tuple[float, ...]:
        """Seconds by rung. A lighter model that was never measured saves its part of the work."""
        first = ladder[0]
        full = self.seconds(first, frames)
        rate = self._rates.get(first)
        costs = [full]
        for kind in ladder[1:]:
            guess = 0.0
            if rate is not None:
                left = kind.kmac / first.kmac if first.kmac else 1.0
                guess = full * (1 - rate.share * (1 - min(left, 1.0)))
            costs.append(self.seconds(kind, frames) or guess)
        return tuple(costs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A segment that players wait for."""

    deadline: float
    """`math.inf` where none is known to be firm: nothing lighter is an answer then."""
    costs: tuple[float, ...]

    @property
    def least(self) -> float:
        """What it costs if need be."""
        return self.costs[-1] if self.deadline < math.inf else self.costs[0]


def choose(job: Wanted, behind: Sequence[Wanted], others: Iterable[float], now: float) -> int:
    """The rung of the ladder for a job that a worker takes now.

    The best that is ready in time, and leaves time for those behind to be made in time at least by
    the lightest model. If nothing is ready in time: the lightest.

    Args:
        job: What is taken.
        behind: What is queued, in order.
        others: When each of the other workers will be free.
        now: The time.
    """
    if job.deadline == math.inf:
        return 0
    free = list(others)
    unavoidable = _misses(behind, [*free, now + job.costs[-1]])
    for rung, cost in enumerate(job.costs[:-1]):
        ready = now + cost
        if ready <= job.deadline and _misses(behind, [*free, ready]) <= unavoidable:
            return rung
    return len(job.costs) - 1


def _misses(jobs: Sequence[Wanted], free: list[float]) -> int:
    heapq.heapify(free)
    misses = 0
    for job in jobs:
        ready = free[0] + job.least
        misses += ready > job.deadline
        heapq.heapreplace(free, ready)
    return misses


def forecast(cost: float, ahead: Sequence[Wanted], free: Iterable[float]) -> float:
    """When a job will be ready that comes after those `ahead`, each made as fast as can be.

    `math.inf` where there is no worker at all.
    """
    workers = list(free)
    if not workers:
        return math.inf
    heapq.heapify(workers)
    for job in ahead:
        heapq.heapreplace(workers, workers[0] + job.least)
    return workers[0] + cost
