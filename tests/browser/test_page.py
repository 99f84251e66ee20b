"""The page by itself, on an origin that only pretends."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.fake_origin import fake_origin
from tests.browser.harness import drive, run_driver
from tests.tools import artefacts, require_made

pytestmark = pytest.mark.browser

TITLE = "demo/bunny-fmp4"
SCRIPT_BUDGET_BYTES = 1_500_000
FIRST_PAINT_BUDGET_MS = 1_000
NO_MSE = "This browser has no Media Source Extensions"


def test_the_menu_names_the_variants_and_no_other_host_is_asked(small_library: Path) -> None:
    with fake_origin(small_library) as url:
        report = drive(url, TITLE, "watch", name="page", until=3)

    assert report["failure"] is None
    assert report["complaints"] == []
    assert report["errors"] == []
    assert report["variantMenu"] == ["Automatic", "source 72p", "144p · anime4k-m · server"]
    assert report["chip"] == report["variant"]


def test_it_begins_with_the_source_and_stays_upscaled_though_each_segment_is_waited_for(
    small_library: Path,
) -> None:
    """At 3 s per segment of 4 s, hls.js's own estimate falls below the variant's bandwidth."""
    with fake_origin(small_library, wait_seconds=3) as url:
        report = drive(url, TITLE, "automatic", name="page-slow", segments=4)

    assert report["failure"] is None
    assert report["errors"] == []
    levels = [segment["level"] for segment in report["segments"] if segment["kind"] == "main"]
    source, upscaled = report["source"]["index"], report["upscaled"]["index"]
    assert levels == [source] + [upscaled] * (len(levels) - 1)


@pytest.fixture(scope="module")
def used(small_library: Path) -> dict[str, Any]:
    """What was found by using the page as people do."""
    with fake_origin(small_library) as url:
        found: dict[str, Any] = run_driver(
            "page.mjs", name="page", url=url, title=TITLE, artefacts=str(artefacts())
        )
    assert found["failure"] is None
    return found


def test_nothing_is_complained_of(used: dict[str, Any]) -> None:
    assert used["complaints"] == []
    assert used["narrow"]["complaints"] == []


def test_axe_finds_no_serious_violation(used: dict[str, Any]) -> None:
    audits = {
        **used["library"]["audits"],
        **used["mouse"]["audits"],
        **used["narrow"]["audits"],
    }

    assert len(audits) > 10
    assert {state: found for state, found in audits.items() if found} == {}


def test_the_library_is_searched_and_says_what_is_being_prepared(used: dict[str, Any]) -> None:
    library = used["library"]

    assert library["preparing"] == 1  # and by the end of the step none: the driver waits for it
    (match,) = library["matches"]
    assert "A title numbered 3" in match
    assert library["nothing"] == "No title matches."


def test_the_first_paint_is_within_a_second_and_waits_for_no_list(used: dict[str, Any]) -> None:
    paint = used["library"]["paint"]

    assert paint["milliseconds"] < FIRST_PAINT_BUDGET_MS
    assert paint["lists"] <= 1  # which the driver holds back until then
    (artefacts() / "first-paint.txt").write_text(f"{paint['milliseconds']:.0f} ms\n")


def test_keys_do_what_they_say(used: dict[str, Any]) -> None:
    keys = used["keyboard"]["keys"]
    times = {key: state["time"] for key, state in keys.items()}

    assert times["5"] == pytest.approx(20, abs=0.1)
    assert times["ArrowRight"] - times["5"] == pytest.approx(5)
    assert times["l"] - times["ArrowRight"] == pytest.approx(10)
    assert times["j"] - times["l"] == pytest.approx(-10)
    assert times["ArrowLeft"] - times["j"] == pytest.approx(-5)
    assert times["."] - times[","] == pytest.approx(0.04, abs=0.005)
    assert keys["m"]["muted"]


def test_every_control_is_reached_and_used_by_keys_alone(used: dict[str, Any]) -> None:
    path, menu = used["keyboard"]["path"], used["keyboard"]["menu"]

    expected = ["seek", "play", "mute", "volume", "Variant: .*", "Copy a link.*", "Settings"]
    for control in [*expected, "enter picture.*", "enter fullscreen.*"]:
        assert any(re.fullmatch(f"(un)?{control}", label) for label in path), control
    assert menu["first"].startswith("Variant")
    assert menu["second"] != menu["first"]
    assert menu["chosen"] == "144p · anime4k-m · server"
    assert re.fullmatch(
        r"\?title=demo/bunny-fmp4&t=[\d.]+&variant=up-144p-anime4k-m", menu["address"]
    )


def test_the_mouse_plays_pauses_and_sees_where_it_would_seek(used: dict[str, Any]) -> None:
    assert used["mouse"]["toggled"] == [False, True]
    assert used["mouse"]["preview"].endswith("/poster.svg#xywh=80,45,80,45")
    assert {"variant", "speed", "keys"} <= set(used["mouse"]["menus"])


def test_it_is_usable_on_a_screen_of_360_pixels(used: dict[str, Any]) -> None:
    narrow = used["narrow"]

    assert set(narrow["overflows"].values()) == {0}
    assert len(narrow["targets"]) >= 5
    for target in narrow["targets"]:
        assert target["left"] >= 0, target
        assert target["right"] <= 360, target
        assert min(target["width"], target["height"]) >= 24, target


def test_troubles_are_explained_and_what_can_be_played_is(small_library: Path) -> None:
    with fake_origin(small_library) as url:
        found = run_driver("trouble.mjs", name="trouble", url=url, title=TITLE)

    assert found["failure"] is None
    assert found["preparing"]["said"][0].startswith("This title is being prepared")
    assert found["preparing"]["after"] == []
    assert found["noMse"]["said"][0].startswith(NO_MSE)
    assert found["noMse"]["cards"] == 9
    assert found["noStorage"] == {"said": [], "page": "", "cards": 9, "complaints": []}
    assert found["unknown"]["page"] == "There is no title “demo/never” here. Choose another."
    (gone,) = found["gone"]["said"]
    assert gone == "This title is gone. Reload the page to see what there is."
    assert found["broken"]["said"] == ["003.m4s is truncated"]
    assert found["nativeHls"] == {"src": "/demo/bunny-fmp4/master.m3u8"}


def test_a_broken_upscaled_segment_is_explained_and_the_source_plays_on(
    small_library: Path,
) -> None:
    with fake_origin(small_library, broken=("/144p/001.m4s",)) as url:
        report = drive(url, TITLE, "watch", name="page-broken", until=9)

    assert report["failure"] is None
    assert not any(error["fatal"] for error in report["errors"])
    assert report["message"] == (
        "Segment 1 could not be fetched: 003.m4s is truncated. Trying another variant."
    )


def test_a_segment_that_no_variant_has_is_skipped(small_library: Path) -> None:
    with fake_origin(small_library, broken=("/144p/002.m4s", "/72p/002.m4s")) as url:
        found = run_driver(
            "trouble.mjs", name="hole", url=url, title=TITLE, scenario="hole", behind=13
        )

    assert found["failure"] is None
    assert any("003.m4s is truncated" in line for line in found["said"])


def test_the_script_is_within_its_budget() -> None:
    """All that the page fetches before a title is chosen, and hls.js's worker, by gzip."""
    dist = require_made("origin/player/dist")
    page = (dist / "index.html").read_text()
    names = set(re.findall(r'"/player/(assets/[^"]+\.js)"', page))
    names |= {f"assets/{path.name}" for path in dist.glob("assets/hls.worker-*.js")}
    sizes = {name: _compressed_size(dist / name) for name in names}

    assert len(names) > 1
    assert sum(sizes.values()) < SCRIPT_BUDGET_BYTES
    (artefacts() / "script-sizes.txt").write_text(
        f"{sum(sizes.values())} bytes in all\n"
        + "".join(f"{size:9} {name}\n" for name, size in sorted(sizes.items()))
    )


def _compressed_size(path: Path) -> int:
    compressed = path.with_name(path.name + ".gz")
    return (compressed if compressed.exists() else path).stat().st_size
