"""What all segments of a produced variant have in common, known before any frame is encoded."""

from dataclasses import replace

from manifests.codecs import avc1_from_sps
from origin.media import boxes, encode, fmp4
from origin.media.mux import tracks_of
from origin.media.packets import open_segment
from origin.media.streams import decode_first
from origin.media.types import FileBody, Prepared, PrepareRendition


def prepare_rendition(job: PrepareRendition) -> Prepared:
    """Make a variant's parameter sets, CODECS string and init segment.

    Raises:
        BrokenSourceError: The first segment cannot be read.
        UnsupportedSourceError: It is something that we refuse.
        ProductionError: x264 or the muxer refuses the plan.
    """
    extradata = encode.extradata(job.plan)
    init = None if job.plan.container == "mpegts" else _init(job, extradata)
    return Prepared(extradata=extradata, codecs=avc1_from_sps(extradata), init=init)


def _init(job: PrepareRendition, extradata: bytes) -> bytes:
    with open_segment(job.source) as segment:
        tracks = [track for track, _ in tracks_of(job.plan, extradata, segment)]
        if isinstance(job.source, FileBody):
            first = decode_first(segment.video, segment.packets, segment.name)
            tracks[0] = replace(tracks[0], matrix=first.matrix)
        return fmp4.build_init(tracks, movie_timescale=_movie_timescale(segment.init))


def _movie_timescale(init: bytes | None) -> int:
    """What the durations in a source's edit lists count: ticks of its `mvhd`."""
    header = boxes.find(init, b"moov", b"mvhd") if init else None
    if header is None:
        return 1000
    at = 28 if header[8] else 20
    return int.from_bytes(header[at : at + 4], "big") or 1000
