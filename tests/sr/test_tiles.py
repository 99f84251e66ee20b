import random
from itertools import pairwise

import pytest
import torch

from sr import UpscalerError
from sr.rgb import tiled_network
from sr.tiles import Grid, cut, plan_tiles, run_tiles
from tests.sr.frames import signal
from tests.sr.networks import SmallNetwork

CASES = range(100)


def random_axis(dice: random.Random, multiple: int, radius: int) -> tuple[int, int, int]:
    """Length, tile and halo: tiles may be as small as their halo allows, or the whole axis."""
    length, halo = dice.randint(1, 90), radius + dice.randint(0, 6)
    tile = dice.randint(2 * halo + multiple, 2 * halo + multiple + 40)
    tile += (length - tile) % multiple
    return length, tile, halo


@pytest.mark.parametrize("seed", CASES)
def test_tiles_are_the_whole(seed: int) -> None:
    dice = random.Random(seed)
    multiple, scale = dice.choice((1, 2, 4)), dice.choice((1, 2, 3))
    network = SmallNetwork(scale=scale, layers=dice.randint(2, 3), multiple=multiple).eval()
    (height, tile_height, halo), (width, tile_width, other) = (
        random_axis(dice, multiple, network.radius) for _ in range(2)
    )
    tile = (min(tile_height, height), min(tile_width, width))
    grid = Grid(
        tile=tile,
        rows=cut(height, tile[0], halo, multiple),
        columns=cut(width, tile[1], other, multiple),
    )
    images = torch.rand(dice.randint(1, 2), 3, height, width)
    with torch.inference_mode():
        whole = network(images)
        network.seen.clear()
        tiled = run_tiles(network, grid, scale, images)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-5)
    assert set(network.seen) == {(len(images), 3, *tile)}


@pytest.mark.parametrize("seed", CASES)
def test_plans_cover_every_pixel_once_within_their_limit(seed: int) -> None:
    dice = random.Random(seed)
    multiple, halo = dice.choice((1, 2, 4, 8)), dice.randint(0, 40)
    size = dice.randint(1, 4000), dice.randint(1, 4000)
    limit = dice.randint((2 * halo + 2 * multiple) ** 2 + 2000, 1 << 20)
    try:
        grid = plan_tiles(size, halo, multiple, limit)
    except UpscalerError as error:
        assert f"tile of {limit} pixels" in str(error)  # noqa: PT017
        assert max(size) > 60 * (limit**0.5 - 2 * halo - multiple)
        return
    assert grid.tile[0] * grid.tile[1] <= limit
    for length, tile, spans in zip(size, grid.tile, (grid.rows, grid.columns), strict=True):
        assert (spans[0].first, spans[-1].stop) == (0, length)
        assert all(a.stop == b.first for a, b in pairwise(spans))
        for span in spans:
            assert span.start % multiple == 0
            assert 0 <= span.start <= span.first < span.stop <= span.start + tile <= length
            assert span.first - span.start >= halo or span.start == 0
            assert span.start + tile - span.stop >= halo or span.start + tile == length


def test_a_halo_too_small_shows() -> None:
    network = SmallNetwork(layers=3).eval()
    images = torch.rand(1, 3, 40, 40)
    grid = Grid(tile=(21, 21), rows=cut(40, 21, 1), columns=cut(40, 21, 1))
    with torch.inference_mode():
        assert (run_tiles(network, grid, 2, images) - network(images)).abs().max() > 1e-4


@pytest.mark.parametrize(("tile", "halo", "multiple"), [(10, 5, 1), (12, 4, 8), (33, 2, 4)])
def test_tiles_that_cannot_cover_are_refused(tile: int, halo: int, multiple: int) -> None:
    with pytest.raises(UpscalerError, match="cannot cover 100 pixels"):
        cut(100, tile, halo, multiple)


def test_a_limit_below_the_halo_is_refused() -> None:
    with pytest.raises(UpscalerError, match="no tile of 1000 pixels holds a halo of 20"):
        plan_tiles((1000, 1000), 20, 1, 1000)


def test_full_hd_goes_through_in_equal_pieces() -> None:
    network = SmallNetwork(layers=2).eval()
    run = tiled_network(network, network, signal(1920, 1080), "cpu")
    images = torch.rand(1, 3, 1080, 1920)
    with torch.inference_mode():
        result = run(images)
        assert len(set(network.seen)) == 1
        height, width = network.seen[0][2:]
        assert height * width <= 1 << 18
        torch.testing.assert_close(result, network(images), rtol=0, atol=1e-5)
