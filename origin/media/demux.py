"""Opening media: bytes in memory or one local file, a pinned demuxer, limits; never a URL (law 6).

Edit lists of fMP4 segments are ignored: the variant made from them carries the same edit list.
Of media files only the first edit counts (`advanced_editlist=0`), so that no frame is hidden.
"""

import io
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from origin.errors import BrokenSourceError, UnsupportedSourceError
from origin.media import boxes, limits
from origin.media.types import Container, FileRange

if TYPE_CHECKING:
    from av.packet import Packet

VideoPacket: TypeAlias = "Packet[VideoStream]"
AnyPacket: TypeAlias = "Packet[Stream]"

DECODABLE = ("h264", "hevc", "vp9", "av1", "mpeg2video")


def read_range(part: FileRange, name: str) -> bytes:
    """Read a byte range of a local file, all of it.

    Raises:
        BrokenSourceError: Missing, or shorter than promised.
        UnsupportedSourceError: More than `limits.MAX_SEGMENT_BYTES`.
    """
    limit = limits.MAX_SEGMENT_BYTES
    try:
        with Path(part.path).open("rb") as file:
            file.seek(part.offset)
            wanted = limit + 1 if part.length is None else min(part.length, limit + 1)
            data = file.read(wanted)
    except OSError as error:
        raise BrokenSourceError(f"cannot be read: {error.strerror}", source=name) from error
    if len(data) > limit:
        raise UnsupportedSourceError(f"is larger than {limit} bytes", source=name)
    if part.length is not None and len(data) < wanted:
        raise BrokenSourceError(
            f"is truncated: {len(data)} bytes of {part.length} are there", source=name
        )
    if not data:
        raise BrokenSourceError("is empty", source=name)
    return data


def open_bytes(data: bytes, container: Container, name: str) -> InputContainer:
    """Open HLS media in memory with its pinned demuxer; timestamps come as they are stored.

    Raises:
        BrokenSourceError: The demuxer cannot read it, or its last MP4 box is cut off.
    """
    if container is Container.MP4:
        try:
            deque(boxes.walk(data), maxlen=0)
        except boxes.BoxError as error:
            raise BrokenSourceError(f"is truncated or no MP4: {error}", source=name) from error
    options = {
        Container.MPEGTS: {"correct_ts_overflow": "0"},
        Container.MP4: {"ignore_editlist": "1"},
        Container.MATROSKA: {},
    }[container]
    return _open(io.BytesIO(data), container, options, name)


@contextmanager
def open_file(path: str, container: Container, name: str) -> Iterator[InputContainer]:
    """Open a media file with its pinned demuxer.

    Raises:
        BrokenSourceError: It is missing, or the demuxer cannot read it.
    """
    options = {"advanced_editlist": "0"} if container is Container.MP4 else {}
    try:
        file = Path(path).open("rb")  # noqa: SIM115
    except OSError as error:
        raise BrokenSourceError(f"cannot be read: {error.strerror}", source=name) from error
    with file, _open(file, container, options, name) as opened:
        yield opened


def _open(
    file: BinaryIO, container: Container, options: dict[str, str], name: str
) -> InputContainer:
    if container is not Container.MPEGTS:
        options = options | {"max_pixels": str(limits.MAX_PIXELS)}
    try:
        return av.open(file, "r", format=str(container), options=options)
    except (av.FFmpegError, ValueError) as error:
        raise BrokenSourceError(f"is no readable {container}: {error}", source=name) from error


def pick_video(container: InputContainer, name: str) -> VideoStream:
    """Return the first video stream that is no cover picture, within `limits`.

    Raises:
        UnsupportedSourceError: There is none, or none that we decode.
    """
    candidates = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not candidates:
        raise UnsupportedSourceError("has no video", source=name)
    video = candidates[0]
    codec = video.codec_context.codec.canonical_name if video.codec_context else "unknown"
    if codec not in DECODABLE:
        raise UnsupportedSourceError(f"has {codec} video, which is not supported", source=name)
    width, height = video.codec_context.width, video.codec_context.height
    if width == height == 0:
        raise BrokenSourceError("has video without parameter sets", source=name)
    low, high = limits.MIN_DIMENSION, limits.MAX_DIMENSION
    if not (low <= width <= high and low <= height <= high and width * height < limits.MAX_PIXELS):
        raise UnsupportedSourceError(f"has video of {width}x{height}", source=name)
    if video.time_base is None:
        raise BrokenSourceError("has video without a time base", source=name)
    return video


def demux(container: InputContainer, name: str, *streams: Stream) -> Iterator[AnyPacket]:
    """Yield the packets of `streams` (all by default) without the empty ones that end them.

    Raises:
        BrokenSourceError: The demuxer gives up.
    """
    try:
        packets = cast("Generator[AnyPacket, None, None]", container.demux(*streams))
        with closing(packets):  # left to itself, it never frees its buffer
            for packet in packets:
                if packet.size:
                    yield packet
    except av.FFmpegError as error:
        raise BrokenSourceError(f"breaks off: {error}", source=name) from error
