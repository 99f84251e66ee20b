"""The command line of `upscale-origin upscale`."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

import sr
from manifests.errors import ManifestError
from manifests.ladder import RenditionSpec
from origin.config import Config
from origin.errors import ConfigError
from origin.progress import Words, report_on
from origin.telemetry import setup_logging
from origin.upscale.request import Request, Summary
from origin.upscale.upscaling import upscale

_WORDS = Words(verb="upscaling", unit="frames", rate="fps")
_INTERRUPTED = 130
_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow"),
)


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = commands.add_parser(
        "upscale",
        help="upscale a media file into another",
        description="Everything but the video is copied: audio, subtitles, attachments, chapters. "
        "An interrupted run goes on where it stopped when it is started again.",
    )
    parser.add_argument("source", type=Path, metavar="IN")
    parser.add_argument("output", type=Path, metavar="OUT", help="a name ending in .mkv or .mp4")
    parser.add_argument("--model", required=True, help="see `upscale-origin models`")
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--scale", help="such as 2 or 1.5")
    size.add_argument("--height", type=int, help="lines of the result, such as 1080")
    parser.add_argument("--crf", type=int, default=18, help="x264's, 0 to 51 (18); less is better")
    parser.add_argument("--preset", choices=_PRESETS, default="medium", help="x264's (medium)")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|cuda:N")
    parser.add_argument("--threads", type=int, help="in all (every core)")
    parser.add_argument("--start", type=float, metavar="SECONDS", help="from the keyframe before")
    parser.add_argument("--end", type=float, metavar="SECONDS", help="up to the keyframe after")
    parser.add_argument(
        "--drop-unsupported", action="store_true", help="leave out what OUT's container cannot hold"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUT")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    request = _request(options)
    request.check()
    setup_logging("text", "warning")
    console = Console(stderr=True)
    try:
        with report_on(console, _WORDS) as report:
            summary = asyncio.run(upscale(request, report))
    except KeyboardInterrupt:
        sys.stderr.write(
            f"interrupted; finished segments are kept in {request.output}.parts: "
            "run the same command again to go on\n"
        )
        return _INTERRUPTED
    sys.stderr.write(_in_words(request, summary) + "\n")
    return 0


def _in_words(request: Request, summary: Summary) -> str:
    reused = f", {summary.reused} from an earlier run" if summary.reused else ""
    segments = summary.made + summary.reused
    return f"made {request.output}: {summary.frames} frames in {segments} segments{reused}"


def _request(options: argparse.Namespace) -> Request:
    size = f"{options.scale}x" if options.scale is not None else f"{options.height}p"
    try:
        spec = RenditionSpec.parse(f"{size}:{options.model}")
        device = sr.resolve_device(options.device)
    except (ManifestError, sr.UpscalerError) as error:
        raise ConfigError(str(error)) from error
    if not 0 <= options.crf <= 51:
        raise ConfigError(f"expected a --crf from 0 to 51, not {options.crf}")
    workers, threads = _budget(options.threads)
    return Request(
        source=options.source,
        output=options.output,
        spec=spec,
        crf=options.crf,
        preset=options.preset,
        device=device,
        workers=workers,
        threads=threads,
        start_seconds=options.start,
        end_seconds=options.end,
        drop_unsupported=options.drop_unsupported,
        overwrite=options.overwrite,
    )


def _budget(threads: int | None) -> tuple[int, int]:
    """Workers and threads of each, as the origin deals them out."""
    if threads is None:
        config = Config()
        return config.upscale_workers, config.threads
    if threads < 1:
        raise ConfigError(f"expected at least one thread, not {threads}")
    workers = max(1, threads // 4)
    return workers, max(1, threads // workers)
