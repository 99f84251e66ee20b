"""Muxing: encoded pictures and the source's other streams become the body of a segment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from av.audio.stream import AudioStream

from manifests.ladder import RenditionPlan
from origin.errors import UnsupportedSourceError
from origin.media import boxes, fmp4, nal, ts
from origin.media.demux import AnyPacket
from origin.media.fmp4 import Sample
from origin.media.packets import SourceSegment
from origin.media.track import Track

_START = b"\0\0\0\1"
_DELIMITER = _START + b"\x09\xf0"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPicture:
    """One picture as it is served: NAL units and ticks of the plan's time base."""

    units: tuple[bytes, ...]
    pts: int
    dts: int
    duration: int
    is_key: bool


def mux_segment(
    plan: RenditionPlan,
    extradata: bytes,
    segment: SourceSegment,
    pictures: Sequence[EncodedPicture],
    sequence_number: int,
) -> bytes:
    """Make the body: MPEG-TS with the source's other packets, or `moof` and `mdat`.

    Args:
        plan: Says which container.
        extradata: SPS and PPS, Annex B; in MPEG-TS they precede each keyframe.
        segment: The source's.
        pictures: In decode order.
        sequence_number: Of an fMP4 fragment.

    Raises:
        BrokenSourceError: The source's transport stream is damaged.
        ProductionError: The timestamps cannot be stored.
    """
    if plan.container == "mpegts":
        units = [_access_unit(picture, extradata) for picture in pictures]
        return ts.replace_video(segment.body, segment.video.id, units, segment.name)
    events = b"".join(
        segment.body[box.start : box.end] for box in boxes.walk(segment.body) if box.kind == b"emsg"
    )
    tracks = [
        (track, [_sample(packet) for packet in packets] if index else _samples(pictures))
        for index, (track, packets) in enumerate(tracks_of(plan, extradata, segment))
    ]
    return events + fmp4.build_fragment(tracks, sequence_number=sequence_number)


def tracks_of(
    plan: RenditionPlan, extradata: bytes, segment: SourceSegment
) -> Iterator[tuple[Track, Sequence[AnyPacket]]]:
    """Tracks of an fMP4 variant: its video, then the source's muxed audio with its packets.

    Raises:
        UnsupportedSourceError: The time base is no fraction of a second.
    """
    if plan.time_base.numerator != 1:
        raise UnsupportedSourceError(
            f"has a time base of {plan.time_base} seconds", source=segment.name
        )
    source = Track.from_stream(segment.video, init=segment.init)
    yield (
        replace(
            source,
            codec="h264",
            timescale=plan.time_base.denominator,
            extradata=extradata,
            width=plan.width,
            height=plan.height,
            sar=plan.sar,
            color=plan.color,
            pix_fmt="yuv420p",
            frame_rate=plan.frame_rate,
        ),
        (),
    )
    for stream in segment.streams:
        packets = segment.others.get(stream.index)
        if isinstance(stream, AudioStream) and packets is not None:
            first = bytes(packets[0]) if packets else b""
            yield Track.from_stream(stream, init=segment.init, first_packet=first), packets


def _access_unit(picture: EncodedPicture, extradata: bytes) -> ts.AccessUnit:
    units = picture.units
    if picture.is_key:
        units = (*nal.parameter_sets("h264", extradata), *units)
    data = _DELIMITER + b"".join(_START + unit for unit in units)
    return ts.AccessUnit(data, picture.pts, picture.dts, picture.is_key)


def _samples(pictures: Sequence[EncodedPicture]) -> list[Sample]:
    return [
        Sample(
            data=b"".join(_START + unit for unit in picture.units),
            pts=picture.pts,
            dts=picture.dts,
            duration=picture.duration,
            is_key=picture.is_key,
        )
        for picture in pictures
    ]


def _sample(packet: AnyPacket) -> Sample:
    return Sample(
        data=bytes(packet),
        pts=cast("int", packet.pts),
        dts=cast("int", packet.dts),
        duration=packet.duration or 0,
        is_key=packet.is_keyframe,
    )
