from collections.abc import Iterator

import numpy as np
import pytest
import torch

from sr import Planes, Signal, UpscalerError, open_upscaler, precision, rgb, tensors
from sr.precision import CPU_FORMATS, SINGLE, fastest_format, in_format
from sr.rgb import open_rgb, sufficient_scale
from tests.sr.frames import gradient, largest_difference, noise, psnr, signal
from tests.sr.networks import Enlarge, SmallNetwork

SMALL = signal(64, 48, "bt601")


@pytest.fixture
def _forget() -> Iterator[None]:
    precision._measured.cache_clear()
    yield
    precision._measured.cache_clear()


def muted(frame: Planes) -> Planes:
    """In colours that R'G'B' has."""
    y, u, v = (
        (middle + (plane.astype(int) - 128) * gain).astype(np.uint8)
        for plane, middle, gain in zip(frame, (126, 128, 128), (0.5, 0.2, 0.2), strict=True)
    )
    return Planes(y, u, v)


def opened(network: torch.nn.Module, source: Signal, target: Signal, **options):
    return open_rgb(lambda: network, source, target, "cpu", options.pop("batch", 1), **options)


@pytest.mark.parametrize("size", [(128, 96), (192, 144), (161, 91), (96, 72), (64, 48)])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_nothing_shifts_at_any_scale_and_size(scale: int, size: tuple[int, int]) -> None:
    """A bilinear network is bilinear interpolation; slopes show a shift of a tenth of a pixel."""
    frame, target = muted(gradient(64, 48)), signal(*size, "bt709")
    ours = opened(Enlarge(scale), SMALL, target)([frame])[0]
    exact = open_upscaler(model="bilinear", source=SMALL, target=target)([frame])[0]
    for plane, expected in zip(ours, exact, strict=True):
        inner = (slice(4, -4), slice(4, -4))
        assert np.abs(plane[inner].astype(int) - expected[inner]).max() <= 1
        assert np.abs(plane.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("kind", [("bt601", False, 8), ("bt2020", True, 10)])
def test_a_network_that_changes_nothing_keeps_the_picture(film: Planes, kind) -> None:
    target = signal(160, 90, *kind)
    ours = opened(Enlarge(1), signal(160, 90), target)([film])[0]
    exact = open_upscaler(model="identity", source=signal(160, 90), target=target)([film])[0]
    peak = 2.0**target.depth - 1
    assert psnr(ours.y, exact.y, peak) > 50
    assert min(psnr(a, b, peak) for a, b in zip(ours[1:], exact[1:], strict=True)) > 40


@pytest.mark.parametrize(
    ("size", "scale"),
    [
        ((64, 48), 2),
        ((128, 96), 2),
        ((130, 96), 3),
        ((128, 97), 3),
        ((256, 192), 4),
        ((640, 480), 4),
    ],
)
def test_the_smallest_sufficient_scale_is_taken(size: tuple[int, int], scale: int) -> None:
    assert sufficient_scale((2, 3, 4), SMALL, signal(*size)) == scale


def test_tiles_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    network, target = SmallNetwork(), signal(192, 144)
    whole = opened(network, SMALL, target)([noise(64, 48)])[0]
    monkeypatch.setitem(tensors.MAX_PIXELS, "cpu", 600)
    tiled = opened(network, SMALL, target)([noise(64, 48)])[0]
    assert largest_difference(whole, tiled) <= 1
    assert psnr(whole.y, tiled.y) > 80


def test_full_hd_becomes_4k_in_tiles() -> None:
    network = SmallNetwork(layers=2)
    shapes: list[torch.Size] = []
    monitor = network.register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape))
    upscale = opened(network, signal(1920, 1080), signal(3840, 2160))
    result = upscale([gradient(1920, 1080)])[0]
    monitor.remove()
    assert result.y.shape == (2160, 3840)
    assert len(shapes) > 1
    assert len(set(shapes)) == 1
    assert np.prod(shapes[0][2:]) <= tensors.MAX_PIXELS["cpu"]


def test_a_global_network_goes_whole_or_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    network, target = SmallNetwork(is_global=True), signal(128, 96)
    monkeypatch.setitem(tensors.MAX_PIXELS, "cpu", 600)
    whole = opened(network, SMALL, target)([noise(64, 48)])[0]
    tiled = opened(network, SMALL, target, tile_global=True)([noise(64, 48)])[0]
    assert psnr(whole.y, tiled.y) < 80
    monkeypatch.setattr(rgb, "WHOLE_PIXELS", 64 * 48 - 1)
    with pytest.raises(
        UpscalerError, match="64x48 are too large for this model: it looks at a whole"
    ):
        opened(network, SMALL, target)
    again = opened(network, SMALL, target, tile_global=True)([noise(64, 48)])[0]
    assert largest_difference(tiled, again) == 0


def test_steps_and_batches_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, target = [noise(64, 48, seed) for seed in range(6)], signal(128, 96)
    together = opened(SmallNetwork(), SMALL, target, batch=6)(frames)
    monkeypatch.setitem(tensors.MAX_PIXELS, "cpu", 4 * 64 * 48)
    stepped = opened(SmallNetwork(), SMALL, target, batch=6)
    for all_at_once, part, alone in zip(
        together, stepped(frames), (stepped([f])[0] for f in frames), strict=True
    ):
        assert largest_difference(all_at_once, part) <= 1
        assert largest_difference(part, alone) == 0


@pytest.mark.parametrize("chosen", CPU_FORMATS, ids=str)
def test_every_format_stays_near_single(film: Planes, chosen, monkeypatch) -> None:
    source, target = signal(160, 90), signal(320, 180)
    exact = opened(SmallNetwork(layers=6), source, target)([film])[0]
    monkeypatch.setattr(rgb, "fastest_format", lambda *_: chosen)
    ours = opened(SmallNetwork(layers=6), source, target, threads=1)([film])[0]
    assert all(psnr(a, b) >= 50 for a, b in zip(ours, exact, strict=True))


@pytest.mark.parametrize(
    "model", ["waifu2x-upconv7", "waifu2x-cunet", "realesr-animevideo", "realcugan-se"]
)
def test_large_networks_in_bfloat16_are_near_single(film: Planes, model: str, monkeypatch) -> None:
    crop = Planes(film.y[:48, :64], film.u[:24, :32], film.v[:24, :32])
    options = {"model": model, "source": SMALL, "target": signal(128, 96)}
    exact = open_upscaler(**options, device="torch-cpu")([crop])[0]
    monkeypatch.setattr(rgb, "fastest_format", lambda *_: CPU_FORMATS[2])
    ours = open_upscaler(**options)([crop])[0]
    assert not np.array_equal(ours.y, exact.y)
    assert all(psnr(a, b) >= 50 for a, b in zip(ours, exact, strict=True))


@pytest.mark.usefixtures("_forget")
def test_a_format_is_measured_once_for_each_network(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = []
    clock = {chosen: seconds for chosen, seconds in zip(CPU_FORMATS, (1.0, 0.5, 0.2), strict=True)}

    def fake(module, chosen, device):
        timed.append(chosen)
        run = in_format(module, chosen, device)
        run_times[run] = clock[chosen]
        return run

    run_times: dict[object, float] = {}
    monkeypatch.setattr(precision, "in_format", fake)
    monkeypatch.setattr(precision, "_seconds", lambda run: run_times[run])
    monkeypatch.setattr(precision, "has_native_bfloat16", lambda: False)
    assert fastest_format(SmallNetwork()) == CPU_FORMATS[1]
    assert fastest_format(SmallNetwork()) == CPU_FORMATS[1]
    assert timed == list(CPU_FORMATS[:2])
    fastest_format(SmallNetwork(layers=4))
    assert len(timed) == 4
    clock[CPU_FORMATS[1]] = 0.95
    assert fastest_format(SmallNetwork(layers=5)) == SINGLE
    monkeypatch.setattr(precision, "has_native_bfloat16", lambda: True)
    assert fastest_format(SmallNetwork(layers=6)) == CPU_FORMATS[2]
    monkeypatch.setattr(precision, "MIN_PSNR", 200.0)
    assert fastest_format(SmallNetwork(layers=7)) == SINGLE


@pytest.mark.usefixtures("_forget")
def test_threads_are_torchs() -> None:
    before = torch.get_num_threads()
    try:
        upscale = opened(SmallNetwork(), SMALL, signal(128, 96), threads=1)
        torch.set_num_threads(2)
        upscale([noise(64, 48)])
        assert torch.get_num_threads() == 1
        assert upscale.concurrency == 1
    finally:
        torch.set_num_threads(before)
