"""Which body to give up when a budget is exceeded."""

import heapq
from collections import OrderedDict

_TRIAL_SHARE = 0.1
_MAX_HITS = 8
_FETCH_SECONDS = 0.0005
_SECONDS_PER_BYTE = 1e-9


class Resident:
    """One body as a policy sees it. Tiers derive their entries from it."""

    __slots__ = ("_hits", "_place", "_priority", "_value", "key", "size")

    def __init__(self, key: str, size: int, cost_seconds: float) -> None:
        self.key = key
        self.size = size
        self._value = (cost_seconds + _FETCH_SECONDS) / max(size, 1) + _SECONDS_PER_BYTE
        self._hits = 0
        self._priority = 0.0
        self._place: object = None


class Policy:
    """S3-FIFO whose main queue is ordered by compute seconds per byte. Its owner holds a lock.

    A newcomer is on trial in a small FIFO queue; without a hit there it leaves, so a scan passes
    through a tenth of the budget. If it comes back soon (its key is remembered for a while), or if
    it was hit, it moves to the main part, whose order is that of GreedyDual-Size-Frequency: hits ×
    cost ÷ size, above a clock that rises to the priority of what was given up last, so that what
    was dear once goes too when nobody wants it any more. A hit costs one multiplication.

    Sources: Yang et al., "FIFO queues are all you need for cache eviction" (SOSP 2023); Cherkasova,
    "Improving WWW proxies performance with Greedy-Dual-Size-Frequency caching" (HP Labs, 1998).
    """

    def __init__(self, budget_bytes: int) -> None:
        self._trial_bytes = int(budget_bytes * _TRIAL_SHARE)
        self._trial: OrderedDict[str, Resident] = OrderedDict()
        self._main: dict[str, Resident] = {}
        self._order: list[tuple[float, int, Resident]] = []  # a heap; may hold some that left
        self._ghosts: OrderedDict[str, None] = OrderedDict()
        self._clock = 0.0
        self._count = 0
        self._on_trial_bytes = 0
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._trial) + len(self._main)

    def admit(self, resident: Resident, *, proven: bool = False) -> None:
        """Take in a body; `proven` spares it the trial, as one that an earlier process kept."""
        self.size_bytes += resident.size
        if proven or self._ghosts.pop(resident.key, self) is None:
            self._promote(resident)
        else:
            self._trial[resident.key] = resident
            resident._place = self._trial
            self._on_trial_bytes += resident.size

    def hit(self, resident: Resident) -> None:
        """Somebody asked for it. One that is not held here is left alone."""
        if resident._place is not None:
            resident._hits = min(resident._hits + 1, _MAX_HITS)
        if resident._place is self._main:
            self._raise(resident)

    def remove(self, resident: Resident) -> None:
        """Let a body go; one that is not held here is left alone."""
        if resident._place is self._trial:
            del self._trial[resident.key]
            self._on_trial_bytes -= resident.size
        elif resident._place is self._main:
            del self._main[resident.key]
        else:
            return
        resident._place = None
        self.size_bytes -= resident.size
        if len(self._order) > 2 * len(self._main) + 64:
            self._order = [item for item in self._order if item[2]._place is self._main]
            heapq.heapify(self._order)

    def victim(self) -> Resident | None:
        """Remove the body to give up next, and return it."""
        while self._trial and (self._on_trial_bytes > self._trial_bytes or not self._main):
            resident = next(iter(self._trial.values()))
            if resident._hits:
                del self._trial[resident.key]
                self._on_trial_bytes -= resident.size
                self._promote(resident)
                continue
            self.remove(resident)
            self._remember(resident.key)
            return resident
        return self._cheapest()

    def _cheapest(self) -> Resident | None:
        while self._order:
            priority, _, resident = heapq.heappop(self._order)
            if resident._place is not self._main:
                continue
            if resident._priority > priority:  # it was hit since
                self._push(resident)
                continue
            self._clock = priority
            self.remove(resident)
            return resident
        return None

    def _promote(self, resident: Resident) -> None:
        self._main[resident.key] = resident
        resident._place = self._main
        resident._hits = max(resident._hits, 1)
        self._raise(resident)
        self._push(resident)

    def _raise(self, resident: Resident) -> None:
        resident._priority = self._clock + resident._hits * resident._value

    def _push(self, resident: Resident) -> None:
        self._count += 1  # among equals the one that came first
        heapq.heappush(self._order, (resident._priority, self._count, resident))

    def _remember(self, key: str) -> None:
        self._ghosts[key] = None
        while len(self._ghosts) > len(self) + 64:
            self._ghosts.popitem(last=False)
