"""The report: one HTML file that asks nothing of anyone, and the same numbers as JSON beside it."""

import base64
import hashlib
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import msgspec

from origin.evaluate.types import Evaluation, Still, Stills

PAGE, NUMBERS = "index.html", "evaluation.json"


def document(evaluation: Evaluation) -> str:
    """All numbers, as JSON; what is infinite is null."""
    return msgspec.json.format(msgspec.json.encode(evaluation), indent=1).decode()


def write_report(directory: Path, evaluation: Evaluation, stills: Stills) -> Path:
    """Write the page and the numbers into a directory.

    Returns:
        The page's path.
    """
    (directory / NUMBERS).write_text(document(evaluation) + "\n")
    page = directory / PAGE
    page.write_text(build_page(evaluation, stills))
    return page


def build_page(evaluation: Evaluation, stills: Stills) -> str:
    """The page as HTML.

    Its own Content-Security-Policy lets only its own script and style run, by their digests, and
    pictures from `data:`.
    """
    folder = files("origin.evaluate") / "page"
    style, script = ((folder / f"report.{kind}").read_text() for kind in ("css", "js"))
    data: dict[str, Any] = {
        "evaluation": evaluation,
        "stills": [_with_data_uris(still) for still in stills],
    }
    return Template((folder / "report.html").read_text()).substitute(
        style=style,
        script=script,
        style_digest=_digest(style),
        script_digest=_digest(script),
        data=msgspec.json.encode(data).decode().replace("<", "\\u003c"),
    )


def _with_data_uris(still: Still) -> dict[str, Any]:
    images = {
        name: "data:image/png;base64," + base64.b64encode(png).decode()
        for name, png in still.images.items()
    }
    return asdict(still) | {"images": images}


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
