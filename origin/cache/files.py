"""Files that are there completely or not at all."""

import contextlib
import fcntl
import os
from pathlib import Path

from origin.errors import ConfigError


def write_temporary(folder: Path, body: bytes) -> Path:
    """Write and sync a file with an unused name; the folder is created if need be.

    Raises:
        OSError: The disk is full, read-only or broken. Nothing is left behind if that is possible.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{os.getpid()}-{os.urandom(8).hex()}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        view = memoryview(body)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except OSError:
        remove(path)
        raise
    finally:
        os.close(descriptor)
    return path


def commit(temporary: Path, path: Path) -> None:
    """Give a written file its name, replacing what had it.

    Raises:
        OSError: It could not be done; the temporary file is gone.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary, path)  # noqa: PTH105 - tests stop processes at the os functions
    except OSError:
        remove(temporary)
        raise


def remove(path: Path) -> None:
    """Delete a file if it is there and the disk lets us."""
    try:
        path.unlink()
    except OSError:
        return


def scan(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def clear(folder: Path) -> None:
    """Delete the files of a folder, such as the temporary ones of a process that was killed."""
    for entry in scan(folder):
        remove(Path(entry))


class DirectoryLock:
    """Ownership of a directory by one process; ends with `release`, or with the process."""

    def __init__(self, directory: Path) -> None:
        """Take it, creating the directory if need be.

        Raises:
            ConfigError: Another process has it, or it cannot be written.
        """
        self._directory = directory
        self._descriptor = _take(directory)

    def renew(self) -> None:
        """Take it again if somebody deleted the directory; goes without if that is impossible."""
        with contextlib.suppress(OSError):
            held, there = os.fstat(self._descriptor), (self._directory / "lock").stat()
            if os.path.samestat(held, there):
                return
        with contextlib.suppress(ConfigError):
            descriptor = _take(self._directory)
            os.close(self._descriptor)
            self._descriptor = descriptor

    def release(self) -> None:
        """Give it up."""
        os.close(self._descriptor)


def _take(directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # For reading only: a file open for writing would keep its disk from being made read-only.
        descriptor = os.open(directory / "lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        detail = f"the cache {directory} cannot be written: {error.strerror}"
        raise ConfigError(detail, source=str(directory)) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(descriptor, 20).decode(errors="replace").strip()
        os.close(descriptor)
        detail = f"the cache {directory} belongs to a running origin (process {owner}); "
        detail += "expected one cache directory per origin"
        raise ConfigError(detail, source=str(directory)) from None
    with contextlib.suppress(OSError):  # a full disk: the lock holds, its note may be missing
        (directory / "lock").write_text(f"{os.getpid()}\n")
    return descriptor
