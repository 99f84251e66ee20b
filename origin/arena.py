"""Large bodies in memory, as a file: the kernel sends its pages as they are.

What is sent from an object of this process is copied into the kernel for each client; for a body
of 1 MiB that costs more than all else together.
"""

import contextlib
import mmap
import os
import threading

LARGE_BYTES = 128 << 10
"""From here on a body is worth it."""


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
        self.descriptor = -1

    def keep(self, body: bytes) -> bytes | Extent:
        """The body as an extent; as it is where the system has no such files, or no room."""
        try:
            extent = Extent(self, self._reserve(len(body)), len(body))
            extent.fill(body)
        except (AttributeError, OSError):
            return body
        return extent

    def free(self, offset: int, size: int) -> None:
        """Give memory back."""
        if self.descriptor < 0:
            return
        with (
            contextlib.suppress(OSError, ValueError),
            mmap.mmap(self.descriptor, size, offset=offset) as pages,
        ):
            pages.madvise(mmap.MADV_REMOVE)

    def _reserve(self, size: int) -> int:
        with self._lock:
            if self.descriptor < 0:
                self.descriptor = os.memfd_create("bodies")
            offset = self._end
            self._end += -(-size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
            return offset

    def __del__(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


Body = bytes | Extent


def contents(body: Body) -> bytes:
    """All of a body."""
    return body.read() if isinstance(body, Extent) else body
