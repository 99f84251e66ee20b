"""A source's segments through the one-segment pipeline, for tests to judge."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from manifests.color import Color
from manifests.ladder import RenditionPlan
from origin.media.inspect_file import inspect_file
from origin.media.jobs import run
from origin.media.packets import open_segment
from origin.media.types import (
    Container,
    FileBody,
    FileRange,
    HlsBody,
    InspectFile,
    Prepared,
    PrepareRendition,
    Produced,
    ProduceSegment,
    SegmentSource,
)
from tests.media.synth import Clip, HlsFiles, luma, read_counter, write_file, write_hls

BT601 = Color(matrix=6, primaries=6, transfer=6)
HD = Color(matrix=1, primaries=1, transfer=1)
ONE_GOP = 1.0
"""Seconds that a test's GOP of 24 or 25 frames is said to last."""


def hls_bodies(files: HlsFiles, kind: str, preroll: int = 1) -> list[HlsBody]:
    return [
        HlsBody(
            name=path.name,
            container=Container.MPEGTS if kind == "mpegts" else Container.MP4,
            body=FileRange(path=str(path)),
            init=FileRange(path=str(files.init)) if files.init else None,
            preroll=tuple(
                FileRange(path=str(earlier))
                for earlier in files.segments[max(0, index - preroll) : index]
            ),
        )
        for index, path in enumerate(files.segments)
    ]


def file_bodies(path: Path) -> list[FileBody]:
    facts = inspect_file(InspectFile(name=path.name, path=str(path)))
    return [
        FileBody(
            name=path.name,
            container=facts.container,
            path=str(path),
            span=span,
            previous=facts.spans[index - 1] if index else None,
            offset_seconds=facts.offset_seconds,
        )
        for index, span in enumerate(facts.spans)
    ]


def write_bodies(folder: Path, kind: str, clip: Clip) -> Sequence[SegmentSource]:
    """`kind` is mpegts, fmp4, or the suffix of a media file."""
    if kind in ("mpegts", "fmp4"):
        return hls_bodies(write_hls(folder / "source", clip, kind), kind)
    return file_bodies(write_file(folder / f"source.{kind}", clip))


def plan_for(source: SegmentSource, clip: Clip, **changes: object) -> RenditionPlan:
    with open_segment(source) as segment:
        time_base = segment.time_base
    transport = isinstance(source, HlsBody) and source.container is Container.MPEGTS
    fields = {
        "rendition_id": "up-180p-lanczos",
        "model": "lanczos",
        "model_digest": "m",
        "source_digest": "s",
        "container": "mpegts" if transport else "fmp4",
        "width": clip.width * 2,
        "height": clip.height * 2,
        "sar": clip.sar,
        "frame_rate": clip.rate,
        "time_base": time_base,
        "source_color": BT601,
        "color": HD,
        "level": "2.1",
        "maxrate": 1_500_000,
        "bandwidth": 2_500_000,
        "average_bandwidth": 1_000_000,
    }
    return RenditionPlan(**(fields | changes))


def prepare(plan: RenditionPlan, source: SegmentSource) -> Prepared:
    result = run(PrepareRendition(plan=plan, source=source), lambda _: None, lambda: False)
    assert isinstance(result, Prepared)
    return result


def produce_job(
    plan: RenditionPlan,
    source: SegmentSource,
    *,
    prepared: Prepared | None = None,
    number: int = 1,
    seconds: float = ONE_GOP,
    threads: int = 2,
    device: str = "cpu",
) -> ProduceSegment:
    return ProduceSegment(
        plan=plan,
        source=source,
        prepared=prepared or prepare(plan, source),
        sequence_number=number,
        duration_seconds=seconds,
        device=device,
        threads=threads,
    )


def produce(job: ProduceSegment) -> Produced:
    result = run(job, lambda _: None, lambda: False)
    assert isinstance(result, Produced)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Everything that was made of a source."""

    plan: RenditionPlan
    sources: Sequence[SegmentSource]
    prepared: Prepared
    bodies: Sequence[Produced]


def make_all(sources: Sequence[SegmentSource], plan: RenditionPlan, threads: int = 2) -> Variant:
    prepared = prepare(plan, sources[0])
    bodies = [
        produce(produce_job(plan, source, prepared=prepared, number=number, threads=threads))
        for number, source in enumerate(sources, start=1)
    ]
    return Variant(plan=plan, sources=sources, prepared=prepared, bodies=bodies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A segment as FFmpeg's demuxer and decoder see it, without our code; times modulo 2**33."""

    pts: list[int]
    dts: list[int]
    keys: list[bool]
    counters: list[int]
    size: tuple[int, int]
    sar: Fraction | None
    color: tuple[int, int, int, int]
    """Matrix, primaries, transfer, range."""
    audio: list[list[tuple[int, bytes]]]


def look(data: bytes, kind: str) -> Seen:
    options = {"correct_ts_overflow": "0"} if kind == "mpegts" else {"ignore_editlist": "1"}
    form = "mpegts" if kind == "mpegts" else "mov"
    modulus = 2**33 if kind == "mpegts" else 2**64
    with av.open(io.BytesIO(data), format=form, options=options) as container:
        video = container.streams.video[0]
        packets = [packet for packet in container.demux() if packet.size]
        own = [packet for packet in packets if packet.stream_index == video.index]
        audio = [
            [(p.pts % modulus, bytes(p)) for p in packets if p.stream_index == stream.index]
            for stream in container.streams.audio
        ]
        frames = [frame for packet in own for frame in packet.decode()]
        frames += video.codec_context.decode(None)
        first = frames[0]
        return Seen(
            pts=[packet.pts % modulus for packet in own],
            dts=[packet.dts % modulus for packet in own],
            keys=[packet.is_keyframe for packet in own],
            counters=[read_counter(luma(frame)) for frame in frames],
            size=(first.width, first.height),
            sar=video.sample_aspect_ratio,
            color=(first.colorspace, first.color_primaries, first.color_trc, first.color_range),
            audio=audio,
        )
