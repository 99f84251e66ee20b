"""What is under way in the pool: each lane does what is most urgent, and somebody is told."""

import asyncio
import contextlib
import functools
import math
from collections.abc import Iterator, Mapping, Sequence

from origin.degrade import Pace
from origin.dispatch import Dispatcher, Pause, Resume, Start
from origin.errors import OriginError
from origin.media.types import Produced, ProduceSegment
from origin.scheduler import Klass, Scheduler
from origin.telemetry import Metrics
from origin.worker.crew import Crew, Listener, Outcome
from origin.worker.lanes import Lane, expected_count
from origin.worker.process import WorkerProcess
from origin.worker.tickets import Ticket, kind_of

TICK_SECONDS = 0.25
"""How often running jobs are held against the deadlines of those who wait for them."""


class Driver:
    """Takes tickets, has crews work on them, and sees to those that are late or left.

    Belongs to one event loop.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        dispatcher: Dispatcher,
        metrics: Metrics,
        processes: Mapping[Lane, list[WorkerProcess]],
    ) -> None:
        """Set up.

        Args:
            scheduler: Knows who waits for what.
            dispatcher: Says what a lane should do next.
            metrics: What is counted.
            processes: Those of each lane.
        """
        self._scheduler = scheduler
        self._dispatcher = dispatcher
        self._metrics = metrics
        self.crews = {lane: Crew(lane, ps, self._listener(lane)) for lane, ps in processes.items()}
        self._pace = Pace()
        self._tickets: dict[str, Ticket] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._sweep_due = math.inf
        self._tick_timer: asyncio.TimerHandle | None = None
        self.is_closed = False

    async def close(self, error: OriginError) -> None:
        """Kill all workers; who still waits for a ticket gets the error."""
        self.is_closed = True
        for timer in (self._sweep_timer, self._tick_timer):
            if timer is not None:
                timer.cancel()
        for ticket in list(self._tickets.values()):
            ticket.fail(error)
        await asyncio.gather(*(crew.close(error) for crew in self.crews.values()))

    def costs(self, job: object, lighter: Sequence[ProduceSegment] = ()) -> tuple[float, ...]:
        """Seconds that a job takes one worker, and that lighter ones would; 0 where unknown."""
        if not isinstance(job, ProduceSegment):
            return (0.0,)
        kinds = [kind_of(rung) for rung in (job, *lighter)]
        return self._pace.costs(kinds, expected_count(job))

    @contextlib.contextmanager
    def queued(self, ticket: Ticket) -> Iterator[None]:
        """Have a ticket worked on, when its turn comes, for as long as the context is open."""
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
            self.crews[ticket.lane].resume(ticket.key)
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

    def drive_for(self, key: str) -> None:
        """See who waits for a key now: its lane may have to do something else."""
        if ticket := self._tickets.get(key):
            self._drive(ticket.lane)

    def _drive(self, lane: Lane) -> None:
        """Have the lane's processes do what is most urgent."""
        crew = self.crews[lane]
        now = asyncio.get_running_loop().time()
        while not self.is_closed:
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
            self.crews[ticket.lane].assign(ticket, rung)

    def _plan_tick(self) -> None:
        if self._tick_timer is None and not self.is_closed:
            loop = asyncio.get_running_loop()
            self._tick_timer = loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        """See to players whose segment is under way but will not be ready in time."""
        self._tick_timer = None
        now = asyncio.get_running_loop().time()
        if self.crews[Lane.UPSCALE].has_idle:
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
        self.crews[twin.lane].resume(twin.key)
        self._dispatcher.finish(twin.key)
        self._scheduler.leave(twin.key, token, asyncio.get_running_loop().time())
        if not made.cancelled() and made.exception() is None:
            self._deliver(ticket, twin.job, made.result())
        self._drive(twin.lane)

    def plan_sweep(self) -> None:
        """See when what nobody waits for is to be dropped."""
        due = self._scheduler.next_expiry()
        if due is None or self.is_closed:
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
        self.plan_sweep()
