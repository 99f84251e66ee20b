import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from sr import Planes, open_upscaler
from sr.cpu import Quantiser
from sr.dither import SIDE, thresholds
from sr.tensors import quantiser
from tests.sr.frames import gradient, largest_difference, noise, signal

MODELS = ("lanczos", "anime4k-m")
DEPTHS = tuple(itertools.product((8, 10), (8, 10)))


def box(plane: np.ndarray) -> np.ndarray:
    """Means over the pattern's period."""
    windows = np.lib.stride_tricks.sliding_window_view(plane.astype(float), (SIDE, SIDE))
    return windows.mean((2, 3))


def sky(width: int, height: int) -> Planes:
    """A slow 10-bit slope: 24 codes of 10 bits, six of 8, from one side to the other."""
    luma = np.tile(np.linspace(300, 324, width).round().astype(np.uint16), (height, 1))
    chroma = np.full((height // 2, width // 2), 512, np.uint16)
    return Planes(luma, chroma, chroma)


def test_the_pattern_has_every_threshold_once_around_a_half() -> None:
    plain, dithered = (
        thresholds(replace(signal(8, 8), dithered=dithered)) for dithered in (False, True)
    )
    assert np.all(plain == 0.5)
    assert np.unique(dithered).size == SIDE**2
    assert dithered.mean() == 0.5
    assert 0.125 < dithered.min() < dithered.max() < 0.875


@pytest.mark.parametrize("device", ["cpu", "torch-cpu"])
def test_ten_bit_gradients_keep_their_slope_in_eight_bits(device: str) -> None:
    source, target = signal(320, 64, depth=10), signal(320, 64)
    frame = sky(320, 64)

    def error(**options: bool) -> float:
        upscale = open_upscaler(
            model="identity", source=source, target=target, device=device, **options
        )
        return float(np.sqrt(np.mean((box(upscale([frame])[0].y) - box(frame.y) / 4) ** 2)))

    assert error(dither=True) < error(dither=False) / 3
    assert error() == error(dither=True)


@pytest.mark.parametrize("model", MODELS)
def test_eight_bit_sources_are_rounded_unless_asked(model: str) -> None:
    source, target = signal(64, 48), signal(128, 96)
    usual, rounded, dithered = (
        open_upscaler(model=model, source=source, target=target, dither=dither)([noise(64, 48)])[0]
        for dither in (None, False, True)
    )
    assert largest_difference(usual, rounded) == 0
    assert largest_difference(rounded, dithered) == 1


@pytest.mark.parametrize("device", ["cpu", "torch-cpu"])
def test_whole_codes_stay(device: str) -> None:
    frame = gradient(66, 50)
    same, wider = (
        open_upscaler(
            model="identity",
            source=signal(66, 50),
            target=signal(66, 50, depth=depth),
            device=device,
            dither=True,
        )([frame])[0]
        for depth in (8, 10)
    )
    assert largest_difference(same, frame) == 0
    assert all(np.array_equal(a, 4 * b.astype(int)) for a, b in zip(wider, frame, strict=True))
    flat = Planes(
        *(np.full(s, c, np.uint8) for s, c in (((50, 66), 77), ((25, 33), 3), ((25, 33), 250)))
    )
    doubled = open_upscaler(
        model="lanczos", source=signal(66, 50), target=signal(132, 100), device=device, dither=True
    )([flat])[0]
    assert [set(np.unique(p)) for p in doubled] == [{77}, {3}, {250}]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("size", [(128, 96), (161, 91)])
@pytest.mark.parametrize(("into", "out"), DEPTHS)
def test_numba_is_torch_at_every_depth(model: str, size: tuple[int, int], into, out) -> None:
    source, target = signal(64, 48, "bt601", depth=into), signal(*size, depth=out)
    for frame, dither in itertools.product(
        (noise(64, 48, 0, into), gradient(64, 48, into)), (0, 1)
    ):
        ours, reference = (
            open_upscaler(model=model, source=source, target=target, device=device, dither=dither)(
                [frame]
            )[0]
            for device in ("cpu", "torch-cpu")
        )
        assert largest_difference(ours, reference) <= 1


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("dithered", [False, True])
def test_numba_and_torch_quantise_alike(depth, dithered: bool) -> None:
    codes = np.random.default_rng(0).uniform(-20, 1100, (37, 53)).astype(np.float32)
    codes[:8] = codes[:8].round()
    target = replace(signal(53, 37, depth=depth), dithered=dithered)
    ours = Quantiser(target)(codes)
    theirs = quantiser(target, "cpu")(torch.from_numpy(codes)[None]).numpy()[0]
    assert np.array_equal(ours, theirs)
    assert np.abs(ours - codes.clip(0, 2**depth - 1)).max() <= 0.875
