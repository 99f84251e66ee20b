"""Still pictures of a title, as JPEG: a poster, and sheets of small ones to find one's way by."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation
from numpy.typing import NDArray

from manifests.color import BT709, BT2020_NCL
from origin.errors import BrokenSourceError
from origin.media.keyframes import keyframes
from origin.media.line import JobCancelledError
from origin.media.pictures import jpeg_of
from origin.media.types import MakePoster, MakeSheet, Produced, StillShape

Rgb = NDArray[np.uint8]
Progress = Callable[[int], None]
Cancelled = Callable[[], bool]

_POSTER_QUANTISER = 3
_SHEET_QUANTISER = 4
_SMALL = 160
"""Longer side of what candidates for the poster are judged by."""
_BLACK, _WHITE, _FLAT = 24.0, 232.0, 10.0
"""Of R'G'B' codes: means beyond the former and deviations below the latter show nothing."""
_MATRICES = {BT709: Colorspace.ITU709, BT2020_NCL: Colorspace.BT2020}
"""All others are BT.601, or close to it."""
_FILTER = (
    Interpolation.BICUBIC
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
)


def make_poster(job: MakePoster, progress: Progress, cancelled: Cancelled) -> Produced:
    """Choose the keyframe that shows most, and draw it.

    Raises:
        BrokenSourceError: Not one can be decoded.
        JobCancelledError: `cancelled` said so.
    """
    small = _within(job.shape, _SMALL)
    best: VideoFrame | None = None
    rank = (False, -1)
    seen = 0
    for moments in (job.moments, job.others):
        for frame in _watched(keyframes(moments), progress, cancelled, seen):
            seen += 1
            found = _rank(draw(frame, small)) if frame is not None else rank
            if found > rank:
                best, rank = frame, found
        if rank[0]:
            break
    if best is None:
        raise _nothing(job.name)
    return Produced(body=jpeg_of(draw(best, job.shape), _POSTER_QUANTISER), frames=1)


def make_sheet(job: MakeSheet, progress: Progress, cancelled: Cancelled) -> Produced:
    """Draw keyframes side by side; what cannot be decoded repeats the picture before it.

    Raises:
        BrokenSourceError: Not one can be decoded.
        JobCancelledError: `cancelled` said so.
    """
    width, height = job.shape.width, job.shape.height
    rows = -(-len(job.moments) // job.columns)
    sheet = np.zeros((rows * height, job.columns * width, 3), np.uint8)
    last: Rgb | None = None
    frames = 0
    for index, frame in enumerate(_watched(keyframes(job.moments), progress, cancelled)):
        if frame is not None:
            last = draw(frame, job.shape)
            frames += 1
        if last is not None:
            row, column = divmod(index, job.columns)
            sheet[row * height :, column * width :][:height, :width] = last
    if not frames:
        raise _nothing(job.name)
    return Produced(body=jpeg_of(sheet, _SHEET_QUANTISER), frames=frames)


def draw(frame: VideoFrame, shape: StillShape) -> Rgb:
    """Scale a frame to its shape, (H, W, 3) R'G'B', and turn it upright."""
    turns = round(shape.rotation / 90) % 4
    size = (shape.width, shape.height)
    width, height = size[::-1] if turns % 2 else size
    full_range = shape.color.full_range or frame.format.name.startswith("yuvj")
    picture = frame.reformat(
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=_MATRICES.get(shape.color.matrix, Colorspace.ITU601),
        src_color_range=2 if full_range else 1,
        dst_color_range=2,
        interpolation=_FILTER,
        threads=1,
    )
    return np.rot90(picture.to_ndarray(), turns)


def _rank(rgb: Rgb) -> tuple[bool, int]:
    """Whether a picture is worth showing, and how much there is to see: what it takes to store."""
    mean, deviation = float(rgb.mean()), float(rgb.mean(axis=2).std())
    shows = _BLACK <= mean <= _WHITE and deviation >= _FLAT
    return shows, len(jpeg_of(rgb, _SHEET_QUANTISER))


def _within(shape: StillShape, side: int) -> StillShape:
    longer = max(shape.width, shape.height)
    width, height = (max(2, round(n * side / longer)) for n in (shape.width, shape.height))
    return replace(shape, width=width, height=height) if longer > side else shape


def _watched(
    frames: Iterable[VideoFrame | None], progress: Progress, cancelled: Cancelled, done: int = 0
) -> Iterator[VideoFrame | None]:
    for number, frame in enumerate(frames, start=done + 1):
        if cancelled():
            raise JobCancelledError
        yield frame
        progress(number)


def _nothing(name: str) -> BrokenSourceError:
    return BrokenSourceError("none of its keyframes can be decoded", source=name)
