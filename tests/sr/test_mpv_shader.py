"""Shaders that browsers are given: the very passes that our own models are read from."""

import pytest

import sr
from sr.models.anime4k import CHAINS
from sr.models.anime4k.weights import PACKAGE, SHADER, load_weights, read_weights
from sr.shaders import packaged_shader


@pytest.mark.parametrize("model", CHAINS)
def test_a_models_shader_holds_its_networks_and_the_licence(model: str) -> None:
    shader = sr.mpv_shader(model)
    for name in CHAINS[model]:
        assert read_weights(shader, name).sha256 == load_weights(name).sha256
    assert shader.startswith("// MIT License")
    others = {name for chain in CHAINS.values() for name in chain} - set(CHAINS[model])
    assert not any(name in shader for name in others)


@pytest.mark.parametrize("model", CHAINS)
def test_passes_are_verbatim(model: str) -> None:
    packaged = packaged_shader(PACKAGE, SHADER)
    assert all(f"//!DESC{part}" in packaged for part in sr.mpv_shader(model).split("//!DESC")[1:])


@pytest.mark.parametrize("model", ["lanczos", "waifu2x-upconv7", "none", ""])
def test_others_have_none(model: str) -> None:
    with pytest.raises(sr.UpscalerError, match="anime4k-vl"):
        sr.mpv_shader(model)
