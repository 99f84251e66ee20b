"""Facts from an open stream: what its headers say, and what its first frames say better."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, pairwise, repeat
from statistics import median
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from manifests import codecs
from manifests.errors import ManifestError
from manifests.timeline import TrackSpan
from origin.errors import BrokenSourceError, ProductionError
from origin.media import aac_grid
from origin.media.aac_grid import SampleGrid
from origin.media.demux import VideoPacket, demux
from origin.media.frames import side_data
from origin.media.sample_entry import vpcc
from origin.media.track import Track
from origin.media.types import AudioFacts, VideoFacts

COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "flac", "alac"})
"""Codecs that go through byte for byte (law 2)."""
_LOOK_AT_FRAMES = 6
_FRAME_RATES = (
    *(Fraction(n) for n in range(1, 241)),
    *(Fraction(n * 1000, 1001) for n in (12, 15, 24, 30, 48, 60, 120, 240)),
    Fraction(25, 2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFrames:
    """What decoding the first frames shows."""

    interlaced: bool
    rotation: int
    """Degrees, counterclockwise as FFmpeg counts, 0 to 359."""
    matrix: bytes | None
    """The 36 bytes of MP4's `tkhd` that turn the picture so; None where it is upright."""


def from_key(container: InputContainer, video: VideoStream, name: str) -> Iterator[VideoPacket]:
    """Yield the video's packets from the first keyframe on, where decoding may begin."""
    found = False
    for packet in demux(container, name, video):
        found = found or packet.is_keyframe
        if found:
            yield cast("VideoPacket", packet)


def decode_first(video: VideoStream, packets: Iterable[VideoPacket], name: str) -> FirstFrames:
    """Decode a few frames, from a keyframe on; the codec context then knows what they say.

    Raises:
        BrokenSourceError: Not one frame comes out.
    """
    frames: list[VideoFrame] = []
    error = "no frame comes out"
    for packet in chain(packets, repeat(None, 1)):
        try:
            frames += video.codec_context.decode(packet)
        except av.FFmpegError as failure:
            error = str(failure)
        if len(frames) >= _LOOK_AT_FRAMES:
            break
    if not frames:
        raise BrokenSourceError(f"its video cannot be decoded: {error}", source=name)
    matrix = _display_matrix(frames[0])
    return FirstFrames(
        interlaced=any(frame.interlaced_frame for frame in frames),
        rotation=frames[0].rotation % 360 if matrix else 0,
        matrix=matrix,
    )


def _display_matrix(frame: VideoFrame) -> bytes | None:
    data = side_data(frame, "DISPLAYMATRIX")
    if data is None:
        return None
    numbers = struct.unpack("=9i", data[:36])
    upright = numbers[:2] == (0x10000, 0) and numbers[3:5] == (0, 0x10000)
    return None if upright else struct.pack(">9i", *numbers)


def video_facts(
    video: VideoStream,
    first: FirstFrames,
    *,
    frame_rate: Fraction,
    reorders: bool,
) -> VideoFacts:
    """Describe a video stream whose first frames were decoded."""
    track = Track.from_stream(video)
    context = video.codec_context
    codec = context.codec.canonical_name
    depth = context.format.components[0].bits if context.format else 8
    return VideoFacts(
        stream_index=video.index,
        codec=codec,
        codecs=codec_string(track),
        width=context.width,
        height=context.height,
        sar=track.sar,
        frame_rate=frame_rate,
        time_base=cast("Fraction", video.time_base),
        color=track.color,
        bit_depth=depth,
        interlaced=first.interlaced,
        reorders=reorders,
        rotation=first.rotation,
    )


def codec_string(track: Track) -> str:
    """Return the `codecs` parameter of a track, empty where HLS has none for it."""
    extradata = track.extradata or b""
    try:
        match track.codec:
            case "h264":
                return codecs.avc1_from_sps(extradata)
            case "hevc":
                return codecs.hvc1_from_hvcc(extradata)
            case "av1":
                return codecs.av01_from_av1c(extradata)
            case "vp9":
                return codecs.vp09_from_vpcc(vpcc(track))
            case other:
                return codecs.audio_codecs(other, extradata)
    except (ManifestError, ProductionError):
        return ""


def audio_streams(container: InputContainer) -> list[AudioStream]:
    """Return the audio streams that FFmpeg knows the codec and the sample rate of."""
    return [
        stream
        for stream in container.streams.audio
        if stream.codec_context is not None and stream.codec_context.sample_rate
    ]


def audio_facts(
    stream: AudioStream,
    *,
    first_packet: bytes,
    peak_bandwidth: int,
    spans: tuple[TrackSpan, ...] = (),
) -> AudioFacts:
    """Describe an audio stream whose packets go through as they are."""
    return AudioFacts(
        stream_index=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        codecs=codec_string(Track.from_stream(stream, first_packet=first_packet)),
        copied=True,
        sample_rate=stream.codec_context.sample_rate,
        channels=stream.codec_context.layout.nb_channels,
        time_base=cast("Fraction", stream.time_base),
        language=stream.language if stream.language != "und" else None,
        title=stream.metadata.get("title"),
        is_default=bool(stream.disposition & Disposition.default),
        peak_bandwidth=peak_bandwidth,
        spans=spans,
    )


def aac_facts(
    stream: AudioStream, *, grid: SampleGrid, rate: int, spans: tuple[TrackSpan, ...]
) -> AudioFacts:
    """Describe an audio stream that becomes AAC-LC at a sample rate."""
    channels = min(stream.codec_context.layout.nb_channels, max(aac_grid.LAYOUTS))
    return replace(
        audio_facts(stream, first_packet=b"", peak_bandwidth=aac_grid.peak(channels, rate)),
        codecs="mp4a.40.2",
        copied=False,
        sample_rate=rate,
        channels=channels,
        time_base=Fraction(1, rate),
        spans=spans,
        sample_origin=grid.origin,
        sample_step=grid.step,
    )


def estimate_frame_rate(runs: Iterable[Sequence[int]], time_base: Fraction) -> Fraction | None:
    """Find the frame rate that presentation times were made with.

    Args:
        runs: Lists of PTS, each in rising order; nothing is concluded from one list to the next.
        time_base: Theirs.

    Returns:
        The exact rate (24000/1001, 25, …) where nine in ten steps agree with it to within one
        tick, the average for variable frame rate, None where there are no two frames.
    """
    steps = [after - before for run in runs for before, after in pairwise(run) if after > before]
    if not steps:
        return None
    middle = median(steps)
    usual = [step for step in steps if abs(step - middle) <= 1]
    if len(usual) < 0.9 * len(steps):
        return (len(steps) / (sum(steps) * time_base)).limit_denominator(1001)
    rate = len(usual) / (sum(usual) * time_base)
    standard = min(_FRAME_RATES, key=lambda candidate: abs(candidate - rate))
    tolerance = max(Fraction(1, 5000), Fraction(1, sum(usual)))
    close = abs(standard - rate) <= tolerance * rate
    return standard if close else rate.limit_denominator(1001)


def delays_by_a_frame(pts: Sequence[int], dts: Sequence[int]) -> bool:
    """Whether each DTS lies a frame or more before the PTS of the same rank.

    Args:
        pts: Sorted.
        dts: In decode order.
    """
    if len(pts) < 2:
        return False
    first = 2 * (pts[0] - dts[0]) >= pts[1] - pts[0]
    return first and all(own <= before for before, own in zip(pts, dts[1:], strict=False))
