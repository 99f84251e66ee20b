"""`upscale-origin train`, from files to a model that the pipeline runs."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import sr
from origin.cli import main
from origin.train.material import Degrade, plan_scenes, read_pairs, spread_ranges
from tests.sr.frames import psnr, run_ffmpeg
from tests.tools import ROOT

SIZE = (256, 144)
FRAMES = 60
LOSSLESS = ("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-an", "-sn")


def film(clip: Path, path: Path, frames: int = FRAMES, *options: str) -> Path:
    scale = f"scale={SIZE[0]}:{SIZE[1]}"
    run_ffmpeg("-i", clip, "-frames:v", str(frames), "-vf", scale, *LOSSLESS, *options, path)
    return path


@pytest.fixture(scope="module")
def material(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(clip, tmp_path_factory.mktemp("material") / "film.mkv")


def arguments(material: Path, out: Path, *more: str) -> list[str]:
    return ["train", str(material), "--architecture", "anime4k-m", "--out", str(out), *more]


def test_a_model_comes_out(
    material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.safetensors"
    assert main(arguments(material, out, "--init", "anime4k-m", "--steps", "3")) == 0
    said = capsys.readouterr().err
    assert f"use it by --rendition 2x:{out}" in said
    assert "held-out frames: " in said
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("mine.json", "mine.safetensors", "mine.svg")
    ]
    document = json.loads(out.with_suffix(".json").read_text())
    assert (document["material"], document["init"], document["step"]) == (
        *(["film.mkv"], "anime4k-m", 3),
    )
    assert sr.load_model(str(out)).info.scale == 2
    assert main(arguments(material, out, "--init", str(out), "--steps", "1", "--overwrite")) == 0


INTERRUPTED = textwrap.dedent(
    """
    import os, signal, sys
    from origin.cli import main
    from origin.progress import Lines

    def advance(self, done):
        if self._words.verb == "training" and done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    Lines.advance = advance
    sys.exit(main())
    """
)
"""The command, interrupted by itself: whoever watches it from outside may be too slow."""


def run(python: Sequence[str], arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *python, *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def test_an_interrupted_training_goes_on(material: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    command = arguments(material, out, "--init", "anime4k-m", "--steps", "40")
    first = run(["-c", INTERRUPTED], command)
    assert first.returncode == 130
    assert "run the same command again to go on" in first.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.checkpoint.safetensors"]
    assert main([*command, "--seed", "1"]) == 2
    second = run(["-m", "origin"], command)
    assert second.returncode == 0
    assert "training 40 steps, 3 of them made before" in second.stderr
    assert not (tmp_path / "mine.checkpoint.safetensors").exists()
    assert out.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--out", "model.pth"], "expected a name ending in .safetensors"),
        (["--out", "missing/model.safetensors"], "there is no folder missing"),
        (["--steps", "0"], "expected at least one step"),
        (["--minutes", "0"], "expected minutes above 0"),
        (["--rate", "2"], "expected a learning rate above 0"),
        (["--seed", "-1"], "expected a seed of 0 or more"),
        (["--scale", "3"], "anime4k-m has the scale 2, not 3"),
        (["--init", "README.md"], "expected anime4k-m or a file that `train` made"),
        (["--init", "none.safetensors"], "none.safetensors cannot be read"),
        (["--device", "gpu"], "no such device: gpu"),
        (["--architecture", "srcnn", "--init", "anime4k-m"], "cannot start srcnn of scale 2"),
    ],
)
def test_mistakes_end_in_one_line(
    material: Path,
    tmp_path: Path,
    changes: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "mine.safetensors"
    length = [] if "--minutes" in changes else ["--steps", "1"]
    status = main(arguments(material, out, *length, *changes))
    said = capsys.readouterr().err
    assert status in (1, 2)
    assert message in said.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bitrate", ["500", "fast", "9G"])
def test_a_wrong_bitrate_is_refused(material: Path, tmp_path: Path, bitrate: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments(material, tmp_path / "mine.safetensors", "--bitrate", bitrate))
    assert left.value.code == 2


def test_what_is_there_stays(material: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    out.write_text("precious")
    assert main(arguments(material, out, "--steps", "1")) == 2
    assert out.read_text() == "precious"


def test_material_that_does_not_serve_is_refused(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = film(clip, tmp_path / "short.mkv", 3)
    tags = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    hdr = film(clip, tmp_path / "hdr.mkv", FRAMES, "-x264-params", tags)
    for path, message in (
        (short, "has 3 frames; expected at least 6"),
        (hdr, "is HDR video"),
        (tmp_path / "none.mkv", "none.mkv cannot be read"),
    ):
        assert main(arguments(path, tmp_path / "mine.safetensors", "--steps", "1")) == 1
        assert message in capsys.readouterr().err


def test_held_out_scenes_are_the_last(material: Path) -> None:
    scenes = plan_scenes([str(material), str(material)])
    assert len(scenes) == 12
    for half in (scenes[:6], scenes[6:]):
        assert [scene.held_out for scene in half] == [False] * 5 + [True]
        times = [pts for scene in half for pts in scene.reference.pts]
        assert times == sorted(set(times))
    assert all(0 < scene.frames <= len(scene.reference.pts) for scene in scenes)


@pytest.mark.parametrize(("count", "length", "most"), [(60, 10, 48), (10_000, 48, 7), (6, 1, 48)])
def test_ranges_are_spread_and_apart(count: int, length: int, most: int) -> None:
    ranges = spread_ranges(count, length, most)
    assert len(ranges) == min(most, count // length)
    assert (ranges[0].start, ranges[-1].stop) == (0, count)
    assert all(len(r) == length for r in ranges)
    assert all(a.stop <= b.start for a, b in pairwise(ranges))


def test_pairs_are_the_film_and_the_film_made_small(material: Path) -> None:
    scene = plan_scenes([str(material)])[2]
    rates = {}
    for bitrate in (None, 60_000):
        degrade = Degrade(scale=2, downscale="bicubic", bitrate=bitrate, threads=1)
        pairs = list(read_pairs(scene, degrade))
        assert len(pairs) == scene.frames
        for pair in pairs:
            assert pair.high.shape == SIZE[::-1]
            assert (pair.signal.width, pair.signal.height) == (128, 72)
        large = sr.Signal(width=SIZE[0], height=SIZE[1], matrix=pairs[0].signal.matrix)
        enlarge = sr.open_upscaler(model="bicubic", source=pairs[0].signal, target=large)
        rates[bitrate] = [psnr(enlarge([pair.low])[0].y, pair.high) for pair in pairs]
    assert min(rates[None]) > 25
    assert np.mean(rates[60_000]) < np.mean(rates[None]) - 1
