"""Large images through a network in equal, overlapping tiles: bounded memory, the same result.

Every tile has the same size, so that one shape is all a CUDA graph or a tuned kernel sees. Tiles
overlap by twice the halo, which is at least the receptive radius; of each, only what no artificial
edge can have reached is kept. At the picture's own edges a tile ends where the picture does, so
that the network pads there as it would pad the whole.
"""

from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

from sr.errors import UpscalerError

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    Network = Callable[[torch.Tensor], torch.Tensor]

MAX_CUTS = 64
"""Tiles along one axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One tile along one axis, in input pixels."""

    start: int
    """Its first pixel;"""
    first: int
    """what is kept of it: from this pixel"""
    stop: int
    """to before this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How an image is cut."""

    tile: tuple[int, int]
    """(height, width) of every tile."""
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]


def cut(length: int, tile: int, halo: int, multiple: int = 1) -> tuple[Span, ...]:
    """Cut one axis into tiles as few as can be, spread evenly.

    Args:
        length: Of the axis.
        tile: Of each tile. Where it is less than the length, the two must be equal modulo
            `multiple`, so that the last tile can end where the axis does.
        halo: What is not kept of a tile along its artificial edges.
        multiple: Tiles start at multiples of it.

    Raises:
        UpscalerError: Nothing of a tile would be left.
    """
    if tile >= length:
        return (Span(start=0, first=0, stop=length),)
    rest, step = (length - tile) // multiple, (tile - 2 * halo) // multiple
    if step < 1 or (length - tile) % multiple:
        raise UpscalerError(f"tiles of {tile} with a halo of {halo} cannot cover {length} pixels")
    gaps = -(-rest // step)
    starts = [index * rest // gaps * multiple for index in range(gaps + 1)]
    borders = [(before + tile + after) // 2 for before, after in pairwise(starts)]
    edges = pairwise([0, *borders, length])
    return tuple(
        Span(start=start, first=first, stop=stop)
        for start, (first, stop) in zip(starts, edges, strict=True)
    )


def plan_tiles(size: tuple[int, int], halo: int, multiple: int, max_pixels: int) -> Grid:
    """The grid that computes the fewest pixels with tiles of at most `max_pixels`.

    Args:
        size: (height, width) of the image.
        halo: At least the network's receptive radius.
        multiple: What the network wants sizes to be a multiple of.
        max_pixels: Input pixels of a tile.

    Raises:
        UpscalerError: No such tile is larger than its halo.
    """
    choices = [_choices(length, halo, multiple) for length in size]
    fitting = [
        (len(rows) * len(columns) * height * width, len(rows) * len(columns), height, width)
        for (height, rows), (width, columns) in product(*choices)
        if height * width <= max_pixels
    ]
    if not fitting:
        raise UpscalerError(
            f"no tile of {max_pixels} pixels holds a halo of {halo} pixels around something"
        )
    *_, height, width = min(fitting)
    rows, columns = (
        cut(length, tile, halo, multiple)
        for length, tile in zip(size, (height, width), strict=True)
    )
    return Grid(tile=(height, width), rows=rows, columns=columns)


def run_tiles(network: "Network", grid: Grid, scale: int, images: "torch.Tensor") -> "torch.Tensor":
    """Run a network over the tiles of N3HW images; N3(sH)(sW) float32.

    Args:
        network: From N3hw to N3(sh)(sw).
        grid: Cut for images of this size.
        scale: The network's.
        images: On its device.
    """
    height, width = grid.tile
    if len(grid.rows) == len(grid.columns) == 1:
        return network(images)
    count, channels = images.shape[:2]
    size = (scale * grid.rows[-1].stop, scale * grid.columns[-1].stop)
    result = images.new_empty((count, channels, *size))
    for row, column in product(grid.rows, grid.columns):
        tile = images[:, :, row.start :, column.start :][:, :, :height, :width]
        kept = network(tile)[:, :, _within(row, scale), _within(column, scale)]
        result[:, :, _slice(row, scale), _slice(column, scale)] = kept
    return result


def _choices(length: int, halo: int, multiple: int) -> list[tuple[int, tuple[Span, ...]]]:
    """For each number of tiles, the smallest that do; with what they cut."""
    chosen = [(length, cut(length, length, halo, multiple))]
    for count in range(2, MAX_CUTS + 1):
        tile = -(-(length + 2 * halo * (count - 1)) // count)
        tile += (length - tile) % multiple
        while tile < length and (
            tile - 2 * halo < multiple or len(cut(length, tile, halo, multiple)) > count
        ):
            tile += multiple
        if tile >= length:
            continue
        chosen.append((tile, cut(length, tile, halo, multiple)))
    return chosen


def _within(span: Span, scale: int) -> slice:
    return slice(scale * (span.first - span.start), scale * (span.stop - span.start))


def _slice(span: Span, scale: int) -> slice:
    return slice(scale * span.first, scale * span.stop)
