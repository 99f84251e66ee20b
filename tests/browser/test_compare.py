"""The comparison, on titles whose frames show their own numbers."""

import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.browser.harness import run_driver
from tests.media.synth import Clip, Sound, read_counter, write_file, write_hls
from tests.tools import run_origin

pytestmark = pytest.mark.browser

CLIP = Clip(frames=336, rate=Fraction(24000, 1001), gop=48, b_frames=2, sounds=(Sound(),))
TITLES = {"ts": "t/ts/index.m3u8", "mkv": "t/film.mkv"}
SOURCE = "source 90p · browser bilinear"
SERVER = "180p · anime4k-m · server"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    library = tmp_path_factory.mktemp("library")
    write_hls(library / "ts", CLIP, "mpegts", 4)
    write_file(library / "film.mkv", CLIP)
    cache = tmp_path_factory.mktemp("cache")
    with run_origin(f"t={library}", "--cache", cache, "--rendition", "2x:anime4k-m") as url:
        yield url


def seek_targets(count: int) -> list[float]:
    choose = random.Random(4)
    return [choose.uniform(0.2, float(CLIP.seconds) - 0.5) for _ in range(count)]


def drive(origin: str, scenario: str, kind: str = "ts", **job: Any) -> dict[str, Any]:
    report: dict[str, Any] = run_driver(
        "compare.mjs",
        name=f"compare-{scenario}-{kind}",
        url=origin,
        title=TITLES[kind],
        scenario=scenario,
        **job,
    )
    assert report["failure"] is None
    return report


def assert_same_frame(look: dict[str, Any]) -> None:
    """The counters are read back from the canvases' pixels."""
    assert look["a"] == look["b"]
    assert look["seconds"][0] == pytest.approx(look["seconds"][1], abs=0.001)


def assert_nothing_left(report: dict[str, Any]) -> None:
    assert report["left"] == {"videos": 1, "layers": 0, "frames": 0, "chosen": None}


@pytest.mark.parametrize("kind", TITLES)
def test_both_sides_show_the_same_frame_through_play_pause_and_seeks(origin, kind):
    report = drive(origin, "inStep", kind, seeks=seek_targets(10))

    assert report["complaints"] == []
    for look in [*report["playing"], report["paused"], *report["seeks"]]:
        assert_same_frame(look)
    assert len({look["a"] for look in report["playing"]}) >= 5, "it did not play"
    for look in report["seeks"]:
        shown = look["seconds"][0]
        assert shown <= look["target"] < shown + 2.01 / CLIP.rate
        # Each frame has its own time: the distance of two frames tells that of their numbers.
        first = report["seeks"][0]
        frames = (shown - first["seconds"][0]) * CLIP.rate
        assert look["a"] - first["a"] == round(frames)
    assert_nothing_left(report)


def test_split_swap_magnifier_and_stills(origin: str, tmp_path: Path) -> None:
    report = drive(origin, "tools", downloads=str(tmp_path))

    assert report["complaints"] == []
    assert report["labels"] == [SOURCE, SERVER]
    split = report["split"]
    assert split["role"] == "slider"
    assert split["dragged"][0] == pytest.approx(25, abs=1)
    assert "75%" in split["dragged"][1]
    left = split["dragged"][0]
    assert (split["ArrowRight"], split["ArrowLeft"]) == (left + 2, left)
    assert (split["Shift+ArrowRight"], split["End"], split["Home"]) == (left + 10, 100, 0)
    assert split["text"] == f"0 % {SOURCE}, 100 % {SERVER}"
    assert split["sought"] == 0
    assert report["swap"]["before"] == report["swap"]["after"] != report["swap"]["held"]

    shows, seen = zip(*report["lens"], strict=True)
    assert shows == ("AB 4", "AB 4", "AB 4", "AB 5", "B 5", "A 5")
    assert len(set(seen)) == len(seen)

    assert_same_frame(report["shown"])
    number = report["shown"]["a"]
    both = read_png(report["stills"]["both"])
    a, b = read_png(report["stills"]["a"]), read_png(report["stills"]["b"])
    assert (a.shape, b.shape) == ((90, 160), (180, 320))
    half = both.shape[1] // 2
    height = half * 9 // 16
    sides = both[:height, : half - 2], both[:height, half + 2 :]
    assert [read_counter(side) for side in (a, b, *sides)] == [number] * 4
    assert not np.array_equal(*sides)
    caption = both[height:]
    assert all(part.std() > 5 for part in (caption[:, :half], caption[:, half:])), "no words"


def read_png(path: str) -> np.ndarray:
    with av.open(path) as container:
        (frame,) = container.decode(video=0)
        return frame.to_ndarray(format="gray")


def test_the_players_own_video_changes_its_variant_for_its_side(origin: str) -> None:
    report = drive(origin, "swappedSides")

    assert report["complaints"] == []
    assert report["labels"] == [SERVER, SOURCE]
    assert_same_frame(report["first"])
    assert_same_frame(report["playing"])
    assert_nothing_left(report)


def test_a_filter_in_this_browser_needs_no_second_video(origin: str) -> None:
    report = drive(origin, "filtered", gpu=True, seeks=seek_targets(1))

    assert report["complaints"] == []
    assert report["labels"] == [SOURCE, "source 90p · Anime4K Upscale M · browser"]
    assert report["videos"] == 1
    assert report["milliseconds"] > 0
    for look in [report["first"], *report["playing"], report["sought"]]:
        assert_same_frame(look)
    assert report["sought"]["seconds"][0] <= seek_targets(1)[0]
    assert_nothing_left(report)


def test_playback_waits_for_a_segment_that_is_being_made_and_says_so(origin: str) -> None:
    report = drive(origin, "late")

    assert report["complaints"] == []
    assert report["text"].startswith("Segment ")
    assert f"{SERVER} is being made" in report["text"]
    assert_same_frame(report["playing"])


def test_where_one_side_fails_it_says_why_and_the_other_plays_on(origin: str) -> None:
    report = drive(origin, "failing", at=6)

    assert f"{SERVER} cannot be shown" in report["text"]
    assert "s001 is truncated" in report["text"]
    assert report["video"] > 6.5
    assert report["alone"] > 6.5 * CLIP.rate - 3
    assert_nothing_left(report)
