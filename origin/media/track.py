"""What an init segment says of one stream, from a demuxer or from an encoder."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from manifests.color import Color
from origin.media import adts, boxes

_NEEDS_FIRST_PACKET = frozenset({"ac3", "eac3"})


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
