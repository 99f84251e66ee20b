"""What to start next, and what to give up. Pure policy: no I/O, no clock, callers pass `now`.

A *job* is known by its key and queued in a lane. *Waiters* declare how urgently they want a key;
they come and go independently of the job, which ranks as its most urgent waiter does.
"""

import heapq
import itertools
import math
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple


class Klass(IntEnum):
    """Why somebody wants a key; the smaller value comes first."""

    BLOCKING = 0
    """A player waits."""
    LOOKAHEAD = 1
    """A player will probably ask next."""
    WARM = 2
    """Nobody watches yet."""


class Urgency(NamedTuple):
    """Orders jobs: by class, then earliest deadline."""

    klass: Klass
    deadline: float
    """In the caller's clock, seconds; `math.inf` for none."""


@dataclass(slots=True, kw_only=True)
class _Demand:
    waiters: dict[int, Urgency] = field(default_factory=dict)
    last: Urgency | None = None
    """Of the last waiter to leave; None while somebody waits."""
    answered: bool = False

    def urgency(self) -> Urgency:
        """An orphan ranks as lookahead at best: players that timed out ask again."""
        if self.last is None:
            return min(self.waiters.values())
        return Urgency(max(self.last.klass, Klass.LOOKAHEAD), self.last.deadline)


@dataclass(slots=True, kw_only=True)
class _Job:
    lane: str
    arrival: int
    ticket: int = -1
    """Which of its entries in the lane's heap counts; entries are never removed, only outdated."""
    urgency: Urgency | None = None
    started: bool = False
    progress: float = 0.0


_Entry = tuple[Urgency, int, int, str]


class Scheduler:
    """Queues of jobs by lane. Not thread-safe: one event loop owns it.

    A job whose waiters have all left is an orphan. It is dropped when it has been one for
    `grace_seconds`, unless it is at least half done by then (law 8).
    """

    def __init__(self, *, grace_seconds: float = 30.0) -> None:
        self._grace_seconds = grace_seconds
        self._sequence = itertools.count()
        self._demands: dict[str, _Demand] = {}
        self._jobs: dict[str, _Job] = {}
        self._heaps: dict[str, list[_Entry]] = {}
        self._orphans: dict[str, float] = {}  # since when; in order, because `now` never falls

    def join(self, key: str, klass: Klass, deadline: float = math.inf) -> int:
        """Add a waiter, which promotes a queued job in place. Returns the token to `leave` with."""
        demand = self._demands.setdefault(key, _Demand())
        token = next(self._sequence)
        demand.waiters[token] = Urgency(klass, deadline)
        demand.last = None
        self._orphans.pop(key, None)
        self._rank(key, demand)
        return token

    def leave(self, key: str, token: int, now: float) -> None:
        """Remove a waiter; unknown tokens are ignored."""
        demand = self._demands.get(key)
        if demand is None or (left := demand.waiters.pop(token, None)) is None:
            return
        if not demand.waiters:
            demand.last = left
            self._abandon(key, demand, now)
        self._rank(key, demand)

    def knows(self, key: str) -> bool:
        """Whether anyone waits for the key, or did within the grace."""
        return key in self._demands

    def submit(self, key: str, lane: str) -> None:
        """Queue a job for a key that somebody has joined.

        Raises:
            ValueError: The key is queued or running already.
        """
        if key in self._jobs:
            raise ValueError(f"{key} is queued or running already")
        demand = self._demands[key]
        demand.answered = False
        self._jobs[key] = _Job(lane=lane, arrival=next(self._sequence))
        self._rank(key, demand)

    def start(self, lane: str) -> str | None:
        """Take the most urgent queued job of a lane; it counts as running until `finish`."""
        heap = self._heaps.get(lane, [])
        while heap:
            _, _, ticket, key = heapq.heappop(heap)
            job = self._jobs.get(key)
            if job is not None and job.ticket == ticket:
                job.started = True
                job.ticket = -1
                return key
        return None

    def report(self, key: str, fraction: float) -> None:
        """Note how much of a job is done, 0 to 1."""
        if job := self._jobs.get(key):
            job.progress = fraction

    def finish(self, key: str) -> None:
        """Forget a job, whether it was running, queued or dropped."""
        self._jobs.pop(key, None)
        demand = self._demands.get(key)
        if demand is None:
            return
        demand.answered = True
        if not demand.waiters:
            self._forget(key)

    def expire(self, now: float) -> list[str]:
        """Drop the orphans whose grace is over; returns the keys of the jobs to cancel."""
        dropped = []
        while (due := self.next_expiry()) is not None and due <= now:
            key = next(iter(self._orphans))
            del self._orphans[key]
            job = self._jobs.get(key)
            if job is None:
                self._forget(key)
            elif job.progress < 0.5:
                del self._jobs[key]
                self._forget(key)
                dropped.append(key)
        return dropped

    def next_expiry(self) -> float | None:
        """When `expire` should next be called; None while there is no orphan."""
        for since in self._orphans.values():
            return since + self._grace_seconds
        return None

    def depth(self) -> dict[Klass, int]:
        """Number of queued jobs by class, over all lanes."""
        counts = Counter(
            self._demands[key].urgency().klass for key, job in self._jobs.items() if not job.started
        )
        return {klass: counts[klass] for klass in Klass}

    def _abandon(self, key: str, demand: _Demand, now: float) -> None:
        if demand.answered:
            self._forget(key)
        else:
            self._orphans[key] = now

    def _forget(self, key: str) -> None:
        self._demands.pop(key, None)
        self._orphans.pop(key, None)

    def _rank(self, key: str, demand: _Demand) -> None:
        job = self._jobs.get(key)
        if job is None or job.started or job.urgency == (urgency := demand.urgency()):
            return
        job.urgency = urgency
        job.ticket = next(self._sequence)
        entry = (urgency, job.arrival, job.ticket, key)
        heapq.heappush(self._heaps.setdefault(job.lane, []), entry)
