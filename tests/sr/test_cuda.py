"""The GPU path against the torch reference: the same code, in half precision and as a graph."""

import numpy as np
import pytest
import torch

from sr import Planes, load_model, open_upscaler, resolve_device, tensors
from sr.rgb import open_rgb
from sr.types import Depth
from tests.sr.frames import gradient, largest_difference, noise, psnr, signal
from tests.sr.networks import SmallNetwork

pytestmark = pytest.mark.needs_cuda

NETWORKS = [
    "anime4k-vl",
    "anime4k-a",
    "waifu2x-upconv7",
    "waifu2x-cunet",
    "realesr-animevideo",
    "realcugan-se",
]
TARGETS = [(322, 182), (240, 136), (480, 270)]


def both(frames: list[Planes], model: str, size: tuple[int, int], device: str):
    source, target = signal(161, 91, "bt601"), signal(*size, "bt709")
    fast = open_upscaler(model=model, source=source, target=target, device=device)
    exact = open_upscaler(model=model, source=source, target=target, device="torch-cpu")
    return fast(frames), [exact([frame])[0] for frame in frames]


@pytest.mark.parametrize("size", TARGETS)
@pytest.mark.parametrize("model", ["identity", "bilinear", "bicubic", "lanczos"])
def test_interpolation_is_the_reference(cuda: str, model: str, size: tuple[int, int]) -> None:
    for ours, exact in zip(
        *both([noise(161, 91), gradient(161, 91)], model, size, cuda), strict=True
    ):
        assert largest_difference(ours, exact) <= 1


@pytest.mark.parametrize("size", TARGETS)
def test_half_precision_is_near_single(cuda: str, size: tuple[int, int]) -> None:
    frames = [gradient(161, 91), *(noise(161, 91, seed) for seed in range(3))]
    for ours, exact in zip(*both(frames, "anime4k-m", size, cuda), strict=True):
        assert psnr(ours.y, exact.y) >= 50
        assert largest_difference(ours, exact) <= 2


def test_single_precision_network_is_the_reference(cuda: str) -> None:
    images = torch.rand(2, 3, 61, 47)
    exact = load_model("anime4k-m")(images)
    ours = load_model("anime4k-m", cuda)(images)
    assert ours.device.type == "cuda"
    assert (ours.cpu() - exact).abs().max() * 255 < 1


def test_a_batch_does_not_change_a_bit(cuda: str) -> None:
    frames = [noise(64, 48, seed) for seed in range(8)]
    source, target = signal(64, 48), signal(128, 96)
    upscale = open_upscaler(model="anime4k-m", source=source, target=target, device=cuda)
    assert (upscale.batch, upscale.concurrency) == (8, 1)
    together, alone = upscale(frames), [upscale([frame])[0] for frame in frames]
    assert all(largest_difference(a, b) == 0 for a, b in zip(together, alone, strict=True))
    again = upscale(frames)
    assert all(np.array_equal(a.y, b.y) for a, b in zip(together, again, strict=True))


@pytest.mark.parametrize("size", [(320, 180), (481, 273)])
@pytest.mark.parametrize("model", NETWORKS)
def test_large_networks_in_half_precision_are_near_single(
    cuda: str, film: Planes, model: str, size: tuple[int, int]
) -> None:
    source, target = signal(160, 90), signal(*size)
    options = {"model": model, "source": source, "target": target}
    ours = open_upscaler(**options, device=cuda)([film])[0]
    exact = open_upscaler(**options, device="torch-cpu")([film])[0]
    assert all(psnr(a, b) >= 50 for a, b in zip(ours, exact, strict=True))


@pytest.mark.parametrize("model", ["lanczos", "anime4k-m", "anime4k-vl"])
@pytest.mark.parametrize(
    ("into", "out", "dither"), [(10, 8, True), (8, 10, False), (10, 10, False)]
)
def test_ten_bits_and_dither_are_the_references(
    cuda: str, model: str, into: Depth, out: Depth, dither: bool
) -> None:
    source, target = signal(64, 48, "bt601", depth=into), signal(128, 96, depth=out)
    options = {"model": model, "source": source, "target": target, "dither": dither}
    frame = gradient(64, 48, into)
    ours = open_upscaler(**options, device=cuda)([frame])[0]
    exact = open_upscaler(**options, device="torch-cpu")([frame])[0]
    assert ours.y.dtype == exact.y.dtype
    assert largest_difference(ours, exact) <= (1 if model == "lanczos" else 2 << out - 8)


def test_tiles_and_steps_do_not_show(cuda: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, target = [noise(64, 48, seed) for seed in range(4)], signal(192, 144)

    def upscaled() -> list[Planes]:
        network = SmallNetwork(layers=4)
        return open_rgb(lambda: network, signal(64, 48), target, cuda, 4)(frames)

    whole = upscaled()
    for limit in (2 * 64 * 48, 900):
        monkeypatch.setitem(tensors.MAX_PIXELS, "cuda", limit)
        for a, b in zip(whole, upscaled(), strict=True):
            assert largest_difference(a, b) <= 1


def test_auto_finds_it(cuda: str) -> None:
    assert resolve_device("auto") == cuda
