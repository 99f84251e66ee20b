"""Workers in two lanes, fed by the scheduler."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Required, TypedDict, Unpack, overload

from origin.errors import OriginError, ProductionError, UnavailableError
from origin.media.types import (
    Assembled,
    AssembleFile,
    BodyJob,
    CheckOutput,
    FileFacts,
    HlsFacts,
    InspectFile,
    InspectHls,
    Job,
    Measure,
    Measured,
    OutputPlan,
    Prepared,
    PrepareRendition,
    Produced,
    ProduceSegment,
)
from origin.scheduler import Klass, Scheduler
from origin.telemetry import Metrics
from origin.worker.lanes import Lane, describe, expected_count, lane_of, source_of
from origin.worker.process import WorkerDiedError, WorkerProcess, WorkerSettings

ATTEMPTS = 2
LIVENESS_SECONDS = 15.0
"""How often an idle worker is looked after: one that is gone is replaced."""
_logger = logging.getLogger(__name__)


class Options(TypedDict, total=False):
    """How a job is run."""

    key: Required[str]
    """Unique among the jobs that are queued or running."""
    klass: Klass
    """BLOCKING unless given. Counts, as `deadline` does, only if nobody is `waiting` for the key;
    else the most urgent of those who wait decides."""
    deadline: float
    """In the loop's time."""
    lane: Lane
    """Follows from the job unless given."""
    on_start: Callable[[], None]
    """A worker takes it; called again for the second attempt."""
    on_progress: Callable[[int], None]


@dataclass(slots=True, eq=False, kw_only=True)
class _Ticket:
    job: object
    key: str
    lane: Lane
    future: asyncio.Future[Any]
    on_start: Callable[[], None]
    on_progress: Callable[[int], None]


class WorkerPool:
    """Runs jobs in worker processes. Belongs to one event loop; call `start` in it."""

    def __init__(
        self,
        settings: WorkerSettings,
        metrics: Metrics,
        *,
        upscale_workers: int = 1,
        package_workers: int = 1,
        prepare_workers: int = 1,
        grace_seconds: float = 30.0,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._counts = {
            Lane.UPSCALE: upscale_workers,
            Lane.PACKAGE: package_workers,
            Lane.PREPARE: prepare_workers,
        }
        self._scheduler = Scheduler(grace_seconds=grace_seconds)
        self._tickets: dict[str, _Ticket] = {}
        self._wake = {lane: asyncio.Event() for lane in Lane}
        self._workers: list[tuple[Lane, WorkerProcess]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._starts: list[asyncio.Future[None]] = []
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        metrics.watch("queue_depth", "Jobs queued, by class", "class", self._depth_by_name)

    async def start(self) -> None:
        """Begin to start the workers; jobs may be run at once."""
        loop = asyncio.get_running_loop()
        for lane, count in self._counts.items():
            for _ in range(count):
                worker = WorkerProcess(self._settings, self._restart_counter(lane))
                started = loop.create_future()
                self._workers.append((lane, worker))
                self._starts.append(started)
                task = asyncio.create_task(self._serve(lane, worker, started), name=f"{lane} lane")
                self._tasks.append(task)

    async def ready(self) -> None:
        """Wait until every worker has been started once.

        Raises:
            ProductionError: One of them cannot start; the message says why.
        """
        await asyncio.gather(*(asyncio.shield(started) for started in self._starts))

    def unready_reason(self) -> str | None:
        """Which lane has no living worker just now; None if every lane has one."""
        alive = {lane for lane, worker in self._workers if worker.is_ready}
        missing = [lane.value for lane in Lane if lane not in alive]
        return f"no worker is running for: {', '.join(missing)}" if missing else None

    async def close(self) -> None:
        """Kill all workers; who still waits for a job gets an UnavailableError."""
        self._is_closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for future in (*self._starts, *(ticket.future for ticket in self._tickets.values())):
            _fail(future, UnavailableError("the origin is shutting down"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.stop() for _, worker in self._workers))

    @overload
    async def run(self, job: InspectHls, **options: Unpack[Options]) -> HlsFacts: ...
    @overload
    async def run(self, job: InspectFile, **options: Unpack[Options]) -> FileFacts: ...
    @overload
    async def run(self, job: PrepareRendition, **options: Unpack[Options]) -> Prepared: ...
    @overload
    async def run(self, job: Measure, **options: Unpack[Options]) -> Measured: ...
    @overload
    async def run(self, job: CheckOutput, **options: Unpack[Options]) -> OutputPlan: ...
    @overload
    async def run(self, job: AssembleFile, **options: Unpack[Options]) -> Assembled: ...
    @overload
    async def run(
        self,
        job: BodyJob,
        **options: Unpack[Options],
    ) -> Produced: ...
    async def run(self, job: Job, **options: Unpack[Options]) -> object:
        """Do a job in a worker, when its turn comes.

        Cancelling the call cancels the job. So does the scheduler once everybody who was
        `waiting` has been gone for the grace: the call then ends in `asyncio.CancelledError`,
        upon which `SingleFlight` starts anew if somebody has come back in the meantime.

        Raises:
            OriginError: What the job raised.
            ProductionError: It failed unexpectedly, or the worker died twice.
            UnavailableError: The pool is closed.
            ValueError: A job with this key is queued or running.
        """
        key = options["key"]
        if self._is_closed:
            raise UnavailableError("the origin is shutting down")
        with contextlib.ExitStack() as stack:
            if not self._scheduler.knows(key):
                urgency = options.get("klass", Klass.BLOCKING), options.get("deadline", math.inf)
                stack.enter_context(self.waiting(key, *urgency))
            stack.enter_context(self._queued(ticket := self._ticket(job, options)))
            return await ticket.future

    @contextlib.contextmanager
    def waiting(self, key: str, klass: Klass, deadline: float = math.inf) -> Iterator[None]:
        """Declare that somebody waits for the key, before, while or after its job is run.

        A job ranks as the most urgent of those who wait does; when the last has left it is an
        orphan, and has its grace (law 8).
        """
        token = self._scheduler.join(key, klass, deadline)
        try:
            yield
        finally:
            self._scheduler.leave(key, token, asyncio.get_running_loop().time())
            self._plan_sweep()

    def depth(self) -> Mapping[Klass, int]:
        """Number of queued jobs by class."""
        return self._scheduler.depth()

    def pids(self, lane: Lane) -> list[int]:
        """Process ids of the living workers of a lane."""
        return [worker.pid for at, worker in self._workers if at is lane and worker.pid is not None]

    def _ticket(self, job: Job, options: Options) -> _Ticket:
        ignore: Callable[..., None] = lambda *_: None  # noqa: E731 - two defaults in one
        return _Ticket(
            job=job,
            key=options["key"],
            lane=options.get("lane", lane_of(job)),
            future=asyncio.get_running_loop().create_future(),
            on_start=options.get("on_start", ignore),
            on_progress=options.get("on_progress", ignore),
        )

    @contextlib.contextmanager
    def _queued(self, ticket: _Ticket) -> Iterator[None]:
        self._scheduler.submit(ticket.key, ticket.lane)
        self._tickets[ticket.key] = ticket
        self._wake[ticket.lane].set()
        try:
            yield
        finally:
            del self._tickets[ticket.key]
            self._scheduler.finish(ticket.key)

    async def _serve(
        self, lane: Lane, worker: WorkerProcess, started: asyncio.Future[None]
    ) -> None:
        await self._revive(worker, started)
        while True:
            try:
                async with asyncio.timeout(LIVENESS_SECONDS):
                    ticket = await self._next(lane)
            except TimeoutError:
                await self._revive(worker, started)
            else:
                await self._perform(worker, ticket)

    async def _revive(self, worker: WorkerProcess, started: asyncio.Future[None]) -> None:
        try:
            await worker.start()
        except (ProductionError, WorkerDiedError) as error:
            detail = error if isinstance(error, ProductionError) else f"a worker {error}"
            _logger.error("%s", detail)
            _fail(started, ProductionError(str(detail)))
        else:
            if not started.done():
                started.set_result(None)

    async def _next(self, lane: Lane) -> _Ticket:
        while (key := self._scheduler.start(lane)) is None:
            self._wake[lane].clear()
            await self._wake[lane].wait()
        return self._tickets[key]

    async def _perform(self, worker: WorkerProcess, ticket: _Ticket) -> None:
        deaths: list[str] = []
        while not ticket.future.done():
            try:
                await self._attempt(worker, ticket)
            except WorkerDiedError as death:
                deaths.append(str(death))
                _logger.error("a worker %s while doing %s", death, describe(ticket.job))
                if len(deaths) == ATTEMPTS:
                    _fail(ticket.future, _died(ticket.job, deaths))
            except OriginError as error:
                _fail(ticket.future, error)
            except Exception as error:
                _logger.exception("%s failed", describe(ticket.job))
                _fail(ticket.future, ProductionError(f"{type(error).__name__}: {error}"))

    async def _attempt(self, worker: WorkerProcess, ticket: _Ticket) -> None:
        total = expected_count(ticket.job)
        began = False

        def begin() -> None:
            nonlocal began
            if not began and isinstance(ticket.job, ProduceSegment):
                self._metrics.encode()
            began = True

        def progress(count: int) -> None:
            begin()
            if ticket.future.done():
                return
            self._scheduler.report(ticket.key, count / total)
            ticket.on_progress(count)

        await worker.start()
        if ticket.future.done():
            return
        ticket.on_start()
        self._scheduler.report(ticket.key, 0.0)
        result = await worker.run(ticket.job, progress, ticket.future)
        begin()
        if not ticket.future.done():
            ticket.future.set_result(result)

    def _plan_sweep(self) -> None:
        due = self._scheduler.next_expiry()
        if due is not None and self._sweep_timer is None and not self._is_closed:
            self._sweep_timer = asyncio.get_running_loop().call_at(due, self._sweep)

    def _sweep(self) -> None:
        self._sweep_timer = None
        for key in self._scheduler.expire(asyncio.get_running_loop().time()):
            self._tickets[key].future.cancel()
            self._metrics.orphan_dropped()
        self._plan_sweep()

    def _depth_by_name(self) -> Mapping[str, float]:
        return {klass.name.lower(): count for klass, count in self.depth().items()}

    def _restart_counter(self, lane: Lane) -> Callable[[], None]:
        return lambda: self._metrics.worker_restart(lane)


def _died(job: object, deaths: list[str]) -> ProductionError:
    first, second = deaths
    then = "twice" if first == second else f"and then {second}"
    detail = f"the worker died twice while doing {describe(job)}: it {first} {then}"
    return ProductionError(detail, source=source_of(job))


def _fail(future: asyncio.Future[Any], error: OriginError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # retrieved, though nobody may be waiting
