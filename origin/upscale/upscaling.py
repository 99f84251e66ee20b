"""Upscales a file: inspect, plan, make every segment in the workers, put the file together."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor, inf

import sr
from manifests.codecs import h264_level
from manifests.errors import ManifestError
from manifests.ladder import RenditionPlan, container_bandwidth
from manifests.timeline import SegmentSpan
from origin.errors import ConfigError, OriginError, ProductionError, UnsupportedSourceError
from origin.media.types import (
    AssembleFile,
    CheckOutput,
    FileFacts,
    FileRange,
    InspectFile,
    PrepareRendition,
    Window,
)
from origin.progress import Report
from origin.service import jobs, plans
from origin.service.titles import FileSource, FileTitle, Offer
from origin.sources import DirectoryLibrary
from origin.telemetry import Metrics
from origin.upscale.parts import Parts
from origin.upscale.request import Request, Summary
from origin.worker.lanes import Lane
from origin.worker.pool import WorkerPool
from origin.worker.process import WorkerSettings

_MAX_SEGMENT_SECONDS = 3600
"""A file may have keyframes as far apart as it likes; `limits.MAX_SEGMENT_FRAMES` holds."""
_HANG_SECONDS = 900.0
"""Silence allowed: a frame of 4K by a large network takes minutes on a few cores."""
_RATE_FACTOR = 4
"""Times the rate of a streamed variant: a file promises no bandwidth, only an H.264 level."""
_CONSTANT = Fraction(1, 500)
"""How far frames over seconds may lie from the frame rate where that is constant."""


async def upscale(request: Request, report: Report) -> Summary:
    """Make the file; it appears under its name only once it is complete and checked.

    Whatever ends the run early (an error, a cancellation), finished segments stay in `OUT.parts`
    and are taken from there when it is run again.

    Raises:
        OriginError: What a user must be told.
    """
    request.check()
    parts = Parts(request.output)
    try:
        async with _workers(request) as pool:
            work = await _prepare(request, pool)
            if work.title.warnings:
                report.note("; ".join(work.title.warnings))
            refused = await _check_output(request, work, pool)
            if refused:
                report.note(
                    f"left out, as {request.output.name} cannot hold them: "
                    + ", ".join(refused.values())
                )
            made = await _Making(request, work, parts, pool, report).run()
            report.turn_to("writing the file")
            await _assemble(
                request, work, pool, dropped=frozenset(refused), made=made.parts, store=parts
            )
            parts.delete()
    finally:
        parts.release()
    return Summary(
        made=made.made,
        reused=len(made.parts) - made.made,
        frames=work.frames,
        dropped=tuple(refused.values()),
    )


@asynccontextmanager
async def _workers(request: Request) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(
        WorkerSettings(hang_seconds=_HANG_SECONDS, log_level="error"),
        Metrics(),
        upscale_workers=request.workers,
        package_workers=0,
        prepare_workers=0,
    )
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    title: FileTitle
    offer: Offer
    spans: Sequence[SegmentSpan]
    """Those that are wanted."""

    @property
    def frames(self) -> int:
        return sum(span.packet_count for span in self.spans)

    @property
    def is_whole(self) -> bool:
        return len(self.spans) == len(self.title.facts.spans)


async def _prepare(request: Request, pool: WorkerPool) -> _Work:
    library = DirectoryLibrary("file", request.source.parent)
    source = FileSource(library=library, path=request.source.name)
    snapshot = await asyncio.to_thread(library.snapshot, source.files)
    inspect = InspectFile(
        name=request.source.name,
        path=str(request.source.resolve()),
        max_segment_seconds=_MAX_SEGMENT_SECONDS,
        audio=False,
    )
    facts = await pool.run(inspect, key="inspect", lane=Lane.UPSCALE)
    title = FileTitle(
        title_path=request.source.name,
        source=source,
        snapshot=snapshot,
        facts=facts,
        offers=(),
        warnings=_warnings(facts),
    )
    plan = _plan(request, title)
    job = PrepareRendition(plan=plan, source=jobs.file_body(title, 0))
    prepared = await pool.run(job, key="prepare", lane=Lane.UPSCALE)
    offer = Offer(plan=plan, prepared=prepared, digest=plan.digest())
    return _Work(title=replace(title, offers=(offer,)), offer=offer, spans=_spans(request, facts))


def _warnings(facts: FileFacts) -> tuple[str, ...]:
    interlaced = "the source is interlaced; its frames are upscaled as they are"
    return (interlaced,) if facts.video.interlaced else ()


def _plan(request: Request, title: FileTitle) -> RenditionPlan:
    context = replace(plans.for_file(title), replaces_source=False)
    video = title.facts.video
    try:
        found = plans.plan_all(context, [request.spec])
        if not found:
            raise ConfigError(
                f"the source has {video.height} lines: expected a target with more, "
                "and no larger than 8192x4320"
            )
        (plan,) = found
        maxrate = plan.maxrate * _RATE_FACTOR
        return replace(
            plan,
            crf=request.crf,
            preset=request.preset,
            maxrate=maxrate,
            level=h264_level(plan.width, plan.height, plan.frame_rate, maxrate),
            bandwidth=container_bandwidth(plan.container, maxrate, plan.frame_rate),
        )
    except sr.UpscalerError as error:
        raise ConfigError(str(error)) from error
    except ManifestError as error:
        raise UnsupportedSourceError(str(error), source=title.title_path) from error


def _spans(request: Request, facts: FileFacts) -> list[SegmentSpan]:
    """The segments that lie in the wanted part, whole."""
    start = -inf if request.start_seconds is None else request.start_seconds
    end = inf if request.end_seconds is None else request.end_seconds
    base, origin = facts.video.time_base, facts.spans[0].first_pts
    wanted = [
        span
        for span in facts.spans
        if (span.end_pts - origin) * base > start and (span.first_pts - origin) * base < end
    ]
    if not wanted:
        raise ConfigError(f"the source ends at {facts.duration_seconds:.3f} s, before --start")
    return wanted


async def _check_output(request: Request, work: _Work, pool: WorkerPool) -> dict[int, str]:
    """Streams to leave out, with their names.

    Raises:
        UnsupportedSourceError: There are such, and the user did not say that they may go.
    """
    job = CheckOutput(
        name=work.title.title_path,
        path=str(request.source.resolve()),
        container=work.title.facts.container,
        prepared=work.offer.prepared,
        output_format=request.output_format,
    )
    plan = await pool.run(job, key="check", lane=Lane.UPSCALE)
    if plan.refused and not request.drop_unsupported:
        streams = ", ".join(plan.refused.values())
        other = " or write an .mkv" if request.output_format == "mp4" else ""
        raise UnsupportedSourceError(
            f"{request.output.name} cannot hold {streams} of {work.title.title_path}: "
            f"give --drop-unsupported to leave that out{other}",
            source=work.title.title_path,
        )
    return plan.refused


class _Making:
    """Makes the segments that are not there yet, some at a time."""

    def __init__(
        self, request: Request, work: _Work, parts: Parts, pool: WorkerPool, report: Report
    ) -> None:
        self._request = request
        self._work = work
        self._store = parts
        self._pool = pool
        self._report = report
        self._places = asyncio.Semaphore(request.workers + 1)  # one waits, so that none idles
        self._done: dict[int, int] = {}
        self.parts: dict[int, FileRange] = {}
        self.made = 0

    async def run(self) -> "_Making":
        """Make them all.

        Raises:
            OriginError: One cannot be made; those under way are given up.
        """
        spans = self._work.spans
        found = await asyncio.to_thread(self._store.find, self._work.offer.digest)
        self.parts = {span.index: found[span.index] for span in spans if span.index in found}
        self._done = {s.index: s.packet_count for s in spans if s.index in self.parts}
        self._report.begin(total=self._work.frames, done=sum(self._done.values()))
        try:
            async with asyncio.TaskGroup() as group:
                for span in spans:
                    if span.index not in self.parts:
                        await self._places.acquire()
                        group.create_task(self._make(span))
        except* OriginError as failures:
            raise failures.exceptions[0] from None
        return self

    async def _make(self, span: SegmentSpan) -> None:
        try:
            digest = self._work.offer.digest
            job = jobs.segment_job(
                self._work.title,
                self._work.offer.plan.rendition_id,
                span.index,
                device=self._request.device,
                threads=self._request.threads,
            )
            produced = await self._pool.run(
                job,
                key=f"{digest}-{span.index}",
                on_start=lambda: self._note(span.index, 0),
                on_progress=lambda count: self._note(span.index, min(count, span.packet_count)),
            )
            part = await asyncio.to_thread(self._store.keep, digest, span.index, produced.body)
            self.parts[span.index] = part
            self.made += 1
            self._note(span.index, span.packet_count)
        finally:
            self._places.release()

    def _note(self, index: int, frames: int) -> None:
        self._done[index] = frames
        self._report.advance(sum(self._done.values()))


async def _assemble(
    request: Request,
    work: _Work,
    pool: WorkerPool,
    *,
    dropped: frozenset[int],
    made: dict[int, FileRange],
    store: Parts,
) -> None:
    scratch = store.scratch(request.output.suffix)
    facts = work.title.facts
    job = AssembleFile(
        name=work.title.title_path,
        path=str(request.source.resolve()),
        container=facts.container,
        output=str(scratch),
        output_format=request.output_format,
        prepared=work.offer.prepared,
        parts=tuple(made[span.index] for span in work.spans),
        offset_seconds=facts.offset_seconds,
        frame_rate=_constant_rate(facts),
        dropped=dropped,
        window=None if work.is_whole else _window(work),
    )
    await pool.run(job, key="assemble", lane=Lane.UPSCALE)
    if not await asyncio.to_thread(work.title.snapshot.is_current):
        raise ProductionError(f"{work.title.title_path} was changed meanwhile: run it again")
    try:
        await asyncio.to_thread(_publish, request, str(scratch))
    except OSError as error:
        raise ProductionError(f"{request.output} cannot be written: {error.strerror}") from error


def _constant_rate(facts: FileFacts) -> Fraction | None:
    """The frame rate, where the frames are spread by it."""
    ticks = facts.spans[-1].end_pts - facts.spans[0].first_pts
    frames = sum(span.packet_count for span in facts.spans)
    rate = frames / (ticks * facts.video.time_base)
    wanted = facts.video.frame_rate
    return wanted if abs(rate - wanted) <= max(_CONSTANT, Fraction(1, frames)) * wanted else None


def _window(work: _Work) -> Window:
    """The part that the wanted segments cover; it begins within its first second."""
    base = work.title.facts.video.time_base
    start = work.spans[0].first_pts * base
    return Window(
        start_seconds=start,
        end_seconds=work.spans[-1].end_pts * base,
        shift_seconds=floor(start),
    )


def _publish(request: Request, scratch: str) -> None:
    descriptor = os.open(scratch, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(scratch, request.output)  # noqa: PTH105 - the two paths say more
