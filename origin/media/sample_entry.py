"""The `trak` box of a track; FFmpeg's mov muxer writes the codec's part of it."""

import io
import struct
from typing import Any, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from manifests.color import UNSPECIFIED, Color
from origin.errors import ProductionError
from origin.media import boxes
from origin.media.track import Track

_ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "mp3": "libmp3lame",
}
"""FFmpeg opens none of these; a stream is merely declared with them."""


def trak_box(track: Track, number: int) -> bytes:
    """Make the `trak` of a track without samples, with its own timescale, edit list and matrix.

    Raises:
        ProductionError: FFmpeg cannot describe the codec in MP4.
    """
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
            declared = scratch.add_stream(cast("Any", encoder), rate=cast("int", rate))
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


def vpcc(track: Track) -> bytes:
    """The content of the `vpcC` box of a VP9 track, which no demuxer hands out.

    Raises:
        ProductionError: FFmpeg cannot describe it.
    """
    trak = trak_box(track, 1)
    table = boxes.find(trak, b"trak", b"mdia", b"minf", b"stbl", b"stsd") or b""
    entry = table[16:]  # after the header of stsd and its count
    record = next((child for child in boxes.walk(entry, 86) if child.kind == b"vpcC"), None)
    if record is None:
        raise ProductionError("FFmpeg wrote no vpcC box")
    return entry[record.body : record.end]
