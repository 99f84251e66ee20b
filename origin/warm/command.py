"""The command line of `upscale-origin warm`."""

import argparse
import asyncio
import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from origin.errors import ConfigError
from origin.progress import Words, report_on
from origin.warm.targets import Wanted
from origin.warm.warming import warm

_INTERRUPTED = 130
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_WORDS = Words(verb="warming", unit="segments", rate="segments/s")
_DEFAULT_CONCURRENCY = 2


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = commands.add_parser(
        "warm",
        help="have a running origin make segments ahead of any viewer",
        description="Segments are asked for at the lowest priority: viewers come first. What is "
        "cached already costs nothing, so an interrupted run goes on by being started again. "
        "Exit status: 0 if all is warm, 1 if segments failed, 130 if interrupted.",
    )
    parser.add_argument(
        "urls",
        nargs="*",
        metavar="URL",
        help="a title's multivariant playlist, a variant's media playlist, or an origin: all of "
        "it; with * in its path, every title that it fits",
    )
    parser.add_argument(
        "--titles", type=Path, metavar="FILE", help="has more URLs, one per line; - is stdin"
    )
    parser.add_argument(
        "--rendition",
        action="append",
        default=[],
        metavar="ID",
        help="such as up-720p-anime4k-m; may be given several times (all)",
    )
    parser.add_argument("--from", type=float, dest="start", metavar="SECONDS")
    parser.add_argument("--to", type=float, dest="end", metavar="SECONDS")
    parser.add_argument(
        "--concurrency",
        type=int,
        default=_DEFAULT_CONCURRENCY,
        metavar="N",
        help=f"requests at a time ({_DEFAULT_CONCURRENCY})",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="sent with every request, such as a CDN's secret; may be given several times",
    )
    parser.add_argument("--json", action="store_true", help="the outcome as JSON on stdout")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    if not 1 <= options.concurrency <= 1000:
        raise ConfigError(f"expected a --concurrency from 1 to 1000, not {options.concurrency}")
    if options.start is not None and options.end is not None and options.start >= options.end:
        raise ConfigError(f"expected --from before --to, not {options.start:g}, {options.end:g}")
    wanted = Wanted(
        renditions=tuple(options.rendition), start_seconds=options.start, end_seconds=options.end
    )
    urls = [*options.urls, *_listed(options.titles)]
    if not urls:
        raise ConfigError("expected a URL, or --titles with a file of them")
    headers = dict(_header(text) for text in options.header)
    try:
        with report_on(Console(stderr=True), _WORDS) as report:
            run = warm(
                urls, wanted, concurrency=options.concurrency, report=report, headers=headers
            )
            outcome = asyncio.run(run)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: run the same command again to go on\n")
        return _INTERRUPTED
    if options.json:
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
    else:
        sys.stderr.write(
            f"{outcome.made} segments made, {outcome.found} were there, {outcome.failed} failed; "
            f"the origin worked {outcome.work_seconds:.1f} s\n"
        )
    return 1 if outcome.failed else 0


def _listed(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--titles {path}: expected a text file: {error}") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not _HEADER_NAME.fullmatch(name) or not value.strip().isprintable():
        raise ConfigError("--header: expected NAME:VALUE")
    return name, value.strip()
