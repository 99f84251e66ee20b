"""Upscales a file: every segment is made in the workers, then the file is put together."""

import asyncio
import os
from fractions import Fraction
from math import floor

from manifests.timeline import SegmentSpan
from origin.errors import OriginError, ProductionError
from origin.media.types import AssembleFile, FileFacts, FileRange, Window
from origin.progress import Report
from origin.service import jobs
from origin.upscale.parts import Parts
from origin.upscale.planning import Work, check_output, prepare
from origin.upscale.request import Request, Summary
from origin.worker.alone import upscale_workers
from origin.worker.lanes import Lane
from origin.worker.pool import WorkerPool

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
        async with upscale_workers(request.workers) as pool:
            work = await prepare(request, pool)
            if work.title.warnings:
                report.note("; ".join(work.title.warnings))
            refused = await check_output(request, work, pool)
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


class _Making:
    """Makes the segments that are not there yet, some at a time."""

    def __init__(
        self, request: Request, work: Work, parts: Parts, pool: WorkerPool, report: Report
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
    work: Work,
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


def _window(work: Work) -> Window:
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
