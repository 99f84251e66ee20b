"""A runner without media for workers: `WorkerSettings(runner="fake_jobs:run")`.

Jobs of its own do what their name says. Real jobs get plausible results; an `InspectFile` takes as
many seconds as its path says.
"""

import ctypes
import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from origin.errors import BrokenSourceError
from origin.media.types import InspectFile, Measure, Measured, Prepared, PrepareRendition, Produced


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """→ its value."""

    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """→ its value, which it also appends to a file when it begins."""

    value: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Report progress until a file appears (→ "released") or it is cancelled (→ "cancelled")."""

    release: Path
    note: Path | None = None
    """Gets a line at the start and one at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Die:
    """Die in some way, once if `once` names a file that does not exist yet."""

    how: str
    once: Path | None = None
    name: str = "movie/seg1.ts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """Raise."""

    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspect:
    """→ (pid, names of imported modules, environment)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsendable:
    """→ something that cannot be pickled."""


Progress = Callable[[int], None]
Cancelled = Callable[[], bool]


def run(job: object, progress: Progress, cancelled: Cancelled) -> object:  # noqa: PLR0911
    """Do one job."""
    match job:
        case Echo():
            print("a library may print")
            return job.value
        case Note():
            with job.path.open("a") as file:
                file.write(f"{job.value}\n")
            return job.value
        case Hold():
            return _hold(job, progress, cancelled)
        case Die():
            return _die(job)
        case Raise():
            raise job.error
        case Inspect():
            return os.getpid(), sorted(sys.modules), dict(os.environ)
        case Unsendable():
            return lambda: None
        case InspectFile():
            time.sleep(float(job.path))
            return "inspected"
        case PrepareRendition():
            return Prepared(extradata=b"extradata", codecs="avc1.64001f", init=None)
        case Measure():
            return Measured(frames_per_second=60.0)
        case _:
            progress(1)
            return Produced(body=hashlib.sha256(repr(job).encode()).digest() * 100, frames=1)


def _hold(job: Hold, progress: Progress, cancelled: Cancelled) -> str:
    def note(word: str) -> None:
        if job.note:
            with job.note.open("a") as file:
                file.write(f"{word}\n")

    note("began")
    count = 0
    while not job.release.exists():
        if cancelled():
            note("cancelled")
            return "cancelled"
        progress(count := count + 1)
        time.sleep(0.01)
    note("released")
    return "released"


def _die(job: Die) -> str:
    if job.once is not None:
        if job.once.exists():
            return "alive"
        job.once.touch()
    match job.how:
        case "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        case "SIGSEGV":
            ctypes.string_at(0)
        case "hang":
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.Signals)
            time.sleep(3600)
        case "hang in native code":
            ctypes.PyDLL(None).sleep(3600)  # with the interpreter lock held
        case "exit":
            sys.exit(3)
    raise BrokenSourceError("could not die")
