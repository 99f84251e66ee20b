"""Pictures for the report: where what the viewer gets today is furthest from the reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from origin.evaluate.spool import FrameFile
from origin.evaluate.types import LOW, REFERENCE, Clip, Still
from origin.media.compare import LumaScores
from origin.media.pictures import png_of, rgb_of
from sr.types import Planes, Signal

CROP = (256, 144)
"""Width and height at most."""
_GRID = 8
"""Crops begin at multiples of so many samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A rectangle of one frame, in samples of the reference."""

    position: int
    """Of the frame among those measured."""
    left: int
    top: int
    width: int
    height: int


def choose_places(
    made: FrameFile, reference: FrameFile, luma: Sequence[LumaScores], count: int
) -> list[Place]:
    """The worst frame of each of `count` parts of the clip, and the worst place of each.

    No two places overlap while there is room.
    """
    parts = np.array_split(np.arange(len(luma)), min(count, len(luma)))
    worst = [int(max(part, key=lambda i: luma[i].mse)) for part in parts]
    places: list[Place] = []
    for position in sorted(worst, key=lambda i: -luma[i].mse):
        error = made[position].y.astype(np.float32) - reference[position].y
        places.append(_worst_place(error**2, position, places))
    return places


def _worst_place(error: NDArray[np.float32], position: int, taken: Sequence[Place]) -> Place:
    height, width = error.shape
    across, down = (
        min(most, size) // _GRID for most, size in zip(CROP, (width, height), strict=True)
    )
    rows, columns = height // _GRID, width // _GRID
    blocks = error[: rows * _GRID, : columns * _GRID]
    cells = blocks.reshape(rows, _GRID, columns, _GRID).sum((1, 3), dtype=np.float64)
    sums = np.pad(cells, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    windows = sums[down:, across:] - sums[:-down, across:] - sums[down:, :-across]
    windows += sums[:-down, :-across]
    free = windows.copy()
    for place in taken:
        top, left = place.top // _GRID, place.left // _GRID
        free[max(0, top - down + 1) : top + down, max(0, left - across + 1) : left + across] = -1
    best = free if free.max() >= 0 else windows
    row, column = np.unravel_index(int(best.argmax()), best.shape)
    return Place(
        position=position,
        left=int(column) * _GRID,
        top=int(row) * _GRID,
        width=across * _GRID,
        height=down * _GRID,
    )


class Album:
    """The pictures of one clip, cut out of one file after the other."""

    def __init__(self, clip: Clip, signal: Signal, places: Sequence[Place], *, whole: bool) -> None:
        """Decide on the pictures.

        Args:
            clip: Where they are from.
            signal: Colour of its frames.
            places: Crops; the first one's frame is shown whole too.
            whole: Whether it is.
        """
        everything = Place(
            position=places[0].position, left=0, top=0, width=clip.width, height=clip.height
        )
        self._clip, self._signal = clip, signal
        self._places = [*places, everything] if whole else [*places]
        self._images: list[dict[str, bytes]] = [{} for _ in self._places]

    def add(self, name: str, frames: FrameFile, scale: int = 1) -> None:
        """Cut the pictures out of a version of the clip that is smaller by `scale`."""
        cache: dict[int, NDArray[np.uint8]] = {}
        for place, images in zip(self._places, self._images, strict=True):
            if place.position not in cache:
                cache[place.position] = self._rgb(frames[place.position])
            top, left = place.top // scale, place.left // scale
            bottom = -(-(place.top + place.height) // scale)
            right = -(-(place.left + place.width) // scale)
            images[name] = png_of(cache[place.position][top:bottom, left:right])

    def add_sources(self, reference: FrameFile, low: FrameFile, scale: int) -> None:
        """Cut out what the models are compared with."""
        self.add(REFERENCE, reference)
        self.add(LOW, low, scale)

    def stills(self, models: Mapping[str, object]) -> list[Still]:
        """The pictures of the sources and of these models."""
        return [
            Still(
                clip=self._clip.name,
                frame=self._clip.frames[place.position],
                seconds=self._clip.seconds[place.position],
                whole=place.width == self._clip.width,
                left=place.left,
                top=place.top,
                width=place.width,
                height=place.height,
                images={
                    name: png
                    for name, png in images.items()
                    if name in models or name in (REFERENCE, LOW)
                },
            )
            for place, images in zip(self._places, self._images, strict=True)
        ]

    def _rgb(self, planes: Planes) -> NDArray[np.uint8]:
        return rgb_of(planes, self._signal.matrix, full_range=self._signal.full_range)
