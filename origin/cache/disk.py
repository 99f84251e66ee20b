"""The disk tier: one plain file for each body, everything that is known of it in its name."""

import errno
import hashlib
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from origin.arena import contents
from origin.cache.files import DirectoryLock, clear, commit, remove, scan, write_temporary
from origin.cache.health import Health
from origin.cache.shelves import Entry, Shelves
from origin.cache.types import CachedObject, LocatedObject, TierStats

KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_NAME = re.compile(rf"({KEY.pattern})\.([0-9a-f]{{64}})\.(\d+)\.(\d+)\.(\d+)")
_LIBRARY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NO_LIBRARY = "_"
_FORMAT = "bodies-2"
_EARLIER_FORMATS = ("objects",)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_logger = logging.getLogger(__name__)


class DiskTier:
    """Bodies in `bodies-2/LIBRARY/ab/KEY.SHA256.BYTES.MICROSECONDS.TIME`. Threads may share it.

    The one rename that commits a body commits its checksum, its cost and its size too, a start
    reads names only, and a server in front can send the file as it is. The checksum is verified
    whenever a body is read. A disk that fails costs a hit, never an answer: what it did not take
    is not known here.
    """

    def __init__(self, directory: Path, *, budget_bytes: int, libraries: Mapping[str, int]) -> None:
        """Open the directory, creating it if need be.

        Raises:
            ConfigError: Another process uses the directory, or it cannot be written.
        """
        self.bodies = bodies_below(directory)
        self._directory = directory
        self._owner = DirectoryLock(directory)
        self._names = threading.Lock()  # held while names change on disk; taken first
        self._lock = threading.Lock()  # held for moments, so that an event loop may take it
        self._budgets = (budget_bytes, dict(libraries))
        self._shelves = Shelves(*self._budgets)
        self._health = Health(f"the disk of the cache {directory}")
        self._pinned: frozenset[str] = frozenset()
        self._hits = self.corrupt = 0
        clear(directory / "tmp")
        self._scan()

    def __contains__(self, key: str) -> bool:
        return key in self._shelves

    def entry(self, key: str) -> Entry | None:
        """What is known of a body."""
        return self._shelves.get(key)

    def held_keys(self) -> list[str]:
        """Of all bodies."""
        with self._lock:
            return [entry.key for entry in self._shelves.entries()]

    def touch(self, key: str) -> None:
        """Somebody asked for a body, and got it elsewhere."""
        with self._lock:
            self._shelves.hit(key)

    def read(self, key: str) -> CachedObject | None:
        """The body, if its file is there and passes its checksum; what does not is deleted."""
        with self._lock:
            entry = self._shelves.get(key)
            self._shelves.hit(key)
        body = self._verified(entry) if entry else None
        if entry is None or body is None:
            return None
        self._hits += 1
        return CachedObject(
            key=key,
            body=body,
            sha256=entry.sha256,
            cost_seconds=entry.cost_seconds,
            library=entry.library,
        )

    def locate(self, key: str, *, verify: bool) -> LocatedObject | None:
        """The body's file, if nobody touched it since its bytes were last verified.

        Args:
            key: The body's.
            verify: Read and verify it if that is not known. Without, this takes microseconds.
        """
        with self._lock:
            entry = self._shelves.get(key)
        if entry is None or not (self._untouched(entry) or (verify and self.verify(key))):
            return None
        self.touch(key)
        self._hits += 1
        relative = self._path(entry).relative_to(self.bodies)
        return LocatedObject(key=key, path=str(relative), sha256=entry.sha256, size=entry.size)

    def verify(self, key: str) -> bool:
        """Whether a body is there and passes its checksum; what does not is deleted."""
        with self._lock:
            entry = self._shelves.get(key)
        return entry is not None and self._verified(entry) is not None

    def commit(self, made: CachedObject) -> bool:
        """Keep a body; False if another came first, or the disk did not take it."""
        if not self._shelves.fits(len(made.body), made.library):
            return False
        micros = round(made.cost_seconds * 1e6)
        entry = Entry(
            key=made.key,
            sha256=made.sha256,
            size=len(made.body),
            cost_seconds=micros / 1e6,
            made=int(time.time()),
            library=made.library if _LIBRARY.fullmatch(made.library) else "",
        )
        try:
            committed = self._write(entry, contents(made.body))
        except OSError as error:
            self._health.failed(error)
            return False
        self._health.worked()
        return committed

    def pin(self, groups: Iterable[str]) -> None:
        """Keep what belongs to these groups, and nothing else, whatever else comes."""
        with self._names:
            self._pinned = frozenset(groups)
            with self._lock:
                gone = self._shelves.pin(self._pinned)
            self._delete(gone)

    def tend(self) -> None:
        """Go on if somebody deleted the directory, and delete what an earlier version left."""
        self._owner.renew()
        for name in _EARLIER_FORMATS:
            shutil.rmtree(self._directory / name, ignore_errors=True)
        if len(self._shelves) and not self.bodies.exists():
            self._scan()

    def stats(self) -> TierStats:
        """A consistent snapshot."""
        with self._lock:
            return TierStats(
                objects=len(self._shelves),
                size_bytes=self._shelves.size_bytes,
                pinned_bytes=self._shelves.pinned_bytes,
                hits=self._hits,
                evicted=self._shelves.evicted,
                works=self._health.works,
            )

    def close(self) -> None:
        """Let another process have the directory."""
        self._owner.release()

    def _write(self, entry: Entry, body: bytes) -> bool:
        try:
            temporary = write_temporary(self._directory / "tmp", body)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            with self._names:  # the disk is smaller than the budget says
                with self._lock:
                    gone = self._shelves.make_room(2 * entry.size)
                self._delete(gone)
            if not gone:
                raise
            temporary = write_temporary(self._directory / "tmp", body)
        with self._names:
            if entry.key in self._shelves:
                remove(temporary)
                return False
            path = self._path(entry)
            commit(temporary, path)
            entry.verified = _signature(path)
            with self._lock:
                gone = self._shelves.add(entry)
            self._delete(gone)
        return True

    def _verified(self, entry: Entry) -> bytes | None:
        try:
            with self._path(entry).open("rb") as file:
                signature = _of(os.fstat(file.fileno()))
                body = file.read()
        except FileNotFoundError:
            self._discard(entry)
            return None
        except OSError as error:  # perhaps only now: too many open files, a network that is slow
            self._health.failed(error)
            return None
        if len(body) == entry.size and hashlib.sha256(body).hexdigest() == entry.sha256:
            entry.verified = signature
            return body
        if self._discard(entry):
            self.corrupt += 1
            _logger.warning("deleted %s from the cache: it failed its checksum", entry.key)
        return None

    def _untouched(self, entry: Entry) -> bool:
        return entry.verified is not None and _signature(self._path(entry)) == entry.verified

    def _discard(self, entry: Entry) -> bool:
        with self._names:
            with self._lock:
                known = self._shelves.remove(entry)
            if known:
                remove(self._path(entry))
        return known

    def _delete(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            remove(self._path(entry))

    def _path(self, entry: Entry) -> Path:
        micros = round(entry.cost_seconds * 1e6)
        name = f"{entry.key}.{entry.sha256}.{entry.size}.{micros}.{entry.made}"
        return self.bodies / (entry.library or _NO_LIBRARY) / entry.sha256[:2] / name

    def _scan(self) -> None:
        with self._names:
            found = [entry for _, entry in body_paths(self.bodies)]
            found.sort(key=lambda entry: (entry.made, entry.sha256))
            shelves = Shelves(*self._budgets)
            gone = shelves.pin(self._pinned)
            for entry in found:
                if entry.key in shelves:
                    gone.append(entry)
                else:
                    gone += shelves.add(entry, proven=True)
            with self._lock:
                self._shelves = shelves
            self._delete(gone)


def bodies_below(directory: Path) -> Path:
    """The folder of the bodies of a cache."""
    return directory / _FORMAT


def body_paths(bodies: Path) -> Iterator[tuple[str, Entry]]:
    """Every body that the folder has, unverified."""
    for library in scan(bodies):
        name = library.name if _LIBRARY.fullmatch(library.name) else ""
        for folder in scan(Path(library)):
            for file in scan(Path(folder)):
                if match := _NAME.fullmatch(file.name):
                    yield file.path, _entry(match, name)


def _entry(match: re.Match[str], library: str) -> Entry:
    return Entry(
        key=match[1],
        sha256=match[2],
        size=int(match[3]),
        cost_seconds=int(match[4]) / 1e6,
        made=int(match[5]),
        library=library,
    )


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        return _of(path.stat(follow_symlinks=False))
    except OSError:
        return None


def _of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_ctime_ns
