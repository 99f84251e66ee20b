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


class _Waiter(NamedTuple):
    urgency: Urgency
    firm: bool


@dataclass(slots=True, kw_only=True)
class _Demand:
    waiters: dict[int, _Waiter] = field(default_factory=dict)
    last: Urgency | None = None
    """Of the last waiter to leave; None while somebody waits."""
    answered: bool = False

    def urgency(self) -> Urgency:
        """An orphan ranks as lookahead at best: players that timed out ask again."""
        if self.last is None:
            return min(waiter.urgency for waiter in self.waiters.values())
        return Urgency(max(self.last.klass, Klass.LOOKAHEAD), self.last.deadline)


@dataclass(slots=True, kw_only=True)
class _Job:
    lane: str
    arrival: int
    ticket: int = -1
    """Which of its entries in the lane's heap counts; the others are outdated."""
    urgency: Urgency | None = None
    started: bool = False
    progress: float = 0.0


_Entry = tuple[Urgency, int, int, str]
_SPARE_ENTRIES = 64
"""Outdated ones that a heap may hold, beside one per job, before they are cleared out."""


class Scheduler:
    """Queues of jobs by lane. Not thread-safe: one event loop owns it.

    A job whose waiters have all left is an orphan. It is dropped when it has been one for
    `grace_seconds`, unless it is at least half done by then (law 8). A running job that no player
    waits for may be paused for one that a player does wait for; it is then queued like any other.
    """

    def __init__(self, *, grace_seconds: float = 30.0) -> None:
        self._grace_seconds = grace_seconds
        self._sequence = itertools.count()
        self._demands: dict[str, _Demand] = {}
        self._jobs: dict[str, _Job] = {}
        self._heaps: dict[str, list[_Entry]] = {}
        self._running: dict[str, dict[str, None]] = {}  # in order, for the same every time
        self._blocking: dict[str, dict[str, Urgency]] = {}
        self._orphans: dict[str, float] = {}  # until when
        self._expiries: list[tuple[float, str]] = []  # a heap; entries may be outdated

    def join(
        self, key: str, klass: Klass, deadline: float = math.inf, *, firm: bool = False
    ) -> int:
        """Add a waiter, which promotes a queued job in place. Returns the token to `leave` with.

        A *firm* deadline is one that a player is known to have; the others only order.
        """
        demand = self._demands.setdefault(key, _Demand())
        token = next(self._sequence)
        demand.waiters[token] = _Waiter(Urgency(klass, deadline), firm)
        demand.last = None
        self._orphans.pop(key, None)
        self._rank(key, demand)
        return token

    def leave(self, key: str, token: int, now: float, *, dropped: bool = False) -> None:
        """Remove a waiter; unknown tokens are ignored.

        Args:
            key: What it waited for.
            token: From `join`.
            now: The time.
            dropped: It will not come back, so that there is no grace for its sake.
        """
        demand = self._demands.get(key)
        if demand is None or (left := demand.waiters.pop(token, None)) is None:
            return
        if not demand.waiters:
            demand.last = left.urgency
            self._abandon(key, demand, now if dropped else now + self._grace_seconds)
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

    def start(self, lane: str, key: str | None = None) -> str | None:
        """Take a queued job of a lane, the most urgent one unless another is named.

        It counts as running until `finish`.
        """
        if key is None:
            found = self.first(lane)
            if found is None:
                return None
            key, _ = found
        job = self._jobs[key]
        job.started = True
        job.ticket = -1
        job.urgency = None
        self._running.setdefault(lane, {})[key] = None
        self._blocking.get(lane, {}).pop(key, None)
        return key

    def first(self, lane: str) -> tuple[str, Urgency] | None:
        """What `start` would take."""
        heap = self._heaps.get(lane, [])
        while heap and not self._counts(heap[0]):
            heapq.heappop(heap)
        return (heap[0][3], heap[0][0]) if heap else None

    def weakest(self, lane: str) -> str | None:
        """The least urgent of the running jobs of a lane that no player waits for, if any."""
        ranks = {key: self._demands[key].urgency() for key in self._running.get(lane, ())}
        idle = [key for key, urgency in ranks.items() if urgency.klass is not Klass.BLOCKING]
        return max(idle, key=ranks.__getitem__, default=None)

    def pause(self, key: str) -> None:
        """Queue a running job again; it keeps its progress."""
        job = self._jobs[key]
        del self._running[job.lane][key]
        job.started = False
        self._rank(key, self._demands[key])

    def redo(self, key: str) -> None:
        """Queue a running job again, from the beginning."""
        self.pause(key)
        self._jobs[key].progress = 0.0

    def urgency(self, key: str) -> Urgency:
        """How urgent a job is just now."""
        return self._demands[key].urgency()

    def settle(self, key: str) -> None:
        """Those with firm deadlines have been served otherwise: what remains can wait."""
        demand = self._demands.get(key)
        if demand is None:
            return
        for token, waiter in demand.waiters.items():
            if waiter.firm:
                urgency = Urgency(Klass.WARM, waiter.urgency.deadline)
                demand.waiters[token] = _Waiter(urgency, False)
        self._rank(key, demand)

    def firm_deadline(self, key: str) -> float:
        """The earliest deadline of a player that is known to have one; `math.inf` for none."""
        demand = self._demands.get(key)
        waiters = demand.waiters.values() if demand else ()
        firm = (w.urgency.deadline for w in waiters if w.firm and w.urgency.klass is Klass.BLOCKING)
        return min(firm, default=math.inf)

    def blocking(self, lane: str, limit: int = 256) -> list[str]:
        """Queued jobs of a lane that players wait for, the most urgent first."""
        queued = self._blocking.get(lane, {})
        return heapq.nsmallest(limit, queued, key=queued.__getitem__)

    def running(self, lane: str) -> tuple[str, ...]:
        """Jobs that workers are at; what is paused is not among them."""
        return tuple(self._running.get(lane, ()))

    def running_count(self, lane: str) -> int:
        """How many there are."""
        return len(self._running.get(lane, ()))

    def is_queued(self, key: str) -> bool:
        """Whether a job waits for a worker, for the first time or paused."""
        job = self._jobs.get(key)
        return job is not None and not job.started

    def progress(self, key: str) -> float:
        """How much of a job is done, 0 to 1."""
        job = self._jobs.get(key)
        return job.progress if job else 0.0

    def report(self, key: str, fraction: float) -> None:
        """Note how much of a job is done, 0 to 1."""
        if job := self._jobs.get(key):
            job.progress = fraction

    def finish(self, key: str) -> None:
        """Forget a job, whether it was running, queued or dropped."""
        self._remove(key)
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
            _, key = heapq.heappop(self._expiries)
            del self._orphans[key]
            job = self._jobs.get(key)
            if job is None:
                self._forget(key)
            elif job.progress < 0.5:
                self._remove(key)
                self._forget(key)
                dropped.append(key)
        return dropped

    def next_expiry(self) -> float | None:
        """When `expire` should next be called; None while there is no orphan."""
        while self._expiries:
            due, key = self._expiries[0]
            if self._orphans.get(key) == due:
                return due
            heapq.heappop(self._expiries)
        return None

    def depth(self) -> dict[Klass, int]:
        """Number of queued jobs by class, over all lanes."""
        counts = Counter(
            self._demands[key].urgency().klass for key, job in self._jobs.items() if not job.started
        )
        return {klass: counts[klass] for klass in Klass}

    def _abandon(self, key: str, demand: _Demand, due: float) -> None:
        if demand.answered:
            self._forget(key)
        else:
            self._orphans[key] = due
            heapq.heappush(self._expiries, (due, key))

    def _forget(self, key: str) -> None:
        self._demands.pop(key, None)
        self._orphans.pop(key, None)

    def _remove(self, key: str) -> None:
        job = self._jobs.pop(key, None)
        if job is not None:
            self._running.get(job.lane, {}).pop(key, None)
            self._blocking.get(job.lane, {}).pop(key, None)

    def _rank(self, key: str, demand: _Demand) -> None:
        job = self._jobs.get(key)
        if job is None or job.started or job.urgency == (urgency := demand.urgency()):
            return
        blocking = self._blocking.setdefault(job.lane, {})
        blocking.pop(key, None)
        if urgency.klass is Klass.BLOCKING:
            blocking[key] = urgency
        job.urgency = urgency
        job.ticket = next(self._sequence)
        self._push(job.lane, (urgency, job.arrival, job.ticket, key))

    def _push(self, lane: str, entry: _Entry) -> None:
        heap = self._heaps.setdefault(lane, [])
        heapq.heappush(heap, entry)
        if len(heap) > 2 * len(self._jobs) + _SPARE_ENTRIES:  # they lie below what always waits
            heap[:] = filter(self._counts, heap)
            heapq.heapify(heap)

    def _counts(self, entry: _Entry) -> bool:
        _, _, ticket, key = entry
        job = self._jobs.get(key)
        return job is not None and job.ticket == ticket
