"""MP4 boxes (ISO/IEC 14496-12): walk them, find them, make them, and edit them in place.

Everything works on bytes in memory, and is safe to share between threads.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass


class BoxError(ValueError):
    """Bytes that are no sequence of boxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a box lies: `data[start:end]` is all of it, `data[body:end]` its payload."""

    kind: bytes
    start: int
    body: int
    end: int


def walk(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes that lie side by side in `data[start:end]`.

    Raises:
        BoxError: A box has an impossible size.
    """
    end = len(data) if end is None else end
    while start < end:
        if end - start < 8:
            raise BoxError(f"{end - start} stray bytes where a box should begin")
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1 and end - start >= 16:
            size = struct.unpack_from(">Q", data, body)[0]
            body += 8
        elif size == 0:
            size = end - start
        if size < body - start or start + size > end:
            raise BoxError(f"box {kind!r} claims {size} bytes of {end - start}")
        yield Box(kind=kind, start=start, body=body, end=start + size)
        start += size


def children(data: bytes, *path: bytes) -> list[Box]:
    """Return every box at `path`, such as all `trak` of `moov`; descends into the first parents.

    Only plain containers can stand within the path (`moov`, `trak`, `mdia`, …, not `stsd`).
    """
    start, end = 0, len(data)
    for kind in path[:-1]:
        parent = next((box for box in walk(data, start, end) if box.kind == kind), None)
        if parent is None:
            return []
        start, end = parent.body, parent.end
    return [box for box in walk(data, start, end) if box.kind == path[-1]]


def find(data: bytes, *path: bytes) -> bytes | None:
    """Return the bytes of the first box at `path`, header included, or None."""
    found = children(data, *path)
    return data[found[0].start : found[0].end] if found else None


def box(kind: bytes, *parts: bytes) -> bytes:
    """Make a box of its payload's parts."""
    size = 8 + sum(map(len, parts))
    return b"".join((struct.pack(">I4s", size, kind), *parts))


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """Make a box that begins with a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def rewrite(data: bytes, path: tuple[bytes, ...], change: Callable[[bytes], bytes]) -> bytes:
    """Replace the first box at `path` by what `change` makes of it; its parents' sizes follow.

    Raises:
        BoxError: There is no such box.
    """
    target = next((found for found in walk(data) if found.kind == path[0]), None)
    if target is None:
        raise BoxError(f"no {path[0]!r} box")
    old = data[target.start : target.end]
    if len(path) == 1:
        new = change(old)
    else:
        new = box(path[0], rewrite(data[target.body : target.end], path[1:], change))
    return data[: target.start] + new + data[target.end :]
