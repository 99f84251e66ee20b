"""Runs the drivers of this folder, Chromium and all, on the page of an origin."""

import json
import re
import subprocess
from itertools import pairwise
from typing import Any

from tests.tools import artefacts, require, require_made


def run_driver(script: str, *, name: str, timeout_seconds: float = 540, **job: Any) -> Any:
    """Runs a driver of this folder, such as `drive.mjs`, and returns the object that it prints.

    Args:
        script: The driver's file name.
        name: Names the screenshot in test-artefacts/.
        timeout_seconds: After which it is ended.
        job: What the driver is told; `chromium` and `screenshot` are added.
    """
    require_made("origin/player/dist/index.html")
    require_made("tests/browser/node_modules")
    job = {"chromium": require("chromium"), "screenshot": str(artefacts() / f"{name}.png")} | job
    done = subprocess.run(
        [require("node"), str(require_made(f"tests/browser/{script}")), json.dumps(job)],
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def drive(url: str, title: str, scenario: str, *, name: str, **options: Any) -> dict[str, Any]:
    """Plays on the page in Chromium and returns the report of `drive.mjs`.

    Args:
        url: Base URL of the origin.
        title: Id of the title to play.
        scenario: `switchAndSeek`, `automatic`, `watch` or `links`.
        name: Names the screenshot in test-artefacts/.
        options: More fields of the job: `seed`, `seeks`, `until`, `segments`, `links`.
    """
    report: dict[str, Any] = run_driver(
        "drive.mjs", name=name, url=url, title=title, scenario=scenario, **options
    )
    return report


def holes(buffered: list[list[float]]) -> list[float]:
    """Seconds between neighbouring buffered ranges."""
    return [start - end for (_, end), (start, _) in pairwise(buffered)]


def faults(report: dict[str, Any]) -> list[dict[str, Any]]:
    """What hls.js reported and a viewer may notice, stalls included."""
    return [error for error in report["errors"] if error["fatal"] or not _is_harmless(error)]


def _is_harmless(error: dict[str, Any]) -> bool:
    """A load that hls.js ended itself in order to switch, or its step over the gap at the start.

    It puts the first DTS at 0, so wherever B-frames delay the first PTS there is a gap before the
    first frame, in the source's variants as in ours.
    """
    at_start = re.compile(r"seeking from 0(\.0\d*)? to 0\.[012]\d*$")
    is_step = error["details"] == "bufferSeekOverHole" and at_start.search(error["reason"])
    return error["details"] == "aborted" or bool(is_step)
