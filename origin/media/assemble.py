"""Puts a whole file together: produced segments in the place of its video, all else as it was."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

import av
from av.container import Flags, InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from origin.errors import OriginError, ProductionError
from origin.media.demux import AnyPacket, demux, open_bytes, open_file, pick_video, read_range
from origin.media.line import JobCancelledError
from origin.media.outputs import add_streams, open_made, open_output, read_covers
from origin.media.types import Assembled, AssembleFile, Container, OutputFormat, Window

_CONTAINERS: dict[OutputFormat, Container] = {
    "matroska": Container.MATROSKA,
    "mp4": Container.MP4,
}
_REPORT_EVERY = 256


@dataclass(slots=True, kw_only=True)
class _Written:
    """What went into the file, to be found in it again."""

    video: list[Fraction] = field(default_factory=list)
    """Presentation times in seconds."""
    sounds: Counter[int] = field(default_factory=Counter)
    """Packets by index of the source's stream."""
    packets: int = 0


def assemble(
    job: AssembleFile, progress: Callable[[int], None], cancelled: Callable[[], bool]
) -> Assembled:
    """Write the file, then read it again and compare (law 5).

    Every packet that is copied keeps its bytes and, as exactly as the container counts time, its
    timestamps; audio from MPEG-TS loses its ADTS headers, which no other container has.

    Raises:
        BrokenSourceError: The source or a segment cannot be read.
        ProductionError: The file cannot be written, or is not what was meant.
        JobCancelledError: `cancelled` said so.
    """
    with ExitStack() as stack:
        with open_file(job.path, job.container, job.name) as again:
            covers = read_covers(again, job.output_format, job.name)
        source = stack.enter_context(open_file(job.path, job.container, job.name))
        first = (job.prepared.init or b"") + read_range(job.parts[0], job.name)
        made = stack.enter_context(open_made(first, job.name))
        video = pick_video(source, job.name)
        written = _Written()
        bases = [stream.time_base for stream in source.streams if stream.time_base]
        with open_output(job.output, job.output_format, bases) as output:
            targets = add_streams(
                output,
                source,
                video,
                made,
                dropped=job.dropped,
                covers=covers,
                frame_rate=job.frame_rate,
            )
            output.set_chapters(list(_chapters(source, job.window)))
            for packet in _merged(job, source, video, targets):
                if written.packets % _REPORT_EVERY == 0:
                    _look_up(written.packets, progress, cancelled)
                _note(written, packet, video)
                packet.stream = targets[packet.stream_index]
                output.mux(packet)
    _check(job, written)
    return Assembled(packets=written.packets)


def _look_up(done: int, progress: Callable[[int], None], cancelled: Callable[[], bool]) -> None:
    progress(done)
    if cancelled():
        raise JobCancelledError


def _merged(
    job: AssembleFile, source: InputContainer, video: VideoStream, targets: dict[int, Stream]
) -> Iterator[AnyPacket]:
    """All packets by time, each with the index that its stream has in the source."""
    copied = [stream for stream in source.streams if stream.index in targets]
    others = [stream for stream in copied if stream is not video]
    tracks = [_made_packets(job, video)]
    if others:
        tracks.append(_copied_packets(job, source, others))
    return heapq.merge(*tracks, key=_clock)


def _clock(packet: AnyPacket) -> Fraction:
    return cast("int", packet.dts) * packet.time_base


def _made_packets(job: AssembleFile, video: VideoStream) -> Iterator[AnyPacket]:
    shift = job.offset_seconds + (job.window.shift_seconds if job.window else 0)
    for part in job.parts:
        body = (job.prepared.init or b"") + read_range(part, job.name)
        with open_bytes(body, Container.MP4, job.name) as opened:
            opened.flags |= cast("int", Flags.no_fillin.value)  # DTS as they were written
            for packet in demux(opened, job.name):
                _shift(packet, shift)
                packet.stream = cast("Any", video)
                yield packet


def _copied_packets(
    job: AssembleFile, source: InputContainer, others: list[Stream]
) -> Iterator[AnyPacket]:
    ends: dict[int, int] = {}
    for packet in demux(source, job.name, *others):
        expected = ends.get(packet.stream_index, 0)
        packet.pts = packet.pts if packet.pts is not None else packet.dts
        packet.pts = expected if packet.pts is None else packet.pts
        packet.dts = packet.pts if packet.dts is None else packet.dts
        ends[packet.stream_index] = packet.pts + (packet.duration or 0)
        if job.window is None:
            yield packet
        elif _is_inside(job.window, packet.pts * packet.time_base):
            _shift(packet, job.window.shift_seconds)
            yield packet


def _shift(packet: AnyPacket, seconds: int) -> None:
    ticks = round(seconds / packet.time_base)
    packet.pts = cast("int", packet.pts) - ticks
    packet.dts = cast("int", packet.dts) - ticks


def _is_inside(window: Window, seconds: Fraction) -> bool:
    return window.start_seconds <= seconds < window.end_seconds


def _chapters(source: InputContainer, window: Window | None) -> Iterator[Any]:
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1)
        if window is None:
            yield chapter
            continue
        shift = window.shift_seconds
        start = max(chapter["start"] * base, window.start_seconds) - shift
        end = min(chapter["end"] * base, window.end_seconds) - shift
        if start < end:
            yield {**chapter, "start": round(start / base), "end": round(end / base)}


def _note(written: _Written, packet: AnyPacket, video: VideoStream) -> None:
    written.packets += 1
    if packet.stream_index == video.index:
        written.video.append(cast("int", packet.pts) * packet.time_base)
    elif packet.stream.type == "audio":
        written.sounds[packet.stream_index] += 1


def _check(job: AssembleFile, written: _Written) -> None:
    """Every frame is there at its time, to the nearest tick; every audio packet is there."""
    try:
        with open_file(job.output, _CONTAINERS[job.output_format], job.name) as opened:
            video = pick_video(opened, job.name)
            times: list[int] = []
            sounds: Counter[int] = Counter()
            for packet in demux(opened, job.name):
                if packet.stream_index == video.index:
                    times.append(cast("int", packet.pts))
                elif packet.stream.type == "audio":
                    sounds[packet.stream_index] += 1
            tick = cast("Fraction", video.time_base)
    except (OriginError, av.FFmpegError) as error:
        raise _failure(job, f"it cannot be read: {error}") from error
    if len(times) != len(written.video):
        raise _failure(job, f"{len(times)} frames of {len(written.video)}")
    pairs = zip(sorted(times), sorted(written.video), strict=True)
    if any(abs(at * tick - meant) > tick / 2 for at, meant in pairs):
        raise _failure(job, "its frames are not shown when the source's are")
    if [sounds[index] for index in sorted(sounds)] != [
        written.sounds[index] for index in sorted(written.sounds)
    ]:
        raise _failure(job, "audio packets are missing")


def _failure(job: AssembleFile, what: str) -> ProductionError:
    return ProductionError(f"the file made from it failed its check: {what}", source=job.name)
