"""The report of `upscale-origin evaluate` in Chromium."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from origin.cli import main
from tests.tools import artefacts, require, require_made

pytestmark = pytest.mark.browser

MODELS = ["bilinear", "bicubic", "lanczos", "anime4k-m"]


@pytest.fixture(scope="module")
def report(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small one: 5 frames of Big Buck Bunny."""
    directory = tmp_path_factory.mktemp("report")
    options = ["--models", ",".join(MODELS), "--frames", "5", "--report", str(directory)]
    assert main(["evaluate", str(clip), *options]) == 0
    return directory


def look(page: Path) -> dict[str, Any]:
    require_made("tests/browser/node_modules")
    job = {
        "chromium": require("chromium"),
        "page": str(page),
        "screenshots": {
            scheme: str(artefacts() / f"report-{scheme}.png") for scheme in ("light", "dark")
        },
    }
    script = require_made("tests/browser/look.mjs")
    done = subprocess.run(
        [require("node"), str(script), json.dumps(job)],
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_report_works_without_a_complaint_and_asks_nobody(report):
    found = look(report / "index.html")

    assert found["complaints"] == []
    assert found["table"] == MODELS
    assert found["dots"] == found["curves"] == len(MODELS)
    assert found["versions"] == ["reference", "low-res", *MODELS]
    assert found["loaded"]
    assert found["border"] == pytest.approx(25, abs=2)
    assert all(model in found["tip"] for model in MODELS)
    assert found["overflow"] <= 0
    assert found["narrow"] <= 0
    assert found["command"].startswith("upscale-origin evaluate ")


def test_nothing_in_the_report_could_run_or_fetch_but_its_own_script(report):
    page = (report / "index.html").read_text()
    policy = page.split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0]

    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert rules["script-src"].startswith("'sha256-")
    assert rules["style-src"].startswith("'sha256-")
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    assert page.count("<script") == 2
