"""What is to be made of a file: inspected, planned, and checked against its container."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import sr
from manifests.codecs import h264_level
from manifests.errors import ManifestError
from manifests.ladder import RenditionPlan, container_bandwidth
from manifests.timeline import SegmentSpan
from origin.errors import ConfigError, UnsupportedSourceError
from origin.media.types import CheckOutput, FileFacts, InspectFile, PrepareRendition
from origin.service import jobs, plans
from origin.service.titles import FileSource, FileTitle, Offer
from origin.sources import DirectoryLibrary
from origin.upscale.request import Request
from origin.worker.lanes import Lane
from origin.worker.pool import WorkerPool

_MAX_SEGMENT_SECONDS = 3600
"""A file may have keyframes as far apart as it likes; `limits.MAX_SEGMENT_FRAMES` holds."""
_RATE_FACTOR = 4
"""Times the rate of a streamed variant: a file promises no bandwidth, only an H.264 level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A file whose segments are known, and what is to become of them."""

    title: FileTitle
    """With the one offer."""
    offer: Offer
    spans: Sequence[SegmentSpan]
    """Those that are wanted."""

    @property
    def frames(self) -> int:
        """In the wanted segments."""
        return sum(span.packet_count for span in self.spans)

    @property
    def is_whole(self) -> bool:
        """Whether all segments are wanted."""
        return len(self.spans) == len(self.title.facts.spans)


async def prepare(request: Request, pool: WorkerPool) -> Work:
    """Inspect the file and plan its upscaling.

    Raises:
        OriginError: It cannot be upscaled as asked; the message says why.
    """
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
    return Work(title=replace(title, offers=(offer,)), offer=offer, spans=_spans(request, facts))


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


async def check_output(request: Request, work: Work, pool: WorkerPool) -> dict[int, str]:
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
