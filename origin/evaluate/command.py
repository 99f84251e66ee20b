"""The command line of `upscale-origin evaluate`."""

import argparse
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import sr
from origin.config import Config
from origin.errors import ConfigError, OriginError
from origin.evaluate.report import document, write_report
from origin.evaluate.run import EvaluationRun
from origin.evaluate.types import VIEWER_MODEL, Evaluation, Row, Settings, Stills
from origin.progress import Words, report_on
from origin.telemetry import setup_logging

_WORDS = Words(verb="evaluating", unit="frames", rate="fps")
_DEFAULT_MODELS = "bicubic,lanczos,anime4k-m,anime4k-vl,anime4k-a"
_DEFAULT_FRAMES = 120
_BITRATE = re.compile(r"(\d+(?:\.\d+)?)([kM]?)")
_TERMINATED = 128 + signal.SIGTERM
_UNITS = {"": 1, "k": 1000, "M": 1_000_000}


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = commands.add_parser(
        "evaluate",
        help="measure models against high-resolution references",
        description="Makes references small, as a catalogue has them, lets models enlarge them "
        "again, and measures how near they come: PSNR, SSIM, VMAF, XPSNR and speed. The first row "
        f"is what viewers get today: {VIEWER_MODEL}.",
    )
    parser.add_argument("references", nargs="+", metavar="REF", help="a video file of good quality")
    parser.add_argument(
        "--models", default=_DEFAULT_MODELS, metavar="A,B,C", help=f"({_DEFAULT_MODELS})"
    )
    parser.add_argument("--scale", type=_scale, default=2, help="2 to 8 (2)")
    parser.add_argument(
        "--frames",
        type=_frames,
        default=_DEFAULT_FRAMES,
        metavar="N|all",
        help=f"of each reference, spread over it ({_DEFAULT_FRAMES})",
    )
    parser.add_argument("--start", type=_seconds, default=0.0, metavar="SECONDS", help="skip these")
    parser.add_argument("--duration", type=_seconds, metavar="SECONDS", help="and stop after these")
    parser.add_argument(
        "--downscale", choices=("bicubic", "area", "lanczos"), default="bicubic", help="(bicubic)"
    )
    parser.add_argument(
        "--bitrate", type=_bitrate, help="encode the small video at so many bits/s, such as 500k"
    )
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|cuda:N")
    parser.add_argument("--threads", type=int, help="for models (every core)")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write index.html there")
    parser.add_argument("--json", action="store_true", help="print all numbers, not the table")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    settings = _settings(options)
    if options.report is not None:
        _prepare(options.report)
    setup_logging("text", "warning")
    try:
        with _orderly_end(), report_on(Console(stderr=True), _WORDS) as report:
            run = EvaluationRun(settings, options.references, report)
            evaluation, stills = run.run(command_line(options))
    except OriginError as error:
        if error.source is None or error.source in error.detail:
            raise
        raise type(error)(f"{error.source} {error.detail}", source=error.source) from error
    if options.json:
        sys.stdout.write(document(evaluation) + "\n")
    else:
        _print(evaluation)
    if options.report is not None:
        _write(options.report, evaluation, stills)
    return 0


@contextmanager
def _orderly_end() -> Iterator[None]:
    """SIGTERM ends the program as Ctrl-C does: temporary files are deleted."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _settings(options: argparse.Namespace) -> Settings:
    named = [model.strip().replace(":noise=", "-noise") for model in options.models.split(",")]
    models = dict.fromkeys([VIEWER_MODEL, *filter(None, named)])
    threads = options.threads or Config().threads * Config().upscale_workers
    if threads < 1:
        raise ConfigError(f"expected at least one thread, not {threads}")
    try:
        device = sr.resolve_device(options.device)
    except sr.UpscalerError as error:
        raise ConfigError(str(error)) from error
    return Settings(
        models=tuple(models),
        scale=options.scale,
        downscale=options.downscale,
        bitrate=options.bitrate,
        frames=options.frames,
        start_seconds=options.start,
        duration_seconds=options.duration,
        device=device,
        threads=threads,
    )


def command_line(options: argparse.Namespace) -> str:
    """The command that gives the same numbers again, as a shell takes it."""
    words = ["upscale-origin", "evaluate", *options.references, "--models", options.models]
    words += ["--scale", str(options.scale), "--frames", str(options.frames or "all")]
    words += ["--downscale", options.downscale]
    if options.bitrate is not None:
        words += ["--bitrate", str(options.bitrate)]
    if options.start:
        words += ["--start", f"{options.start:g}"]
    if options.duration is not None:
        words += ["--duration", f"{options.duration:g}"]
    if options.device != "auto":
        words += ["--device", options.device]
    if options.threads:
        words += ["--threads", str(options.threads)]
    if options.report is not None:
        words += ["--report", str(options.report)]
    return shlex.join(words)


def _prepare(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{directory} cannot be written to: {error.strerror}") from error


def _write(directory: Path, evaluation: Evaluation, stills: Stills) -> None:
    try:
        page = write_report(directory, evaluation, stills)
    except OSError as error:
        raise ConfigError(f"{directory} cannot be written to: {error.strerror}") from error
    sys.stderr.write(f"report: {page}\n")


def _print(evaluation: Evaluation) -> None:
    console = Console()
    for clip in evaluation.clips:
        rate = f", {clip.bitrate / 1000:.0f} kbit/s" if clip.bitrate else ", lossless"
        console.print(
            f"{clip.name}: {clip.width}x{clip.height} → {clip.low_width}x{clip.low_height}{rate} → "
            f"{clip.width}x{clip.height}, {len(clip.frames)} frames",
            highlight=False,
            markup=False,
        )
    columns = ("PSNR-Y", "SSIM", "VMAF", "XPSNR", "fps", "kMAC/pixel")
    table = Table("model")
    for name in columns:
        table.add_column(name, justify="right")
    for row in evaluation.rows:
        table.add_row(*cells(row), style="dim" if row.is_viewer else None)
    console.print(table)
    device, threads = evaluation.machine.device, evaluation.machine.threads
    console.print(
        f"{evaluation.rows[0].model} is what viewers get today. Small by {evaluation.downscale}; "
        f"fps on {device}, {threads} threads, {evaluation.machine.processor}.",
        highlight=False,
        markup=False,
    )
    for missing in evaluation.missing:
        console.print(f"without {missing.model}: {missing.reason}", highlight=False, markup=False)


def cells(row: Row) -> tuple[str, ...]:
    """A row of the table, as text."""
    scores = row.scores
    return (
        row.model,
        f"{scores.psnr:.2f}",
        f"{scores.ssim:.4f}",
        "–" if scores.vmaf is None else f"{scores.vmaf:.1f}",
        f"{scores.xpsnr:.2f}",
        f"{row.fps:.3g}" if row.fps < 100 else f"{row.fps:.0f}",
        f"{row.kmac_per_pixel:.3g}",
    )


def _scale(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= 8:
        raise argparse.ArgumentTypeError(f"expected a whole number from 2 to 8, not {text}")
    return int(text)


def _frames(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected at least one frame, or all, not {text}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6:
        raise argparse.ArgumentTypeError(f"expected seconds, not {text}")
    return seconds


def _bitrate(text: str) -> int:
    found = _BITRATE.fullmatch(text)
    bits = round(float(found[1]) * _UNITS[found[2]]) if found else 0
    if not 10_000 <= bits <= 1_000_000_000:
        raise argparse.ArgumentTypeError(f"expected bits per second such as 500k, not {text}")
    return bits
