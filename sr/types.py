"""Values at the border of sr."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Matrix = Literal["bt601", "bt709", "bt2020"]
Depth = Literal[8, 10]
Plane = NDArray[np.uint8 | np.uint16]
"""Code values, (H, W): uint8 at a depth of 8 bits, uint16 at more."""


class Planes(NamedTuple):
    """One 4:2:0 frame: `y` is (H, W), `u` and `v` are (ceil(H/2), ceil(W/2)).

    uint8, or uint16 where the signal's depth is 10 bits (in the low ones, as in yuv420p10). Rows
    are C-contiguous (the row stride may be larger than the width).
    """

    y: Plane
    u: Plane
    v: Plane


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Size and meaning of planes; `width` and `height` in luma samples.

    Chroma is sited left, as in MPEG-2 and H.264.
    """

    width: int
    height: int
    matrix: Matrix
    full_range: bool = False
    depth: Depth = 8
    """Bits of a code value."""
    dithered: bool = False
    """Of a target: codes are rounded by position (see `sr.dither`), not to the nearest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One row of `upscale-origin models`."""

    name: str
    scale: int | None
    """None: it follows from the target."""
    scales: tuple[int, ...] = ()
    """Where it does: those that the model has networks for, whose first this row describes."""
    kmac_per_pixel: float
    """Thousand multiply-accumulates per input pixel."""
    radius: int
    """Receptive radius in input pixels."""
    licence: str
    weights: str
    """Where they come from, or `none needed`."""


class Upscaler(Protocol):
    """Planes of one `Signal` to planes of another, on one device.

    Calls from `concurrency` threads at a time are allowed; each passes up to `batch` frames.
    The output depends on the input frames only: not on the batch, the thread or the call before.
    """

    batch: int
    concurrency: int

    def __call__(self, frames: list[Planes]) -> list[Planes]:
        """Upscale frames; the result owns its memory."""
        ...
