"""From high-resolution files to pairs of frames: what a catalogue has, and what it was made of.

Frames come from scenes of a few seconds, spread over each file; the last of them are held out, so
that a network is judged by what it has not seen.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from origin.errors import UnsupportedSourceError
from origin.evaluate.degrade import downscaler
from origin.evaluate.types import Downscale
from origin.media.compress import Encode, compress, decompress
from origin.media.pipeline import signal_of
from origin.media.reference import Reference, open_reference, read_frames
from sr.training import Pair
from sr.types import Planes

SCENE_SECONDS = 2
MOST_SCENES = 48
TRAINING_FRAMES, HELD_OUT_FRAMES = 240, 4
HELD_OUT_SHARE = 6
"""One of so many scenes is held out."""
MAX_BYTES = 1 << 30
"""Of all frames together, in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degrade:
    """How frames are made small."""

    scale: int
    downscale: Downscale
    bitrate: int | None
    """Of an x264 encode of the small video, bits per second; None: lossless."""
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Consecutive frames of a file, and how many of them are taken."""

    reference: Reference
    """Whose `pts` are the scene's."""
    frames: int
    held_out: bool


def plan_scenes(paths: Sequence[str]) -> tuple[Scene, ...]:
    """Choose scenes of each file.

    Raises:
        BrokenSourceError: A file cannot be read.
        UnsupportedSourceError: It has no video, HDR video, or too little of it.
    """
    references = [_usable(open_reference(path)) for path in paths]
    return tuple(chain.from_iterable(_scenes(r, references) for r in references))


def _scenes(reference: Reference, references: Sequence[Reference]) -> Iterator[Scene]:
    count = len(reference.pts)
    length = min(round(SCENE_SECONDS * reference.frame_rate), count // HELD_OUT_SHARE)
    ranges = spread_ranges(count, max(1, length), max(2, MOST_SCENES // len(references)))
    last = max(1, len(ranges) // HELD_OUT_SHARE)
    first = len(ranges) - last
    for index, part in enumerate(ranges):
        held_out = index >= first
        wanted = HELD_OUT_FRAMES if held_out else _affordable(references)
        per_scene = -(-wanted // (len(references) * (last if held_out else first)))
        yield Scene(
            reference=replace(reference, pts=reference.pts[part.start : part.stop]),
            frames=min(len(part), per_scene),
            held_out=held_out,
        )


def read_pairs(scene: Scene, degrade: Degrade) -> Iterator[Pair]:
    """Yield a scene's frames at both sizes, evenly spread over it.

    Raises:
        BrokenSourceError: A frame cannot be read.
        ProductionError: x264 refuses.
    """
    reference, unit = scene.reference, 2 * degrade.scale
    width, height = reference.width // unit * unit, reference.height // unit * unit
    signal = signal_of(reference.color.resolved(reference.height), width, height)
    low = replace(signal, width=width // degrade.scale, height=height // degrade.scale)
    shrink = downscaler(degrade.downscale, signal, low)
    count = len(reference.pts)
    chosen = {count * (2 * i + 1) // (2 * scene.frames) for i in range(scene.frames)}
    luma, small = {}, {}
    for index, (y, u, v) in enumerate(read_frames(reference, degrade.threads)):
        half = np.s_[: height // 2, : width // 2]
        if index in chosen:
            luma[index] = np.array(y[:height, :width], np.uint8)
        if index in chosen or degrade.bitrate is not None:
            small[index] = shrink(Planes(y[:height, :width], u[half], v[half]))
    if degrade.bitrate is not None:
        encode = Encode(
            width=low.width,
            height=low.height,
            frame_rate=reference.frame_rate,
            color=reference.color.resolved(reference.height),
            bitrate=degrade.bitrate,
            threads=degrade.threads,
        )
        small = dict(enumerate(_through_x264(lambda: iter(small.values()), encode)))
    for index in sorted(chosen):
        yield Pair(low=small[index], high=luma[index], signal=low)


def spread_ranges(count: int, length: int, most: int) -> tuple[range, ...]:
    """At most so many ranges of a length, evenly spread over a count, that do not overlap."""
    number = min(most, count // length)
    gap = count - number * length
    starts = (i * length + gap * i // max(1, number - 1) for i in range(number))
    return tuple(range(start, start + length) for start in starts)


def _usable(reference: Reference) -> Reference:
    if not reference.color.is_sdr:
        raise UnsupportedSourceError("is HDR video", source=reference.path)
    if len(reference.pts) < HELD_OUT_SHARE:
        raise UnsupportedSourceError(
            f"has {len(reference.pts)} frames; expected at least {HELD_OUT_SHARE}",
            source=reference.path,
        )
    return reference


def _affordable(references: Sequence[Reference]) -> int:
    """How many frames to learn from fit into memory."""
    largest = max(reference.width * reference.height for reference in references)
    return min(TRAINING_FRAMES, MAX_BYTES // (2 * largest))


def _through_x264(frames: Callable[[], Iterator[Planes]], encode: Encode) -> list[Planes]:
    """There and back."""
    with tempfile.TemporaryDirectory(prefix="upscale-origin-") as directory:
        path = Path(directory) / "low.mkv"
        compress(frames, encode, path)
        back = decompress(path, encode.threads)
        return [Planes(*(np.array(plane) for plane in frame)) for frame in back]
