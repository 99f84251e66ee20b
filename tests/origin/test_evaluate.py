"""`upscale-origin evaluate`: what it measures, against FFmpeg and numpy; what it says to users."""

import math
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.cli import main
from origin.evaluate import metrics
from origin.evaluate.degrade import downscaler
from origin.evaluate.run import EvaluationRun
from origin.evaluate.sampling import RUN_FRAMES, split_runs, spread
from origin.evaluate.spool import FrameFile
from origin.evaluate.types import Evaluation, Settings
from sr.types import Planes, Signal
from tests.tools import ROOT, ffmpeg

WIDTH, HEIGHT, FRAMES = 160, 90, 8


def make_reference(clip: Path, path: Path, frames: int, *, codec: str = "ffv1", fmt: str) -> Path:
    """The clip's first frames, small; forwards and backwards where there are not enough."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, fmt
        for index, frame in zip(range(frames), source.decode(video=0), strict=False):
            small = frame.reformat(width=WIDTH, height=HEIGHT, format=fmt)
            small.pts, small.time_base = index, Fraction(1, 25)
            target.mux(stream.encode(small))
        target.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def reference(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evaluate") / "bunny.mkv"
    return make_reference(clip, path, FRAMES, fmt="yuv420p")


def evaluate(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Evaluation:
    capsys.readouterr()
    assert main(["evaluate", *map(str, arguments), "--json", "--threads", "2"]) == 0
    return msgspec.json.decode(capsys.readouterr().out, type=Evaluation)


# What it prints


def test_the_table_begins_with_what_viewers_get_and_keeps_the_order(reference, capsys):
    assert main(["evaluate", str(reference), "--models", "lanczos,anime4k-m,bicubic"]) == 0

    said = capsys.readouterr()
    rows = re.findall(r"^│ (\S+) .*$", said.out, re.M)
    assert rows == ["bilinear", "lanczos", "anime4k-m", "bicubic"]
    assert "160x88 → 80x44, lossless → 160x88, 8 frames" in said.out
    assert "cropped from 160x90 to 160x88, multiples of 4" in said.err


def test_json_holds_every_number_and_the_command(reference, capsys):
    found = evaluate(capsys, reference, "--models", "bicubic", "--frames", "5", "--scale", "2")

    assert [row.model for row in found.rows] == ["bilinear", "bicubic"]
    assert [row.is_viewer for row in found.rows] == [True, False]
    clip = found.clips[0]
    assert (clip.width, clip.height, clip.low_width, clip.low_height) == (160, 88, 80, 44)
    assert clip.cropped_from == (160, 90)
    assert len(clip.frames) == 5
    for row in found.rows:
        curve = row.curves[0]
        assert {len(curve.psnr), len(curve.ssim), len(curve.vmaf), len(curve.xpsnr)} == {5}
        assert row.scores.ssim == pytest.approx(np.mean(curve.ssim))
        assert row.scores.vmaf == pytest.approx(np.mean(curve.vmaf))
        errors = [10 ** (-psnr / 10) for psnr in curve.psnr]
        assert row.scores.psnr == pytest.approx(-10 * math.log10(np.mean(errors)))
        assert row.fps > 0
    bilinear, bicubic = (row.scores for row in found.rows)
    assert bicubic.psnr > bilinear.psnr
    assert bicubic.vmaf > bilinear.vmaf
    assert found.command.startswith(f"upscale-origin evaluate {reference} --models bicubic ")


def test_several_references_make_one_row_a_model_and_a_curve_a_clip(clip, reference, capsys):
    other = make_reference(
        clip, reference.with_name("other.y4m"), 4, codec="wrapped_avframe", fmt="yuv420p"
    )

    found = evaluate(capsys, reference, other, "--models", "bicubic", "--frames", "all")

    assert [len(c.frames) for c in found.clips] == [8, 4]
    for row in found.rows:
        assert [len(curve.ssim) for curve in row.curves] == [8, 4]
        together = [value for curve in row.curves for value in curve.ssim]
        assert row.scores.ssim == pytest.approx(np.mean(together))


def test_a_part_of_a_file_in_ten_bits(clip, tmp_path, capsys):
    path = make_reference(clip, tmp_path / "ten.mkv", 12, fmt="yuv420p10le")

    found = evaluate(capsys, path, "--models", "bicubic", "--start", "0.2", "--duration", "0.16")

    assert found.clips[0].seconds == (0.2, 0.24, 0.28, 0.32)
    assert found.clips[0].bit_depth == 10
    assert any("10 bits, measured as 8" in note for note in found.notes)


def test_compression_costs_quality_and_its_bitrate_is_told(reference, capsys):
    clean = evaluate(capsys, reference, "--models", "bicubic")
    coded = evaluate(capsys, reference, "--models", "bicubic", "--bitrate", "30k")

    assert clean.clips[0].bitrate is None
    assert 10_000 < coded.clips[0].bitrate < 100_000
    assert "two passes" in coded.compression
    assert all(
        there.scores.psnr < here.scores.psnr - 0.5
        for here, there in zip(clean.rows, coded.rows, strict=True)
    )
    again = evaluate(capsys, reference, "--models", "bicubic", "--bitrate", "30k")
    assert [row.scores for row in again.rows] == [row.scores for row in coded.rows]


# What is missing


def test_a_model_without_weights_is_reported_with_its_extra_and_the_rest_go_on(
    reference, capsys, monkeypatch
):
    monkeypatch.setattr("sr.weights.importlib.util.find_spec", lambda name: None)

    found = evaluate(capsys, reference, "--models", "waifu2x-upconv7,bicubic")

    assert [row.model for row in found.rows] == ["bilinear", "bicubic"]
    assert found.missing[0].model == "waifu2x-upconv7"
    assert "upscale-origin[waifu2x]" in found.missing[0].reason


def test_without_libvmaf_the_other_metrics_remain(reference, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)

    found = evaluate(capsys, reference, "--models", "bicubic")

    assert found.notes[-1] == (
        "VMAF needs an FFmpeg with libvmaf: pip install 'upscale-origin[evaluate]'"
    )
    assert all(row.scores.vmaf is None and row.curves[0].vmaf is None for row in found.rows)
    assert all(row.scores.psnr > 20 and row.scores.xpsnr > 20 for row in found.rows)


# What is wrong


def write_sound(path: Path) -> Path:
    with av.open(str(path), "w") as target:
        stream = target.add_stream("pcm_s16le", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 9600), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 48_000, 0
        target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


@pytest.fixture
def files(reference: Path, tmp_path: Path) -> dict[str, Path]:
    """What the words in capitals below stand for."""
    (tmp_path / "notes.txt").write_text("nothing to see\n" * 100)
    (tmp_path / "empty.mkv").touch()
    return {
        "REFERENCE": reference,
        "MISSING": tmp_path / "gone.mkv",
        "TEXT": tmp_path / "notes.txt",
        "EMPTY": tmp_path / "empty.mkv",
        "SOUND": write_sound(tmp_path / "sound.mkv"),
    }


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["MISSING"], 1, "gone.mkv cannot be read: No such file or directory"),
        (["SOUND"], 1, "sound.mkv has no video"),
        (["TEXT"], 1, "notes.txt is no MP4, Matroska, WebM or MPEG-TS file"),
        (["EMPTY"], 1, "empty.mkv is empty"),
        (["REFERENCE", "--models", "waifu3x"], 2, "no such model: waifu3x; there are"),
        (["REFERENCE", "--start", "60"], 1, "bunny.mkv has no frames from 60 s on: its last"),
        (["REFERENCE", "--frames", "0"], 2, "expected at least one frame, or all, not 0"),
        (["REFERENCE", "--scale", "8"], 2, "160x90 is too small to be made 8 times smaller"),
        (["REFERENCE", "--scale", "1.5"], 2, "expected a whole number from 2 to 8, not 1.5"),
        (["REFERENCE", "--bitrate", "fast"], 2, "expected bits per second such as 500k, not fast"),
        (["REFERENCE", "--threads", "-1"], 2, "expected at least one thread, not -1"),
        (["REFERENCE", "--device", "tpu"], 2, "no such device: tpu"),
        (["REFERENCE", "--report", "REFERENCE"], 2, "bunny.mkv cannot be written to"),
    ],
)
def test_each_mistake_is_one_clear_line(files, capsys, arguments, status, said):
    try:
        code = main(["evaluate", *(str(files.get(word, word)) for word in arguments)])
    except SystemExit as stop:
        code = stop.code

    told = capsys.readouterr()
    assert code == status
    assert said in told.err.splitlines()[-1]
    assert len([line for line in told.err.splitlines() if "cropped" not in line]) == 1
    assert told.out == ""


def test_a_truncated_reference_is_one_clear_line(reference, tmp_path, capsys):
    path = tmp_path / "cut.mkv"
    path.write_bytes(reference.read_bytes()[:-20_000])

    assert main(["evaluate", str(path)]) == 1

    assert "cut.mkv is truncated" in capsys.readouterr().err.splitlines()[-1]


def test_nothing_is_left_behind_when_it_is_terminated(clip, tmp_path):
    command = [sys.executable, "-m", "origin", "evaluate", str(clip), "--frames", "all"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        while not list(tmp_path.glob("*/reference.y4m")):
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        process.communicate()

    assert process.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


# Metrics, against others


@pytest.fixture
def pair(clip: Path, tmp_path: Path) -> Iterator[tuple[FrameFile, FrameFile]]:
    """Six frames of the clip, and the same with noise that grows."""
    size = (320, 180)
    files = [
        FrameFile(tmp_path / f"{name}.y4m", *size, Fraction(25), full_range=False)
        for name in ("made", "reference")
    ]
    random = np.random.default_rng(1)
    with av.open(str(clip)) as source:
        for index, frame in zip(range(6), source.decode(video=0), strict=False):
            small = frame.reformat(width=size[0], height=size[1], format="yuv420p").to_ndarray()
            noise = random.normal(0, 1 + index, small.shape)
            noisy = np.clip(small + noise, 0, 255).astype(np.uint8)
            for file, planes in zip(files, (noisy, small), strict=True):
                y, rest = planes[:180], planes[180:].reshape(2, 90, 160)
                file.append(Planes(y, rest[0], rest[1]))
    with files[0] as made, files[1] as reference:
        made.flush()
        reference.flush()
        yield made, reference


def ffmpeg_filter(made: FrameFile, reference: FrameFile, name: str) -> tuple[list[float], float]:
    """Luma of each frame, and the summary, of FFmpeg's own run over the files."""
    command = [ffmpeg(), "-nostdin", "-i", made.path.name, "-i", reference.path.name]
    command += ["-lavfi", f"{name}=stats_file=stats.log", "-f", "null", "-"]
    directory = made.path.parent
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    frame = {"psnr": r"psnr_y:(\S+)", "ssim": r"Y:(\S+)", "xpsnr": r"XPSNR y: +(\S+)"}[name]
    total = {"psnr": r"PSNR y:(\S+)", "ssim": r"SSIM Y:(\S+)", "xpsnr": r"XPSNR +y: (\S+)"}[name]
    lines = (directory / "stats.log").read_text().splitlines()
    frames = [float(found[1]) for line in lines if (found := re.search(frame, line))]
    return frames[: len(made)], float(re.findall(total, done.stderr)[-1])


def test_metrics_are_those_of_ffmpeg_and_numpy(pair):
    made, reference = pair
    luma = metrics.compare_luma(made, reference, [range(6)], (320, 180), Fraction(25))
    curve, scores = metrics.curve(luma, None), metrics.pool(luma, None)

    for name, digits in (("psnr", 0.006), ("ssim", 2e-6), ("xpsnr", 1e-3)):
        frames, total = ffmpeg_filter(made, reference, name)
        assert getattr(curve, name) == pytest.approx(frames, abs=digits), name
        assert getattr(scores, name) == pytest.approx(total, abs=max(digits, 2e-4)), name
    errors = [
        np.mean((made[i].y.astype(np.float64) - reference[i].y) ** 2) for i in range(len(made))
    ]
    assert curve.psnr == pytest.approx([10 * np.log10(255**2 / e) for e in errors], abs=1e-4)
    assert scores.psnr == pytest.approx(10 * np.log10(255**2 / np.mean(errors)), abs=1e-4)


def test_vmaf_falls_with_noise_and_is_high_without(pair):
    made, reference = pair

    noisy = metrics.vmaf(made.path, reference.path, 2)

    assert len(noisy) == 6
    assert noisy[1] > noisy[5] + 5
    path = made.path.with_name("clean.y4m")
    with FrameFile(path, 320, 180, Fraction(25), full_range=False) as clean:
        for index in range(6):
            clean.append(reference[index])
        clean.flush()
        assert min(metrics.vmaf(path, reference.path, 2)[1:]) > 95


def test_equal_frames_have_no_end_of_decibels(pair):
    reference = pair[1]

    luma = metrics.compare_luma(reference, reference, [range(6)], (320, 180), Fraction(25))

    scores = metrics.pool(luma, None)
    assert (scores.psnr, scores.xpsnr, scores.ssim) == (math.inf, math.inf, 1.0)


def test_each_run_of_frames_starts_anew(pair):
    made, reference = pair
    whole, halves = (
        metrics.compare_luma(made, reference, runs, (320, 180), Fraction(25))
        for runs in ([range(6)], [range(3), range(3, 6)])
    )

    assert [frame.mse for frame in halves] == [frame.mse for frame in whole]
    assert halves[:3] == whole[:3]
    assert halves[3].xpsnr != whole[3].xpsnr


# Degradation


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_area_means_blocks_of_luma_and_keeps_chroma_where_it_was(scale):
    width, height = 24 * scale, 12 * scale
    source, target = (
        Signal(width=width // s, height=height // s, matrix="bt709") for s in (1, scale)
    )
    random = np.random.default_rng(2)
    luma = random.integers(0, 256, (height, width), np.uint8)
    columns = np.tile(np.arange(width // 2, dtype=np.uint8), (height // 2, 1))
    rows = np.repeat(np.arange(height // 2, dtype=np.uint8)[:, None], width // 2, axis=1)

    small = downscaler("area", source, target)(Planes(luma, columns, rows))

    blocks = luma.reshape(12, scale, 24, scale).mean((1, 3))
    assert np.abs(small.y - blocks).max() <= 0.5 + 1e-4
    across = np.arange(12) * scale + (scale - 1) / 4  # left-sited: in one column with even luma
    assert np.abs(small.u[0, 1:-1] - across[1:-1]).max() <= 0.5 + 1e-4
    down = np.arange(6) * scale + (scale - 1) / 2
    assert np.abs(small.v[:, 0] - down).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("kernel", ["bicubic", "area", "lanczos"])
def test_flat_colours_stay_what_they_are(kernel):
    source, target = (Signal(width=s, height=s, matrix="bt601") for s in (32, 16))
    flat = Planes(
        *(np.full(s, v, np.uint8) for s, v in (((32, 32), 7), ((16, 16), 99), ((16, 16), 250)))
    )

    small = downscaler(kernel, source, target)(flat)

    assert [np.unique(plane).tolist() for plane in small] == [[7], [99], [250]]


# Sampling and files


@given(st.integers(1, 5000), st.one_of(st.none(), st.integers(1, 5000)))
def test_frames_are_spread_in_short_runs(count, wanted):
    chosen = spread(count, wanted)

    assert len(chosen) == min(count, wanted or count)
    assert list(chosen) == sorted(set(chosen))
    assert 0 <= chosen[0] <= chosen[-1] < count
    runs = split_runs(chosen)
    assert [position for run in runs for position in run] == list(range(len(chosen)))
    assert all(chosen[run[-1]] - chosen[run[0]] == len(run) - 1 for run in runs)
    if wanted is not None and 4 * wanted <= count:
        assert max(len(run) for run in runs) <= RUN_FRAMES
        gaps = np.diff([0, *(chosen[run[0]] for run in runs), count])
        assert gaps.max() <= 2 * count / len(runs) + RUN_FRAMES


def test_frames_come_back_from_their_file_in_any_order(tmp_path):
    random = np.random.default_rng(3)
    frames = [
        Planes(*(random.integers(0, 256, s, np.uint8) for s in ((6, 10), (3, 5), (3, 5))))
        for _ in range(4)
    ]
    file = FrameFile(tmp_path / "x.y4m", 10, 6, Fraction(24000, 1001), full_range=True)
    for frame in frames:
        file.append(frame)

    for index in (2, 0, 3, 1):
        for back, plane in zip(file[index], frames[index], strict=True):
            assert np.array_equal(back, plane)
    with pytest.raises(IndexError):
        file[4]
    with file:
        pass
    assert not file.path.exists()


class Silent:
    def note(self, text: str) -> None: ...
    def begin(self, *, total: int, done: int = 0) -> None: ...
    def advance(self, done: int) -> None: ...
    def turn_to(self, text: str) -> None: ...


def test_memory_does_not_grow_with_the_frames(clip, tmp_path):
    path = make_reference(clip, tmp_path / "long.mkv", 120, fmt="yuv420p")

    def peak(frames: int) -> int:
        settings = Settings(
            models=("bilinear",),
            scale=2,
            downscale="bicubic",
            bitrate=None,
            frames=frames,
            start_seconds=0.0,
            duration_seconds=None,
            device="cpu",
            threads=1,
        )
        tracemalloc.start()
        EvaluationRun(settings, [str(path)], Silent()).run("")
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(4)
    frame_bytes = WIDTH * HEIGHT * 3 // 2
    assert peak(120) - peak(20) < 20 * frame_bytes
