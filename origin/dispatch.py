"""Which worker process does what, and by which model. Pure policy: no I/O, callers pass `now`.

A lane has *slots*, so many jobs run at a time, and perhaps more processes than that. The spare
ones make room for players: when all slots are taken, a job that no player waits for is paused
where it is, and goes on in its own process afterwards.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from origin.degrade import Wanted, choose, forecast
from origin.scheduler import Klass, Scheduler

_TELLING = 0.1
"""What part of a job must be done for its own pace to tell more than what is usual."""


@dataclass(frozen=True, slots=True)
class Start:
    """An idle process takes a job, made by this rung of its ladder."""

    key: str
    rung: int


@dataclass(frozen=True, slots=True)
class Pause:
    """A process stops where it is."""

    key: str


@dataclass(frozen=True, slots=True)
class Resume:
    """A paused process goes on."""

    key: str


Action = Start | Pause | Resume


@dataclass(slots=True, kw_only=True)
class _Work:
    lane: str
    costs: tuple[float, ...]
    rung: int = 0
    since: float | None = None
    """When it was last started or resumed; None while it is queued or paused."""
    spent: float = 0.0
    twinned: bool = False

    def active_seconds(self, now: float) -> float:
        return self.spent + (now - self.since if self.since is not None else 0.0)


class Dispatcher:
    """Feeds processes from a scheduler. Not thread-safe: one event loop owns it."""

    def __init__(
        self, scheduler: Scheduler, slots: Mapping[Any, int], *, margin_seconds: float = 0.0
    ) -> None:
        """Set up.

        Args:
            scheduler: Orders the jobs.
            slots: How many jobs of each lane may run at a time.
            margin_seconds: How long before a firm deadline a body should be ready.
        """
        self._scheduler = scheduler
        self._slots = dict(slots)
        self._margin_seconds = margin_seconds
        self._works: dict[str, _Work] = {}
        self._paused: dict[str, dict[str, None]] = {lane: {} for lane in slots}

    def submit(self, key: str, lane: str, costs: tuple[float, ...] = (0.0,)) -> None:
        """Queue a job for a key that somebody has joined.

        Raises:
            ValueError: The key is queued or running already.
        """
        self._scheduler.submit(key, lane)
        self._works[key] = _Work(lane=lane, costs=costs)

    def next(self, lane: str, now: float, *, idle: bool) -> Action | None:
        """What to do now; to be asked until it says None, and again after every event.

        Args:
            lane: Of the processes.
            now: The time.
            idle: Whether a process of the lane has nothing to do.
        """
        found = self._scheduler.first(lane)
        if found is None:
            return None
        key, urgency = found
        paused = self._paused[lane]
        is_blocking = urgency.klass is Klass.BLOCKING
        if paused and not (is_blocking and (idle or key in paused)):
            key = min(paused, key=self._scheduler.urgency)
            is_blocking = self._scheduler.urgency(key).klass is Klass.BLOCKING
        if not idle and key not in paused:
            return None
        if self._scheduler.running_count(lane) >= self._slots[lane]:
            return self._pause(lane, now) if is_blocking else None
        return self._start(key, now)

    def finish(self, key: str) -> None:
        """Forget a job, whatever became of it."""
        self._scheduler.finish(key)
        self.forget(key)

    def forget(self, key: str) -> None:
        """Forget a job that the scheduler has dropped."""
        work = self._works.pop(key, None)
        if work is not None:
            self._paused[work.lane].pop(key, None)

    def redo(self, key: str) -> None:
        """A running job has been made by a lighter model: its own is still to come."""
        work = self._works[key]
        work.rung, work.since, work.spent, work.twinned = 0, None, 0.0, False
        self._scheduler.settle(key)
        self._scheduler.redo(key)

    def restart(self, key: str, now: float) -> None:
        """A job begins anew, in the process that it has: the last one died."""
        work = self._works.get(key)
        if work is not None:
            self._scheduler.report(key, 0.0)
            work.since, work.spent = (now if work.since is not None else None), 0.0

    def active_seconds(self, key: str, now: float) -> float:
        """How long a job has been running, pauses left out."""
        work = self._works.get(key)
        return work.active_seconds(now) if work else 0.0

    def late(self, lane: str, now: float) -> list[tuple[str, int, float]]:
        """Running jobs that will miss a firm deadline: key, the rung that helps, the deadline.

        To be told once per job; the caller submits that rung as a job of its own. The players have
        then been seen to, and the job itself counts as one that nobody waits for.
        """
        found = []
        for key in self._scheduler.running(lane):
            work = self._works[key]
            deadline = self._scheduler.firm_deadline(key) - self._margin_seconds
            if work.rung or work.twinned or len(work.costs) == 1 or deadline == math.inf:
                continue
            ready = now + self._remaining(key, now)
            rungs = range(1, len(work.costs))
            in_time = (rung for rung in rungs if now + work.costs[rung] <= deadline)
            rung = next(in_time, len(work.costs) - 1)
            if ready > deadline and now + work.costs[rung] < ready:
                work.twinned = True
                found.append((key, rung, deadline))
        for key, _, _ in found:
            self._scheduler.settle(key)
        return found

    def forecast(self, lane: str, cost: float, deadline: float, now: float) -> float:
        """When something that a player asks for now would be ready, if all else yields to it."""
        ahead = [
            key
            for key in self._scheduler.blocking(lane)
            if self._scheduler.urgency(key).deadline <= deadline
        ]
        running = [
            now + self._remaining(key, now)
            for key in self._scheduler.running(lane)
            if self._scheduler.urgency(key).klass is Klass.BLOCKING
        ]
        free = [*running, *[now] * max(0, self._slots[lane] - len(running))]
        return forecast(cost, [self._wanted(key, now) for key in ahead], free)

    def backlog_seconds(self, lane: str, now: float) -> float:
        """Seconds until the slots have done all that players wait for."""
        queued = sum(self._wanted(key, now).least for key in self._scheduler.blocking(lane))
        return float(queued / self._slots[lane])

    def _pause(self, lane: str, now: float) -> Action | None:
        key = self._scheduler.weakest(lane)
        if key is None:
            return None
        work = self._works[key]
        work.spent, work.since = work.active_seconds(now), None
        self._scheduler.pause(key)
        self._paused[lane][key] = None
        return Pause(key)

    def _start(self, key: str, now: float) -> Action:
        work = self._works[key]
        self._scheduler.start(work.lane, key)
        work.since = now
        if key in self._paused[work.lane]:
            del self._paused[work.lane][key]
            return Resume(key)
        work.rung = self._rung(key, work, now)
        return Start(key, work.rung)

    def _rung(self, key: str, work: _Work, now: float) -> int:
        if len(work.costs) == 1 or self._scheduler.urgency(key).klass is not Klass.BLOCKING:
            return 0
        behind = [self._wanted(other, now) for other in self._scheduler.blocking(work.lane)]
        running = [other for other in self._scheduler.running(work.lane) if other != key]
        others = [now + self._remaining(other, now) for other in running]
        others += [now] * (self._slots[work.lane] - 1 - len(others))
        return choose(self._wanted(key, now), behind, others, now)

    def _wanted(self, key: str, now: float) -> Wanted:
        work = self._works[key]
        deadline = self._scheduler.firm_deadline(key) - self._margin_seconds
        costs = (self._remaining(key, now),) if work.spent else work.costs
        return Wanted(deadline=deadline, costs=costs)

    def _remaining(self, key: str, now: float) -> float:
        """Seconds that a job will still run; what is unknown is taken to be halfway."""
        work = self._works[key]
        active = work.active_seconds(now)
        done = self._scheduler.progress(key)
        if done >= _TELLING:
            return active * (1 - done) / done
        usual = work.costs[work.rung]
        return max(0.0, usual - active) if usual else active
