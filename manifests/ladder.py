"""Which variants to offer: rendition specs, targets, bit rates, and the plan of each variant."""

import hashlib
import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Literal

from manifests.color import Color

PIPELINE_VERSION = 1
"""Raised whenever the same plan would give other bytes."""

ContainerKind = Literal["mpegts", "fmp4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionPlan:
    """Everything that decides the bytes of a produced variant, the source apart.

    Sizes are coded luma samples; `bandwidth` is the promise of the playlist in bits per second.
    """

    rendition_id: str
    """`up-720p-anime4k-m`, or `same-480p` where players cannot take the source's codec."""
    model: str
    """A model of `sr`, or `identity`."""
    model_digest: str
    source_digest: str
    container: ContainerKind
    width: int
    height: int
    sar: Fraction
    frame_rate: Fraction
    time_base: Fraction
    source_color: Color
    color: Color
    level: str
    """H.264 level as x264 takes it, such as `3.1`."""
    crf: int = 20
    preset: str = "veryfast"
    maxrate: int
    """VBV rate of the video in bits per second."""
    b_frames: int = 0
    bandwidth: int
    average_bandwidth: int
    pipeline_version: int = PIPELINE_VERSION

    def digest(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 over every field."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
