from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from sr import Matrix, Planes, load_model, open_upscaler
from sr.color import rgb_from_codes
from sr.kernels.simd import MAX_COLUMNS
from sr.models.anime4k.tensors import load_network
from tests.sr.frames import gradient, largest_difference, noise, padded, signal

SIZES = [(160, 90), (161, 91), (8, 8), (1, 1), (2, 3), (33, 5), (64, 7), (1500, 12)]


def double(frame: Planes, device: str = "cpu", into: Matrix = "bt709") -> Planes:
    height, width = frame.y.shape
    source, target = signal(width, height, "bt601"), signal(2 * width, 2 * height, into)
    return open_upscaler(model="anime4k-m", source=source, target=target, device=device)([frame])[0]


@pytest.mark.parametrize("into", ["bt601", "bt709"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("picture", [noise, gradient])
def test_numba_is_torch(picture, size: tuple[int, int], into: Matrix) -> None:
    frame = picture(*size)
    fast, reference = double(frame, into=into), double(frame, "torch-cpu", into=into)
    assert largest_difference(fast, reference) <= 1
    assert fast.y.shape == (2 * size[1], 2 * size[0])


def test_numba_is_torch_on_film_and_in_other_ranges(film: Planes) -> None:
    for full_in, full_out in ((False, False), (True, False), (False, True)):
        source = signal(160, 90, "bt601", full_in)
        target = signal(320, 180, "bt709", full_out)
        fast, reference = (
            open_upscaler(model="anime4k-m", source=source, target=target, device=device)([film])[0]
            for device in ("cpu", "torch-cpu")
        )
        assert largest_difference(fast, reference) <= 1


@pytest.mark.parametrize("size", [(240, 136), (480, 270), (160, 90), (300, 180)])
def test_other_sizes_are_resampled(film: Planes, size: tuple[int, int]) -> None:
    source, target = signal(160, 90), signal(*size)
    fast, reference = (
        open_upscaler(model="anime4k-m", source=source, target=target, device=device)([film])[0]
        for device in ("cpu", "torch-cpu")
    )
    assert fast.y.shape == size[::-1]
    assert largest_difference(fast, reference) <= 1


def test_luma_alone_is_the_luma_of_the_rgb_network(film: Planes) -> None:
    """The residual is grey: running the network on RGB and taking luma of it gives the same."""
    source, target = signal(160, 90, "bt601"), signal(320, 180, "bt709")
    frame = Planes(
        film.y, np.full_like(film.u, 111), np.full_like(film.v, 140)
    )  # no siting to mind
    codes = np.stack([frame.y, *(np.full_like(frame.y, c) for c in (111, 140, 1))])
    rgb = np.einsum("ij,jhw->ihw", rgb_from_codes(source)[:3], codes.astype(float))
    images = torch.from_numpy(rgb.astype(np.float32))[None]
    out = load_model("anime4k-m")(images)[0].double().numpy()
    to_luma = np.linalg.inv(rgb_from_codes(target))[0]
    luma = np.einsum("j,jhw->hw", to_luma[:3], out) + to_luma[3]
    ours = open_upscaler(model="anime4k-m", source=source, target=target)([frame])[0]
    assert np.abs(ours.y - luma.clip(0, 255)).max() <= 0.51


def test_strips_of_columns_do_not_change_a_bit() -> None:
    frame = noise(MAX_COLUMNS + 200, 10)
    whole = double(frame)
    columns = MAX_COLUMNS - 4
    cut = Planes(frame.y[:, :columns], *(p[:, : columns // 2] for p in frame[1:]))
    alone = double(cut)
    inner = 2 * (columns - 16)
    assert np.array_equal(whole.y[:, :inner], alone.y[:, :inner])


def test_row_stride_does_not_matter() -> None:
    frame = noise(161, 91)
    assert largest_difference(double(padded(frame)), double(frame)) == 0


def test_threads_do_not_change_a_bit() -> None:
    frames = [noise(160, 90, seed) for seed in range(8)]
    source, target = signal(160, 90, "bt601"), signal(320, 180, "bt709")
    upscale = open_upscaler(model="anime4k-m", source=source, target=target, threads=4)
    assert (upscale.batch, upscale.concurrency) == (1, 4)
    alone = upscale(frames)
    with ThreadPoolExecutor(4) as pool:
        together = [result[0] for result in pool.map(lambda f: upscale([f]), frames)]
    assert all(largest_difference(a, b) == 0 for a, b in zip(alone, together, strict=True))


def test_a_torch_batch_does_not_change_a_bit() -> None:
    frames = [noise(48, 32, seed) for seed in range(3)]
    source, target = signal(48, 32), signal(96, 64)
    upscale = open_upscaler(
        model="anime4k-m", source=source, target=target, device="torch-cpu", batch=3
    )
    together, alone = upscale(frames), [upscale([f])[0] for f in frames]
    assert all(largest_difference(a, b) == 0 for a, b in zip(alone, together, strict=True))


def test_network_is_local() -> None:
    """A pixel changes nothing further away than the stated radius."""
    images = torch.rand(1, 3, 41, 41)
    changed = images.clone()
    changed[..., 20, 20] += 0.5
    network = load_network("cpu")
    touched = (network.residual(images) != network.residual(changed))[0, 0].nonzero()
    radius = load_model("anime4k-m").info.radius
    assert touched.min() >= 2 * (20 - radius)
    assert touched.max() <= 2 * (20 + radius) + 1
