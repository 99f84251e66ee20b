"""The origin's end of one worker process."""

import asyncio
import contextlib
import itertools
import os
import pickle
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from origin.errors import ProductionError
from origin.worker.lanes import is_silent
from origin.worker.wire import (
    HEADER,
    Cancel,
    Done,
    Failed,
    Message,
    Progress,
    Run,
    Unusable,
    encode,
)

_STEPS = 10
"""In which a worker's silence is counted."""


class WorkerDiedError(Exception):
    """The worker crashed, or was killed because it hung; the message completes `the worker ...`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How workers are started and how long they may be silent."""

    runner: str = "origin.media.jobs:run"
    """`module:function`, called with (job, progress, cancelled)."""
    hang_seconds: float = 60.0
    startup_seconds: float = 300.0
    """Silence allowed while a worker starts, during its first job, which may compile kernels, and
    while a title is inspected, which is silent work."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the origin's own."""
    log_format: str = "text"
    log_level: str = "info"


class WorkerProcess:
    """One worker at a time, replaced when it dies. Belongs to one task of one event loop."""

    def __init__(self, settings: WorkerSettings, on_restart: Callable[[], None]) -> None:
        self._settings = settings
        self._on_restart = on_restart
        self._process: Process | None = None
        self._is_warm = False
        self._is_started = False
        self._is_paused = False
        self._silent_steps = 0
        self._numbers = itertools.count()

    @property
    def is_warm(self) -> bool:
        """Whether the living worker has done a job: kernels and weights are loaded."""
        return self._is_warm

    @property
    def pid(self) -> int | None:
        """Process id of the living worker."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def is_ready(self) -> bool:
        """Whether a living worker has imported its runner."""
        return self._is_started and self.pid is not None

    async def start(self) -> None:
        """Make sure that a worker is there and has imported its runner.

        Raises:
            ProductionError: The runner cannot be imported.
            WorkerDiedError: It died before it was ready.
        """
        if self.pid is not None:
            return
        if self._process is not None:
            self._on_restart()
        self._is_warm = self._is_started = self._is_paused = False
        await self._spawn()
        message = await self._receive(self._settings.startup_seconds)
        if isinstance(message, Unusable):
            await self.stop()
            raise ProductionError(
                f"workers cannot start: {message.reason}", source=self._settings.runner
            )
        self._is_started = True

    async def run(
        self, job: object, on_progress: Callable[[int], None], answer: asyncio.Future[object]
    ) -> object:
        """Do one job, starting the worker if need be; returns the job's result.

        If `answer` is done before that, the job is asked to stop at its next opportunity.

        Raises:
            OriginError: What the job raised.
            WorkerDiedError: It died, or was silent for too long.
        """
        await self.start()
        number = next(self._numbers)

        def cancel(_: object) -> None:
            if self.pid is not None:
                self._stdin().write(encode(Cancel(number)))

        answer.add_done_callback(cancel)
        try:
            await self._send(Run(number, job))
            return await self._follow(number, self._patience_seconds(job), on_progress)
        finally:
            answer.remove_done_callback(cancel)

    def pause(self) -> None:
        """Stop the worker's threads where they are; its memory stays. Silence is then no fault."""
        self._is_paused = True
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._is_paused = False
        self._signal(signal.SIGCONT)
        self._silent_steps = 0

    def _signal(self, number: int) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def stop(self) -> None:
        """Kill the worker and whatever it started, and wait until it is gone."""
        process = self._process
        if process is None:
            return
        self._signal(signal.SIGKILL)
        self._stdin().close()
        await process.wait()

    async def _spawn(self) -> None:
        settings = self._settings
        path = os.pathsep.join(entry or "." for entry in sys.path)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "origin.worker.child"),
                *(settings.runner, settings.log_format, settings.log_level),
                stdin=PIPE,
                stdout=PIPE,
                env={**os.environ, "PYTHONPATH": path, **settings.environment},
                start_new_session=True,
                limit=2**20,
            )
        except OSError as error:
            raise WorkerDiedError(f"could not be started ({error.strerror})") from None

    def _patience_seconds(self, job: object) -> float:
        settings = self._settings
        is_patient = is_silent(job) or not self._is_warm
        return settings.startup_seconds if is_patient else settings.hang_seconds

    async def _follow(
        self, number: int, patience_seconds: float, on_progress: Callable[[int], None]
    ) -> object:
        while True:
            message = await self._receive(patience_seconds)
            match message:
                case Progress(at, count) if at == number:
                    on_progress(count)
                case Done(at, result) if at == number:
                    self._is_warm = True
                    return result
                case Failed(at, error) if at == number:
                    self._is_warm = True
                    raise error

    async def _send(self, message: Message) -> None:
        stdin = self._stdin()
        stdin.write(encode(message))
        try:
            await stdin.drain()
        except ConnectionError:
            raise await self._obituary() from None

    async def _receive(self, silence_seconds: float) -> Message:
        """The next message; silence counts in steps, so that a standstill of ours is but one."""
        reading = asyncio.ensure_future(self._read())
        self._silent_steps = 0
        try:
            while not (await asyncio.wait((reading,), timeout=silence_seconds / _STEPS))[0]:
                self._silent_steps += not self._is_paused
                if self._silent_steps == _STEPS:
                    reading.cancel()
                    await self.stop()
                    raise WorkerDiedError(f"gave no sign of life for {silence_seconds:g} s")
            return reading.result()
        except asyncio.IncompleteReadError:
            raise await self._obituary() from None
        finally:
            reading.cancel()

    async def _read(self) -> Message:
        assert self._process is not None
        assert self._process.stdout is not None
        stdout = self._process.stdout
        (size,) = HEADER.unpack(await stdout.readexactly(HEADER.size))
        message: Message = pickle.loads(await stdout.readexactly(size))
        return message

    def _stdin(self) -> asyncio.StreamWriter:
        assert self._process is not None
        assert self._process.stdin is not None
        return self._process.stdin

    async def _obituary(self) -> WorkerDiedError:
        await self.stop()
        assert self._process is not None
        status = self._process.returncode or 0
        if status < 0:
            return WorkerDiedError(f"was killed by {signal.Signals(-status).name}")
        return WorkerDiedError(f"ended with status {status}")
