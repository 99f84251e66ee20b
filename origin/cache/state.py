"""Small documents that outlive the process: inspections, measurements, decisions."""

import hashlib
import json
import logging
import threading
from pathlib import Path
from typing import Any

from origin.cache.files import clear, commit, write_temporary

_logger = logging.getLogger(__name__)


class StateStore:
    """JSON documents by name, outside the byte budget. Threads may share it.

    A document that is corrupt, or was written under another `version`, counts as absent. What the
    disk does not take is kept in memory, so that a decision stands while the process lives.
    """

    def __init__(self, directory: Path, *, version: int = 1) -> None:
        self._directory = directory
        self._version = version
        self._lock = threading.Lock()
        self._unwritten: dict[str, str] = {}  # as JSON, so that callers share no objects
        clear(directory / "tmp")

    def get(self, name: str) -> Any | None:
        """The document, or None."""
        with self._lock:
            return self._get(name)

    def put(self, name: str, document: Any) -> None:
        """Keep a document (whatever `json` can write) in place of an earlier one."""
        with self._lock:
            self._put(name, document)

    def decide(self, name: str, document: Any) -> Any:
        """Keep a document unless there is one; returns the one that is kept."""
        with self._lock:
            earlier = self._get(name)
            if earlier is None:
                self._put(name, document)
            return self._get(name) if earlier is None else earlier

    def _get(self, name: str) -> Any | None:
        if name in self._unwritten:
            return json.loads(self._unwritten[name])
        try:
            checksum, _, text = self._path(name).read_bytes().partition(b"\n")
        except OSError:
            return None
        if hashlib.sha256(text).hexdigest().encode() != checksum:
            _logger.warning("ignored the corrupt state of %s", name)
            return None
        envelope = json.loads(text)
        current = envelope["version"] == self._version and envelope["name"] == name
        return envelope["document"] if current else None

    def _put(self, name: str, document: Any) -> None:
        envelope = {"version": self._version, "name": name, "document": document}
        text = json.dumps(envelope, separators=(",", ":")).encode()
        body = hashlib.sha256(text).hexdigest().encode() + b"\n" + text
        try:
            commit(write_temporary(self._directory / "tmp", body), self._path(name))
            self._unwritten.pop(name, None)
        except OSError as error:
            _logger.warning("the state of %s stays in memory: %s", name, error)
            self._unwritten[name] = json.dumps(document)

    def _path(self, name: str) -> Path:
        return self._directory / f"{hashlib.sha256(name.encode()).hexdigest()}.json"
