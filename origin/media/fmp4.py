"""Fragmented MP4 (CMAF, ISO/IEC 23000-19): init segments and fragments, exact to the tick.

FFmpeg's mov muxer writes the sample entries, since it knows each codec's configuration record.
Everything that carries time is written here, so that what players see is what was asked for: no
edit list that was not given, no creation time, `tfdt` equal to the first DTS.
"""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from manifests.color import UNSPECIFIED, Color
from origin.errors import ProductionError
from origin.media import adts, boxes, nal
from origin.media.boxes import box, full_box

UNIT_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
SYNC, NON_SYNC = 0x02000000, 0x01010000
"""Sample flags: depends on no other sample; depends on others, and is no sync sample."""

_ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "mp3": "libmp3lame",
}
"""FFmpeg opens none of these; a stream is merely declared with them."""
_NEEDS_FIRST_PACKET = frozenset({"ac3", "eac3"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One coded frame. Timestamps count ticks of 1/`Track.timescale`."""

    data: bytes
    pts: int
    dts: int
    duration: int
    is_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What an init segment says of one stream, and how its samples are to be stored.

    The defaults suit the kind that they do not belong to. Pickles.
    """

    kind: Literal["video", "audio"]
    codec: str
    """FFmpeg's codec name: h264, hevc, vp9, av1; aac, mp3, ac3, eac3, flac, alac."""
    timescale: int
    extradata: bytes | None = None
    """As a demuxer or encoder gives it; Annex B (h264, hevc) and ADTS headers (aac) included."""
    width: int = 0
    height: int = 0
    sar: Fraction = Fraction(1)
    color: Color = field(default_factory=Color)
    pix_fmt: str = "yuv420p"
    frame_rate: Fraction | None = None
    sample_rate: int = 0
    layout: str = "stereo"
    first_packet: bytes = b""
    """AC-3 and E-AC-3 only: their sample entry is made from it."""
    language: str | None = None
    edit_list: bytes | None = None
    """A whole `edts` box to carry over."""
    matrix: bytes | None = None
    """The 36 bytes of `tkhd` that rotate or flip."""

    @classmethod
    def from_stream(
        cls,
        stream: VideoStream | AudioStream,
        *,
        init: bytes | None = None,
        first_packet: bytes = b"",
    ) -> "Track":
        """Describe a demuxed stream.

        Args:
            stream: Of an open input container.
            init: The source's own init segment, whose edit list and matrix are carried over.
            first_packet: Any packet of the stream: needed for AC-3 and E-AC-3, and for AAC
                from MPEG-TS, whose configuration stands in each packet.
        """
        context = stream.codec_context
        assert stream.time_base is not None
        common = cls(
            kind=stream.type,
            codec=context.codec.canonical_name,
            timescale=stream.time_base.denominator,
            extradata=context.extradata,
            language=stream.language,
        )
        if init is not None:
            edit_list, matrix = _source_header(init, stream.id)
            common = replace(common, edit_list=edit_list, matrix=matrix)
        if isinstance(stream, VideoStream):
            return _with_video(common, stream)
        assert isinstance(context, AudioCodecContext)
        extradata = context.extradata
        if common.codec == "aac" and not extradata and first_packet:
            extradata = adts.audio_specific_config(first_packet)
        return replace(
            common,
            extradata=extradata,
            sample_rate=context.sample_rate,
            layout=context.layout.name,
            first_packet=first_packet if common.codec in _NEEDS_FIRST_PACKET else b"",
        )


def _with_video(track: Track, stream: VideoStream) -> Track:
    context = stream.codec_context
    full_range = context.color_range == 2 or (context.pix_fmt or "").startswith("yuvj")
    return replace(
        track,
        width=context.width,
        height=context.height,
        sar=stream.sample_aspect_ratio or Fraction(1),
        color=Color(
            matrix=int(context.colorspace),
            primaries=int(context.color_primaries),
            transfer=int(context.color_trc),
            full_range=full_range,
        ),
        pix_fmt=context.pix_fmt or "yuv420p",
        frame_rate=stream.average_rate,
    )


def _source_header(init: bytes, track_id: int) -> tuple[bytes | None, bytes | None]:
    """The `edts` and the matrix of the track with an ID."""
    for trak in boxes.children(init, b"moov", b"trak"):
        inside = init[trak.body : trak.end]
        header = boxes.find(inside, b"tkhd")
        if header is None:
            continue
        version = header[8]
        if int.from_bytes(header[28:32] if version else header[20:24], "big") == track_id:
            return boxes.find(inside, b"edts"), header[-44:-8]
    return None, None


def build_init(tracks: Sequence[Track]) -> bytes:
    """Make the init segment of `tracks`: `ftyp` and `moov`, track IDs counting from 1.

    Raises:
        ProductionError: FFmpeg cannot describe a track's codec in MP4.
    """
    traks = [_trak(track, number) for number, track in enumerate(tracks, start=1)]
    header = full_box(
        b"mvhd",
        0,
        0,
        struct.pack(">IIIIIH10x", 0, 0, 1000, 0, 0x10000, 0x100),
        UNIT_MATRIX,
        struct.pack(">24xI", len(tracks) + 1),
    )
    extends = [
        full_box(b"trex", 0, 0, struct.pack(">5I", number, 1, 0, 0, 0))
        for number in range(1, len(tracks) + 1)
    ]
    kinds = box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6cmfcmp41")
    return kinds + box(b"moov", header, *traks, box(b"mvex", *extends))


def vpcc(track: Track) -> bytes:
    """The content of the `vpcC` box of a VP9 track, which no demuxer hands out.

    Raises:
        ProductionError: FFmpeg cannot describe it.
    """
    trak = _trak(track, 1)
    table = boxes.find(trak, b"trak", b"mdia", b"minf", b"stbl", b"stsd") or b""
    entry = table[16:]  # after the header of stsd and its count
    record = next((child for child in boxes.walk(entry, 86) if child.kind == b"vpcC"), None)
    if record is None:
        raise ProductionError("FFmpeg wrote no vpcC box")
    return entry[record.body : record.end]


def _trak(track: Track, number: int) -> bytes:
    trak = boxes.find(_ffmpeg_init(track), b"moov", b"trak")
    if trak is None:
        raise ProductionError(f"FFmpeg wrote no header for {track.codec} in MP4")

    def edit(header: bytes) -> bytes:
        matrix = track.matrix or header[-44:-8]
        header = header[:20] + struct.pack(">I", number) + header[24:-44] + matrix + header[-8:]
        return header + (track.edit_list or b"")

    def timescale(header: bytes) -> bytes:
        return header[:20] + struct.pack(">I", track.timescale) + header[24:]

    trak = boxes.rewrite(trak, (b"trak", b"mdia", b"mdhd"), timescale)
    return boxes.rewrite(trak, (b"trak", b"tkhd"), edit)


def _ffmpeg_init(track: Track) -> bytes:
    """An MP4 header of one track by FFmpeg; whatever follows `moov` is of no use."""
    encoder = _ENCODERS.get(track.codec, track.codec)
    rate = track.sample_rate if track.kind == "audio" else track.frame_rate
    flags = "frag_custom+empty_moov" + "+delay_moov" * bool(track.first_packet)
    options = {"movflags": flags, "use_editlist": "0", "fflags": "+bitexact"}
    target = io.BytesIO()
    try:
        with (
            av.open(io.BytesIO(), "w", format="mp4") as scratch,
            av.open(target, "w", format="mp4", options=options) as output,
        ):
            declared = scratch.add_stream(cast("Literal['aac']", encoder), rate=cast("int", rate))
            # Only a stream made from a template is muxed without its encoder being opened.
            stream = output.add_stream_from_template(declared, opaque=True)
            _describe(cast("VideoCodecContext | AudioCodecContext", stream.codec_context), track)
            stream.metadata.update({"language": track.language} if track.language else {})
            output.start_encoding()
            if track.first_packet:
                packet = av.Packet(track.first_packet)
                packet.stream, packet.pts, packet.dts, packet.duration = stream, 0, 0, 1
                output.mux(packet)
    except (av.FFmpegError, ValueError) as error:
        raise ProductionError(f"{track.codec} cannot be described in MP4: {error}") from error
    return target.getvalue()


def _describe(context: VideoCodecContext | AudioCodecContext, track: Track) -> None:
    context.extradata = track.extradata
    context.bit_rate = 0
    if isinstance(context, AudioCodecContext):
        context.sample_rate = track.sample_rate
        context.layout = track.layout
        return
    context.codec_tag = {"h264": "avc1", "hevc": "hvc1"}.get(track.codec, context.codec_tag)
    context.width, context.height = track.width, track.height
    context.pix_fmt = track.pix_fmt
    context.sample_aspect_ratio = track.sar
    context.colorspace = track.color.matrix
    context.color_primaries = track.color.primaries
    context.color_trc = track.color.transfer
    tagged = track.color != Color() and track.color.matrix != UNSPECIFIED
    context.color_range = 2 if track.color.full_range else int(tagged)


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
