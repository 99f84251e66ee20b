"""The last look at a produced body: it is demuxed again and compared with its source (law 5)."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import cast

from av.audio.stream import AudioStream
from av.stream import Stream

from manifests.ladder import RenditionPlan
from origin.errors import OriginError, ProductionError
from origin.media import nal
from origin.media.demux import AnyPacket, demux, open_bytes, pick_video
from origin.media.mux import EncodedPicture
from origin.media.packets import TS_MODULUS, SourceSegment
from origin.media.types import Container, Prepared


def check_body(
    body: bytes,
    plan: RenditionPlan,
    prepared: Prepared,
    segment: SourceSegment,
    pictures: Sequence[EncodedPicture],
) -> None:
    """Compare a produced body with the source segment that it stands for.

    Its pictures must be as many as the source's, at the same times, each decodable by its DTS;
    its parameter sets those of the variant; its audio the source's, byte for byte.

    Raises:
        ProductionError: It is not what was promised.
    """
    container = Container.MPEGTS if plan.container == "mpegts" else Container.MP4
    modulus = TS_MODULUS if container is Container.MPEGTS else 2**64
    try:
        with open_bytes((prepared.init or b"") + body, container, segment.name) as opened:
            video = pick_video(opened, segment.name)
            rows = _by_stream(opened.streams, demux(opened, segment.name))
            own = rows.pop(video.index)
            sounds = [
                rows[stream.index] for stream in opened.streams if isinstance(stream, AudioStream)
            ]
            parameters = video.codec_context.extradata or b""
    except OriginError as error:
        raise _failure(segment, f"it {error.detail}") from error
    _check_times(own, segment, modulus)
    _check_pictures(own, pictures, segment, plan, modulus)
    if _parameter_sets(parameters) != _parameter_sets(prepared.extradata):
        raise _failure(segment, "its parameter sets are not those of its variant")
    sources = [
        segment.others[stream.index]
        for stream in segment.streams
        if isinstance(stream, AudioStream) and stream.index in segment.others
    ]
    _check_sounds(sounds, sources, segment, modulus)


def _failure(segment: SourceSegment, what: str) -> ProductionError:
    return ProductionError(
        f"the segment made from it failed its check: {what}", source=segment.name
    )


def _by_stream(
    streams: Iterable[Stream], packets: Iterable[AnyPacket]
) -> dict[int, list[AnyPacket]]:
    rows: dict[int, list[AnyPacket]] = {stream.index: [] for stream in streams}
    for packet in packets:
        rows[packet.stream_index].append(packet)
    return rows


def _check_times(own: Sequence[AnyPacket], segment: SourceSegment, modulus: int) -> None:
    if len(own) != len(segment.timing):
        raise _failure(segment, f"{len(own)} frames of {len(segment.timing)}")
    expected = sorted(row.pts % modulus for row in segment.timing)
    if sorted(cast("int", packet.pts) % modulus for packet in own) != expected:
        raise _failure(segment, "its frames are not shown when the source's are")


def _check_pictures(
    own: Sequence[AnyPacket],
    pictures: Sequence[EncodedPicture],
    segment: SourceSegment,
    plan: RenditionPlan,
    modulus: int,
) -> None:
    for packet, picture in zip(own, pictures, strict=True):
        # Where parameter sets allow B-frames, FFmpeg does not believe a DTS that equals its PTS.
        guessed = plan.b_frames > 0 and picture.dts == picture.pts
        dts = picture.dts if guessed or packet.dts is None else packet.dts
        times = (cast("int", packet.pts) % modulus, dts % modulus)
        if times != (picture.pts % modulus, picture.dts % modulus):
            raise _failure(segment, "its timestamps are not those that were written")
        if packet.is_keyframe != picture.is_key:
            raise _failure(segment, "its keyframes are not where they were made")
    if any(after.dts <= before.dts for before, after in pairwise(pictures)):
        raise _failure(segment, "its DTS do not rise")


def _parameter_sets(extradata: bytes) -> list[bytes]:
    """SPS and PPS of Annex B or avcC extradata."""
    if nal.is_annex_b(extradata):
        return nal.parameter_sets("h264", extradata)
    return nal.avcc_units(extradata)


def _check_sounds(
    made: Sequence[Sequence[AnyPacket]],
    sources: Sequence[Sequence[AnyPacket]],
    segment: SourceSegment,
    modulus: int,
) -> None:
    def row(packet: AnyPacket) -> tuple[int | None, bytes]:
        return None if packet.pts is None else packet.pts % modulus, bytes(packet)

    if [list(map(row, track)) for track in made] != [list(map(row, track)) for track in sources]:
        raise _failure(segment, "its audio is not the source's")
