"""Worker processes in lanes, fed by the scheduler."""

import asyncio
import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Unpack, overload

from origin.degrade import Pace
from origin.dispatch import Dispatcher, Pause, Resume, Start
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
from origin.worker.crew import Crew, Listener, Outcome, count_by_lane
from origin.worker.lanes import Lane, expected_count, lane_of
from origin.worker.process import WorkerProcess, WorkerSettings
from origin.worker.tickets import Ladder, Options, Ticket, kind_of

TICK_SECONDS = 0.25
"""How often running jobs are held against the deadlines of those who wait for them."""


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
        self._pace = Pace()
        self._tickets: dict[str, Ticket] = {}
        spares = {Lane.UPSCALE: express_workers}
        self._crews = {
            lane: Crew(
                lane,
                [
                    make_process(settings, self._restart_counter(lane))
                    for _ in range(count + spares.get(lane, 0))
                ],
                self._listener(lane),
            )
            for lane, count in self._counts.items()
        }
        self._starts: list[asyncio.Future[None]] = []
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._sweep_due = math.inf
        self._tick_timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        metrics.watch("queue_depth", "Jobs queued, by class", "class", self._depth_by_name)
        waiting = "Seconds that a player would wait for a worker now"
        metrics.watch("wait_seconds", waiting, "lane", self._waits_by_name)

    async def start(self) -> None:
        """Begin to start the workers; jobs may be run at once."""
        for crew in self._crews.values():
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
            for lane, crew in self._crews.items()
            if crew.processes and not crew.is_ready()
        ]
        return f"no worker is running for: {', '.join(missing)}" if missing else None

    async def close(self) -> None:
        """Kill all workers; who still waits for a job gets an UnavailableError."""
        self._is_closed = True
        for timer in (self._sweep_timer, self._tick_timer):
            if timer is not None:
                timer.cancel()
        closing = UnavailableError("the origin is shutting down")
        for ticket in list(self._tickets.values()):
            ticket.fail(closing)
        await asyncio.gather(*(crew.close(closing) for crew in self._crews.values()))

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
        self._drive_for(key)
        try:
            yield
        finally:
            now = asyncio.get_running_loop().time()
            self._scheduler.leave(key, token, now, dropped=not may_return)
            self._plan_sweep()

    def depth(self) -> Mapping[Klass, int]:
        """Number of queued jobs by class."""
        return self._scheduler.depth()

    def pids(self, lane: Lane) -> list[int]:
        """Process ids of the living workers of a lane."""
        return list(self._crews[lane].pids())

    def costs(self, job: object, lighter: Sequence[ProduceSegment] = ()) -> tuple[float, ...]:
        """Seconds that a job takes one worker, and that lighter ones would; 0 where unknown."""
        if not isinstance(job, ProduceSegment):
            return (0.0,)
        kinds = [kind_of(rung) for rung in (job, *lighter)]
        return self._pace.costs(kinds, expected_count(job))

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

    @contextlib.contextmanager
    def _queued(self, ticket: Ticket) -> Iterator[None]:
        costs = self.costs(ticket.job, ticket.ladder.lighter)
        self._dispatcher.submit(ticket.key, ticket.lane, costs)
        self._tickets[ticket.key] = ticket
        self._drive(ticket.lane)
        if ticket.ladder.lighter:
            self._plan_tick()
        try:
            yield
        finally:
            del self._tickets[ticket.key]
            if ticket.twin is not None:
                ticket.twin.future.cancel()
            self._crews[ticket.lane].resume(ticket.key)
            self._dispatcher.finish(ticket.key)
            self._drive(ticket.lane)

    def _listener(self, lane: Lane) -> Listener:
        return Listener(
            idle=lambda: self._drive(lane),
            began=lambda job: self._metrics.encode(),
            attempt=self._attempted,
            progress=self._progressed,
            done=self._done,
        )

    def _attempted(self, ticket: Ticket) -> None:
        if self._tickets.get(ticket.key) is ticket:
            self._dispatcher.restart(ticket.key, asyncio.get_running_loop().time())

    def _progressed(self, ticket: Ticket, fraction: float, count: int) -> None:
        self._scheduler.report(ticket.key, fraction)
        ticket.on_progress(count)

    def _done(self, ticket: Ticket, rung: int, outcome: Outcome) -> None:
        job = ticket.rungs[rung]
        if isinstance(job, ProduceSegment):
            self._learn(ticket, job, outcome)
        if rung == 0:
            ticket.future.set_result(outcome.result)
        elif self._tickets.get(ticket.key) is ticket:
            self._deliver(ticket, job, outcome.result)
            self._dispatcher.redo(ticket.key)
            self._drive(ticket.lane)

    def _learn(self, ticket: Ticket, job: ProduceSegment, outcome: Outcome) -> None:
        seconds = self._dispatcher.active_seconds(ticket.key, asyncio.get_running_loop().time())
        self._metrics.made(job.plan.model_name, job.duration_seconds, seconds)
        if not outcome.was_warm:
            return
        stages = outcome.result.stages if isinstance(outcome.result, Produced) else {}
        share = stages.get("upscale", 0.0) / (sum(stages.values()) or 1.0)
        self._pace.learn(kind_of(job), expected_count(job), seconds, share)

    def _deliver(self, ticket: Ticket, job: object, result: object) -> None:
        assert isinstance(job, ProduceSegment)
        assert isinstance(result, Produced)
        ticket.ladder.deliver(result, job.plan.model_name)

    def _drive_for(self, key: str) -> None:
        if ticket := self._tickets.get(key):
            self._drive(ticket.lane)

    def _drive(self, lane: Lane) -> None:
        """Have the lane's processes do what is most urgent."""
        crew = self._crews[lane]
        now = asyncio.get_running_loop().time()
        while not self._is_closed:
            action = self._dispatcher.next(lane, now, idle=crew.has_idle)
            match action:
                case Start(key, rung):
                    self._begin(self._tickets[key], rung)
                case Pause(key):
                    self._metrics.preempted()
                    crew.pause(key)
                case Resume(key):
                    crew.resume(key)
                case None:
                    return

    def _begin(self, ticket: Ticket, rung: int) -> None:
        if rung and ticket.ladder.reuse():
            self._dispatcher.redo(ticket.key)
        else:
            self._crews[ticket.lane].assign(ticket, rung)

    def _plan_tick(self) -> None:
        if self._tick_timer is None and not self._is_closed:
            loop = asyncio.get_running_loop()
            self._tick_timer = loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        """See to players whose segment is under way but will not be ready in time."""
        self._tick_timer = None
        now = asyncio.get_running_loop().time()
        if self._crews[Lane.UPSCALE].has_idle:
            for key, rung, deadline in self._dispatcher.late(Lane.UPSCALE, now):
                ticket = self._tickets[key]
                if not ticket.ladder.reuse():
                    self._hurry(ticket, rung, deadline)
        if any(ticket.ladder.lighter for ticket in self._tickets.values()):
            self._plan_tick()

    def _hurry(self, ticket: Ticket, rung: int, deadline: float) -> None:
        job = ticket.rungs[rung]
        twin = ticket.twin = Ticket(
            job=job,
            key=f"{ticket.key}~",
            lane=ticket.lane,
            future=asyncio.get_running_loop().create_future(),
        )
        token = self._scheduler.join(twin.key, Klass.BLOCKING, deadline, firm=True)
        self._dispatcher.submit(twin.key, twin.lane, self.costs(job))
        self._tickets[twin.key] = twin
        twin.future.add_done_callback(functools.partial(self._hurried, ticket, twin, token))
        self._drive(twin.lane)

    def _hurried(
        self, ticket: Ticket, twin: Ticket, token: int, made: asyncio.Future[object]
    ) -> None:
        ticket.twin = None
        del self._tickets[twin.key]
        self._crews[twin.lane].resume(twin.key)
        self._dispatcher.finish(twin.key)
        self._scheduler.leave(twin.key, token, asyncio.get_running_loop().time())
        if not made.cancelled() and made.exception() is None:
            self._deliver(ticket, twin.job, made.result())
        self._drive(twin.lane)

    def _plan_sweep(self) -> None:
        due = self._scheduler.next_expiry()
        if due is None or self._is_closed:
            return
        if self._sweep_timer is not None:
            if self._sweep_due <= due:
                return
            self._sweep_timer.cancel()
        self._sweep_timer = asyncio.get_running_loop().call_at(due, self._sweep)
        self._sweep_due = due  # uvloop's handle of what is due already can't tell

    def _sweep(self) -> None:
        self._sweep_timer = None
        for key in self._scheduler.expire(asyncio.get_running_loop().time()):
            self._tickets[key].future.cancel()
            self._dispatcher.forget(key)
            self._metrics.orphan_dropped()
        self._plan_sweep()

    def _depth_by_name(self) -> Mapping[str, float]:
        return {klass.name.lower(): count for klass, count in self.depth().items()}

    def _waits_by_name(self) -> Mapping[str, float]:
        return {lane.value: self.wait_seconds(lane) for lane in Lane if self.slots(lane)}

    def _restart_counter(self, lane: Lane) -> Callable[[], None]:
        return lambda: self._metrics.worker_restart(lane)
