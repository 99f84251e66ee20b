"""Runs `drive.mjs` on the page of an origin."""

import json
import re
import subprocess
from itertools import pairwise
from typing import Any

from tests.tools import artefacts, require, require_made


def drive(url: str, title: str, scenario: str, *, name: str, **options: Any) -> dict[str, Any]:
    """Drives the page in Chromium and returns the report of `drive.mjs`.

    Args:
        url: Base URL of the origin.
        title: Id of the title to play.
        scenario: `switchAndSeek`, `automatic` or `watch`.
        name: Names the screenshot in test-artefacts/.
        options: More fields of the job: `seed`, `seeks`, `until`, `segments`.
    """
    require_made("origin/player/dist/index.html")
    require_made("tests/browser/node_modules")
    job = {
        "chromium": require("chromium"),
        "url": url,
        "title": title,
        "scenario": scenario,
        "screenshot": str(artefacts() / f"{name}.png"),
        **options,
    }
    script = require_made("tests/browser/drive.mjs")
    done = subprocess.run(
        [require("node"), str(script), json.dumps(job)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def holes(buffered: list[list[float]]) -> list[float]:
    """Seconds between neighbouring buffered ranges."""
    return [start - end for (_, end), (start, _) in pairwise(buffered)]


def faults(report: dict[str, Any]) -> list[dict[str, Any]]:
    """What hls.js reported, stalls included, but for its step over the gap at the very start.

    It puts the first DTS at 0, so wherever B-frames delay the first PTS there is a gap before the
    first frame, in the source's variants as in ours.
    """
    at_start = re.compile(r"seeking from 0(\.0\d*)? to 0\.[012]\d*$")
    return [
        error
        for error in report["errors"]
        if error["fatal"]
        or error["details"] != "bufferSeekOverHole"
        or not at_start.search(error["reason"])
    ]
