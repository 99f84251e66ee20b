"""Training: it learns, it resumes, it stops, and what it makes is a model."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import sr
from sr.models.weight_file import WeightFile, write_weight_file
from sr.training import (
    Pair,
    Progress,
    Recipe,
    Trained,
    curve_document,
    curve_svg,
    packaged_anime4k,
    read_checkpoint,
    steps_within,
    train,
)
from tests.sr.frames import psnr, signal

LOW, HIGH = (80, 48), (160, 96)
RECIPE = Recipe(architecture="srcnn", steps=12, batch=2, side=24, checks=4)
TUNING = replace(RECIPE, architecture="anime4k-m", rate=3e-4)


def drawing(seed: int) -> sr.Planes:
    """Hard edges, as drawn pictures have them: discs and bars in flat colours."""
    random = np.random.default_rng(seed)
    width, height = HIGH
    rows, columns = np.mgrid[:height, :width]
    planes = [np.full((height, width), c, np.uint8) for c in random.integers(40, 200, 3)]
    for _ in range(14):
        y, x, size = random.integers(height), random.integers(width), random.integers(4, 30)
        angle = random.uniform(0, np.pi)
        across = (rows - y) * np.cos(angle) + (columns - x) * np.sin(angle)
        disc = (rows - y) ** 2 + (columns - x) ** 2 < size**2
        shape = disc if random.integers(2) else np.abs(across) < size / 8
        for plane, code in zip(planes, random.integers(30, 220, 3), strict=True):
            plane[shape] = code
    y, u, v = planes
    return sr.Planes(y, u[::2, ::2].copy(), v[::2, ::2].copy())


def pairs(seeds: Sequence[int]) -> list[Pair]:
    large, small = signal(*HIGH, "bt601"), signal(*LOW, "bt601")
    shrink = sr.open_upscaler(model="bicubic", source=large, target=small)
    drawings = [drawing(seed) for seed in seeds]
    return [Pair(low=shrink([d])[0], high=d.y, signal=small) for d in drawings]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Images this small gain nothing from two, and lose much where the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def frames() -> tuple[list[Pair], list[Pair]]:
    return pairs(range(6)), pairs([100, 101])


def stop_after(step: int) -> dict[str, Callable[..., object]]:
    """Stops once so many steps are taken."""
    taken = [0]

    def on_progress(progress: Progress) -> None:
        taken[0] = progress.step

    return {"on_progress": on_progress, "should_stop": lambda: taken[0] >= step}


def assert_same_weights(a: Trained, b: Trained) -> None:
    assert a.file.arrays.keys() == b.file.arrays.keys()
    for name, array in a.file.arrays.items():
        np.testing.assert_allclose(array, b.file.arrays[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("recipe", [RECIPE, TUNING, replace(RECIPE, loss="charbonnier")])
def test_thirty_steps_lower_the_loss(recipe: Recipe, frames) -> None:
    done = train(replace(recipe, steps=30, batch=4), *frames)
    losses = [point.loss for point in done.history if point.loss is not None]
    assert losses[-1] < 0.9 * losses[0]
    assert (done.outcome, done.step, done.history[-1].step) == ("finished", 30, 30)


def test_fine_tuning_starts_from_the_packaged_weights(frames) -> None:
    init = packaged_anime4k()
    start = train(TUNING, *frames, init=init, should_stop=lambda: True)
    assert start.outcome == "interrupted"
    for name, array in start.file.arrays.items():
        assert np.array_equal(array, init.arrays[name])
    longer = replace(TUNING, steps=30, batch=4, rate=1e-4, loss="mse")
    tuned = train(longer, *frames, init=init)
    assert tuned.best.psnr > start.best.psnr > start.baselines["bilinear"]


@pytest.mark.parametrize(("recipe", "init"), [(RECIPE, None), (TUNING, packaged_anime4k())])
def test_a_resumed_training_gives_what_it_would_have(
    tmp_path: Path, recipe: Recipe, init: WeightFile | None, frames
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    whole = train(recipe, *frames, init=init)
    cut = train(recipe, *frames, init=init, checkpoint=path, **stop_after(7))
    assert (cut.outcome, cut.step, read_checkpoint(path).step) == ("interrupted", 7, 7)
    steps: list[int] = []
    done = train(
        recipe, *frames, init=init, checkpoint=path, resume=True,
        on_progress=lambda progress: steps.append(progress.step),
    )  # fmt: skip
    assert steps == list(range(8, 13))
    assert_same_weights(done, whole)
    assert [p.step for p in done.history] == [p.step for p in whole.history]
    np.testing.assert_allclose(
        [p.psnr for p in done.history], [p.psnr for p in whole.history], rtol=1e-5
    )


def test_the_seed_decides(frames) -> None:
    short = replace(RECIPE, steps=4)
    one, same, other = (train(replace(short, seed=s), *frames) for s in (1, 1, 2))
    assert_same_weights(one, same)
    assert any(not np.allclose(a, other.file.arrays[name]) for name, a in one.file.arrays.items())


def test_it_stops_when_the_held_out_frames_gain_nothing(frames) -> None:
    stubborn = replace(RECIPE, rate=0.5, checks=12, patience=3)
    done = train(stubborn, *frames)
    assert done.outcome == "converged"
    assert done.step < RECIPE.steps
    assert done.best.psnr >= done.baselines["bicubic"] - 1e-6


def test_scores_are_those_of_the_finished_model(tmp_path: Path, frames) -> None:
    """What the curve says of the held-out frames is what the model does on their planes."""
    for recipe in (RECIPE, TUNING):
        done = train(recipe, *frames)
        path = tmp_path / f"{recipe.architecture}.safetensors"
        write_weight_file(done.file, path)
        for model, expected in (
            (str(path), done.best.psnr),
            ("bicubic", done.baselines["bicubic"]),
        ):
            source, target = signal(*LOW, "bt601"), signal(*HIGH, "bt601")
            upscale = sr.open_upscaler(model=model, source=source, target=target)
            scores = [psnr(upscale([pair.low])[0].y, pair.high) for pair in frames[1]]
            assert np.mean(scores) == pytest.approx(expected, abs=0.02)


def test_the_file_says_how_it_came_to_be(frames) -> None:
    done = train(replace(RECIPE, steps=5), *frames)
    assert (done.file.architecture, done.file.scale) == ("srcnn", 2)
    assert done.file.training["recipe"]["steps"] == 5
    assert done.file.training["held_out_psnr"] == done.best.psnr
    document = json.loads(json.dumps(curve_document(done), allow_nan=False))
    assert document["history"][0] == {"step": 0, "loss": None, "psnr": done.history[0].psnr}
    drawn = ElementTree.fromstring(curve_svg(done))
    assert sum(1 for element in drawn.iter() if element.tag.endswith("polyline")) == 2


def test_a_time_becomes_steps(frames) -> None:
    few, many = (steps_within(s, RECIPE, *frames) for s in (0.1, 1000))
    assert 1 <= few < many


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "vgg"}, "cannot train vgg; only srcnn and anime4k-m"),
        ({"scale": 3}, "uint8 luma 3 times"),
        ({"side": 128}, "smaller than patches of 128"),
        ({"side": 8}, "patches must be larger than"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], message: str, frames) -> None:
    with pytest.raises(sr.UpscalerError, match=message):
        train(replace(RECIPE, **changes), *frames)


@pytest.mark.parametrize("changes", [{"steps": 0}, {"rate": 0.0}, {"side": 31}, {"batch": 0}])
def test_impossible_recipes_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(sr.UpscalerError, match="a training cannot be as"):
        replace(RECIPE, **changes)


def test_a_wrong_start_and_no_frames_are_refused(frames) -> None:
    with pytest.raises(sr.UpscalerError, match="cannot start srcnn of scale 2 from anime4k-m"):
        train(RECIPE, *frames, init=packaged_anime4k())
    with pytest.raises(sr.UpscalerError, match="no frames to train on"):
        train(RECIPE, [], frames[1])


def test_a_checkpoint_fits_its_training_only(tmp_path: Path, frames) -> None:
    path = tmp_path / "checkpoint.safetensors"
    train(RECIPE, *frames, checkpoint=path, **stop_after(2))
    with pytest.raises(sr.UpscalerError, match="with another recipe"):
        train(replace(RECIPE, seed=3), *frames, checkpoint=path, resume=True)
    with pytest.raises(sr.UpscalerError, match="with other frames"):
        train(RECIPE, frames[0][:-1], frames[1], checkpoint=path, resume=True)
    with pytest.raises(sr.UpscalerError, match="a checkpoint of a training that has not ended"):
        sr.load_model(str(path))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(sr.UpscalerError, match="broken"):
        train(RECIPE, *frames, checkpoint=path, resume=True)
    write_weight_file(packaged_anime4k(), path)
    with pytest.raises(sr.UpscalerError, match="is no checkpoint"):
        train(RECIPE, *frames, checkpoint=path, resume=True)
