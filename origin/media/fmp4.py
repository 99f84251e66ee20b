"""Fragmented MP4 (CMAF, ISO/IEC 23000-19): init segments and fragments, exact to the tick.

FFmpeg's mov muxer writes the sample entries, since it knows each codec's configuration record.
Everything that carries time is written here, so that what players see is what was asked for: no
edit list that was not given, no creation time, `tfdt` equal to the first DTS.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from origin.errors import ProductionError
from origin.media import adts, nal
from origin.media.boxes import box, full_box
from origin.media.sample_entry import trak_box
from origin.media.track import Track

__all__ = ["Sample", "Track", "build_fragment", "build_init", "fragment_size"]

UNIT_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
SYNC, NON_SYNC = 0x02000000, 0x01010000
"""Sample flags: depends on no other sample; depends on others, and is no sync sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One coded frame. Timestamps count ticks of 1/`Track.timescale`."""

    data: bytes
    pts: int
    dts: int
    duration: int
    is_key: bool


def build_init(tracks: Sequence[Track], *, movie_timescale: int = 1000) -> bytes:
    """Make the init segment of `tracks`: `ftyp` and `moov`, track IDs counting from 1.

    Args:
        tracks: In the order of the fragments.
        movie_timescale: What durations in the tracks' edit lists count.

    Raises:
        ProductionError: FFmpeg cannot describe a track's codec in MP4.
    """
    traks = [trak_box(track, number) for number, track in enumerate(tracks, start=1)]
    header = full_box(
        b"mvhd",
        0,
        0,
        struct.pack(">IIIIIH10x", 0, 0, movie_timescale, 0, 0x10000, 0x100),
        UNIT_MATRIX,
        struct.pack(">24xI", len(tracks) + 1),
    )
    extends = [
        full_box(b"trex", 0, 0, struct.pack(">5I", number, 1, 0, 0, 0))
        for number in range(1, len(tracks) + 1)
    ]
    kinds = box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6cmfcmp41")
    return kinds + box(b"moov", header, *traks, box(b"mvex", *extends))


def build_fragment(
    tracks: Sequence[tuple[Track, Sequence[Sample]]], *, sequence_number: int
) -> bytes:
    """Make one `moof` and its `mdat`; a track without samples is left out.

    Args:
        tracks: In the order of the init segment, each with its samples in decode order.
        sequence_number: Of `mfhd`, from 1.

    Raises:
        ProductionError: A DTS is negative or falls.
    """
    runs = [
        (number, _stored(track, samples))
        for number, (track, samples) in enumerate(tracks, start=1)
        if samples
    ]
    header_size = len(_moof(runs, sequence_number, 0))
    payload = [sample.data for _, samples in runs for sample in samples]
    return _moof(runs, sequence_number, header_size + 8) + box(b"mdat", *payload)


def fragment_size(payload: int, samples: int) -> int:
    """Return the bytes that a fragment of one track takes."""
    return 96 + 16 * samples + payload


def _stored(track: Track, samples: Sequence[Sample]) -> list[Sample]:
    """The samples as MP4 stores them."""
    if track.codec in nal.PARAMETER_SETS and nal.is_annex_b(track.extradata):
        assert track.extradata is not None
        known = frozenset(nal.parameter_sets(track.codec, track.extradata))
        return [
            replace(sample, data=nal.to_length_prefixed(sample.data, without=known))
            for sample in samples
        ]
    if track.codec == "aac":
        return [replace(sample, data=adts.strip(sample.data)) for sample in samples]
    return list(samples)


def _moof(runs: Sequence[tuple[int, Sequence[Sample]]], sequence_number: int, data: int) -> bytes:
    parts = [full_box(b"mfhd", 0, 0, struct.pack(">I", sequence_number))]
    for number, samples in runs:
        parts.append(_traf(number, samples, data))
        data += sum(len(sample.data) for sample in samples)
    return box(b"moof", *parts)


def _traf(number: int, samples: Sequence[Sample], data_offset: int) -> bytes:
    first = samples[0].dts
    if first < 0:
        raise ProductionError(f"a fragment cannot begin at the negative DTS {first}")
    ends = [sample.dts for sample in samples[1:]] + [samples[-1].dts + samples[-1].duration]
    rows = bytearray()
    for sample, end in zip(samples, ends, strict=True):
        if end < sample.dts:
            raise ProductionError(f"DTS falls from {sample.dts} to {end}")
        flags = SYNC if sample.is_key else NON_SYNC
        rows += struct.pack(
            ">IIIi", end - sample.dts, len(sample.data), flags, sample.pts - sample.dts
        )
    run = struct.pack(">Ii", len(samples), data_offset)
    return box(
        b"traf",
        full_box(b"tfhd", 0, 0x020000, struct.pack(">I", number)),  # default-base-is-moof
        full_box(b"tfdt", 1, 0, struct.pack(">Q", first)),
        full_box(b"trun", 1, 0x000F01, run, bytes(rows)),
    )
