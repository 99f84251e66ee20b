"""References: the frames of a file, or of a part of it, that upscaling is measured against."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from manifests.color import Color
from origin.errors import BrokenSourceError, UnsupportedSourceError
from origin.media import limits
from origin.media.containers import detect_container
from origin.media.decode import to_420
from origin.media.demux import VideoPacket, demux, open_file
from origin.media.frames import Plane, planes_of
from origin.media.streams import estimate_frame_rate

Frame = tuple[Plane, Plane, Plane]
"""Y, U and V of an 8-bit 4:2:0 frame, each (H, W)."""
_Y4M = b"YUV4MPEG2 "
_DEFAULT_RATE = Fraction(25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A file's video, from `start_seconds` of it on."""

    path: str
    name: str
    codec: str
    width: int
    height: int
    frame_rate: Fraction
    color: Color
    bit_depth: int
    """Of the file; frames are read as 8-bit 4:2:0."""
    time_base: Fraction
    first_pts: int
    """Of the file, from which seconds are counted."""
    pts: tuple[int, ...]
    """Of the part's frames, in display order."""

    def seconds(self, index: int) -> float:
        """When a frame of the part is shown, from the start of the file."""
        return float((self.pts[index] - self.first_pts) * self.time_base)


def open_reference(
    path: str, *, start_seconds: float = 0.0, duration_seconds: float | None = None
) -> Reference:
    """Find the video of an MP4, Matroska, WebM, MPEG-TS or YUV4MPEG2 file, of any codec.

    Raises:
        BrokenSourceError: The file is missing, empty or unreadable.
        UnsupportedSourceError: It has no video, or none within the part.
    """
    with _opened(path) as (container, video):
        context = video.codec_context
        packets = (packet for packet in demux(container, path, video) if not packet.is_discard)
        times = sorted({packet.pts for packet in packets if packet.pts is not None})
        if not times:
            raise UnsupportedSourceError("has no video frames with timestamps", source=path)
        time_base = cast("Fraction", video.time_base)
        part = _part(times, time_base, start_seconds, duration_seconds, path)
        full_range = context.color_range == 2 or (context.pix_fmt or "").startswith("yuvj")
        return Reference(
            path=path,
            name=Path(path).name,
            codec=context.codec.canonical_name,
            width=context.width,
            height=context.height,
            frame_rate=estimate_frame_rate([times], time_base) or _DEFAULT_RATE,
            color=Color(
                matrix=int(context.colorspace),
                primaries=int(context.color_primaries),
                transfer=int(context.color_trc),
                full_range=full_range,
            ),
            bit_depth=context.format.components[0].bits if context.format else 8,
            time_base=time_base,
            first_pts=times[0],
            pts=tuple(part),
        )


def read_frames(reference: Reference, threads: int) -> Iterator[Frame]:
    """Yield every frame of the part, in display order; each is a view that the caller may keep.

    Raises:
        BrokenSourceError: A frame is missing or damaged.
    """
    wanted = set(reference.pts)
    seeks = reference.pts[0] > reference.first_pts
    with _opened(reference.path) as (container, video):
        video.codec_context.thread_type = "AUTO"
        video.codec_context.thread_count = max(1, threads)
        if seeks:
            _seek(container, video, reference)
        for frame in _decoded(container, video, reference.path):
            if frame.pts not in wanted:
                continue
            if (frame.width, frame.height) != (reference.width, reference.height):
                raise UnsupportedSourceError("changes its size", source=reference.path)
            wanted.discard(frame.pts)
            yield planes_of(to_420(frame))
    if wanted:
        raise BrokenSourceError(
            f"{len(wanted)} of {len(reference.pts)} frames cannot be decoded",
            source=reference.path,
        )


def _part(
    times: list[int], time_base: Fraction, start: float, duration: float | None, path: str
) -> list[int]:
    first = times[0] + round(Fraction(start) / time_base)
    end = times[-1] + 1 if duration is None else first + round(Fraction(duration) / time_base)
    part = [pts for pts in times if first <= pts < end]
    if not part:
        length = float((times[-1] - times[0]) * time_base)
        raise UnsupportedSourceError(
            f"has no frames from {start:g} s on: its last is at {length:.2f} s", source=path
        )
    return part


@contextmanager
def _opened(path: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    if _starts_with_y4m(path):
        with Path(path).open("rb") as file, _open_y4m(file, path) as container:
            yield container, _pick(container, path)
        return
    with open_file(path, detect_container(path, path), path) as container:
        yield container, _pick(container, path)


def _starts_with_y4m(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_Y4M)) == _Y4M
    except OSError as error:
        raise BrokenSourceError(f"cannot be read: {error.strerror}", source=path) from error


def _open_y4m(file: BinaryIO, path: str) -> InputContainer:
    try:
        return av.open(file, "r", format="yuv4mpegpipe")
    except (av.FFmpegError, ValueError) as error:
        raise BrokenSourceError(f"is no readable YUV4MPEG2: {error}", source=path) from error


def _pick(container: InputContainer, path: str) -> VideoStream:
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic or stream.codec_context is None:
            continue
        width, height = stream.codec_context.width, stream.codec_context.height
        if min(width, height) < limits.MIN_DIMENSION or width * height > limits.MAX_PIXELS:
            raise UnsupportedSourceError(f"has video of {width}x{height}", source=path)
        return stream
    raise UnsupportedSourceError("has no video", source=path)


def _seek(container: InputContainer, video: VideoStream, reference: Reference) -> None:
    """To a keyframe before the part, or to the file's start where that finds none."""
    target = reference.pts[0] - round(1 / reference.time_base)
    try:
        container.seek(max(target, reference.first_pts), stream=video)
    except av.FFmpegError:
        container.seek(reference.first_pts, stream=video)


def _decoded(container: InputContainer, video: VideoStream, path: str) -> Iterator[VideoFrame]:
    for packet in chain(demux(container, path, video), (None,)):
        try:
            frames = video.codec_context.decode(cast("VideoPacket | None", packet))
        except av.FFmpegError as error:
            raise BrokenSourceError(f"cannot be decoded: {error}", source=path) from error
        for frame in frames:
            if frame.is_corrupt:
                raise BrokenSourceError("has damaged frames", source=path)
            yield frame
