"""The command line of `upscale-origin doctor`."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

import sr
from manifests.ladder import RenditionSpec
from origin.bench import measure_all
from origin.config import Config, load_config
from origin.doctor.checks import Finding, State, examine
from origin.errors import OriginError
from origin.progress import Words, report_on
from origin.service.capability import AUTO_SPECS, HEADROOM

_SIZES = ((640, 360), (854, 480))
_MARKS = {State.OK: "[green]ok  [/]", State.NOTE: "[yellow]note[/]", State.BAD: "[red]bad [/]"}
_WORDS = Words(verb="measuring", unit="sizes", rate="per second")


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = commands.add_parser(
        "doctor",
        help="whether everything is here that serving needs, and what this machine sustains",
        description="Looks at the device, codecs, weights, the cache's disk, the clock, libraries "
        "and limits, and measures what `auto` would offer. Exit status: 1 if something is bad.",
    )
    parser.add_argument("sources", nargs="*", metavar="NAME=SOURCE", help="as for serve")
    parser.add_argument("--config", type=Path, metavar="FILE.toml")
    parser.add_argument("--cache", metavar="DIR")
    parser.add_argument("--device", metavar="auto|cpu|cuda|cuda:N")
    parser.add_argument("--rendition", action="append", metavar="SPEC")
    parser.add_argument("--quick", action="store_true", help="do not measure")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    overrides = {
        "libraries": options.sources or None,
        "cache": options.cache,
        "device": options.device,
        "renditions": options.rendition,
    }
    config = load_config(options.config, overrides)
    findings = list(examine(config))
    if not options.quick:
        findings += _pace(config)
    if options.json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=1) + "\n")
    else:
        _print(findings)
    return 1 if any(finding.state is State.BAD for finding in findings) else 0


def _pace(config: Config) -> list[Finding]:
    model = RenditionSpec.parse(AUTO_SPECS[0]).model
    try:
        device = sr.resolve_device(config.device)
        with report_on(Console(stderr=True), _WORDS) as report:
            rows = asyncio.run(
                measure_all([model], _SIZES, device=device, threads=config.threads, report=report)
            )
    except (OriginError, sr.UpscalerError) as error:
        return [Finding(name="pace", state=State.BAD, detail=str(error))]
    return [
        Finding(
            name=f"pace {row.width}x{row.height}",
            state=State.OK if row.real_time >= HEADROOM else State.NOTE,
            detail=f"{model}: {row.frames_per_second:.0f} frames/s, {row.real_time:.2f} times "
            f"real time a worker (auto asks for {HEADROOM:g})",
        )
        for row in rows
    ]


def _print(findings: list[Finding]) -> None:
    console = Console(highlight=False)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        name = escape(finding.name.ljust(width))
        console.print(f"{_MARKS[finding.state]}  {name}  {escape(finding.detail)}", soft_wrap=True)
