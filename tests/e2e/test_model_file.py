"""A model file as a rendition, from the command line to the player's bytes."""

from pathlib import Path

import pytest

import sr
from origin.cli import main
from origin.errors import ProductionError
from origin.media.pipeline import open_upscaler
from sr.models.weight_file import write_weight_file
from sr.training import packaged_anime4k
from tests.http_client import get, title, titles
from tests.media.synth import Clip, write_file
from tests.tools import run_origin


def packaged_in_a_file(path: Path) -> Path:
    path.parent.mkdir()
    write_weight_file(packaged_anime4k(), path)
    return path


def test_a_model_file_is_served(tmp_path: Path) -> None:
    model = packaged_in_a_file(tmp_path / "private folder" / "My Series.safetensors")
    (tmp_path / "library").mkdir()
    write_file(tmp_path / "library" / "film.mkv", Clip(frames=25))
    specs = ("--rendition", f"2x:{model}", "--device", "cpu")
    with run_origin(f"lib={tmp_path}/library", *specs, "--cache", tmp_path / "cache") as base:
        row = titles(base)["lib/film.mkv"]
        (mine,) = row["renditions"]
        name = f"up-180p-my-series-{sr.model_digest(str(model))[:8]}"
        assert (mine["id"], mine["name"], mine["model"]) == (name, "180p · My Series", "My Series")
        listed = title(base + row["url"])
        assert listed.produced().stream_info.stable_variant_id == name
        assert get(listed.produced_track().segments[0]).status == 200
        assert b"private" not in get(f"{base}/api/titles").body + listed.text.encode()


def test_a_file_that_changed_under_the_origin_makes_nothing(tmp_path: Path) -> None:
    model = packaged_in_a_file(tmp_path / "models" / "mine.safetensors")
    signals = [sr.Signal(width=w, height=w, matrix="bt709") for w in (8, 16)]
    digest = sr.model_digest(str(model))
    open_upscaler(str(model), *signals, "cpu", 1, digest=digest)
    for wrong in ("0" * 64, sr.model_digest("anime4k-m")):
        with pytest.raises(ProductionError, match="the file of the model mine has changed"):
            open_upscaler(str(model), *signals, "cpu", 1, digest=wrong)


def test_a_broken_model_file_is_refused_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "library").mkdir()
    for name in ("a.safetensors", "b.pth", "c.param", "missing.safetensors"):
        model = tmp_path / name
        if name[0] in "abc":
            model.write_bytes(b"")
        serve = ["serve", f"lib={tmp_path}/library", "--rendition", f"2x:{model}", "--port", "0"]
        assert main([*serve, "--cache", str(tmp_path / "cache")]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert str(model) in line
