"""The panel under the picture, on a real origin whose cache is cold at first."""

from fractions import Fraction
from typing import Any

import pytest

from tests.browser.harness import run_driver
from tests.media.synth import Clip, Sound, write_hls
from tests.tools import run_origin

pytestmark = pytest.mark.browser

CLIP = Clip(frames=288, rate=Fraction(24), gop=48, sounds=(Sound(),))
SERVER = "180p · anime4k-m · server"
SOURCE = "source 90p"
STAGES = {"queue", "fetch", "decode", "upscale", "encode", "mux"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    library = tmp_path_factory.mktemp("library")
    write_hls(library / "ts", CLIP, "mpegts", 4)
    cache = tmp_path_factory.mktemp("cache")
    config = cache / "config.toml"
    # A slow test machine must not change what is made, nor that it is made when it is asked for.
    config.write_text("lighter_models = []\nlookahead_segments = 0\n")
    options = ("--cache", cache, "--config", config, "--rendition", "2x:anime4k-m")
    with run_origin(f"t={library}", *options) as url:
        found: dict[str, Any] = run_driver(
            "panel.mjs", name="panel", url=url, title="t/ts/index.m3u8"
        )
    assert found["failure"] is None
    assert found["complaints"] == []
    return found


def of_server(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["segment"]: row for row in rows if SERVER in row["variant"]}


def test_a_segment_is_seen_while_it_is_made(report):
    row = report["flying"]
    assert SERVER in row["variant"]
    assert (row["cache"], row["size"]) == ("…", "")
    assert row["words"] == "waiting for the first byte"
    assert row["parts"] == [["waiting", 1]]
    assert row["left"] + row["width"] == pytest.approx(100, abs=0.001), "the bar ends now"


def test_what_was_made_shows_its_stages_and_comes_from_the_cache_the_next_time(report):
    made = of_server(report["cold"]["rows"])
    assert set(made) == {"#1", "#2"}
    for row in made.values():
        assert row["cache"] in {"miss", "coalesced", "degraded"}
        names = [name for name, _ in row["parts"]]
        stages = {name.removeprefix("stage-") for name in names if name.startswith("stage-")}
        assert {"upscale", "encode"} <= stages <= STAGES
        assert names[-2:] == ["other", "transfer"]
        assert all(stage in row["words"] for stage in stages)
        assert "upscale-origin; fwd=uri-miss" in row["words"]
        assert "first byte after" in row["words"]

    again = of_server(report["warm"]["rows"])
    assert set(again) == {"#0", "#1", "#2"}
    assert {row["cache"] for row in again.values()} == {"hit"}
    assert all("upscale-origin; hit" in row["words"] for row in again.values())
    assert any(row["variant"].startswith("2nd") for row in again.values())
    assert set(report["aligned"]) == {0}


def test_the_tiles_tell_buffer_bandwidth_frames_and_switches(report):
    cold, warm = report["cold"]["tiles"], report["warm"]["tiles"]
    label, value, *_ = cold["buffer"]
    assert label == "Buffer ahead"
    assert float(value.removesuffix(" s")) > 1
    assert cold["bandwidth"][1].endswith(("kb/s", "Mb/s"))
    assert "dropped of" in cold["frames"][2]
    assert cold["gpu"][1:3] == ["–", "no filter runs"]
    assert cold["variant"][1:3] == [SERVER, "1 switch"]
    assert warm["buffer"][2].startswith("second side ")
    assert warm["variant"][1] == SOURCE
    assert report["warm"]["cmcd"] == "CMCD on"


def test_it_fits_a_narrow_screen_and_closes(report):
    assert report["small"]["overflow"] <= 0
    assert report["small"]["left"] >= 0
    assert report["small"]["right"] <= 360
    assert report["hidden"]


def test_axe_finds_nothing_serious_in_the_panel_and_the_comparison(report):
    assert report["violations"] == []
