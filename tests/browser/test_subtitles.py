"""Subtitles over the picture, as Chromium shows them."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.browser.harness import run_driver
from tests.browser.subtitle_titles import WIDTH, make_film, make_titles, origin_of
from tests.tools import artefacts, run_origin

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    titles = tmp_path_factory.mktemp("titles")
    make_titles(titles)
    with origin_of(titles) as url:
        yield url


def look(origin: str, scenario: str, name: str, **job: Any) -> dict[str, Any]:
    pictures = artefacts() / "subtitles"
    pictures.mkdir(exist_ok=True)
    report: dict[str, Any] = run_driver(
        "subtitles.mjs", name=name, url=origin, scenario=scenario, pictures=str(pictures), **job
    )
    assert report["failure"] is None
    return report


def picture_of(path: str) -> np.ndarray:
    """HW3 of a screenshot, int."""
    with av.open(path) as container:
        frame = next(container.decode(video=0))
    return frame.to_ndarray(format="rgb24").astype(int)


def edge_width(row: np.ndarray) -> int:
    """Pixels of the widest edge in a profile that are neither dark nor light."""
    low, high = row.min(), row.max()
    assert high - low > 150
    between = (row > low + 0.1 * (high - low)) & (row < high - 0.1 * (high - low))
    runs = np.split(between, np.flatnonzero(np.diff(between.astype(int))) + 1)
    return max(int(run.sum()) for run in runs)


def free_of_controls(pixels: np.ndarray) -> np.ndarray:
    """True but for the player's bar and its round corners."""
    height, width = pixels.shape[:2]
    mask = np.zeros((height, width), bool)
    mask[height // 50 : round(0.85 * height), width // 50 : -width // 50] = True
    return mask


def extent(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is true, in parts of the picture."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        columns[0] / width,
        rows[0] / height,
        (columns[-1] + 1) / width,
        (rows[-1] + 1) / height,
    )


def test_cues_are_where_they_want_to_be_and_read_as_written(origin: str) -> None:
    report = look(origin, "places", "subtitles")

    assert report["complaints"] == []
    found, picture = report["found"], report["picture"]
    width, height = picture["width"], picture["height"]
    middle = pytest.approx(width / 2, abs=2)

    (plain,) = found["1"]
    assert plain["text"] == "HIHIHI"
    assert (plain["ink"]["left"] + plain["ink"]["right"]) / 2 == middle
    assert height * 0.7 < plain["top"]
    assert plain["bottom"] <= report["floor"]

    (placed,) = found["3.5"]
    assert placed["top"] == pytest.approx(0.1 * height, abs=1)
    assert placed["ink"]["left"] == pytest.approx(0.2 * width, abs=1)
    assert placed["right"] == pytest.approx(0.7 * width, abs=1)

    (marked,) = found["4.5"]
    assert marked["text"] == "It bo un yellow Hi <img src=x> 1 < 2"
    assert marked["html"] == (
        '<i>It</i> <b>bo</b> <u>un</u> <span class="yellow">yellow</span> '
        '<span title="Ann">Hi</span> &lt;img src=x&gt; 1 &lt; 2'
    )

    (hebrew,) = found["5.5"]
    assert hebrew["ink"]["right"] > 0.9 * width  # `align:start` of text that runs to the left
    one, two = found["6.5"]
    assert (one["text"], two["text"]) == ("One", "Two")
    assert two["bottom"] <= one["top"] + 1
    (upright,) = found["7.5"]
    assert upright["right"] == pytest.approx(width, abs=2)
    assert upright["ink"]["top"] < 2
    assert upright["ink"]["bottom"] - upright["ink"]["top"] > 2 * (
        upright["ink"]["right"] - upright["ink"]["left"]
    )
    first, end = found["8.5"]
    assert first["top"] == 0
    assert end["bottom"] == pytest.approx(height / 2, abs=1)
    assert end["ink"]["right"] == pytest.approx(width, abs=1)
    assert [cue["text"] for cue in found["11"]] == ["After the seek"]
    # Once the controls are gone the cue may sink into their place.
    (low,) = report["unguarded"]
    assert report["floor"] < low["bottom"] <= height


@pytest.mark.parametrize("ratio", [1, 3])
def test_both_renderers_are_sharp_and_exact_at_the_displays_resolution(
    origin: str, ratio: int
) -> None:
    report = look(origin, "sharp", f"subtitles-sharp-{ratio}", ratio=ratio)

    assert report["complaints"] == []
    (cue,) = report["text"]
    text = picture_of(report["vtt"])[..., 1]
    ink = {side: round(value * ratio) for side, value in cue["ink"].items()}
    letters = text[ink["top"] : ink["bottom"], ink["left"] : ink["right"]]
    # Nothing is drawn outside of where the element is; the controls are below.
    outside = np.where(free_of_controls(text), text, 0)
    outside[ink["top"] : ink["bottom"], ink["left"] - ratio : ink["right"] + ratio] = 0
    assert outside.max() < 60
    upper = letters[round(letters.shape[0] * 0.35)]  # above the bars of the Hs
    assert upper.max() > 230
    assert edge_width(upper) <= 2

    for path in (report["ass"], report["full"]):
        pixels = picture_of(path)
        white = (pixels.min(-1) > 127) & free_of_controls(pixels)
        red = (pixels[..., 0] > 127) & (pixels[..., 1] < 60) & free_of_controls(pixels)
        assert extent(white) == pytest.approx((31 / 160, 36 / 90, 49 / 160, 54 / 90), abs=0.003)
        assert extent(red) == pytest.approx((110 / 160, 10 / 90, 128 / 160, 28 / 90), abs=0.003)
        row = pixels[pixels.shape[0] // 2, pixels.shape[1] // 20 : pixels.shape[1] // 2, 0]
        assert edge_width(row) <= 2
        assert edge_width(_scaled_with_the_video(row)) > 4


def _scaled_with_the_video(row: np.ndarray) -> np.ndarray:
    """What a profile is like if it was drawn at the video's size."""
    small = row[np.linspace(0, row.size - 1, WIDTH // 2).round().astype(int)]
    return np.interp(np.linspace(0, small.size - 1, row.size), np.arange(small.size), small)


def test_the_style_changes_the_picture_and_is_remembered(origin: str) -> None:
    report = look(origin, "styles", "subtitles-style")

    assert report["complaints"] == []
    pictures = [picture_of(path) for path in report["pictures"]]
    differences = [np.abs(a - b).max() for a, b in pairwise(pictures)]
    assert min(differences) > 40
    last = pictures[-1]
    again = picture_of(report["remembered"])
    assert np.abs(again - last)[free_of_controls(last)].max() < 30
    # In front of the dark blue box there is yellow, both half as bright as they were.
    yellow = (last[..., 0] > 100) & (last[..., 2] < 90)
    _, top, _, bottom = extent(yellow)
    assert 0.5 < top < bottom < 0.7
    assert report["sample"] == ["This is how subtitles look."]
    assert report["delayed"] == ["HIHIHI"]
    assert report["authored"] == 0
    assert '"asAuthored":true' in report["kept"]


CUES = [
    (0, 3, "HIHIHI"),
    (3, 4, "Top left"),
    (4, 5, "It bo un yellow Hi <img src=x> 1 < 2"),
    (10, 12, "After the seek"),
    (12, 12.04, "A single frame"),
]


def test_cues_come_and_go_with_their_frames(origin: str) -> None:
    report = look(origin, "timing", "subtitles-timing")

    assert report["complaints"] == []
    assert len(report["seen"]) > 10
    for media_time, text in report["seen"]:
        due = [cue for start, end, cue in CUES if start <= media_time + 0.0005 < end]
        assert text == "|".join(due), media_time
    shown = {
        at: bool((pixels.min(-1) > 127)[free_of_controls(pixels)].any())
        for at, pixels in ((at, picture_of(path)) for at, path in report["shifted"].items())
    }
    assert shown == {"2.5": False, "3.5": True, "5.5": True, "6.5": False}


def test_broken_subtitles_are_spoken_of_and_the_video_plays_on(origin: str) -> None:
    report = look(origin, "troubles", "subtitles-broken")

    assert report["said"] == {
        "Fontless": {
            "message": (
                "The subtitles are drawn in another font: missing.ttf could not be fetched."
            ),
            "cues": [],
        },
        "Broken style": {
            "message": (
                "The styled subtitles “Broken style” cannot be drawn (the file has no [Events]). "
                "They are shown as plain text."
            ),
            "cues": ["HIHIHI"],
        },
        "Broken": {
            "message": "A part of the subtitles “Broken” cannot be shown (it is not WebVTT).",
            "cues": [],
        },
        "Holed": {
            "message": "A part of the subtitles “Holed” cannot be shown (HTTP 404).",
            "cues": [],
        },
        "Gone": {"message": "The subtitles “Gone” could not be fetched (HTTP 404).", "cues": []},
    }
    assert report["playback"] is None
    assert report["chosen"] == "English"
    assert all("404" in complaint for complaint in report["complaints"])


def test_captions_within_the_video_are_a_track_like_others(origin: str) -> None:
    report = look(origin, "captions", "subtitles-captions")

    assert report["complaints"] == []
    (cue,) = report["shown"]
    assert cue["text"].strip() == "CAPTIONS"
    assert cue["top"] > 0.7 * report["picture"]["height"]
    assert report["later"] == []


def test_a_media_files_own_subtitles_and_fonts_are_drawn(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    make_film(library / "film.mkv")
    arguments = (f"demo={library}", "--cache", tmp_path / "cache", "--rendition", "2x:anime4k-m")
    with run_origin(*arguments) as url:
        report = look(
            url, "real", "subtitles-real", title="demo/film.mkv", tracks=["Plain", "Styled"]
        )

    assert report["complaints"] == []
    assert report["message"] is None
    assert report["plain"] == ["From SubRip"]
    pixels = picture_of(report["styled"])
    white = (pixels.min(-1) > 127) & free_of_controls(pixels)
    assert extent(white) == pytest.approx((31 / 160, 36 / 90, 49 / 160, 54 / 90), abs=0.003)
    assert sorted("".join(report["unstyled"])) == ["A", "B"]
