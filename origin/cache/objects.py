"""The cache: bodies by key in memory, on the disk and, if there is one, in a bucket."""

import asyncio
import hashlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from origin.arena import LARGE_BYTES, Arena, contents
from origin.cache.bucket import BucketTier
from origin.cache.disk import KEY, DiskTier
from origin.cache.memory import MemoryTier
from origin.cache.types import CachedObject, CacheStats, LocatedObject, TierStats


class Cache:
    """Immutable bodies by key. Any number of threads, one process per directory.

    Under a key the first commit wins (law 4). What goes when a budget is exceeded is decided by
    hits and by compute seconds per byte (`origin.cache.policy`). A disk or a bucket that fails
    costs a hit, never an answer. The `a` forms are for one event loop; only they know the bucket.
    """

    def __init__(
        self,
        directory: Path,
        *,
        budget_bytes: int,
        ram_bytes: int = 0,
        libraries: Mapping[str, int] | None = None,
        bucket: BucketTier | None = None,
    ) -> None:
        """Open a cache, creating it if need be, and delete what an interrupted write left.

        Args:
            directory: Of the disk tier.
            budget_bytes: Of the disk tier.
            ram_bytes: Of the memory tier, all that it keeps included.
            libraries: Part of `budget_bytes` that belongs to a library alone, and all it gets.
            bucket: The tier that other origins share.

        Raises:
            ConfigError: Another process uses the directory, or it cannot be written.
        """
        self._disk = DiskTier(directory, budget_bytes=budget_bytes, libraries=libraries or {})
        self._lock = threading.Lock()  # held for moments, so that an event loop may take it
        self._memory = MemoryTier(ram_bytes)
        self._arena = Arena()
        self._bucket = bucket
        self._misses = self._uncached = self._scrubbed = 0

    @property
    def bodies(self) -> Path:
        """The folder that paths of `LocatedObject` start from."""
        return self._disk.bodies

    def get(self, key: str) -> CachedObject | None:
        """The object, verified against its checksum if it comes from the disk."""
        if found := self.peek(key):
            return found
        found = self._disk.read(key)
        return self._remember(found) if found else None

    def peek(self, key: str) -> CachedObject | None:
        """The object if it is in memory; never touches the disk."""
        with self._lock:
            found = self._memory.get(key)
        if found is not None:
            self._disk.touch(key)
        return found

    def put(
        self, key: str, body: bytes, *, cost_seconds: float = 0.0, library: str = ""
    ) -> CachedObject:
        """Keep a body, and return what is kept under the key: an earlier body if there is one.

        Args:
            key: A safe file name; `GROUP-…` can be pinned by its group.
            body: Complete and checked.
            cost_seconds: What it took to make.
            library: Whose budget it belongs to.

        Raises:
            ValueError: The key is no safe file name.
        """
        return self.get(_checked(key)) or self._keep(_made(key, body, cost_seconds, library))

    def contains(self, key: str) -> bool:
        """Whether the disk or the memory holds the key, its file unverified."""
        return key in self._disk or key in self._memory

    async def aget(self, key: str) -> CachedObject | None:
        """`get`, in a thread unless the object is in memory; then the bucket."""
        found = self.peek(key)
        if found is None and key in self._disk:
            found = await asyncio.to_thread(self.get, key)
        if found is None and self._bucket is not None:
            shared = await self._bucket.get(key)
            found = await asyncio.to_thread(self._keep, shared) if shared else None
        self._misses += found is None
        return found

    async def aput(
        self, key: str, body: bytes, *, cost_seconds: float = 0.0, library: str = ""
    ) -> CachedObject:
        """`put`, in a thread. Where there is a bucket, its first commit wins over all origins."""
        if self._bucket is None or self.contains(_checked(key)):
            return await asyncio.to_thread(
                self.put, key, body, cost_seconds=cost_seconds, library=library
            )
        made = await asyncio.to_thread(_made, key, body, cost_seconds, library)
        return await asyncio.to_thread(self._keep, await self._bucket.commit(made))

    async def alocate(self, key: str) -> LocatedObject | None:
        """Where the body lies on the disk, for a server in front to send; None if it does not.

        The file was verified when it was committed or first located, and not touched since.
        """
        located = self._disk.locate(key, verify=False)
        if located is None and key in self._disk:
            located = await asyncio.to_thread(self._disk.locate, key, verify=True)
        return located

    def pin(self, groups: Iterable[str]) -> None:
        """Keep the bodies of these groups on the disk whatever else comes, and no others."""
        self._disk.pin(groups)

    def held_keys(self) -> list[str]:
        """Of all bodies on the disk."""
        return self._disk.held_keys()

    def scrub(self, key: str) -> int:
        """Verify a body on the disk; returns its bytes. What fails its checksum is deleted."""
        entry = self._disk.entry(key)
        if entry is None:
            return 0
        self._disk.verify(key)
        self._scrubbed += 1
        return entry.size

    def tend(self) -> None:
        """Find out what befell the directory; to be called now and then. Blocks."""
        self._disk.tend()

    def stats(self) -> CacheStats:
        """A snapshot."""
        with self._lock:
            memory = self._memory
            tiers = {
                "ram": TierStats(
                    objects=len(memory),
                    size_bytes=memory.size_bytes,
                    hits=memory.hits,
                    evicted=memory.evicted,
                ),
            }
        tiers["disk"] = self._disk.stats()
        corrupt = self._disk.corrupt
        if self._bucket is not None:
            tiers["bucket"] = self._bucket.stats()
            corrupt += self._bucket.corrupt
        return CacheStats(
            tiers=tiers,
            misses=self._misses,
            uncached=self._uncached,
            corrupt=corrupt,
            scrubbed=self._scrubbed,
        )

    def close(self) -> None:
        """Let another process have the directory."""
        self._disk.close()

    def _keep(self, made: CachedObject) -> CachedObject:
        if not self._disk.commit(made):
            if earlier := self.get(made.key):
                return earlier
            with self._lock:
                self._uncached += 1
        return self._remember(made)

    def _remember(self, found: CachedObject) -> CachedObject:
        size = len(found.body)
        if size >= LARGE_BYTES and self._memory.takes(size):
            found = replace(found, body=self._arena.keep(contents(found.body)))
        with self._lock:
            return self._memory.put(found)


def _checked(key: str) -> str:
    if not KEY.fullmatch(key):
        raise ValueError(f"no safe file name: {key!r}")
    return key


def _made(key: str, body: bytes, cost_seconds: float, library: str) -> CachedObject:
    return CachedObject(
        key=_checked(key),
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
        cost_seconds=cost_seconds,
        library=library,
    )
