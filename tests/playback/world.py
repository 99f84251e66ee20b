"""An origin on a virtual clock: everything is real but the worker processes and the disk.

The pool, its dispatcher and scheduler, the production, the viewers' clocks, lookahead and the
ladder are those of the origin. Workers take the time that a table of costs says.
"""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction

from manifests.color import Color
from manifests.ladder import RenditionPlan
from origin.cache import CachedObject
from origin.errors import ProductionError
from origin.media.types import (
    Container,
    FileRange,
    HlsBody,
    Prepared,
    Produced,
    ProduceSegment,
)
from origin.service.playing import Playing
from origin.service.production import Item, Production
from origin.service.streams import Stream, parts_of
from origin.telemetry import Metrics
from origin.viewers import Viewers
from origin.worker.lanes import Lane
from origin.worker.pool import WorkerPool
from origin.worker.process import WorkerSettings

FRAMES_PER_SECOND = 24
BATCHES = 12
"""Of frames in a segment: between two of them a worker may be stopped."""
FULL, LIGHTER, LIGHTEST = "waifu2x-upconv7", "anime4k-m", "lanczos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the origin runs on, and how it is set."""

    slots: int = 2
    express: int = 2
    full_seconds: float = 1.0
    """Of one slot, for a segment of `segment_seconds` by its own model."""
    shares: tuple[float, float] = (0.4, 0.15)
    """What the lighter models take of that."""
    spread: float = 0.2
    """Segments differ by so much to either side."""
    segment_seconds: float = 4.0
    has_ladder: bool = True
    most_ahead: int = 2


@dataclass(slots=True)
class Encode:
    """One segment by one model."""

    key: str
    model: str
    seconds: float
    spent: float = 0.0
    was_finished: bool = False


class SimProcess:
    """Stands in for a worker process: takes its time, batch by batch."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._goes_on = asyncio.Event()
        self._goes_on.set()
        self.pid = 1
        self.is_ready = self.is_warm = True

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def pause(self) -> None:
        self._goes_on.clear()

    def resume(self) -> None:
        self._goes_on.set()

    async def run(
        self,
        job: ProduceSegment,
        on_progress: Callable[[int], None],
        answer: asyncio.Future[object],
    ) -> object:
        encode = self._world.begin(job)
        frames = round(job.duration_seconds * FRAMES_PER_SECOND)
        for batch in range(1, BATCHES + 1):
            await asyncio.sleep(encode.seconds / BATCHES)
            await self._goes_on.wait()
            if answer.done():
                raise ProductionError("cancelled")
            encode.spent += encode.seconds / BATCHES
            on_progress(round(frames * batch / BATCHES))
        encode.was_finished = True
        work = {"decode": 0.1, "upscale": 0.7, "encode": 0.2}
        stages = {stage: share * encode.seconds for stage, share in work.items()}
        return Produced(body=f"{encode.key} {encode.model}".encode(), frames=frames, stages=stages)


class MemoryCache:
    """Stands in for the cache."""

    def __init__(self) -> None:
        self.bodies: dict[str, CachedObject] = {}

    async def aget(self, key: str) -> CachedObject | None:
        return self.bodies.get(key)

    async def aput(self, key: str, body: bytes, **_: object) -> CachedObject:
        made = CachedObject(key=key, body=body, sha256=hashlib.sha256(body).hexdigest())
        return self.bodies.setdefault(key, made)

    def contains(self, key: str) -> bool:
        return key in self.bodies


@dataclass(slots=True, kw_only=True)
class World:
    """One run. Use `open_world`."""

    machine: Machine
    seed: int
    metrics: Metrics = field(default_factory=Metrics)
    cache: MemoryCache = field(default_factory=MemoryCache)
    encodes: list[Encode] = field(default_factory=list)
    requested: set[str] = field(default_factory=set)
    """Keys that somebody asked for."""
    samples: dict[tuple[str, tuple[str, ...]], float] = field(default_factory=dict)
    """All metrics at the end: value by name and labels."""
    pool: WorkerPool = field(init=False)
    production: Production = field(init=False)
    playing: Playing = field(init=False)

    def begin(self, job: ProduceSegment) -> Encode:
        """A worker takes a job: how long it takes depends on the seed and the segment only."""
        machine = self.machine
        models = {FULL: 1.0, LIGHTER: machine.shares[0], LIGHTEST: machine.shares[1]}
        key = f"{job.source.name}/{job.sequence_number}"
        dice = random.Random(f"{self.seed} {key}")
        factor = 1 + machine.spread * (2 * dice.random() - 1)
        length = job.duration_seconds / machine.segment_seconds
        seconds = machine.full_seconds * models[job.plan.model] * factor * length
        self.encodes.append(encode := Encode(key, job.plan.model, seconds))
        return encode

    def stream(self, title: str, count: int) -> Stream:
        """An upscaled variant of a title of so many segments."""
        seconds = self.machine.segment_seconds

        def item(index: int) -> Item:
            return Item(
                key=f"{title}/{index}",
                content_type="video/mp2t",
                job=lambda: _job(title, index, seconds),
                is_current=lambda: True,
                lighter=self._lighter,
            )

        return Stream(
            title=title,
            kind="video",
            parts=parts_of([seconds] * count),
            item=item,
            is_upscaled=True,
        )

    def wasted_share(self) -> float:
        """Of the workers' time, how much went into what nobody asked for, or was given up."""
        spent = sum(encode.spent for encode in self.encodes)
        wanted = (e for e in self.encodes if e.was_finished and e.key in self.requested)
        return 1 - sum(encode.spent for encode in wanted) / spent

    def models(self) -> Counter[str]:
        """How many segments were finished by each model."""
        return Counter(encode.model for encode in self.encodes if encode.was_finished)

    def deadlines(self) -> dict[str, float]:
        """How many requests met their deadline, and how many did not."""
        outcomes = ("met", "missed", "refused")
        return {outcome: self.counted("deadlines", outcome) for outcome in outcomes}

    def counted(self, name: str, *labels: str) -> float:
        """A counter at the end."""
        return self.samples.get((f"upscale_origin_{name}_total", labels), 0.0)

    def read_metrics(self) -> None:
        """Keep what they are now."""
        for family in self.metrics.registry.collect():
            for sample in family.samples:
                self.samples[sample.name, tuple(sample.labels.values())] = sample.value

    def _lighter(self, job: object) -> tuple[ProduceSegment, ...]:
        assert isinstance(job, ProduceSegment)
        if not self.machine.has_ladder:
            return ()
        models = (LIGHTER, LIGHTEST)
        return tuple(replace(job, plan=replace(job.plan, model=model)) for model in models)


@asynccontextmanager
async def open_world(machine: Machine, seed: int) -> AsyncIterator[World]:
    """An origin with idle workers that know their pace."""
    world = World(machine=machine, seed=seed)
    pool = world.pool = WorkerPool(
        WorkerSettings(),
        world.metrics,
        upscale_workers=machine.slots,
        express_workers=machine.express,
        margin_seconds=0.5,
        make_process=lambda *_: SimProcess(world),  # type: ignore[arg-type, return-value]
    )
    production = world.production = Production(
        cache=world.cache,  # type: ignore[arg-type]
        pool=pool,
        metrics=world.metrics,
    )
    world.playing = Playing(
        production=production, pool=pool, viewers=Viewers(), most_ahead=machine.most_ahead
    )
    await pool.start()
    for index, model in enumerate((FULL, LIGHTER, LIGHTEST)):
        job = _job("measured", index, machine.segment_seconds)
        job = replace(job, plan=replace(job.plan, model=model))
        await pool.run(job, key=f"measured/{index}", lane=Lane.UPSCALE)
    world.encodes.clear()
    try:
        yield world
    finally:
        world.read_metrics()
        world.playing.close()
        await production.close()
        await pool.close()


def _job(title: str, index: int, seconds: float) -> ProduceSegment:
    return ProduceSegment(
        plan=_PLAN,
        source=HlsBody(name=title, container=Container.MPEGTS, body=FileRange(path="s.ts")),
        prepared=Prepared(extradata=b"", codecs="", init=None),
        sequence_number=index,
        duration_seconds=seconds,
        device="cpu",
        threads=1,
    )


_PLAN = RenditionPlan(
    rendition_id=f"up-720p-{FULL}",
    model=FULL,
    model_digest="m",
    source_digest="s",
    container="mpegts",
    width=1280,
    height=720,
    sar=Fraction(1),
    frame_rate=Fraction(FRAMES_PER_SECOND),
    time_base=Fraction(1, 90000),
    source_color=Color(),
    color=Color(),
    level="3.1",
    maxrate=1,
    bandwidth=1,
    average_bandwidth=1,
)
