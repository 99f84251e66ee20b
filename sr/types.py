"""Values at the border of sr."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Matrix = Literal["bt601", "bt709", "bt2020"]


class Planes(NamedTuple):
    """One 8-bit 4:2:0 frame: `y` is (H, W), `u` and `v` are (ceil(H/2), ceil(W/2)), uint8.

    Rows are C-contiguous (the row stride may be larger than the width).
    """

    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Size and meaning of planes; `width` and `height` in luma samples.

    Chroma is sited left, as in MPEG-2 and H.264.
    """

    width: int
    height: int
    matrix: Matrix
    full_range: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One row of `upscale-origin models`."""

    name: str
    scale: int | None
    """None: any."""
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
