"""Decodes any stretch of an audio track, and encodes it as AAC on the track's one sample grid.

A segment is made without its neighbours, yet must join them without a seam. AAC's overlap is the
reason why a stretch is encoded from `_WARM_UP` frames before it: the window decisions, and with
them the overlap, then are those that the neighbour's encoder took.
"""

from collections.abc import Iterable
from fractions import Fraction
from math import gcd
from typing import TYPE_CHECKING, TypeAlias, cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import Flags, Flags2

from origin.media import aac_grid
from origin.media.aac_grid import FRAME, SampleGrid
from origin.media.demux import AnyPacket
from origin.media.fmp4 import Sample
from origin.media.track import Track

if TYPE_CHECKING:
    from av.packet import Packet

    AudioPacket = Packet[AudioStream]

PRE_ROLL_SECONDS = 0.25
"""Decoding begins so long before the first sample needed: Opus wants 80 ms (RFC 7845, 4.6)."""
_WARM_UP = 16
"""AAC frames encoded before those that are kept."""
_LOOKAHEAD = 3
"""Blocks after the last frame's: one overlaps it, the encoder looks at the next."""

Samples: TypeAlias = npt.NDArray[np.float32]
"""(channels, samples)"""


def layout_of(stream: AudioStream) -> str:
    """Return the layout that a track is encoded in: its own up to 5.1, else mixed down."""
    channels = stream.codec_context.layout.nb_channels
    return aac_grid.LAYOUTS[min(channels, max(aac_grid.LAYOUTS))]


def open_encoder(layout: str, sample_rate: int) -> AudioCodecContext:
    """Open FFmpeg's own AAC encoder as every segment of a track needs it."""
    context = av.CodecContext.create("aac", "w")
    context.layout = layout
    context.sample_rate = sample_rate
    context.format = "fltp"
    context.time_base = Fraction(1, sample_rate)
    context.bit_rate = aac_grid.bit_rate(context.layout.nb_channels, sample_rate)
    context.flags |= Flags.global_header | Flags.bitexact
    context.thread_count = 1
    # Its rate control settles in a few frames; that of `twoloop` drifts for seconds, and would
    # make every segment begin with other noise than its neighbour ended with.
    context.options = {"aac_coder": "fast"}
    context.open()
    return context


def track_of(stream: AudioStream) -> Track:
    """Describe the AAC that a track becomes."""
    rate = aac_grid.served_rate(stream.codec_context.sample_rate)
    layout = layout_of(stream)
    return Track(
        kind="audio",
        codec="aac",
        timescale=rate,
        extradata=open_encoder(layout, rate).extradata,
        sample_rate=rate,
        layout=layout,
        language=stream.language,
    )


def block_range(first_frame: int, count: int) -> range:
    """Return the blocks of 1024 samples to encode for frames; block 0 begins at the origin."""
    return range(first_frame - _WARM_UP, first_frame + count + _LOOKAHEAD)


def decode_range(
    stream: AudioStream, packets: Iterable[AnyPacket], grid: SampleGrid, wanted: range
) -> Samples:
    """Decode what falls in a range of sample positions, at the source's rate; gaps are silent.

    Args:
        stream: The track, whose decoder is used.
        packets: Its packets, beginning well before the range.
        grid: Of the track.
        wanted: Sample positions.
    """
    layout = layout_of(stream)
    context = stream.codec_context
    context.flags2 |= Flags2.skip_manual  # or priming would be trimmed at starts only
    resampler = AudioResampler(format="fltp", layout=layout, rate=grid.sample_rate)
    result = np.zeros((av.AudioLayout(layout).nb_channels, len(wanted)), np.float32)
    cursor: int | None = None
    for packet in packets:
        at = grid.position(cast("int", packet.pts))
        if at >= wanted.stop:
            break
        if cursor is None or abs(at - cursor) > grid.sample_rate // 100:
            cursor = at
        for frame in _decoded(context, packet):
            for plain in resampler.resample(frame):
                part = cast("Samples", plain.to_ndarray())
                cursor = wanted.start + _place(result, part, cursor - wanted.start)
    return result


def _decoded(context: AudioCodecContext, packet: AnyPacket) -> list[AudioFrame]:
    """A packet's frames; one that cannot be decoded is a gap, as players treat it."""
    try:
        return context.decode(cast("AudioPacket", packet))
    except av.FFmpegError:
        return []


def _place(target: Samples, part: Samples, at: int) -> int:
    """Copy what fits of `part` to `target` from index `at` on; return where it ends."""
    end: int = at + part.shape[1]
    begin, stop = max(at, 0), min(end, target.shape[1])
    if begin < stop:
        target[:, begin:stop] = part[:, begin - at : stop - at]
    return end


def source_range(wanted: range, rate: int, source_rate: int) -> range:
    """Return source positions that hold output positions `wanted`, beginning where both align."""
    if rate == source_rate:
        return wanted
    step = gcd(rate, source_rate)
    period, source_period = rate // step, source_rate // step
    first = (wanted.start // period - 1) * source_period
    return range(first, -(-wanted.stop // period) * source_period + source_rate // 10)


def resample(
    samples: Samples, layout: str, rates: tuple[int, int], skip: int, count: int
) -> Samples:
    """Change the rate from `rates[0]` to `rates[1]`, then cut out `count` samples after `skip`."""
    source_rate, rate = rates
    if source_rate == rate:
        return samples
    resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
    frame = _frame(samples, layout, source_rate, 0)
    frames = (*resampler.resample(frame), *resampler.resample(None))
    parts = [cast("Samples", part.to_ndarray()) for part in frames]
    return np.concatenate(parts, axis=1)[:, skip : skip + count]


def _frame(samples: Samples, layout: str, rate: int, pts: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, pts, Fraction(1, rate)
    return frame


def encode(samples: Samples, layout: str, rate: int, first_pts: int, keep: range) -> list[Sample]:
    """Encode blocks of 1024 samples and keep the frames presented within a range.

    Args:
        samples: Whole blocks.
        layout: Of `samples`.
        rate: Of `samples`.
        first_pts: Position of the first sample.
        keep: Positions of the frames to keep.
    """
    context = open_encoder(layout, rate)
    kept: list[Sample] = []
    for begin in range(0, samples.shape[1], FRAME):
        block = _frame(samples[:, begin : begin + FRAME], layout, rate, begin)
        for packet in context.encode(block):
            # FFmpeg counts the encoder's delay off, so this is when the frame is presented.
            pts = cast("int", packet.pts) + first_pts
            if pts in keep:
                kept.append(
                    Sample(data=bytes(packet), pts=pts, dts=pts, duration=FRAME, is_key=True)
                )
    return kept
