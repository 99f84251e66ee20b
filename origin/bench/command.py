"""The command line of `upscale-origin bench`."""

import argparse
import asyncio
import json
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

import sr
from origin import __version__
from origin.bench.run import Measurement, measure_all
from origin.config import Config
from origin.errors import ConfigError
from origin.progress import Words, report_on

_MODELS = "lanczos,anime4k-m,anime4k-vl,anime4k-a"
_SIZES = "640x360,640x480,854x480,1280x720"
_WORDS = Words(verb="measuring", unit="models and sizes", rate="per second")
_STAGES = ("upscale", "encode")


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = commands.add_parser(
        "bench",
        help="what this machine can sustain, per model and size",
        description="Upscales and encodes moving pictures in a worker, as segments are made: each "
        "model at each size, to twice that size. Real time is 23.976 frames per second; stages "
        "are work per frame and overlap.",
    )
    parser.add_argument("--models", default=_MODELS, metavar="A,B", help=f"({_MODELS})")
    parser.add_argument("--sizes", default=_SIZES, metavar="WxH,…", help=f"({_SIZES})")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|cuda:N")
    parser.add_argument("--threads", type=int, help="of the worker (as `serve` would have them)")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    models = [name for name in options.models.split(",") if name]
    sizes = [_size(text) for text in options.sizes.split(",")]
    threads = Config().threads if options.threads is None else options.threads
    if not 1 <= threads <= 1024:
        raise ConfigError(f"expected --threads from 1 to 1024, not {threads}")
    try:
        device = sr.resolve_device(options.device)
    except sr.UpscalerError as error:
        raise ConfigError(str(error)) from error
    with report_on(Console(stderr=True), _WORDS) as report:
        rows = asyncio.run(
            measure_all(models, sizes, device=device, threads=threads, report=report)
        )
    if options.json:
        machine = {"device": device, "threads": threads, "machine": platform.machine()}
        document = {"version": __version__, **machine, "rows": [asdict(row) for row in rows]}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        _print(rows, device, threads)
    return 0


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text.strip())
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if min(width, height) < 16 or width % 2 or height % 2:
        raise ConfigError(f"--sizes: expected even sizes such as 640x360, not {text!r}")
    return width, height


def _print(rows: Sequence[Measurement], device: str, threads: int) -> None:
    columns = [Column(name, justify="right") for name in ("frames/s", "real time")]
    stages = [Column(f"{name} ms", justify="right") for name in _STAGES]
    title = f"{device}, {threads} threads"
    table = Table("model", "from", "to", *columns, *stages, box=SIMPLE, title=title)
    for row in rows:
        table.add_row(
            row.model,
            f"{row.width}x{row.height}",
            f"{2 * row.width}x{2 * row.height}",
            f"{row.frames_per_second:.1f}",
            f"{row.real_time:.2f}×",
            *(f"{1000 * row.stages.get(name, 0):.1f}" for name in _STAGES),
        )
    Console().print(table)
