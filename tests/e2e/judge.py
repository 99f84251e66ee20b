"""Reads segments as any client gets them: timestamps, payloads and pictures, through PyAV."""

import hashlib
import io
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from tests.http_client import Track, get
from tests.media.synth import luma


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """One segment as served, and its init segment."""

    init: bytes
    body: bytes

    def open(self):
        """A demuxer that leaves timestamps alone: no edit lists, no wrap correction."""
        kind = "mpegts" if self.body[:1] == b"\x47" else "mov"
        options = {"correct_ts_overflow": "0"} if kind == "mpegts" else {"ignore_editlist": "1"}
        return av.open(io.BytesIO(self.init + self.body), format=kind, options=options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """Video timestamps sorted, in seconds, and hashes of audio packets."""

    pts: tuple[Fraction, ...]
    dts: tuple[Fraction, ...]
    audio: tuple[str, ...]


def fetch(track: Track) -> list[Bytes]:
    init = get(track.init, **_range(track.init_range)).body if track.init else b""
    replies = [
        get(url, **_range(byterange))
        for url, byterange in zip(track.segments, track.ranges, strict=True)
    ]
    for reply, url in zip(replies, track.segments, strict=True):
        assert reply.status in (200, 206), (url, reply.body)
    return [Bytes(init=init, body=reply.body) for reply in replies]


def _range(byterange: str | None) -> dict[str, str]:
    """The Range header for an EXT-X-BYTERANGE with an offset."""
    if byterange is None:
        return {}
    length, offset = map(int, byterange.split("@"))
    return {"Range": f"bytes={offset}-{offset + length - 1}"}


def packets(segment: Bytes) -> Packets:
    pts, dts, audio = [], [], []
    with segment.open() as container:
        for packet in container.demux():
            if packet.size == 0:
                continue
            if packet.stream.type == "video":
                pts.append(packet.pts * packet.time_base)
                dts.append(packet.dts * packet.time_base)
            else:
                audio.append(f"{packet.pts} {hashlib.sha256(bytes(packet)).hexdigest()}")
    return Packets(pts=tuple(sorted(pts)), dts=tuple(dts), audio=tuple(audio))


def pictures(segments: list[Bytes]) -> dict[Fraction, np.ndarray]:
    """Luma by PTS in seconds of a run of segments, decoded as one stream."""
    shown: dict[Fraction, np.ndarray] = {}
    decoder = None
    for segment in segments:
        with segment.open() as container:
            stream = container.streams.video[0]
            if decoder is None:
                decoder = av.CodecContext.create(stream.codec_context.name, "r")
                decoder.extradata = stream.codec_context.extradata
            time_base = stream.time_base
            for packet in container.demux(stream):
                if packet.size:
                    for frame in decoder.decode(packet):
                        shown[frame.pts * time_base] = luma(frame)
    assert decoder is not None
    for frame in decoder.decode(None):
        shown[frame.pts * time_base] = luma(frame)
    return shown


def mean_square_error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean((one.astype(np.float32) - other.astype(np.float32)) ** 2))


def shrink(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Area mean down to the source's size, for whole factors."""
    down, across = picture.shape[0] // height, picture.shape[1] // width
    whole = picture[: height * down, : width * across].astype(np.float32)
    return whole.reshape(height, down, width, across).mean(axis=(1, 3))


def h264_level(segment: Bytes) -> int:
    """`level_idc` of the first SPS in the bytes, wherever it stands."""
    data = segment.init or segment.body
    at = data.index(b"\x67\x64\x00")
    return data[at + 3]
