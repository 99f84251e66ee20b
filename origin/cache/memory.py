"""The RAM tier."""

from collections import OrderedDict

from origin.cache.types import CachedObject


class MemoryTier:
    """The most recently used objects, up to a number of bytes. Its owner holds a lock."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._objects: OrderedDict[str, CachedObject] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: str) -> CachedObject | None:
        """The object, which becomes the most recent one."""
        found = self._objects.get(key)
        if found is not None:
            self._objects.move_to_end(key)
        return found

    def put(self, found: CachedObject) -> None:
        """Add an object; the first under a key stays, one larger than the tier is left out."""
        if found.key in self._objects or len(found.body) > self._budget_bytes:
            return
        self._objects[found.key] = found
        self.size_bytes += len(found.body)
        while self.size_bytes > self._budget_bytes:
            _, evicted = self._objects.popitem(last=False)
            self.size_bytes -= len(evicted.body)
