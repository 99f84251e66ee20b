"""Serves one segment of a media file's audio track as CMAF: copied, or as AAC."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain, islice, pairwise
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard

from manifests.timeline import TrackSpan
from origin.errors import BrokenSourceError, ProductionError
from origin.media import aac, fmp4
from origin.media.aac_grid import FRAME, SampleGrid
from origin.media.demux import AnyPacket, demux, open_file
from origin.media.fmp4 import Sample
from origin.media.track import Track
from origin.media.types import PackageAudio, Produced

_SEEK_BACK_SECONDS = (1, 10, 60, None)
"""How long before its target a seek is aimed, attempt by attempt; at last from the start."""


def package_audio(job: PackageAudio) -> Produced:
    """Make one segment of an audio rendition.

    Raises:
        BrokenSourceError: The file does not hold what the span says.
        ProductionError: The encoder did not give the frames that it should.
    """
    started = time.perf_counter()
    span = job.audio.spans[job.span_index]
    with open_file(job.path, job.container, job.name) as container:
        stream = _stream(container, job)
        make = _copied if job.audio.copied else _encoded
        track, samples = make(container, stream, job, span)
    made = time.perf_counter()
    offset = job.offset_seconds * track.timescale
    shifted = [
        replace(sample, pts=sample.pts + offset, dts=sample.dts + offset) for sample in samples
    ]
    body = fmp4.build_fragment([(track, shifted)], sequence_number=job.sequence_number)
    return Produced(
        body=body,
        frames=len(samples),
        first_pts=shifted[0].pts if shifted else 0,
        last_pts=shifted[-1].pts if shifted else 0,
        stages={"encode": made - started, "mux": time.perf_counter() - made},
    )


def _stream(container: InputContainer, job: PackageAudio) -> AudioStream:
    index = job.audio.stream_index
    stream = container.streams[index] if index < len(container.streams) else None
    if not isinstance(stream, AudioStream) or stream.time_base is None:
        raise BrokenSourceError("has changed since it was inspected", source=job.name)
    for other in container.streams:
        if other.index != index:
            other.discard = Discard.all
    return stream


def _copied(
    container: InputContainer, stream: AudioStream, job: PackageAudio, span: TrackSpan
) -> tuple[Track, list[Sample]]:
    ticks = cast("Fraction", stream.time_base).numerator
    packets = list(islice(_from(container, stream, span.first_pts, job.name), span.packet_count))
    if len(packets) < span.packet_count:
        raise BrokenSourceError(
            f"ends early, or has changed: {len(packets)} of {span.packet_count} audio packets "
            "are there",
            source=job.name,
        )
    starts = [cast("int", packet.pts) for packet in packets]
    samples = [
        Sample(
            data=bytes(packet),
            pts=begin * ticks,
            dts=begin * ticks,
            duration=(end - begin) * ticks,
            is_key=True,
        )
        for packet, (begin, end) in zip(packets, pairwise([*starts, span.end_pts]), strict=True)
    ]
    return Track.from_stream(stream), samples


def _encoded(
    container: InputContainer, stream: AudioStream, job: PackageAudio, span: TrackSpan
) -> tuple[Track, list[Sample]]:
    audio = job.audio
    rate, layout = audio.sample_rate, aac.layout_of(stream)
    source_rate = stream.codec_context.sample_rate
    time_base = cast("Fraction", stream.time_base)
    grid = SampleGrid(
        origin=audio.sample_origin,
        step=audio.sample_step,
        sample_rate=source_rate,
        time_base=time_base,
    )
    origin = audio.spans[0].first_pts + FRAME
    blocks = aac.block_range((span.first_pts - origin) // FRAME, span.packet_count)
    wanted = range(origin + FRAME * blocks.start, origin + FRAME * blocks.stop)
    needed = aac.source_range(wanted, rate, source_rate)
    begin = int((Fraction(needed.start, source_rate) - aac.PRE_ROLL_SECONDS) / time_base)
    packets = _from(container, stream, begin, job.name)
    decoded = aac.decode_range(stream, packets, grid, needed)
    skip = wanted.start - needed.start * rate // source_rate
    samples = aac.resample(decoded, layout, (source_rate, rate), skip, len(wanted))
    keep = range(span.first_pts, span.end_pts)
    frames = aac.encode(samples, layout, rate, wanted.start, keep)
    if len(frames) != span.packet_count:
        raise ProductionError(
            f"the encoder gave {len(frames)} of {span.packet_count} AAC frames", source=job.name
        )
    return aac.track_of(stream), frames


def _from(
    container: InputContainer, stream: AudioStream, pts: int, name: str
) -> Iterator[AnyPacket]:
    """Yield a track's packets from the one at `pts` on, or from the track's first if later.

    Seeking goes by the video, which alone has an index everywhere; it may land too late.
    """
    time_base = cast("Fraction", stream.time_base)
    for back in _SEEK_BACK_SECONDS:
        try:
            _seek(container, None if back is None else float(pts * time_base) - back)
        except av.FFmpegError:
            continue
        packets = (packet for packet in demux(container, name, stream) if packet.pts is not None)
        first = next(packets, None)
        if first is not None and (back is None or cast("int", first.pts) <= pts):
            yield from _not_before(pts, first, packets)
            return


def _seek(container: InputContainer, seconds: float | None) -> None:
    target = -(2**62) if seconds is None else round(seconds * 1_000_000)
    video = next(iter(container.streams.video), None)
    if video is None or video.time_base is None or seconds is None:
        container.seek(target)
    else:
        container.seek(round(Fraction(target, 1_000_000) / video.time_base), stream=video)


def _not_before(pts: int, first: AnyPacket, packets: Iterable[AnyPacket]) -> Iterator[AnyPacket]:
    """Drop packets that lie before `pts` by more than half their length (timestamps jitter)."""
    for packet in chain((first,), packets):
        if cast("int", packet.pts) + (packet.duration or 0) // 2 >= pts:
            yield packet
