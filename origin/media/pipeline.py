"""The one-segment pipeline: fetch, decode, upscale, encode, mux, check."""

import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import cast

import sr
from manifests.color import BT470BG, BT709, BT2020_NCL, SMPTE170M, Color
from manifests.ladder import model_name
from origin.errors import BrokenSourceError, ProductionError
from origin.media import captions
from origin.media.check import check_body
from origin.media.decode import Picture, decode, depth_of
from origin.media.encode import (
    CRF_MAX,
    CRF_STEP,
    Coded,
    SubGopEncoder,
    b_frames_fit,
    split_frames,
)
from origin.media.frames import planes_of
from origin.media.line import Line, Machines
from origin.media.mux import EncodedPicture, mux_segment
from origin.media.packets import SourceSegment, open_segment
from origin.media.types import Produced, ProduceSegment
from sr.errors import UpscalerError
from sr.types import Depth, Matrix, Planes, Signal, Upscaler

Progress = Callable[[int], None]
Cancelled = Callable[[], bool]
_MATRICES: dict[int, Matrix] = {
    BT709: "bt709",
    BT470BG: "bt601",
    SMPTE170M: "bt601",
    BT2020_NCL: "bt2020",
}
_HD_LINES = 720


def produce_segment(job: ProduceSegment, progress: Progress, cancelled: Cancelled) -> Produced:
    """Make one segment of an upscaled variant.

    Where the bytes exceed the bandwidth that the playlist promises, the segment is made again with
    a coarser quantiser; the steps are fixed, so that the same source gives the same bytes.

    Args:
        job: What to make.
        progress: Told the number of frames done, whenever there are more.
        cancelled: Asked often; truth ends the work.

    Raises:
        BrokenSourceError: The source cannot be read or decoded, or is not what was planned for.
        UnsupportedSourceError: It is something that we refuse.
        ProductionError: The result failed its check, or cannot be made small enough.
        JobCancelledError: `cancelled` said so.
    """
    plan, stages = job.plan, dict.fromkeys(("fetch", "decode", "upscale", "encode", "mux"), 0.0)
    for crf in _quantisers(plan.crf):
        began = time.perf_counter()
        with open_segment(job.source) as segment:
            stages["fetch"] += time.perf_counter() - began
            pictures = _encode(
                job, segment, crf, stages=stages, progress=progress, cancelled=cancelled
            )
            began = time.perf_counter()
            body = mux_segment(plan, job.prepared.extradata, segment, pictures, job.sequence_number)
            fits = 8 * len(body) <= plan.bandwidth * job.duration_seconds
            if fits:
                check_body(body, plan, job.prepared, segment, pictures)
            stages["mux"] += time.perf_counter() - began
        if fits:
            times = [picture.pts for picture in pictures]
            return Produced(
                body=body,
                frames=len(pictures),
                first_pts=min(times),
                last_pts=max(times),
                stages=stages,
            )
    raise ProductionError(
        f"cannot be made to fit {plan.bandwidth} bits per second", source=job.source.name
    )


def _quantisers(first: int) -> Iterator[int]:
    yield from range(first, CRF_MAX, CRF_STEP)
    yield CRF_MAX


def _encode(
    job: ProduceSegment,
    segment: SourceSegment,
    crf: int,
    *,
    stages: dict[str, float],
    progress: Progress,
    cancelled: Cancelled,
) -> list[EncodedPicture]:
    """Run the segment through the assembly line; return its pictures in decode order."""
    plan = job.plan
    if segment.time_base != plan.time_base:
        raise BrokenSourceError(
            f"counts time in {segment.time_base} s where the title's is {plan.time_base} s",
            source=segment.name,
        )
    pts = sorted(row.pts for row in segment.timing)
    dts = [row.dts for row in segment.timing]
    ends = [*pts, pts[-1] + max(1, segment.timing[-1].duration)]
    b_frames = b_frames_fit(plan, pts, dts)
    sub_gops = split_frames(len(pts), job.duration_seconds)
    carried: dict[int, bytes] = {}
    context, depth = segment.video.codec_context, depth_of(segment)
    source = signal_of(plan.source_color, context.width, context.height, depth)
    target = signal_of(plan.color, plan.width, plan.height)
    upscaler = open_upscaler(
        plan.model, source, target, job.device, job.threads, digest=plan.model_digest
    )

    def open_encoder(frames: range) -> SubGopEncoder:
        seconds = (ends[frames.stop] - ends[frames.start]) * plan.time_base
        return SubGopEncoder(plan, seconds, crf, b_frames=b_frames)

    machines = Machines(
        pictures=_with_captions(decode(segment, max(1, job.threads // 4), depth), carried),
        planes_of=lambda picture: Planes(*planes_of(picture.frame)),
        upscale=lambda batch: list(upscaler(cast("list[Planes]", batch))),
        batch=upscaler.batch,
        concurrency=upscaler.concurrency,
        open_encoder=open_encoder,
    )
    frame_bytes = context.width * context.height * 3 // 2 * (2 if depth > 8 else 1)
    threads = line_threads(job.threads, job.device, upscaler)
    line = Line(machines, sub_gops, threads, frame_bytes)
    try:
        line.run(progress, cancelled)
    except UpscalerError as error:
        raise ProductionError(str(error), source=segment.name) from error
    finally:
        for stage, seconds in line.seconds.items():
            stages[stage] += seconds
    return _placed(segment, sub_gops, line.coded, line.pts, carried)


def _with_captions(pictures: Iterator[Picture], carried: dict[int, bytes]) -> Iterator[Picture]:
    for picture in pictures:
        if triples := captions.captions_of(picture.frame):
            carried[picture.pts] = captions.sei(triples)
        yield picture


def _placed(
    segment: SourceSegment,
    sub_gops: list[range],
    coded: list[list[Coded]],
    pts: list[int],
    carried: dict[int, bytes],
) -> list[EncodedPicture]:
    """Give each coded frame the PTS of its source frame, and the DTS of its place."""
    rows = [
        (item, pts[part.start + item.rank])
        for part, items in zip(sub_gops, coded, strict=True)
        for item in items
    ]
    return [
        EncodedPicture(
            units=(*((carried[shown],) if shown in carried else ()), *item.units),
            pts=shown,
            dts=place.dts,
            duration=place.duration,
            is_key=item.is_key,
        )
        for (item, shown), place in zip(rows, segment.timing, strict=True)
    ]


def line_threads(budget: int, device: str, upscaler: Upscaler) -> int:
    """How many threads work: those that wait for a GPU keep no core busy, and come on top."""
    on_cpu = sr.resolve_device(device).endswith("cpu")
    return budget if on_cpu else budget + upscaler.concurrency


def signal_of(color: Color, width: int, height: int, depth: Depth = 8) -> Signal:
    """What the upscaler is told of a picture; an unspecified matrix is what its height suggests."""
    usual: Matrix = "bt709" if height >= _HD_LINES else "bt601"
    return Signal(
        width=width,
        height=height,
        matrix=_MATRICES.get(color.matrix, usual),
        full_range=color.full_range,
        depth=depth,
    )


@lru_cache(maxsize=2)
def open_upscaler(
    model: str, source: Signal, target: Signal, device: str, threads: int, *, digest: str = ""
) -> Upscaler:
    """Open an upscaler, or return the one that the last segments went through.

    Raises:
        ProductionError: It cannot be had, or its file has another digest than was planned for.
    """
    try:
        if digest and sr.is_model_file(model) and sr.model_digest(model) != digest:
            raise ProductionError(f"the file of the model {model_name(model)} has changed")
        return sr.open_upscaler(
            model=model, source=source, target=target, device=device, threads=threads
        )
    except UpscalerError as error:
        raise ProductionError(str(error)) from error
