"""The worker's end: `python -m origin.worker.child RUNNER LOG_FORMAT LOG_LEVEL`.

One job at a time runs in the main thread; a second thread listens. The worker ends with its
origin: when the pipe closes, and on Linux by the kernel's hand even while native code hangs.
"""

import contextlib
import ctypes
import faulthandler
import importlib
import logging
import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from origin.errors import OriginError, ProductionError
from origin.telemetry import setup_logging
from origin.worker.wire import (
    HEADER,
    Cancel,
    Done,
    Failed,
    Message,
    Progress,
    Ready,
    Run,
    Unusable,
    encode,
)

Runner = Callable[[object, Callable[[int], None], Callable[[], bool]], object]
_PR_SET_PDEATHSIG = 1
_logger = logging.getLogger(__name__)


class _Line:
    """Both pipes. Any thread may send, one listens."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._lock = threading.Lock()
        self._cancelled: set[int] = set()
        self._runs: queue.SimpleQueue[Run] = queue.SimpleQueue()

    def send(self, message: Message) -> None:
        data = encode(message)
        with self._lock:
            self._outgoing.write(data)
            self._outgoing.flush()

    def next_run(self) -> Run:
        return self._runs.get()

    def is_cancelled(self, number: int) -> bool:
        return number in self._cancelled

    def listen(self) -> None:
        """Take messages until the origin is gone, then end the process."""
        try:
            while (header := self._incoming.read(HEADER.size)) != b"":
                message = pickle.loads(self._incoming.read(*HEADER.unpack(header)))
                if isinstance(message, Cancel):
                    self._cancelled.add(message.number)
                else:
                    self._runs.put(message)
        except Exception:
            _logger.exception("a message from the origin could not be read")
        os._exit(0)


def main(runner_name: str, log_format: str, log_level: str) -> None:
    """Serve jobs until the origin goes away."""
    origin = os.getppid()
    line = _Line(*_take_pipes())
    _settle(origin)
    setup_logging(log_format, log_level)
    try:
        runner = _load(runner_name)
    except Exception as error:
        _logger.exception("the worker cannot start")
        line.send(Unusable(f"{type(error).__name__}: {error}"))
        return
    threading.Thread(target=line.listen, daemon=True).start()
    line.send(Ready())
    while True:
        _serve(line.next_run(), runner, line)


def _serve(run: Run, runner: Runner, line: _Line) -> None:
    def progress(count: int) -> None:
        line.send(Progress(run.number, count))

    try:
        result = runner(run.job, progress, lambda: line.is_cancelled(run.number))
        message: Message = Done(run.number, result)
        line.send(message)
    except OriginError as error:
        line.send(Failed(run.number, error))
    except Exception as error:
        if not line.is_cancelled(run.number):
            _logger.exception("%s failed", type(run.job).__name__)
        line.send(Failed(run.number, ProductionError(f"{type(error).__name__}: {error}")))


def _load(name: str) -> Runner:
    module, _, attribute = name.partition(":")
    runner: Runner = getattr(importlib.import_module(module), attribute)
    return runner


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for ourselves: what a library prints must not end up in a message."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb")


def _settle(origin: int) -> None:
    """Live and die with the origin, which alone answers to signals; go first if memory runs out."""
    faulthandler.enable()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")
    if os.getppid() != origin:
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
