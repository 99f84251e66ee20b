from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from sr import Matrix, Planes, Signal, load_model, open_upscaler
from sr.kernels.crelu import workspace
from sr.kernels.simd import MARGIN, PAD
from sr.models.anime4k.planes import pack
from sr.models.anime4k.weights import UPSCALE_M, UPSCALE_VL, load_weights
from tests.sr.frames import gradient, largest_difference, noise, padded, signal

MODELS = ["anime4k-m", "anime4k-vl", "anime4k-a"]
SIZES = [(160, 90), (161, 91), (8, 8), (1, 1), (2, 3), (33, 5), (64, 7), (1500, 12)]

pytestmark = pytest.mark.parametrize("model", MODELS)


def double(model: str, frame: Planes, device: str = "cpu", into: Matrix = "bt709") -> Planes:
    height, width = frame.y.shape
    source, target = signal(width, height, "bt601"), signal(2 * width, 2 * height, into)
    return open_upscaler(model=model, source=source, target=target, device=device)([frame])[0]


def both(model: str, frame: Planes, source: Signal, target: Signal) -> tuple[Planes, Planes]:
    """By the kernel, and by torch."""
    fast, reference = (
        open_upscaler(model=model, source=source, target=target, device=device)([frame])[0]
        for device in ("cpu", "torch-cpu")
    )
    return fast, reference


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("picture", "into"), [(noise, "bt601"), (gradient, "bt709")])
def test_numba_is_torch(model: str, size: tuple[int, int], picture, into: Matrix) -> None:
    frame = picture(*size)
    fast, reference = double(model, frame, into=into), double(model, frame, "torch-cpu", into)
    assert largest_difference(fast, reference) <= 1
    assert fast.y.shape == (2 * size[1], 2 * size[0])


def test_numba_is_torch_on_film_and_in_other_ranges(model: str, film: Planes) -> None:
    for full_in, full_out in ((False, False), (True, False), (False, True)):
        source = signal(160, 90, "bt601", full_in)
        target = signal(320, 180, "bt709", full_out)
        assert largest_difference(*both(model, film, source, target)) <= 1


def test_numba_is_torch_in_ten_bits(model: str) -> None:
    source, target = signal(81, 45, "bt601", depth=10), signal(162, 90, "bt709", depth=10)
    for frame in (noise(81, 45, depth=10), gradient(81, 45, depth=10)):
        assert largest_difference(*both(model, frame, source, target)) <= 1


@pytest.mark.parametrize("size", [(240, 136), (480, 270), (160, 90), (300, 180)])
def test_other_sizes_are_resampled(model: str, film: Planes, size: tuple[int, int]) -> None:
    fast, reference = both(model, film, signal(160, 90), signal(*size))
    assert fast.y.shape == size[::-1]
    assert largest_difference(fast, reference) <= 1


def test_strips_of_columns_do_not_change_a_bit(model: str) -> None:
    name = UPSCALE_M if model == "anime4k-m" else UPSCALE_VL
    widest = workspace(pack(load_weights(name)), 1 << 14).shape[1] - PAD - MARGIN
    frame = noise(2 * widest + 40, 6)
    whole, reach = double(model, frame), 24
    for left in (0, widest // 2 // 4 * 4, widest // 4 * 4 + 20):
        columns = min(widest, frame.y.shape[1] - left) // 4 * 4 - 80  # in one strip
        part = slice(left // 2, (left + columns) // 2)
        cut = Planes(frame.y[:, left : left + columns], frame.u[:, part], frame.v[:, part])
        alone = double(model, cut)
        for plane, other, scale in zip(whole, alone, (2, 1, 1), strict=True):
            inner = slice(scale * (left + reach), scale * (left + columns - reach))
            ours = slice(scale * reach, scale * (columns - reach))
            assert np.array_equal(plane[:, inner], other[:, ours])


def test_row_stride_does_not_matter(model: str) -> None:
    frame = noise(161, 91)
    assert largest_difference(double(model, padded(frame)), double(model, frame)) == 0


def test_threads_do_not_change_a_bit(model: str) -> None:
    frames = [noise(160, 90, seed) for seed in range(8)]
    source, target = signal(160, 90, "bt601"), signal(320, 180, "bt709")
    upscale = open_upscaler(model=model, source=source, target=target, threads=4)
    assert (upscale.batch, upscale.concurrency) == (1, 4)
    alone = upscale(frames)
    with ThreadPoolExecutor(4) as pool:
        together = [result[0] for result in pool.map(lambda f: upscale([f]), frames)]
    assert all(largest_difference(a, b) == 0 for a, b in zip(alone, together, strict=True))


def test_a_torch_batch_does_not_change_a_bit(model: str) -> None:
    frames = [noise(48, 32, seed) for seed in range(3)]
    source, target = signal(48, 32), signal(96, 64)
    upscale = open_upscaler(model=model, source=source, target=target, device="torch-cpu", batch=3)
    together, alone = upscale(frames), [upscale([f])[0] for f in frames]
    assert all(largest_difference(a, b) == 0 for a, b in zip(alone, together, strict=True))


def test_network_is_local(model: str) -> None:
    """A pixel changes nothing further away than the stated radius, and something that far."""
    images = torch.rand(1, 3, 61, 61)
    changed = images.clone()
    changed[..., 30, 30] += 0.5
    network = load_model(model)
    touched = (network(images) != network(changed))[0].any(dim=0).nonzero()
    radius = network.info.radius
    assert touched.min() >= 2 * (30 - radius)
    assert touched.max() <= 2 * (30 + radius) + 1
    assert touched.min() < 2 * (30 - radius + 3)


def test_cost_is_counted(model: str) -> None:
    """Multiply-accumulates of every convolution, all of which run on the source's grid."""
    network = load_model(model)
    layers = [m for m in network.module.modules() if isinstance(m, torch.nn.Conv2d)]
    kmac = sum(layer.weight.numel() for layer in layers) / 1000
    assert network.info.kmac_per_pixel == pytest.approx(kmac)
