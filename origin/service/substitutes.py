"""What lighter models made: kept apart from the cache, and given to those who can't wait."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Iterator

from origin.cache import CachedObject


class Substitutes:
    """The latest degraded bodies by key, up to a number of bytes. Belongs to one event loop.

    They are in memory only, and gone as soon as the full body is there.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._size_bytes = 0
        self._bodies: OrderedDict[str, CachedObject] = OrderedDict()
        self._waiting: dict[str, set[asyncio.Future[CachedObject]]] = {}

    def __len__(self) -> int:
        return len(self._bodies)

    def get(self, key: str) -> CachedObject | None:
        """The degraded body, which becomes the latest."""
        if key in self._bodies:
            self._bodies.move_to_end(key)
        return self._bodies.get(key)

    def put(self, made: CachedObject) -> None:
        """Keep a body, and give it to all who wait for it."""
        self.drop(made.key)
        self._bodies[made.key] = made
        self._size_bytes += len(made.body)
        self._hand_out(made)
        while self._size_bytes > self._budget_bytes:
            self.drop(next(iter(self._bodies)))

    def reuse(self, key: str) -> bool:
        """Give a body that is there already to all who wait for it; False if there is none."""
        made = self.get(key)
        if made is not None:
            self._hand_out(made)
        return made is not None

    def drop(self, key: str) -> None:
        """Forget a body: the full one is there."""
        made = self._bodies.pop(key, None)
        if made is not None:
            self._size_bytes -= len(made.body)

    @contextlib.contextmanager
    def waiting(self, key: str) -> Iterator[asyncio.Future[CachedObject]]:
        """A future of the next body under the key, which may never come."""
        future: asyncio.Future[CachedObject] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, set()).add(future)
        try:
            yield future
        finally:
            waiting = self._waiting.get(key, set())
            waiting.discard(future)
            if not waiting:
                self._waiting.pop(key, None)

    def _hand_out(self, made: CachedObject) -> None:
        for future in self._waiting.pop(made.key, ()):
            if not future.done():
                future.set_result(made)
