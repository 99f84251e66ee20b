"""Produced bodies on disk, with the hot ones in memory."""

import asyncio
import hashlib
import logging
import re
import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from origin.cache.files import DirectoryLock, clear, commit, remove, scan, write_temporary
from origin.cache.memory import MemoryTier
from origin.cache.types import CachedObject, CacheStats

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,159}")
_FILE = re.compile(rf"({_KEY.pattern})\.([0-9a-f]{{64}})")
_logger = logging.getLogger(__name__)


class _Entry(NamedTuple):
    sha256: str
    size: int


class Cache:
    """Immutable bodies by key. Any number of threads, one process per directory.

    A body lies in `objects/ab/KEY.SHA256`, so that the one rename that commits it commits its
    checksum too. Under a key the first commit wins (law 4). The least recently used go when
    `budget_bytes` is exceeded. A disk that fails costs a hit, never an answer.
    """

    def __init__(self, directory: Path, *, budget_bytes: int, ram_bytes: int = 0) -> None:
        """Open a cache, creating it if need be, and delete what an interrupted write left.

        Raises:
            ConfigError: Another process uses the directory, or it cannot be written.
        """
        self._directory = directory
        self._budget_bytes = budget_bytes
        self._owner = DirectoryLock(directory)
        self._disk_lock = threading.Lock()  # held while names change on disk; taken first
        self._lock = threading.Lock()  # held for moments, so that an event loop may take it
        self._memory = MemoryTier(ram_bytes)
        self._index: OrderedDict[str, _Entry] = OrderedDict()
        self._disk_bytes = 0
        self._evicted = self._uncached = self._corrupt = 0
        self._scan()

    def get(self, key: str) -> CachedObject | None:
        """The object, verified against its checksum if it comes from the disk."""
        if found := self.peek(key):
            return found
        with self._lock:
            entry = self._index.get(key)
        if entry is None:
            return None
        body = self._read(key, entry)
        if body is None:
            return None
        return self._remember(CachedObject(key=key, body=body, sha256=entry.sha256))

    def peek(self, key: str) -> CachedObject | None:
        """The object if it is in memory; never touches the disk."""
        with self._lock:
            if key in self._index:
                self._index.move_to_end(key)
            return self._memory.get(key)

    def put(self, key: str, body: bytes) -> CachedObject:
        """Keep a body, and return what is kept under the key: an earlier body if there is one.

        Raises:
            ValueError: The key is no safe file name.
        """
        if not _KEY.fullmatch(key):
            raise ValueError(f"no safe file name: {key!r}")
        if earlier := self.get(key):
            return earlier
        made = CachedObject(key=key, body=body, sha256=hashlib.sha256(body).hexdigest())
        if len(body) <= self._budget_bytes:
            try:
                return self._write(made)
            except OSError as error:
                _logger.warning("the cache did not take %s: %s", key, error)
        with self._lock:
            self._uncached += 1
        return self._remember(made)

    def contains(self, key: str) -> bool:
        """Whether the cache holds the key, its file unverified."""
        with self._lock:
            return key in self._index or self._memory.get(key) is not None

    async def aget(self, key: str) -> CachedObject | None:
        """`get`, in a thread unless the object is in memory."""
        return self.peek(key) or await asyncio.to_thread(self.get, key)

    async def aput(self, key: str, body: bytes) -> CachedObject:
        """`put`, in a thread."""
        return await asyncio.to_thread(self.put, key, body)

    def stats(self) -> CacheStats:
        """A consistent snapshot."""
        with self._lock:
            return CacheStats(
                disk_bytes=self._disk_bytes,
                disk_objects=len(self._index),
                ram_bytes=self._memory.size_bytes,
                ram_objects=len(self._memory),
                evicted=self._evicted,
                uncached=self._uncached,
                corrupt=self._corrupt,
            )

    def close(self) -> None:
        """Let another process have the directory."""
        self._owner.release()

    def _write(self, made: CachedObject) -> CachedObject:
        temporary = write_temporary(self._directory / "tmp", made.body)
        entry = _Entry(made.sha256, len(made.body))
        with self._disk_lock:
            if self.contains(made.key):
                remove(temporary)
            else:
                commit(temporary, self._path(made.key, entry))
                self._add(made.key, entry)
                self._evict()
                return self._remember(made)
        return self.get(made.key) or made

    def _read(self, key: str, entry: _Entry) -> bytes | None:
        try:
            body = self._path(key, entry).read_bytes()
        except OSError as error:
            self._discard(key, entry)
            _logger.warning("the cache lost %s: %s", key, error)
            return None
        if hashlib.sha256(body).hexdigest() == entry.sha256:
            return body
        self._discard(key, entry)
        with self._lock:
            self._corrupt += 1
        _logger.warning("deleted %s from the cache: it failed its checksum", key)
        return None

    def _remember(self, found: CachedObject) -> CachedObject:
        with self._lock:
            self._memory.put(found)
            return self._memory.get(found.key) or found

    def _discard(self, key: str, entry: _Entry) -> None:
        with self._disk_lock:
            with self._lock:
                if self._index.get(key) is not entry:
                    return
                del self._index[key]
                self._disk_bytes -= entry.size
            remove(self._path(key, entry))

    def _add(self, key: str, entry: _Entry) -> None:
        with self._lock:
            self._index[key] = entry
            self._disk_bytes += entry.size

    def _evict(self) -> None:
        victims = []
        with self._lock:
            while self._disk_bytes > self._budget_bytes:
                key, entry = self._index.popitem(last=False)
                self._disk_bytes -= entry.size
                self._evicted += 1
                victims.append(self._path(key, entry))
        for path in victims:
            remove(path)

    def _path(self, key: str, entry: _Entry) -> Path:
        return self._directory / "objects" / entry.sha256[:2] / f"{key}.{entry.sha256}"

    def _scan(self) -> None:
        clear(self._directory / "tmp")
        found = []
        for folder in scan(self._directory / "objects"):
            for file in scan(Path(folder)):
                if match := _FILE.fullmatch(file.name):
                    status = file.stat(follow_symlinks=False)
                    found.append((status.st_mtime_ns, match[1], match[2], status.st_size))
        for _, key, sha256, size in sorted(found):
            entry = _Entry(sha256, size)
            if key in self._index:
                remove(self._path(key, entry))
            else:
                self._add(key, entry)
        self._evict()
