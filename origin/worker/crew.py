"""The processes of one lane: who is idle, who does what, and what becomes of it."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from origin.errors import OriginError, ProductionError
from origin.media.types import ProduceSegment
from origin.worker.lanes import Lane, describe, expected_count
from origin.worker.process import WorkerDiedError, WorkerProcess
from origin.worker.tickets import Ticket, died, fail

ATTEMPTS = 2
LIVENESS_SECONDS = 15.0
"""How often an idle worker is looked after: one that is gone is replaced."""
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a process made of a ticket."""

    result: object
    was_warm: bool
    """Kernels and weights were there before: the time it took tells how long others will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who is told what happens in a crew."""

    idle: Callable[[], None]
    """A process has nothing to do."""
    began: Callable[[object], None]
    """A process begins the work proper of a job; again for a second attempt."""
    progress: Callable[[Ticket, float, int], None]
    """Fraction, and count in the job's own units."""
    attempt: Callable[[Ticket], None]
    """A process takes the ticket; again if it died."""
    done: Callable[[Ticket, int, Outcome], None]
    """Which rung of the ticket's ladder was made."""


class Crew:
    """Runs tickets that it is given. Belongs to one event loop."""

    def __init__(self, lane: Lane, processes: list[WorkerProcess], listener: Listener) -> None:
        self.lane = lane
        self.processes = processes
        self._listener = listener
        self._idle: dict[WorkerProcess, asyncio.Future[tuple[Ticket, int]]] = {}
        self._busy: dict[str, WorkerProcess] = {}
        self._starts: list[asyncio.Future[None]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> list[asyncio.Future[None]]:
        """Begin to start the processes; each future ends when one has started once."""
        loop = asyncio.get_running_loop()
        for process in self.processes:
            started = loop.create_future()
            self._starts.append(started)
            task = asyncio.create_task(self._serve(process, started), name=f"{self.lane} lane")
            self._tasks.append(task)
        return self._starts

    async def close(self, error: OriginError) -> None:
        """Kill all processes."""
        for started in self._starts:
            fail(started, error)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(process.stop() for process in self.processes))

    @property
    def has_idle(self) -> bool:
        """Whether `assign` may be called."""
        return bool(self._idle)

    def is_ready(self) -> bool:
        """Whether a process is alive."""
        return any(process.is_ready for process in self.processes)

    def pids(self) -> Iterator[int]:
        """Process ids of the living."""
        return (process.pid for process in self.processes if process.pid is not None)

    def assign(self, ticket: Ticket, rung: int) -> None:
        """Give a ticket to the process that has been idle for longest."""
        process = next(iter(self._idle))
        self._busy[ticket.key] = process
        self._idle.pop(process).set_result((ticket, rung))

    def pause(self, key: str) -> None:
        """Stop the process that is at a ticket."""
        if process := self._busy.get(key):
            process.pause()

    def resume(self, key: str) -> None:
        """Let it go on; harmless if it is not paused."""
        if process := self._busy.get(key):
            process.resume()

    async def _serve(self, process: WorkerProcess, started: asyncio.Future[None]) -> None:
        await self._revive(process, started)
        while True:
            assigned = asyncio.get_running_loop().create_future()
            self._idle[process] = assigned
            self._listener.idle()
            await asyncio.wait((assigned,), timeout=LIVENESS_SECONDS)
            if assigned.done():
                await self._perform(process, *assigned.result())
            else:
                del self._idle[process]
                await self._revive(process, started)

    async def _revive(self, process: WorkerProcess, started: asyncio.Future[None]) -> None:
        try:
            await process.start()
        except (ProductionError, WorkerDiedError) as error:
            detail = error if isinstance(error, ProductionError) else f"a worker {error}"
            _logger.error("%s", detail)
            fail(started, ProductionError(str(detail)))
        else:
            if not started.done():
                started.set_result(None)

    async def _perform(self, process: WorkerProcess, ticket: Ticket, rung: int) -> None:
        job = ticket.rungs[rung]
        deaths: list[str] = []
        try:
            while not ticket.future.done():
                try:
                    outcome = await self._attempt(process, ticket, job)
                except WorkerDiedError as death:
                    deaths.append(str(death))
                    _logger.error("a worker %s while doing %s", death, describe(job))
                    if len(deaths) == ATTEMPTS:
                        ticket.fail(died(job, deaths))
                except OriginError as error:
                    ticket.fail(error)
                except Exception as error:
                    _logger.exception("%s failed", describe(job))
                    ticket.fail(ProductionError(f"{type(error).__name__}: {error}"))
                else:
                    if outcome is not None:
                        self._listener.done(ticket, rung, outcome)
                    return
        finally:
            if self._busy.get(ticket.key) is process:
                del self._busy[ticket.key]
            process.resume()

    async def _attempt(self, process: WorkerProcess, ticket: Ticket, job: object) -> Outcome | None:
        total = expected_count(job)
        has_begun = False

        def begin() -> None:
            nonlocal has_begun
            if not has_begun and isinstance(job, ProduceSegment):
                self._listener.began(job)
            has_begun = True

        def progress(count: int) -> None:
            begin()
            if not ticket.future.done():
                self._listener.progress(ticket, count / total, count)

        await process.start()
        if ticket.future.done():
            return None
        ticket.on_start()
        self._listener.attempt(ticket)
        was_warm = process.is_warm
        result = await process.run(job, progress, ticket.future)
        begin()
        return None if ticket.future.done() else Outcome(result=result, was_warm=was_warm)


def count_by_lane(upscale: int, package: int, prepare: int) -> Mapping[Lane, int]:
    """How many jobs of each lane run at a time."""
    return {Lane.UPSCALE: upscale, Lane.PACKAGE: package, Lane.PREPARE: prepare}
