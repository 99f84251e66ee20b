"""Polyphase taps: which source samples, with which weights, make each sample of the other size.

Separable, centre-aligned, edges clamped. The kernels are the triangle (bilinear), Catmull-Rom
(bicubic, a = -0.5) and the sinc windowed over three lobes (lanczos). When an axis shrinks, the
kernel is widened by the ratio, so that it low-passes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kernel = Literal["bilinear", "bicubic", "lanczos"]

WEIGHT_ONE = 1 << 14
"""Weights are whole multiples of 1 / WEIGHT_ONE that sum to exactly one: flat areas stay exact, and
no machine's last bit of a sine can show."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taps:
    """Output sample i is the sum over k of `weights[i, k]` times source sample `first[i] + k`.

    The index of the source sample is clamped to its edges.
    """

    first: NDArray[np.int32]
    """(N_out,)"""
    weights: NDArray[np.float32]
    """(N_out, K)"""
    phases: int
    """The weights recur after as many output samples,"""
    advance: int
    """while `first` has grown by as many."""

    @property
    def is_copy(self) -> bool:
        """Whether each output sample is its own source sample."""
        chosen = self.first + np.argmax(self.weights, axis=1)
        return bool(
            np.all(self.weights.max(axis=1) == 1) and np.all(chosen == np.arange(chosen.size))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Siting:
    """Where samples lie on the luma grid: sample i at `step * i + offset`."""

    step: int
    offset: Fraction


LUMA = Siting(step=1, offset=Fraction(0))
CHROMA_X = Siting(step=2, offset=Fraction(0))
"""Left-sited: in one column with the even luma samples."""
CHROMA_Y = Siting(step=2, offset=Fraction(1, 2))
"""Half way between two luma rows."""


def make_taps(kernel: Kernel, source: int, target: int, siting: Siting = LUMA) -> Taps:
    """Taps along one axis for a luma size of `source` samples resized to `target`.

    With a chroma siting the result is for the chroma planes of such frames, and keeps chroma where
    it was on the picture, as zimg does.
    """
    ratio = Fraction(source, target)
    positions = [_position(i, ratio, siting) for i in range(-(-target // siting.step))]
    return _taps(kernel, positions, ratio)


def subsampling_taps(kernel: Kernel, source: int, target: int, siting: Siting) -> Taps:
    """Taps from a plane of full size, `source` samples, to one that is sited within `target`."""
    ratio, half = Fraction(source, target), Fraction(1, 2)
    steps = [siting.step * i + siting.offset for i in range(-(-target // siting.step))]
    positions = [(step + half) * ratio - half for step in steps]
    return _taps(kernel, positions, ratio * siting.step)


def _taps(kernel: Kernel, positions: list[Fraction], ratio: Fraction) -> Taps:
    shape, radius = _KERNELS[kernel]
    stretch = max(ratio, Fraction(1))
    reach = radius * stretch
    first = [math.floor(p - reach) + 1 for p in positions]
    rows = [
        [shape(float((f + k - p) / stretch)) for k in range(math.ceil(2 * reach))]
        for f, p in zip(first, positions, strict=True)
    ]
    return _trimmed(first, _quantised(np.array(rows)), ratio)


def luma_grid_taps(size: int, siting: Siting) -> Taps:
    """Taps that bring chroma to the grid of its own frame's luma, `size` samples, bilinearly."""
    positions = [(i - siting.offset) / siting.step for i in range(size)]
    first = [math.floor(p) for p in positions]
    rows = [[float(1 - p + f), float(p - f)] for f, p in zip(first, positions, strict=True)]
    return _trimmed(first, _quantised(np.array(rows)), Fraction(1, siting.step))


def _position(index: int, ratio: Fraction, siting: Siting) -> Fraction:
    """Where an output sample lies, in source samples of the same plane."""
    half = Fraction(1, 2)
    on_luma = (siting.step * index + siting.offset + half) * ratio - half
    return (on_luma - siting.offset) / siting.step


def _quantised(weights: NDArray[np.float64]) -> NDArray[np.float32]:
    whole = np.rint(weights / weights.sum(axis=1, keepdims=True) * WEIGHT_ONE)
    largest = np.argmax(whole, axis=1)
    whole[np.arange(len(whole)), largest] += WEIGHT_ONE - whole.sum(axis=1)
    return np.asarray(whole / WEIGHT_ONE, np.float32)


def _trimmed(first: list[int], weights: NDArray[np.float32], ratio: Fraction) -> Taps:
    """Without the outer taps that no sample uses."""
    used = np.flatnonzero(weights.any(axis=0))
    start, stop = int(used[0]), int(used[-1]) + 1
    return Taps(
        first=np.array(first, np.int32) + np.int32(start),
        weights=np.ascontiguousarray(weights[:, start:stop]),
        phases=ratio.denominator,
        advance=ratio.numerator,
    )


def _triangle(x: float) -> float:
    return max(0.0, 1.0 - abs(x))


def _catmull_rom(x: float) -> float:
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def _lanczos3(x: float) -> float:
    return _sinc(x) * _sinc(x / 3) if abs(x) < 3 else 0.0


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


_KERNELS: dict[Kernel, tuple[Callable[[float], float], int]] = {
    "bilinear": (_triangle, 1),
    "bicubic": (_catmull_rom, 2),
    "lanczos": (_lanczos3, 3),
}
