"""The RAM tier, and the small shelf of degraded bodies beside it."""

import time
from collections import OrderedDict
from collections.abc import Callable

from origin.cache.policy import Policy, Resident
from origin.cache.types import CachedObject

OVERHEAD_BYTES = 1024
"""Counted for each body beside its bytes: the objects that know it."""


class _Held(Resident):
    __slots__ = ("found",)

    def __init__(self, found: CachedObject) -> None:
        super().__init__(found.key, len(found.body) + OVERHEAD_BYTES, 0.0)
        self.found = found


class MemoryTier:
    """The hot bodies, up to a number of bytes. Its owner holds a lock."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._policy = Policy(budget_bytes)
        self._held: dict[str, _Held] = {}
        self.hits = self.evicted = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: str) -> bool:
        return key in self._held

    @property
    def size_bytes(self) -> int:
        """What is spent of the budget."""
        return self._policy.size_bytes

    def get(self, key: str) -> CachedObject | None:
        """The body, which counts as a hit."""
        held = self._held.get(key)
        if held is None:
            return None
        self.hits += 1
        self._policy.hit(held)
        return held.found

    def put(self, found: CachedObject) -> CachedObject:
        """Keep a body if there is room; returns the one under its key, the first that came."""
        if found.key in self._held:
            return self._held[found.key].found
        held = _Held(found)
        if held.size <= self._budget_bytes:
            self._held[found.key] = held
            self._policy.admit(held)
            self._evict()
        return found

    def drop(self, key: str) -> None:
        """Forget a body."""
        if held := self._held.pop(key, None):
            self._policy.remove(held)

    def _evict(self) -> None:
        while self._policy.size_bytes > self._budget_bytes and (gone := self._policy.victim()):
            del self._held[gone.key]
            self.evicted += 1


class DegradedShelf:
    """Stand-ins for bodies that could not be made in time. Its owner holds a lock.

    They have a place and a budget of their own, so that they displace nothing, and leave after
    `ttl_seconds`, or when the full body comes.
    """

    def __init__(
        self, budget_bytes: int, ttl_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._budget_bytes = budget_bytes
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._held: OrderedDict[str, tuple[float, CachedObject]] = OrderedDict()
        self.size_bytes = self.hits = 0

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: str) -> CachedObject | None:
        """The stand-in, if its time is not over."""
        if key not in self._held:
            return None
        expires, found = self._held[key]
        if expires <= self._clock():
            self.drop(key)
            return None
        self.hits += 1
        return found

    def put(self, found: CachedObject) -> CachedObject:
        """Keep a stand-in; returns the one under its key, the first that came."""
        if earlier := self.get(found.key):
            return earlier
        size = len(found.body) + OVERHEAD_BYTES
        if size <= self._budget_bytes:
            self._held[found.key] = (self._clock() + self._ttl_seconds, found)
            self.size_bytes += size
            while self.size_bytes > self._budget_bytes:
                self.drop(next(iter(self._held)))
        return found

    def drop(self, key: str) -> None:
        """Forget a stand-in."""
        if held := self._held.pop(key, None):
            self.size_bytes -= len(held[1].body) + OVERHEAD_BYTES
