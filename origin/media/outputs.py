"""The streams of a file that is written anew: its video replaced, everything else copied."""

import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from math import lcm
from typing import cast

import av
from av.container import Flags, InputContainer, OutputContainer
from av.stream import AttachmentStream, DataStream, Discard, Disposition, Stream
from av.video.stream import VideoStream

from origin.errors import ProductionError
from origin.media.demux import demux, open_bytes, open_file, pick_video
from origin.media.types import CheckOutput, Container, OutputFormat, OutputPlan

_OPTIONS: Mapping[OutputFormat, Mapping[str, str]] = {
    "matroska": {"avoid_negative_ts": "disabled", "default_mode": "passthrough"},
    "mp4": {"avoid_negative_ts": "disabled", "movflags": "faststart"},
}
_OF_THE_CONTAINER = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
_STATISTICS = ("BPS", "DURATION", "NUMBER_OF_", "_STATISTICS_", "ENCODER")
"""Tags that mkvmerge writes about a track's bytes."""
_IMAGES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}


def check_output(job: CheckOutput) -> OutputPlan:
    """Try each stream of a file in an output of its own, and name those that are refused.

    Raises:
        BrokenSourceError: The file cannot be read.
        ProductionError: Not even the new video fits.
    """
    with (
        open_file(job.path, job.container, job.name) as source,
        open_made(job.prepared.init or b"", job.name) as made,
    ):
        video = pick_video(source, job.name)
        if not _fits(job.output_format, made, None):
            raise ProductionError(f"{job.output_format} does not take the video", source=job.name)
        refused = {
            stream.index: describe(stream)
            for stream in copied_streams(source, video, ())
            if not _fits(job.output_format, made, stream)
        }
    return OutputPlan(refused=refused)


def _fits(output_format: OutputFormat, made: VideoStream, stream: Stream | None) -> bool:
    if stream is not None and _is_attached_to(output_format, stream):
        return True
    try:
        with av.open(io.BytesIO(), "w", format=output_format) as output:
            output.add_stream_from_template(made, opaque=True)
            if stream is not None:
                _copy(output, stream)
            output.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


@contextmanager
def open_made(data: bytes, name: str) -> Iterator[VideoStream]:
    """The produced video, described by its init segment and, if there is one, a fragment."""
    with open_bytes(data, Container.MP4, name) as opened:
        yield pick_video(opened, name)


@contextmanager
def open_output(
    path: str, output_format: OutputFormat, time_bases: Iterable[Fraction]
) -> Iterator[OutputContainer]:
    """Open a file for writing; it is complete once the context is left without an error.

    Args:
        path: Absolute.
        output_format: By FFmpeg's name.
        time_bases: Of the streams to come: MP4 stores where they start in one unit for all.

    Raises:
        ProductionError: It cannot be written.
    """
    options = dict(_OPTIONS[output_format])
    if output_format == "mp4":
        options["movie_timescale"] = str(_common_timescale(time_bases))
    with ExitStack() as stack:
        try:
            output = av.open(path, "w", format=output_format, options=options)
            stack.push(output)
            output.flags |= cast("int", Flags.bitexact.value)  # no random identifiers (law 4)
            yield output
            output.close()
        except (av.FFmpegError, ValueError) as error:
            raise ProductionError(f"the file cannot be written: {error}") from error


def _common_timescale(time_bases: Iterable[Fraction]) -> int:
    """Ticks per second that all streams' ticks are whole numbers of, if 32 bits hold it."""
    scale = 1
    for base in time_bases:
        common = lcm(scale, base.denominator)
        scale = common if common < 2**31 else scale
    return scale


def add_streams(
    output: OutputContainer,
    source: InputContainer,
    video: VideoStream,
    made: VideoStream,
    *,
    dropped: Collection[int],
    covers: Mapping[int, bytes],
    frame_rate: Fraction | None,
) -> dict[int, Stream]:
    """Add the produced video in the place of the source's, and a copy of every other stream.

    Returns:
        Source index → output stream, of all streams that packets are to be written to.
    """
    added: dict[int, Stream] = {}
    for stream in copied_streams(source, video, dropped, with_video=True):
        if stream is video:
            added[stream.index] = _add_video(output, video, made, frame_rate)
        elif stream.index in covers:
            _attach(output, stream, covers[stream.index])
        else:
            copy = _copy(output, stream)
            if not isinstance(stream, AttachmentStream):
                added[stream.index] = copy
    output.metadata.update(
        {key: text for key, text in source.metadata.items() if key not in _OF_THE_CONTAINER}
    )
    return added


def copied_streams(
    source: InputContainer,
    video: VideoStream,
    dropped: Collection[int],
    *,
    with_video: bool = False,
) -> list[Stream]:
    """The streams to keep. MP4's chapter track is left out: chapters are copied as chapters."""
    return [
        stream
        for stream in source.streams
        if stream.index not in dropped
        and (with_video or stream is not video)
        and not (isinstance(stream, DataStream) and stream.discard == Discard.all)
    ]


def read_covers(source: InputContainer, output_format: OutputFormat, name: str) -> dict[int, bytes]:
    """Cover pictures that become attachments, by stream index. The container is used up."""
    wanted = [stream for stream in source.streams if _is_attached_to(output_format, stream)]
    covers: dict[int, bytes] = {}
    for packet in demux(source, name, *wanted) if wanted else ():
        covers[packet.stream_index] = bytes(packet)
        if len(covers) == len(wanted):
            break
    return covers


def _is_attached_to(output_format: OutputFormat, stream: Stream) -> bool:
    """Whether it is a picture that Matroska holds as an attachment; MP4 has a place of its own."""
    is_cover = bool(stream.disposition & Disposition.attached_pic)
    return is_cover and output_format == "matroska" and _codec(stream) in _IMAGES


def _attach(output: OutputContainer, stream: Stream, data: bytes) -> None:
    name, mimetype = _IMAGES[_codec(stream)]
    tags = stream.metadata
    output.add_attachment(tags.get("filename", name), tags.get("mimetype", mimetype), data)


def _add_video(
    output: OutputContainer, source: VideoStream, made: VideoStream, frame_rate: Fraction | None
) -> VideoStream:
    added = output.add_stream_from_template(made, opaque=True)
    added.codec_context.framerate = frame_rate or Fraction(0)
    added.disposition = source.disposition
    added.metadata.update(
        {k: text for k, text in source.metadata.items() if not k.upper().startswith(_STATISTICS)}
    )
    return added


def _copy(output: OutputContainer, stream: Stream) -> Stream:
    added = output.add_stream_from_template(stream, opaque=True)
    added.metadata.update(stream.metadata)
    added.disposition = stream.disposition
    return added


def describe(stream: Stream) -> str:
    """A stream in words, such as `subtitle stream 3 (subrip, ger)`."""
    known = (_codec(stream), stream.language, stream.metadata.get("filename"))
    details = ", ".join(dict.fromkeys(filter(None, known)))
    return f"{stream.type} stream {stream.index}" + (f" ({details})" if details else "")


def _codec(stream: Stream) -> str:
    if stream.codec_context is not None:
        return str(stream.codec_context.codec.canonical_name)
    return (stream.name or "") if isinstance(stream, DataStream | AttachmentStream) else ""
