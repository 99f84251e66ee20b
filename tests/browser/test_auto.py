"""Who upscales: the pure parts in node, and the choice on the page."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.browser.fake_origin import fake_origin
from tests.browser.harness import run_driver
from tests.tools import ROOT, require, require_made

UNITS = sorted((ROOT / "tests" / "browser" / "units").glob("*.test.ts"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units(unit: Path, tmp_path: Path) -> None:
    """TypeScript is bundled by what Vite brings, and run by node's own test runner."""
    bundle = tmp_path / "unit.mjs"
    rolldown = require_made("origin/player/node_modules/.bin/rolldown")
    options = ["--format", "esm", "--platform", "node", "--file", str(bundle)]
    for command in ([str(rolldown), str(unit), *options], [require("node"), "--test", str(bundle)]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"# pass (\d+)", done.stdout)[1]) > 1


@pytest.mark.browser
def test_the_viewer_chooses_or_lets_the_player_choose_and_is_told_why(small_library):
    with fake_origin(small_library) as url:
        report = run_driver("auto.mjs", name="auto", url=url, title="demo/bunny-fmp4")

    assert report["failure"] is None
    assert report["complaints"] == []
    server = "144p · anime4k-m · server"
    untouched, chosen, decided = report["untouched"], report["chosen"], report["decided"]
    assert (untouched["variant"], untouched["filter"], untouched["checked"]) == (None, None, None)
    shown = {
        mode: (one["variant"], one["filter"]) for mode, one in chosen.items() if mode != "auto"
    }
    assert shown == {
        "browser": ("source 72p", "upscale-vl"),
        "plain": ("source 72p", None),
        "server": (None, None),
    }
    assert all(one["checked"] == one["remembered"] == mode for mode, one in chosen.items())
    assert re.match(r"(This browser|The server) upscales, ", chosen["auto"]["why"])
    assert report["measured"]["speed"] > 0
    fast, slow, by_hand = decided["fast"], decided["slow"], report["byHand"]
    assert (fast["variant"], fast["filter"]) == ("source 72p", "upscale-vl")
    assert fast["why"].startswith("This browser upscales, with Upscale VL: it takes about ")
    assert (slow["variant"], slow["filter"]) == (server, None)
    assert slow["why"].endswith("with anime4k-m: this GPU is too slow for a filter.")
    assert by_hand["checked"] is None
    assert by_hand["why"] == "The variant and the filter are as they were set by hand."
