"""An origin as a process that is watched, stopped and started again."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.http_client import get, titles
from tests.tools import ROOT

_PAGE = os.sysconf("SC_PAGE_SIZE")
PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process takes just now."""

    memory: int
    """Resident bytes."""
    descriptors: int


def usage(pid: int) -> Usage | None:
    """None if it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        return Usage(memory=pages * _PAGE, descriptors=descriptors)
    except (FileNotFoundError, ProcessLookupError):
        return None


def children(pid: int) -> Iterator[int]:
    """Process ids of the children of all of its threads."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


class Origin:
    """`upscale-origin serve` at a fixed port."""

    def __init__(self, library: Path, folder: Path, port: int, settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.base = f"http://127.0.0.1:{port}"
        self._log = folder / "log"
        (folder / "origin.toml").write_text(settings)
        arguments = [f"lib={library}", "--port", str(port), "--cache", str(folder / "cache")]
        arguments += ["--config", str(folder / "origin.toml"), "--device", "cpu"]
        arguments += ["--rendition", "2x:lanczos"]
        self._command = [sys.executable, "-m", "origin", "serve", *arguments]
        self.start()

    @property
    def pid(self) -> int:
        """Of the origin itself; its workers are its children."""
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the origin does not start:\n{self._log.read_text()[-4000:]}")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            return get(f"{self.base}/readyz", timeout=5).status == 200
        except OSError:
            return False

    def terminate(self) -> None:
        """SIGTERM; returns when it has drained."""
        self._process.terminate()
        if self._process.wait(PATIENCE_SECONDS) != 0:
            raise RuntimeError(f"it did not end well:\n{self._log.read_text()[-4000:]}")

    def metric(self, name: str) -> float:
        """Sum of a metric's samples."""
        lines = get(f"{self.base}/metrics").body.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    def paths(self) -> list[str]:
        """Multivariant playlists of all titles, once they are prepared."""
        return [row["url"] for row in titles(self.base).values()]
