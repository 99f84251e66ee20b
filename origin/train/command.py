"""The command line of `upscale-origin train`."""

# ruff: noqa: PLC0415 (torch is heavy: imported where it is used)

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from rich.console import Console

import sr
from origin.errors import ConfigError, OriginError, ProductionError
from origin.progress import Report, Words, report_on
from origin.telemetry import setup_logging

if TYPE_CHECKING:
    from types import FrameType

    from origin.train.material import Degrade
    from sr.models.weight_file import WeightFile
    from sr.training import Pair, Progress, Recipe, Trained

_ARCHITECTURES = ("srcnn", "anime4k-m")
_PACKAGED = "anime4k-m"
_RATE, _TUNING_RATE = 3e-3, 2e-3
_READING = Words(verb="reading", unit="scenes", rate="scenes/s")
_TRAINING = Words(verb="training", unit="steps", rate="steps/s")
_SUFFIX = ".safetensors"
_BITRATE = re.compile(r"(\d+(?:\.\d+)?)([kM]?)")
_UNITS = {"": 1, "k": 1000, "M": 1_000_000}
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outputs:
    """The files that a training writes."""

    model: Path

    @property
    def checkpoint(self) -> Path:
        """Gone once the model is there."""
        return self.model.with_name(f"{self.model.stem}.checkpoint{_SUFFIX}")

    @property
    def curve(self) -> Path:
        """The loss curve; beside it, the same as JSON."""
        return self.model.with_suffix(".svg")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frames:
    """Pairs in memory."""

    training: "list[Pair]"
    held_out: "list[Pair]"


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = commands.add_parser(
        "train",
        help="train a small network on your own material",
        description="Makes high-resolution material small, as a catalogue has it, and teaches a "
        "small network to undo that. The end of each file is held out to judge it by. An "
        "interrupted training goes on where it stopped when it is started again.",
    )
    parser.add_argument("material", nargs="+", metavar="MATERIAL", help="a video of good quality")
    parser.add_argument("--architecture", required=True, choices=_ARCHITECTURES)
    parser.add_argument(
        "--init", metavar=f"{_PACKAGED}|FILE", help="weights to start from, to fine-tune them"
    )
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar=f"MODEL{_SUFFIX}",
        help="the loss curve goes beside",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace MODEL")
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), default=2, help="(2)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=10.0, help="about so long (10)")
    length.add_argument("--steps", type=int, help="exactly so long, for the same weights each time")
    parser.add_argument(
        "--downscale", choices=("bicubic", "area", "lanczos"), default="bicubic", help="(bicubic)"
    )
    parser.add_argument(
        "--bitrate", type=_bitrate, help="encode the small video at so many bits/s, such as 500k"
    )
    parser.add_argument("--loss", choices=("mse", "charbonnier"), default="mse", help="(mse)")
    parser.add_argument(
        "--rate", type=float, help=f"largest learning rate ({_RATE}, or {_TUNING_RATE} with --init)"
    )
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|cuda:N")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (0)")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    outputs = _outputs(options)
    setup_logging("text", "warning")
    try:
        return _train(options, outputs)
    except sr.UpscalerError as error:
        raise ConfigError(str(error)) from error
    except OriginError as error:
        if error.source is None or error.source in error.detail:
            raise
        raise type(error)(f"{error.source} {error.detail}", source=error.source) from error


def _train(options: argparse.Namespace, outputs: _Outputs) -> int:
    from origin.train.material import Degrade
    from sr.training import train

    resolved = sr.resolve_device(options.device)
    device = resolved if resolved.startswith("cuda") else "cpu"
    init = _init(options)
    degrade = Degrade(
        scale=options.scale,
        downscale=options.downscale,
        bitrate=options.bitrate,
        threads=len(os.sched_getaffinity(0)),
    )
    console = Console(stderr=True)
    with report_on(console, _READING) as report:
        frames = _read(options.material, degrade, report)
    recipe = _recipe(options, outputs, frames, init, device)
    with report_on(console, _TRAINING) as report, _interruptible() as stop:
        done = train(
            recipe,
            frames.training,
            frames.held_out,
            init=init,
            device=device,
            checkpoint=outputs.checkpoint,
            resume=outputs.checkpoint.exists(),
            on_progress=_Teller(report, recipe.steps),
            should_stop=stop.is_set,
        )
    if done.outcome == "interrupted":
        sys.stderr.write(
            f"interrupted after {done.step} of {recipe.steps} steps, kept in {outputs.checkpoint}: "
            "run the same command again to go on\n"
        )
        return _INTERRUPTED
    _write(done, outputs, options)
    sys.stderr.write(_in_words(done, outputs) + "\n")
    return 0


def _outputs(options: argparse.Namespace) -> _Outputs:
    out: Path = options.out
    if out.suffix != _SUFFIX:
        raise ConfigError(f"expected a name ending in {_SUFFIX} for --out, not {out}")
    if not out.parent.is_dir():
        raise ConfigError(f"there is no folder {out.parent}")
    if out.exists() and not options.overwrite:
        raise ConfigError(f"{out} exists: give --overwrite to replace it, or another --out")
    if options.steps is not None and options.steps < 1:
        raise ConfigError(f"expected at least one step, not {options.steps}")
    if not 0 < options.minutes <= 60 * 24 * 7:
        raise ConfigError(f"expected minutes above 0 and up to a week, not {options.minutes:g}")
    if options.rate is not None and not 0 < options.rate < 1:
        raise ConfigError(f"expected a learning rate above 0 and below 1, not {options.rate:g}")
    if options.seed < 0:
        raise ConfigError(f"expected a seed of 0 or more, not {options.seed}")
    return _Outputs(model=out)


def _init(options: argparse.Namespace) -> "WeightFile | None":
    from sr.models.weight_file import parse_weight_file, read_bytes
    from sr.training import packaged_anime4k

    if options.init is None:
        return None
    if options.init == _PACKAGED:
        return packaged_anime4k()
    path = Path(options.init)
    file = parse_weight_file(read_bytes(path), path) if path.suffix == _SUFFIX else None
    if file is None:
        raise ConfigError(f"--init: expected {_PACKAGED} or a file that `train` made, not {path}")
    return file


def _read(material: list[str], degrade: "Degrade", report: Report) -> _Frames:
    from origin.train.material import plan_scenes, read_pairs

    scenes = plan_scenes(material)
    report.begin(total=len(scenes))
    frames = _Frames(training=[], held_out=[])
    for index, scene in enumerate(scenes):
        (frames.held_out if scene.held_out else frames.training).extend(read_pairs(scene, degrade))
        report.advance(index + 1)
    report.note(f"{len(frames.training)} frames to learn from, {len(frames.held_out)} held out")
    return frames


def _recipe(
    options: argparse.Namespace,
    outputs: _Outputs,
    frames: _Frames,
    init: "WeightFile | None",
    device: str,
) -> "Recipe":
    """As asked; how many steps fit into the minutes is measured, or known from a checkpoint."""
    from sr.training import Recipe, read_checkpoint, steps_within

    usual = _RATE if init is None else _TUNING_RATE
    recipe = Recipe(
        architecture=options.architecture,
        scale=options.scale,
        steps=options.steps or 1,
        rate=usual if options.rate is None else options.rate,
        loss=options.loss,
        seed=options.seed,
    )
    if outputs.checkpoint.exists():
        saved = read_checkpoint(outputs.checkpoint).recipe
        steps = options.steps or saved.steps
        if saved != replace(recipe, steps=steps):
            raise ConfigError(
                f"{outputs.checkpoint} is of another training: delete it, or choose another --out"
            )
        return saved
    if options.steps is not None:
        return recipe
    seconds = 60 * options.minutes
    steps = steps_within(
        seconds, recipe, frames.training, frames.held_out, init=init, device=device
    )
    return replace(recipe, steps=steps)


class _Teller:
    """Passes a training's progress on."""

    def __init__(self, report: Report, steps: int) -> None:
        self._report, self._steps = report, steps
        self._begun, self._checks = False, 1

    def __call__(self, progress: "Progress") -> None:
        """Told of each step."""
        if not self._begun:
            self._report.begin(total=self._steps, done=progress.step - 1)
            self._begun = True
        self._report.advance(progress.step)
        if len(progress.history) > self._checks:
            self._checks = len(progress.history)
            last, bicubic = progress.history[-1], progress.baselines["bicubic"]
            self._report.turn_to(
                f"loss {last.loss:.5f}, held out {last.psnr:.2f} dB (bicubic {bicubic:.2f})"
            )


@contextmanager
def _interruptible() -> Iterator[Event]:
    """An event that Ctrl-C or SIGTERM sets; a second one ends the program."""
    stop = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def set_stop(number: int, _: "FrameType | None") -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, set_stop)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write(done: "Trained", outputs: _Outputs, options: argparse.Namespace) -> None:
    from sr.models.weight_file import write_weight_file
    from sr.training import curve_document, curve_svg

    made_of = {
        "material": [Path(path).name for path in options.material],
        "downscale": options.downscale,
        "bitrate": options.bitrate,
        "init": Path(options.init).name if options.init else None,
    }
    done = replace(done, file=replace(done.file, training={**done.file.training, **made_of}))
    try:
        write_weight_file(done.file, outputs.model)
        document = json.dumps(curve_document(done), indent=1) + "\n"
        outputs.curve.with_suffix(".json").write_text(document)
        outputs.curve.write_text(curve_svg(done))
    except (OSError, sr.UpscalerError) as error:
        raise ProductionError(str(error)) from error
    outputs.checkpoint.unlink(missing_ok=True)


def _in_words(done: "Trained", outputs: _Outputs) -> str:
    bicubic, best = done.baselines["bicubic"], done.best
    early = "; it stopped early: nothing was gained any more" if done.outcome == "converged" else ""
    verdict = (
        f"use it by --rendition {done.file.scale}x:{outputs.model}"
        if best.psnr > bicubic
        else "that is no better than bicubic: train longer, or on more material"
    )
    return (
        f"made {outputs.model} in {done.step} steps{early}\n"
        f"held-out frames: {best.psnr:.2f} dB, bicubic {bicubic:.2f}, "
        f"bilinear {done.baselines['bilinear']:.2f} (loss curve: {outputs.curve})\n{verdict}"
    )


def _bitrate(text: str) -> int:
    found = _BITRATE.fullmatch(text)
    bits = round(float(found[1]) * _UNITS[found[2]]) if found else 0
    if not 10_000 <= bits <= 1_000_000_000:
        raise argparse.ArgumentTypeError(f"expected bits per second such as 500k, not {text}")
    return bits
