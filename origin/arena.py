"""Large bodies in memory, as a file: the kernel sends its pages as they are.

What is sent from an object of this process is copied into the kernel for each client; for a body
of 1 MiB that costs more than all else together.
"""

import contextlib
import mmap
import os
import threading
from collections import deque
from pathlib import Path

LARGE_BYTES = 128 << 10
"""From here on a body is worth it."""
_LARGE = ("always", "within_size", "force")


class Extent:
    """Immutable bytes; their memory is given back when nobody refers to them any more."""

    __slots__ = ("_arena", "_offset", "_size")

    def __init__(self, arena: "Arena", offset: int, size: int) -> None:
        self._arena = arena
        self._offset = offset
        self._size = size

    def __len__(self) -> int:
        return self._size

    def fill(self, body: bytes) -> None:
        """Write it, once."""
        rest = memoryview(body)
        while rest:
            at = self._offset + self._size - len(rest)
            rest = rest[os.pwrite(self._arena.descriptor, rest, at) :]

    def read(self, start: int = 0, stop: int | None = None) -> bytes:
        """A copy of some of it."""
        size = (self._size if stop is None else stop) - start
        return os.pread(self._arena.descriptor, size, self._offset + start)

    def send(self, descriptor: int, start: int) -> int:
        """Send what comes after `start` to a socket; how many bytes of it the kernel took.

        Raises:
            OSError: The socket takes nothing.
        """
        begin, size = self._offset + start, self._size - start
        return os.sendfile(descriptor, self._arena.descriptor, begin, size)

    def __del__(self) -> None:
        self._arena.free(self._offset, self._size)


class Arena:
    """Where extents lie: an anonymous file, of which only what is in use takes memory.

    Threads may share it. Places are never used twice, so that there is nothing to manage.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end = 0
        self._is_of_use = hasattr(os, "memfd_create") and not has_large_pages()
        self._unused: deque[tuple[int, int]] = deque()
        self.descriptor = -1

    def keep(self, body: bytes) -> bytes | Extent:
        """The body as an extent; as it is where the system has no such files, or no room."""
        if not body or not self._is_of_use:
            return body
        try:
            extent = Extent(self, self._reserve(len(body)), len(body))
            extent.fill(body)
        except OSError:
            return body
        return extent

    def free(self, offset: int, size: int) -> None:
        """Give memory back; what cannot be given back now, is with the next."""
        self._unused.append((offset, size))
        with contextlib.suppress(IndexError):  # another thread was faster
            while self._unused:
                place = self._unused.pop()
                if not self._punch(*place):
                    self._unused.append(place)
                    return

    def _punch(self, offset: int, size: int) -> bool:
        """Whether the memory was given back. No lock is taken: garbage is collected anywhere."""
        if self.descriptor < 0:
            return True
        try:
            with mmap.mmap(self.descriptor, size, offset=offset) as pages:
                pages.madvise(mmap.MADV_REMOVE)
        except (OSError, ValueError):
            return False
        return True

    def _reserve(self, size: int) -> int:
        with self._lock:
            if self.descriptor < 0:
                self.descriptor = os.memfd_create("bodies")
            offset = self._end
            self._end += -(-size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
            os.ftruncate(self.descriptor, self._end)
            return offset

    def __del__(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def has_large_pages(settings: Path = Path("/sys/kernel/mm/transparent_hugepage")) -> bool:
    """Whether files in memory may have pages that several bodies share.

    Linux clears such a page in part where a hole is punched, also if the network still holds it.
    """
    for path in settings.glob("**/shmem_enabled"):
        with contextlib.suppress(OSError):
            if any(f"[{chosen}]" in path.read_text() for chosen in _LARGE):
                return True
    return False


Body = bytes | Extent


def contents(body: Body) -> bytes:
    """All of a body."""
    return body.read() if isinstance(body, Extent) else body
