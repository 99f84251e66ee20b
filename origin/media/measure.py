"""How fast this machine upscales and encodes, by a moving picture made here."""

import time
from fractions import Fraction
from typing import cast

import numpy as np

from manifests.codecs import h264_level
from manifests.color import BT709, SMPTE170M, Color
from manifests.ladder import RenditionPlan
from origin.media.decode import Picture
from origin.media.encode import SubGopEncoder, split_frames
from origin.media.frames import Plane, frame_of, planes_of
from origin.media.line import Line, Machines
from origin.media.pipeline import (
    Cancelled,
    Progress,
    line_threads,
    open_upscaler,
    signal_of,
)
from origin.media.types import Measure, Measured
from sr.types import Planes

_RATE = Fraction(25)
_BITS_PER_PIXEL = 4
_WARM_UP_FRAMES = 8


def measure(job: Measure, progress: Progress, cancelled: Cancelled) -> Measured:
    """Push `job.frames` synthetic frames through the assembly line, twice its size.

    Raises:
        ProductionError: The model cannot be had.
        JobCancelledError: `cancelled` said so.
    """
    _run(job, _WARM_UP_FRAMES, lambda _: None, cancelled)
    began = time.perf_counter()
    line = _run(job, job.frames, progress, cancelled)
    seconds = time.perf_counter() - began
    return Measured(frames_per_second=job.frames / seconds, stages=dict(line.seconds))


def _run(job: Measure, frames: int, progress: Progress, cancelled: Cancelled) -> Line:
    plan = _plan(job)
    upscaler = open_upscaler(
        job.model,
        signal_of(plan.source_color, job.width, job.height),
        signal_of(plan.color, plan.width, plan.height),
        job.device,
        job.threads,
    )
    still = _textured(job.width * 2, job.height)
    machines = Machines(
        pictures=(_moved(still, index, job) for index in range(frames)),
        planes_of=lambda picture: Planes(*planes_of(picture.frame)),
        upscale=lambda batch: list(upscaler(cast("list[Planes]", batch))),
        batch=upscaler.batch,
        concurrency=upscaler.concurrency,
        open_encoder=lambda part: SubGopEncoder(plan, len(part) / _RATE, plan.crf, b_frames=False),
    )
    sub_gops = split_frames(frames, float(frames / _RATE))
    threads = line_threads(job.threads, job.device, upscaler)
    line = Line(machines, sub_gops, threads, job.width * job.height * 3 // 2)
    line.run(progress, cancelled)
    return line


def _plan(job: Measure) -> RenditionPlan:
    """Rates as a ladder would have them: x264's work depends on the size alone, nearly."""
    width, height = 2 * job.width, 2 * job.height
    maxrate = width * height * _BITS_PER_PIXEL
    return RenditionPlan(
        rendition_id="measure",
        model=job.model,
        model_digest="",
        source_digest="",
        container="fmp4",
        width=width,
        height=height,
        sar=Fraction(1),
        frame_rate=_RATE,
        time_base=1 / _RATE,
        source_color=Color(matrix=SMPTE170M),
        color=Color(matrix=BT709),
        level=h264_level(width, height, _RATE, maxrate),
        maxrate=maxrate,
        bandwidth=maxrate,
        average_bandwidth=maxrate,
    )


def _textured(width: int, height: int) -> Plane:
    """Blocks of many sizes with soft noise: detail as films have it, (H, W)."""
    random = np.random.default_rng(1)
    luma = random.normal(128, 3, (height, width))
    for size in (8, 24, 80):
        rows, columns = -(-height // size), -(-width // size)
        coarse = random.normal(0, 20, (rows, columns))
        luma += np.kron(coarse, np.ones((size, size)))[:height, :width]
    return luma.clip(16, 235).astype(np.uint8)


def _moved(still: Plane, index: int, job: Measure) -> Picture:
    """A window of (H, W) that pans over the still, two samples a frame."""
    left = 2 * index % job.width
    luma = still[:, left : left + job.width]
    size = (-(-job.height // 2), -(-job.width // 2))
    chroma = np.full(size, 128, np.uint8)
    return Picture(index, frame_of((luma, chroma, chroma), job.width, job.height))
