"""Encoding: one closed sub-GOP by one single-threaded x264 (law 4), parameter sets known before."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, cast

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from manifests.ladder import RenditionPlan
from origin.errors import ProductionError
from origin.media import nal
from origin.media.frames import Plane, frame_of

SUB_GOP_SECONDS = 2
CRF_STEP, CRF_MAX = 6, 51
_FIRST_SHARE = Fraction(2, 5)
"""How much of a sub-GOP's bits the buffer holds at its start: what its first frame may take."""
_DROPPED = frozenset({6, 7, 8, 9, 12})
"""SEI (x264's own advertisement), parameter sets, delimiter, filler: the muxers write theirs."""


class Coded(NamedTuple):
    """One encoded frame: NAL units of its slices, and its rank in presentation order."""

    units: tuple[bytes, ...]
    rank: int
    is_key: bool


def split_frames(count: int, duration_seconds: float) -> list[range]:
    """Cut `count` frames into sub-GOPs of about two seconds and near-equal length.

    The cuts depend on the segment only, so that its bytes do (law 4).
    """
    parts = min(count, max(1, round(duration_seconds / SUB_GOP_SECONDS)))
    edges = [count * part // parts for part in range(parts + 1)]
    return [range(first, end) for first, end in pairwise(edges)]


def b_frames_fit(plan: RenditionPlan, pts: Sequence[int], dts: Sequence[int]) -> bool:
    """Whether the plan's B-frames can be used at the given DTS.

    Without pyramid, a packet comes at most one place after its rank; none may be late, and no
    other picture may be shown as soon as it is decoded.

    Args:
        plan: Zero `b_frames` never fit.
        pts: Of a segment, sorted.
        dts: In decode order.
    """
    late = any(at > before for at, before in zip(dts[1:], pts, strict=False))
    return plan.b_frames > 0 and dts[0] < pts[0] and not late


def extradata(plan: RenditionPlan) -> bytes:
    """SPS and PPS of every encoder of a plan, Annex B.

    Raises:
        ProductionError: x264 refuses the plan.
    """
    return cast("bytes", _open(plan, plan.crf, Fraction(SUB_GOP_SECONDS)).extradata)


class SubGopEncoder:
    """Encodes the frames of one sub-GOP, given in presentation order. For one thread at a time."""

    def __init__(self, plan: RenditionPlan, seconds: Fraction, crf: int, *, b_frames: bool) -> None:
        """Open the encoder.

        Args:
            plan: Sizes, colour and rate.
            seconds: Duration of the sub-GOP, which its bytes are held to.
            crf: In place of the plan's.
            b_frames: False: P-frames only, whatever the plan says.

        Raises:
            ProductionError: x264 refuses the plan.
        """
        self._context = _open(plan, crf, seconds)
        self._type = PictureType.NONE if b_frames else PictureType.P
        self._first_pts = 0
        self._ranks: dict[int, int] = {}

    def encode(self, planes: Sequence[Plane], pts: int) -> Iterator[Coded]:
        """Encode the next frame: its Y, U and V, each (H, W); yield what is done."""
        frame = frame_of(planes, self._context.width, self._context.height)
        frame.pts, frame.time_base = self._tick(pts), self._context.time_base
        frame.pict_type = self._type if frame.pts else PictureType.I
        return self._coded(self._context.encode(frame))

    def _tick(self, pts: int) -> int:
        """Count from 0, and rise even where the source's timestamps stall or fall."""
        if not self._ranks:
            self._first_pts = pts
        tick = max(next(reversed(self._ranks), -1) + 1, pts - self._first_pts)
        self._ranks[tick] = len(self._ranks)
        return tick

    def finish(self) -> Iterator[Coded]:
        """Yield the rest."""
        return self._coded(self._context.encode(None))

    def _coded(self, packets: Iterable[Packet]) -> Iterator[Coded]:  # type: ignore[type-arg]
        for packet in packets:
            units = nal.split_annex_b(bytes(packet))
            kept = tuple(unit for unit in units if nal.nal_type("h264", unit) not in _DROPPED)
            yield Coded(kept, self._ranks[cast("int", packet.pts)], packet.is_keyframe)


def _open(plan: RenditionPlan, crf: int, seconds: Fraction) -> VideoCodecContext:
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = plan.width, plan.height, "yuv420p"
    context.time_base, context.framerate = plan.time_base, plan.frame_rate
    context.sample_aspect_ratio = plan.sar
    context.color_range = 2 if plan.color.full_range else 1
    context.colorspace = plan.color.matrix
    context.color_primaries = plan.color.primaries
    context.color_trc = plan.color.transfer
    context.thread_count = 1
    context.flags |= Flags.global_header
    context.options = {
        "preset": plan.preset,
        "profile": "high",
        "level": plan.level,
        "crf": str(crf),
        "x264-params": _x264_params(plan, seconds),
    }
    try:
        context.open()
    except (av.FFmpegError, ValueError) as error:
        raise ProductionError(f"x264 cannot encode {plan.width}x{plan.height}: {error}") from error
    return context


def _x264_params(plan: RenditionPlan, seconds: Fraction) -> str:
    """Options that keep parameter sets the same in every encoder, and bytes within `maxrate`.

    A VBV lets through what its buffer holds at the start, plus its rate times the duration. The
    two together are made to be `maxrate` times the duration.
    """
    kilobits = plan.maxrate * seconds / 1000
    options = {
        "stitchable": 1,
        "keyint": "infinite",
        "scenecut": 0,
        "sync-lookahead": 0,
        "bframes": plan.b_frames,
        "b-pyramid": "none",
        "vbv-maxrate": max(1, int(kilobits * (1 - _FIRST_SHARE) / seconds)),
        "vbv-bufsize": max(1, int(kilobits * _FIRST_SHARE)),
        "vbv-init": 1,
        **same_on_every_x86(),
    }
    return ":".join(f"{key}={value}" for key, value in options.items())


@lru_cache(maxsize=1)
def same_on_every_x86() -> dict[str, str]:
    """Keep x264 from its AVX-512 code.

    That makes other bytes, and with MB-tree and B-frames other bytes from run to run. What it
    does from SSE4 to AVX2 is one and the same.
    """
    try:
        has_avx512 = " avx512f " in Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    return {"asm": "avx2"} if has_avx512 else {}
