"""The evaluation itself: clip by clip, model by model; frames pass through files, not memory."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sr
from origin import __version__
from origin.errors import ConfigError, ProductionError
from origin.evaluate import metrics
from origin.evaluate.degrade import KERNELS, Degradation, describe_compression
from origin.evaluate.metrics import VmafError
from origin.evaluate.sampling import split_runs, spread
from origin.evaluate.speed import describe_machine, upscale
from origin.evaluate.spool import FrameFile
from origin.evaluate.stills import Album, choose_places
from origin.evaluate.types import (
    VERSION,
    Clip,
    Curve,
    Evaluation,
    Missing,
    Row,
    Settings,
    Still,
)
from origin.media.compare import LumaScores
from origin.media.reference import Reference, open_reference
from origin.progress import Report
from sr.errors import UpscalerError
from sr.models import find_model

_STILLS = 4
"""Crops in a report, if there are not more clips."""


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What is known of a model so far."""

    luma: list[LumaScores] = field(default_factory=list)
    vmaf: list[float] = field(default_factory=list)
    seconds: float = 0.0
    curves: list[Curve] = field(default_factory=list)


class EvaluationRun:
    """One evaluation. For one thread, once."""

    def __init__(self, settings: Settings, paths: Sequence[str], report: Report) -> None:
        """Look at the references and the models; nothing heavy yet.

        Raises:
            ConfigError: A model or the device does not exist.
            BrokenSourceError: A reference cannot be read.
            UnsupportedSourceError: It has no video, or is smaller than the scale allows.
        """
        self._settings, self._report = settings, report
        self._missing: list[Missing] = []
        self._notes: list[str] = []
        self._tallies = {model: _Tally() for model in self._usable(settings.models)}
        self._sources = [self._open(path) for path in paths]
        self._indices = [spread(len(s.pts), settings.frames) for s in self._sources]
        self._clips: list[Clip] = []
        self._albums: list[Album] = []
        self._done = 0
        self._has_vmaf = True

    def run(self, command: str) -> tuple[Evaluation, list[Still]]:
        """Do it.

        Args:
            command: What the user typed, for the record.

        Raises:
            BrokenSourceError: A frame cannot be decoded.
            ProductionError: A frame cannot be encoded or compared.
            ConfigError: The temporary directory has too little room.
        """
        for source, indices in zip(self._sources, self._indices, strict=True):
            with tempfile.TemporaryDirectory(prefix="upscale-origin-") as directory:
                self._check_room(source, len(indices), Path(directory))
                self._evaluate_clip(source, indices, Path(directory))
        stills = [still for album in self._albums for still in album.stills(self._tallies)]
        return self._evaluation(command), stills

    def _usable(self, models: Sequence[str]) -> list[str]:
        """Those whose weights are there; others are noted. What no model is called is an error."""
        usable = []
        for model in models:
            try:
                find_model(model)
            except UpscalerError as error:
                raise ConfigError(str(error)) from error
            try:
                sr.model_digest(model)
            except UpscalerError as error:
                self._miss(model, str(error))
            else:
                usable.append(model)
        return usable

    def _miss(self, model: str, reason: str) -> None:
        self._missing.append(Missing(model=model, reason=reason))
        self._report.note(f"without {model}: {reason}")

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._report.note(text)

    def _open(self, path: str) -> Reference:
        settings = self._settings
        source = open_reference(
            path,
            start_seconds=settings.start_seconds,
            duration_seconds=settings.duration_seconds,
        )
        unit = 2 * settings.scale
        if min(source.width, source.height) // unit * unit < 16 * settings.scale:
            raise ConfigError(
                f"{path}: {source.width}x{source.height} is too small to be made "
                f"{settings.scale} times smaller"
            )
        width, height = (size // unit * unit for size in (source.width, source.height))
        if (width, height) != (source.width, source.height):
            self._note(
                f"{source.name}: cropped from {source.width}x{source.height} to {width}x{height}, "
                f"multiples of {unit}"
            )
        if source.bit_depth > 8:
            self._note(f"{source.name}: {source.bit_depth} bits, measured as 8")
        return source

    def _check_room(self, source: Reference, frames: int, directory: Path) -> None:
        share = 2 + 1 / self._settings.scale**2
        needed = source.width * source.height * 1.5 * frames * share
        free = shutil.disk_usage(directory).free
        if needed > 0.95 * free:
            raise ConfigError(
                f"{frames} frames of {source.name} need {needed / 1e9:.1f} GB in "
                f"{directory.parent}, where {free / 1e9:.1f} GB are free: set TMPDIR, or give "
                "fewer --frames"
            )

    def _evaluate_clip(self, source: Reference, indices: tuple[int, ...], directory: Path) -> None:
        with Degradation(source, indices, self._settings, directory) as pair:
            self._begin(pair.reads, f"degrading {source.name}")
            pair.run(lambda: self._advance(1))
            self._begin(len(indices) * len(self._tallies), f"comparing with {source.name}")
            clip = _describe(source, indices, pair)
            self._clips.append(clip)
            album: Album | None = None
            for model in tuple(self._tallies):
                self._report.turn_to(f"{model} on {source.name}")
                with pair.new_file("made") as made:
                    luma = self._evaluate_model(model, pair, made, source, split_runs(indices))
                    if luma is None:
                        continue
                    album = album or self._start_album(clip, pair, made, luma)
                    album.add(model, made)

    def _start_album(
        self, clip: Clip, pair: Degradation, made: FrameFile, luma: list[LumaScores]
    ) -> Album:
        count = max(1, _STILLS // len(self._sources))
        places = choose_places(made, pair.reference, luma, count)
        album = Album(clip, pair.signal, places, whole=not self._albums)
        album.add_sources(pair.reference, pair.low, self._settings.scale)
        self._albums.append(album)
        return album

    def _evaluate_model(
        self,
        model: str,
        pair: Degradation,
        made: FrameFile,
        source: Reference,
        runs: list[range],
    ) -> list[LumaScores] | None:
        settings, tally, before = self._settings, self._tallies[model], self._done
        try:
            upscaler = sr.open_upscaler(
                model=model,
                source=pair.low_signal,
                target=pair.signal,
                device=settings.device,
                threads=settings.threads,
            )
            seconds = upscale(upscaler, pair.low, made, self._advance)
        except UpscalerError as error:
            del self._tallies[model]
            self._done = before + len(pair.low)
            self._miss(model, str(error))
            return None
        made.flush()
        size = (pair.signal.width, pair.signal.height)
        luma = metrics.compare_luma(made, pair.reference, runs, size, source.frame_rate)
        vmafs = self._vmaf(made, pair.reference)
        tally.seconds += seconds * len(luma)
        tally.luma += luma
        tally.vmaf += vmafs or ()
        tally.curves.append(metrics.curve(luma, vmafs))
        return luma

    def _begin(self, frames: int, what: str) -> None:
        self._done = 0
        self._report.begin(total=frames)
        self._report.turn_to(what)

    def _advance(self, frames: int) -> None:
        self._done += frames
        self._report.advance(self._done)

    def _vmaf(self, made: FrameFile, reference: FrameFile) -> list[float] | None:
        if not self._has_vmaf:
            return None
        try:
            scores = metrics.vmaf(made.path, reference.path, self._settings.threads)
        except VmafError as error:
            self._has_vmaf = False
            self._note(str(error))
            return None
        if len(scores) != len(made):
            raise ProductionError(f"VMAF of {len(scores)} frames came back for {len(made)}")
        return scores

    def _evaluation(self, command: str) -> Evaluation:
        settings = self._settings
        return Evaluation(
            version=VERSION,
            command=command,
            made_by=f"upscale-origin {__version__}",
            machine=describe_machine(settings.device, settings.threads),
            scale=settings.scale,
            downscale=KERNELS[settings.downscale],
            compression=describe_compression(settings.bitrate),
            metrics=metrics.IN_WORDS,
            notes=tuple(self._notes),
            clips=tuple(self._clips),
            rows=tuple(self._row(model, tally) for model, tally in self._tallies.items()),
            missing=tuple(self._missing),
        )

    def _row(self, model: str, tally: _Tally) -> Row:
        info = find_model(model).info
        vmafs = tally.vmaf if len(tally.vmaf) == len(tally.luma) else None
        return Row(
            model=model,
            is_viewer=model == self._settings.models[0],
            scores=metrics.pool(tally.luma, vmafs),
            fps=len(tally.luma) / tally.seconds,
            kmac_per_pixel=info.kmac_per_pixel,
            radius=info.radius,
            curves=tuple(tally.curves),
        )


def _describe(source: Reference, indices: tuple[int, ...], pair: Degradation) -> Clip:
    size = (pair.signal.width, pair.signal.height)
    original = (source.width, source.height)
    return Clip(
        name=source.name,
        codec=source.codec,
        bit_depth=source.bit_depth,
        width=size[0],
        height=size[1],
        cropped_from=None if size == original else original,
        low_width=pair.low_signal.width,
        low_height=pair.low_signal.height,
        frame_rate=float(source.frame_rate),
        matrix=pair.signal.matrix,
        full_range=pair.signal.full_range,
        bitrate=pair.bitrate,
        frames=indices,
        seconds=tuple(round(source.seconds(i), 3) for i in indices),
    )
