"""The CPU path: numba kernels on planes, one frame per call, as many callers as threads."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sr.color import codes_from_codes
from sr.dither import thresholds
from sr.kernels.chroma import convert_chroma, convert_luma
from sr.kernels.quantise import quantise_plane
from sr.kernels.resample import resample_plane
from sr.planes import check_planes, code_type, plane_shapes, top_code, whole_rows
from sr.resample import CHROMA_X, CHROMA_Y, LUMA, Kernel, Siting, Taps, make_taps, subsampling_taps
from sr.types import Plane, Planes, Signal

ROUND = np.float32(0.5)
"""Kernels that write plain codes add it before truncating to uint8: nearest, halves up."""
MAX_PHASES = 32
"""Ratios of larger numbers are resampled by the plain loop: their phases have too few samples."""


class Quantiser:
    """Fractional codes to those of a target. Stateless: threads may share it."""

    def __init__(self, target: Signal) -> None:
        self.dtype = code_type(target)
        self._thresholds = thresholds(target)
        self._top = np.float32(top_code(target))

    def __call__(self, exact: NDArray[np.float32]) -> Plane:
        """Round a plane (H, W)."""
        out = np.empty(exact.shape, self.dtype)
        quantise_plane(exact, self._thresholds, self._top, out)
        return out


def is_plain(target: Signal) -> bool:
    """Whether codes are 8 bits and rounded to the nearest: kernels can do that as they write."""
    return target.depth == 8 and not target.dithered


class PlaneResampler:
    """One plane to another size. Stateless after construction: threads may share it."""

    def __init__(
        self,
        kernel: Kernel,
        source: Signal,
        target: Signal,
        siting: tuple[Siting, Siting],
        *,
        subsampling: bool = False,
    ) -> None:
        """Prepare.

        Args:
            kernel: The interpolation.
            source: What the planes come from.
            target: What they become part of.
            siting: Across and down, in the target, and in the source unless `subsampling`.
            subsampling: The planes given have as many samples as the source's luma.
        """
        make = subsampling_taps if subsampling else make_taps
        x = make(kernel, source.width, target.width, siting[0])
        y = make(kernel, source.height, target.height, siting[1])
        steps = (1, 1) if subsampling else (siting[0].step, siting[1].step)
        self._copies = x.is_copy and y.is_copy
        self._rounds = is_plain(target)
        self._quantise = Quantiser(target)
        self._width, self._height = (
            -(-size // step)
            for size, step in zip((source.width, source.height), steps, strict=True)
        )
        self._vertical = (y.first, y.weights)
        recurrence = (x.phases, x.advance) if x.phases <= MAX_PHASES else (0, 0)
        self._horizontal = (x.first, x.weights, *recurrence)
        self._edge = _reach(x, self._width)
        self._shape = (y.first.size, x.first.size)

    def __call__(self, plane: Plane | NDArray[np.float32]) -> Plane:
        """Resize whole rows (columns beyond the width are ignored) and round.

        Integers are codes of the target's depth.
        """
        if self._copies and plane.dtype == self._quantise.dtype:
            return np.array(plane[:, : self._width], self._quantise.dtype)
        if self._copies:
            return self._quantise(plane[:, : self._width].astype(np.float32, copy=False))
        out = np.empty(self._shape, np.uint8 if self._rounds else np.float32)
        half = ROUND if self._rounds else np.float32(0)
        axes = (*self._vertical, *self._horizontal)
        resample_plane(plane, self._width, self._height, *axes, self._edge, half, out)
        return out if self._rounds else self._quantise(out)


class ChromaPath:
    """Both chroma planes to another size, matrix and range."""

    def __init__(self, kernel: Kernel, source: Signal, target: Signal) -> None:
        self._resample = PlaneResampler(kernel, source, target, (CHROMA_X, CHROMA_Y))
        self._shape = plane_shapes(source)[1]
        rows = codes_from_codes(source, target)[1:3, 1:]
        self._maps = None if np.array_equal(rows, np.eye(4)[1:3, 1:]) else rows.astype(np.float32)

    def __call__(self, u: Plane, v: Plane) -> tuple[Plane, Plane]:
        """Convert whole rows of Cb and Cr."""
        if self._maps is None:
            return self._resample(u), self._resample(v)
        converted = [np.empty(self._shape, np.float32) for _ in self._maps]
        for coefficients, plane in zip(self._maps, converted, strict=True):
            convert_chroma(u, v, coefficients, plane)
        return self._resample(converted[0]), self._resample(converted[1])


class LumaConverter:
    """Luma to another matrix or range at its own size: (H, W) float32, unrounded."""

    def __init__(self, source: Signal, target: Signal) -> None:
        self._shape = plane_shapes(source)[0]
        self._map = codes_from_codes(source, target)[0].astype(np.float32)

    @property
    def needed(self) -> bool:
        """Whether luma changes at all."""
        return not np.array_equal(self._map, np.eye(4)[0])

    def __call__(self, y: Plane, u: Plane, v: Plane) -> NDArray[np.float32]:
        """Convert whole rows."""
        out = np.empty(self._shape, np.float32)
        convert_luma(y, u, v, self._map, out)
        return out


LumaPath = Callable[[Plane, Plane, Plane], Plane]
"""Whole rows of Y, Cb and Cr of a frame to its luma in the target signal."""


def resampling_luma(kernel: Kernel, source: Signal, target: Signal) -> LumaPath:
    """Luma by plain interpolation."""
    convert = LumaConverter(source, target)
    resample = PlaneResampler(kernel, source, target, (LUMA, LUMA))

    def luma(y: Plane, u: Plane, v: Plane) -> Plane:
        return resample(convert(y, u, v) if convert.needed else y)

    return luma


class CpuUpscaler:
    """`Upscaler` of a luma path and a chroma path, both safe to share between threads."""

    batch = 1

    def __init__(self, luma: LumaPath, chroma: ChromaPath, source: Signal, threads: int) -> None:
        self.concurrency = threads
        self._luma, self._chroma, self._source = luma, chroma, source

    def __call__(self, frames: list[Planes]) -> list[Planes]:
        """Upscale frames one after the other."""
        return [self._upscale(frame) for frame in frames]

    def _upscale(self, frame: Planes) -> Planes:
        check_planes(frame, self._source)
        y, u, v = (whole_rows(plane) for plane in frame)
        return Planes(self._luma(y, u, v), *self._chroma(u, v))


def _reach(taps: Taps, size: int) -> int:
    first, last = int(taps.first.min()), int(taps.first.max()) + int(taps.weights.shape[1])
    return max(-first, last - size, 0)
