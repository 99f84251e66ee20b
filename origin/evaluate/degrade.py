"""From references to the low-resolution video that a catalogue has of them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import sr
from origin.errors import ProductionError
from origin.evaluate.spool import FrameFile
from origin.evaluate.types import Downscale, Settings
from origin.media.compress import DESCRIPTION, Encode, compress, decompress
from origin.media.pipeline import signal_of
from origin.media.reference import Frame, Reference, read_frames
from sr.types import Planes, Signal

KERNELS: dict[Downscale, str] = {
    "bicubic": "bicubic (Catmull-Rom, widened by the ratio)",
    "area": "area (mean of the samples covered)",
    "lanczos": "lanczos (three lobes, widened by the ratio)",
}


class Degradation:
    """One reference at both sizes. For one thread; `reference` and `low` are its measured frames.

    Frames are cut at the right and the bottom to multiples of twice the scale, made small in gamma
    light (on the code values, as encoders' scalers do) and rounded to 8 bits.
    """

    def __init__(
        self, source: Reference, indices: tuple[int, ...], settings: Settings, directory: Path
    ) -> None:
        """Open the files that hold the frames."""
        unit = 2 * settings.scale
        width, height = source.width // unit * unit, source.height // unit * unit
        color = source.color.resolved(source.height)
        self.signal = signal_of(color, width, height)
        self.low_signal = replace(
            self.signal, width=width // settings.scale, height=height // settings.scale
        )
        self.bitrate: int | None = None
        self._color, self._source, self._settings = color, source, settings
        self._indices, self._directory = indices, directory
        self.reads = indices[-1] + 1 if settings.bitrate is None else 2 * len(source.pts)
        self._shrink = downscaler(settings.downscale, self.signal, self.low_signal)
        self.reference = self._file("reference", self.signal)
        self.low = self._file("low", self.low_signal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        """Delete the files."""
        self.reference.__exit__(*error)
        self.low.__exit__(*error)

    def run(self, progress: Callable[[], None]) -> None:
        """Read the reference and fill both files.

        Args:
            progress: Told of each frame read, of `reads`.

        Raises:
            BrokenSourceError: A frame cannot be read.
        """
        if self._settings.bitrate is None:
            for planes in self._chosen(self._frames(progress)):
                self.reference.append(planes)
                self.low.append(self._shrink(planes))
        else:
            self._run_compressed(self._settings.bitrate, progress)
        self.reference.flush()

    def _run_compressed(self, bitrate: int, progress: Callable[[], None]) -> None:
        chosen, passes = set(self._indices), 0

        def small() -> Iterator[Planes]:
            nonlocal passes
            passes += 1
            for index, planes in enumerate(self._frames(progress)):
                if passes == 1 and index in chosen:
                    self.reference.append(planes)
                yield self._shrink(planes)

        encode = Encode(
            width=self.low_signal.width,
            height=self.low_signal.height,
            frame_rate=self._source.frame_rate,
            color=self._color,
            bitrate=bitrate,
            threads=self._settings.threads,
        )
        path = self._directory / "low.mkv"
        self.bitrate = compress(small, encode, path)
        for planes in self._chosen(decompress(path, self._settings.threads)):
            self.low.append(planes)
        if len(self.low) != len(self._indices):
            raise ProductionError("the compressed frames did not all come back")

    def _frames(self, progress: Callable[[], None]) -> Iterator[Planes]:
        width, height = self.signal.width, self.signal.height
        for y, u, v in read_frames(self._source, self._settings.threads):
            half = np.s_[: height // 2, : width // 2]
            yield Planes(y[:height, :width], u[half], v[half])
            progress()

    def _chosen(self, frames: Iterator[Frame]) -> Iterator[Planes]:
        chosen, last = set(self._indices), self._indices[-1]
        for index, frame in enumerate(frames):
            if index in chosen:
                yield Planes(*frame)
            if index == last:
                return

    def new_file(self, name: str) -> FrameFile:
        """A file for frames of the reference's size."""
        return self._file(name, self.signal)

    def _file(self, name: str, signal: Signal) -> FrameFile:
        path = self._directory / f"{name}.y4m"
        rate = self._source.frame_rate
        return FrameFile(path, signal.width, signal.height, rate, full_range=signal.full_range)


def describe_compression(bitrate: int | None) -> str:
    """In words."""
    return "none" if bitrate is None else f"{DESCRIPTION}, {bitrate / 1000:g} kbit/s"


def downscaler(kernel: Downscale, source: Signal, target: Signal) -> Callable[[Planes], Planes]:
    """A function that makes frames small by a whole factor; chroma stays left-sited."""
    if kernel == "area":
        scale = source.width // target.width
        return lambda planes: _shrink_by_area(planes, scale)
    upscaler = sr.open_upscaler(model=kernel, source=source, target=target)
    return lambda planes: upscaler([planes])[0]


def _shrink_by_area(planes: Planes, scale: int) -> Planes:
    y, u, v = (plane.astype(np.float32) for plane in planes)
    left = Fraction(1 - scale, 4)  # how far a left-sited sample's area lies from its block
    zero = Fraction(0)
    small = (
        _mean(_mean(plane, scale, zero).T, scale, shift).T
        for plane, shift in ((y, zero), (u, left), (v, left))
    )
    return Planes(*(np.ascontiguousarray(p + np.float32(0.5)).astype(np.uint8) for p in small))


def _mean(plane: NDArray[np.float32], scale: int, shift: Fraction) -> NDArray[np.float32]:
    """Means down the rows: of `scale` of them at a time, `shift` further on; edges repeat."""
    before, after = floor(-shift + 1), ceil(scale + shift)
    rows = plane.shape[0] // scale
    padded = np.pad(plane, ((before, scale), (0, 0)), mode="edge")
    total = np.zeros((rows, plane.shape[1]), np.float32)
    for k in range(-before, after):
        covered = min(Fraction(k + 1), scale + shift) - max(Fraction(k), shift)
        if covered > 0:
            begin = before + k
            total += padded[begin : begin + scale * rows : scale] * np.float32(covered / scale)
    return total
