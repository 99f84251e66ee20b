"""Finished segments of a file that is being upscaled, so that an interrupted run can go on."""

import contextlib
import hashlib
import re
import shutil
from pathlib import Path

from origin.cache.files import DirectoryLock, clear, commit, remove, scan, write_temporary
from origin.errors import ConfigError, ProductionError
from origin.media.types import FileRange

_NAME = re.compile(r"([0-9a-f]{16})-([0-9]{6})\.([0-9a-f]{64})")
_OURS = ("lock", "objects", "tmp")


class Parts:
    """The directory `OUT.parts`. One process has it at a time; threads may share it.

    A body lies in `objects/DIGEST-INDEX.SHA256`, where DIGEST is the plan's: what another source,
    model or setting made is never taken for it.
    """

    def __init__(self, output: Path) -> None:
        """Take the directory, creating it if need be.

        Raises:
            ConfigError: Another run has it, it cannot be written, or it is not ours.
        """
        self.directory = output.with_name(output.name + ".parts")
        self._objects = self.directory / "objects"
        self._temporary = self.directory / "tmp"
        try:
            self.directory.mkdir(exist_ok=True)
            names = {entry.name for entry in self.directory.iterdir()}
        except OSError as error:
            raise ConfigError(f"{self.directory} cannot be written: {error.strerror}") from error
        if not names.issubset(_OURS):
            raise ConfigError(f"{self.directory} was not made by this command: move it away")
        try:
            self._lock = DirectoryLock(self.directory)
        except ConfigError as error:
            raise ConfigError(f"another run is making {output}") from error
        clear(self._temporary)

    def find(self, digest: str) -> dict[int, FileRange]:
        """Segments of a plan that are there and pass their checksum; what fails it is deleted."""
        found: dict[int, FileRange] = {}
        for entry in scan(self._objects):
            match = _NAME.fullmatch(entry.name)
            if match is None or match[1] != digest:
                continue
            path = Path(entry)
            if hashlib.sha256(path.read_bytes()).hexdigest() == match[3]:
                found[int(match[2])] = FileRange(path=str(path))
            else:
                remove(path)
        return found

    def keep(self, digest: str, index: int, body: bytes) -> FileRange:
        """Commit a segment to the disk.

        Raises:
            ProductionError: The disk does not take it.
        """
        name = f"{digest}-{index:06d}.{hashlib.sha256(body).hexdigest()}"
        path = self._objects / name
        try:
            commit(write_temporary(self._temporary, body), path)
        except OSError as error:
            raise ProductionError(f"{path} cannot be written: {error.strerror}") from error
        return FileRange(path=str(path))

    def scratch(self, suffix: str) -> Path:
        """A path to write the whole file to, on the file system where it will lie."""
        self._temporary.mkdir(exist_ok=True)
        return (self._temporary / f"whole{suffix}").absolute()

    def release(self) -> None:
        """Let another run have the directory; one without segments is removed."""
        if not scan(self._objects):
            self.delete()
        self._lock.release()

    def delete(self) -> None:
        """Remove it; nothing that is not ours goes."""
        for name in _OURS[1:]:
            shutil.rmtree(self.directory / name, ignore_errors=True)
        remove(self.directory / _OURS[0])
        with contextlib.suppress(OSError):
            self.directory.rmdir()
