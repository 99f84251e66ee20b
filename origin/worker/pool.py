"""Worker processes in lanes, fed by the scheduler."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Unpack, overload

from origin.dispatch import Dispatcher
from origin.errors import UnavailableError
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
from origin.worker.crew import count_by_lane
from origin.worker.driver import Driver
from origin.worker.lanes import Lane, lane_of
from origin.worker.process import WorkerProcess, WorkerSettings
from origin.worker.tickets import Ladder, Options, Ticket


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
        express_workers: int = 0,
        grace_seconds: float = 30.0,
        margin_seconds: float = 0.0,
        make_process: Callable[[WorkerSettings, Callable[[], None]], WorkerProcess] = WorkerProcess,
    ) -> None:
        """Set up.

        Args:
            settings: How workers are started.
            metrics: What is counted.
            upscale_workers: Segments that are made at a time.
            package_workers: Short jobs at a time.
            prepare_workers: Inspections at a time.
            express_workers: Spare processes for segments that a player waits for: what nobody
                waits for is paused meanwhile.
            grace_seconds: How long work goes on that everybody has left.
            margin_seconds: How long before a player's deadline a body should be ready.
            make_process: What is called for each worker.
        """
        self._settings = settings
        self._metrics = metrics
        self._counts = count_by_lane(upscale_workers, package_workers, prepare_workers)
        self._scheduler = Scheduler(grace_seconds=grace_seconds)
        self._dispatcher = Dispatcher(self._scheduler, self._counts, margin_seconds=margin_seconds)
        spares = {Lane.UPSCALE: express_workers}
        processes = {
            lane: [
                make_process(settings, self._restart_counter(lane))
                for _ in range(count + spares.get(lane, 0))
            ]
            for lane, count in self._counts.items()
        }
        self._driver = Driver(self._scheduler, self._dispatcher, metrics, processes)
        self._starts: list[asyncio.Future[None]] = []
        metrics.watch("queue_depth", "Jobs queued, by class", "class", self._depth_by_name)
        waiting = "Seconds that a player would wait for a worker now"
        metrics.watch("wait_seconds", waiting, "lane", self._waits_by_name)

    async def start(self) -> None:
        """Begin to start the workers; jobs may be run at once."""
        for crew in self._driver.crews.values():
            self._starts.extend(crew.start())

    async def ready(self) -> None:
        """Wait until every worker has been started once.

        Raises:
            ProductionError: One of them cannot start; the message says why.
        """
        await asyncio.gather(*(asyncio.shield(started) for started in self._starts))

    def unready_reason(self) -> str | None:
        """Which lane has no living worker just now; None if every lane has one."""
        missing = [
            lane.value
            for lane, crew in self._driver.crews.items()
            if crew.processes and not crew.is_ready()
        ]
        return f"no worker is running for: {', '.join(missing)}" if missing else None

    async def close(self) -> None:
        """Kill all workers; who still waits for a job gets an UnavailableError."""
        await self._driver.close(UnavailableError("the origin is shutting down"))

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
        if self._driver.is_closed:
            raise UnavailableError("the origin is shutting down")
        with contextlib.ExitStack() as stack:
            if not self._scheduler.knows(key):
                urgency = options.get("klass", Klass.BLOCKING), options.get("deadline", math.inf)
                stack.enter_context(self.waiting(key, *urgency))
            stack.enter_context(self._driver.queued(ticket := self._ticket(job, options)))
            return await ticket.future

    @contextlib.contextmanager
    def waiting(
        self,
        key: str,
        klass: Klass,
        deadline: float = math.inf,
        *,
        firm: bool = False,
        may_return: bool = True,
    ) -> Iterator[None]:
        """Declare that somebody waits for the key, before, while or after its job is run.

        A job ranks as the most urgent of those who wait does; when the last has left it is an
        orphan, and has its grace (law 8).

        Args:
            key: Of the job.
            klass: Why it is waited for.
            deadline: In the loop's time.
            firm: The deadline is a player's own: a lighter model may serve it (see `Ladder`).
            may_return: Who leaves may come back; else there is no grace for its sake.
        """
        token = self._scheduler.join(key, klass, deadline, firm=firm)
        self._driver.drive_for(key)
        try:
            yield
        finally:
            now = asyncio.get_running_loop().time()
            self._scheduler.leave(key, token, now, dropped=not may_return)
            self._driver.plan_sweep()

    def depth(self) -> Mapping[Klass, int]:
        """Number of queued jobs by class."""
        return self._scheduler.depth()

    def pids(self, lane: Lane) -> list[int]:
        """Process ids of the living workers of a lane."""
        return list(self._driver.crews[lane].pids())

    def costs(self, job: object, lighter: Sequence[ProduceSegment] = ()) -> tuple[float, ...]:
        """Seconds that a job takes one worker, and that lighter ones would; 0 where unknown."""
        return self._driver.costs(job, lighter)

    def forecast(self, lane: Lane, cost: float, deadline: float) -> float:
        """When a job of a lane would be ready that a player asks for now, in the loop's time."""
        now = asyncio.get_running_loop().time()
        return self._dispatcher.forecast(lane, cost, deadline, now)

    def wait_seconds(self, lane: Lane) -> float:
        """How long a job of a lane that a player asks for now would wait for a worker."""
        now = asyncio.get_running_loop().time()
        return max(0.0, self.forecast(lane, 0.0, math.inf) - now)

    def load_seconds(self, lane: Lane) -> float:
        """Seconds of work that players wait for and no worker has begun, for each slot."""
        return self._dispatcher.backlog_seconds(lane, asyncio.get_running_loop().time())

    def slots(self, lane: Lane) -> int:
        """How many jobs of a lane run at a time."""
        return self._counts[lane]

    def _ticket(self, job: Job, options: Options) -> Ticket:
        ignore: Callable[..., None] = lambda *_: None  # noqa: E731 - two defaults in one
        return Ticket(
            job=job,
            key=options["key"],
            lane=options.get("lane", lane_of(job)),
            future=asyncio.get_running_loop().create_future(),
            on_start=options.get("on_start", ignore),
            on_progress=options.get("on_progress", ignore),
            ladder=options.get("ladder", Ladder()),
        )

    def _depth_by_name(self) -> Mapping[str, float]:
        return {klass.name.lower(): count for klass, count in self.depth().items()}

    def _waits_by_name(self) -> Mapping[str, float]:
        return {lane.value: self.wait_seconds(lane) for lane in Lane if self.slots(lane)}

    def _restart_counter(self, lane: Lane) -> Callable[[], None]:
        return lambda: self._metrics.worker_restart(lane)
