"""The RAM tier."""

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

    def takes(self, size: int) -> bool:
        """Whether a body of that size may be kept."""
        return size + OVERHEAD_BYTES <= self._budget_bytes

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
        if self.takes(len(found.body)):
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
