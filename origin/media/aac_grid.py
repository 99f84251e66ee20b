"""The sample grid of an audio track that becomes AAC: where decoded samples and AAC frames lie.

The whole track is one grid, so that segments made apart fit together. AAC frame i presents samples
[origin + 1024 i, origin + 1024 (i + 1)); frame -1 is the priming, which only prepares the overlap
of frame 0. Positions count samples from time zero of the file, before any offset.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from av.audio.stream import AudioStream

from manifests.timeline import SegmentSpan, TrackSpan

FRAME = 1024
"""Samples per AAC frame; also the overlap that priming makes up for."""
SAMPLE_RATES = frozenset(
    {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000}
)
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1"}
"""What AAC encodes by channel configuration alone, by channel count."""
BITS_PER_CHANNEL = 80_000
"""Bits per second for each channel; a single one gets half as much again."""


def served_rate(sample_rate: int) -> int:
    """Return the sample rate that a track is served at."""
    return sample_rate if sample_rate in SAMPLE_RATES else 48000


def bit_rate(channels: int, sample_rate: int) -> int:
    """Return the bits per second to encode at, within what AAC can spend on a frame."""
    wanted = BITS_PER_CHANNEL * channels if channels > 1 else BITS_PER_CHANNEL * 3 // 2
    return min(wanted, 4 * sample_rate * channels)


def peak(channels: int, sample_rate: int) -> int:
    """Return the bits per second that no segment exceeds, container included."""
    frames_per_second = sample_rate / FRAME
    return round(1.5 * bit_rate(channels, sample_rate) + 8 * 32 * frames_per_second)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleGrid:
    """Turns packet times, which containers round, into exact sample positions."""

    origin: int
    """Position of the first packet's first sample, at the source's rate."""
    step: int
    """Every packet begins a multiple of so many samples after the origin."""
    sample_rate: int
    """The source's."""
    time_base: Fraction

    def position(self, pts: int) -> int:
        """Return the position of a packet's first sample."""
        exact = pts * self.time_base * self.sample_rate
        return self.origin + self.step * round((exact - self.origin) / self.step)


def grid_of(stream: AudioStream, pts: Sequence[int], skip: int, sample_bytes: int) -> SampleGrid:
    """Find a track's grid from all its packets.

    Args:
        stream: The track.
        pts: Of its packets.
        skip: Samples that the first packet says to skip (Opus: presentation begins after them, at
            a time that the container rounds less).
        sample_bytes: Size of the first packet.
    """
    rate, time_base = stream.codec_context.sample_rate, stream.time_base
    assert time_base is not None
    tick = time_base * rate
    first = round((pts[0] * tick + skip) / tick) * tick - skip
    step = _granule(stream, sample_bytes) if tick > 1 else 1
    errors = [(at * tick - first + step / 2) % step - step / 2 for at in pts]
    low, high = min(errors), max(errors)
    if step > 1 and high - low > 2 * tick:
        step = 1
    centre = first if skip or step == 1 else first + Fraction(low + high) / 2
    return SampleGrid(origin=round(centre), step=step, sample_rate=rate, time_base=time_base)


def _granule(stream: AudioStream, first_size: int) -> int:
    """Samples that all packet durations are a multiple of."""
    context = stream.codec_context
    codec = context.codec.canonical_name
    if codec == "opus":
        return 120
    if codec == "vorbis":
        return _vorbis_short_block(context.extradata or b"") // 4 or 1
    if codec == "dts":
        return 256
    if codec.startswith("pcm_"):
        width = context.format.bytes * context.layout.nb_channels
        return first_size // width or 1
    return context.frame_size or 1


def _vorbis_short_block(extradata: bytes) -> int:
    """Block size 0 of the identification header (Vorbis I, 4.2.2)."""
    at = extradata.find(b"\x01vorbis")
    return 1 << (extradata[at + 28] & 0xF) if at >= 0 and len(extradata) > at + 28 else 0


def aac_spans(
    *, origin: int, samples: int, rate: int, spans: Sequence[SegmentSpan], time_base: Fraction
) -> tuple[TrackSpan, ...]:
    """Deal the AAC frames of a track out to the video's segments, by where they start.

    Args:
        origin: First sample of the track, at `rate`.
        samples: Length of the track, at `rate`.
        rate: The rate that is served.
        spans: Of the video.
        time_base: Of `spans`.

    Returns:
        Spans in a time base of 1/`rate`, one for each of `spans`.
    """
    count = -(-samples // FRAME)
    cuts: Iterable[int] = (
        _frame_at(span.first_pts * time_base * rate, origin) for span in spans[1:]
    )
    bounds = [-1, *(min(max(cut, -1), count) for cut in cuts), count]
    return tuple(
        TrackSpan(
            index=index,
            first_pts=origin + FRAME * begin,
            packet_count=end - begin,
            end_pts=origin + FRAME * end,
        )
        for index, (begin, end) in enumerate(pairwise(bounds))
    )


def _frame_at(position: Fraction, origin: int) -> int:
    """The first frame that starts at or after a position."""
    return -int((origin - position) // FRAME)
