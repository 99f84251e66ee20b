"""Trains a small network: Adam along a cosine, early stop on held-out frames, checkpoints."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from sr.color import luma_gain
from sr.errors import UpscalerError
from sr.models.weight_file import Arrays, WeightFile
from sr.resample import Kernel
from sr.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from sr.training.data import Batch, Pair, Patches, check_pairs, digest, whole
from sr.training.networks import Enlarger, new_trainee
from sr.training.recipe import Outcome, Point, Progress, Recipe, Trained

_LAST_RATE, _RISE = 0.01, 0.05
_LAST_SHARE = 0.1
"""Of the rate, for the last layer, as in the paper on SRCNN: its many inputs move together."""
_EPSILON = 1e-3
_PEAK = 255.0
_LEAST = 1e-6
"""Mean square error of what is equal."""
_TIMED_STEPS = 6


def train(
    recipe: Recipe,
    training: Sequence[Pair],
    held_out: Sequence[Pair],
    *,
    init: WeightFile | None = None,
    device: str = "cpu",
    checkpoint: Path | None = None,
    resume: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train until the steps are done, the held-out frames gain nothing more, or `should_stop`.

    The same recipe on the same frames gives the same weights on one machine (with deterministic
    kernels; another device rounds differently). A training that was interrupted and resumed gives
    what it would have given.

    Args:
        recipe: How.
        training: What patches are cut from.
        held_out: Judged by, whole; should be of other scenes.
        init: Weights to start from; random ones by default.
        device: A torch device.
        checkpoint: Where everything needed to go on is written at each check, and on stopping.
        resume: Go on from `checkpoint`, which must be of the same recipe and frames.
        on_progress: Told of each step.
        should_stop: Asked before each step.

    Returns:
        The weights that did best on the held-out frames.

    Raises:
        UpscalerError: Frames or recipe do not fit together or the checkpoint, a file cannot be
            written, or the training diverged.
    """
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        run = _Run(recipe, training, held_out, init, device)
        if resume and checkpoint is not None:
            run.restore(read_checkpoint(checkpoint))
        outcome = run.go(checkpoint, on_progress, should_stop)
        return run.result(outcome)


def steps_within(
    seconds: float,
    recipe: Recipe,
    training: Sequence[Pair],
    held_out: Sequence[Pair],
    *,
    init: WeightFile | None = None,
    device: str = "cpu",
) -> int:
    """How many steps of a recipe this machine does in a time, checks included.

    Raises:
        UpscalerError: As `train`.
    """
    run = _Run(replace(recipe, steps=_TIMED_STEPS), training, held_out, init, device)
    began = time.perf_counter()
    run.check()
    per_check = time.perf_counter() - began
    run.step()
    began = time.perf_counter()
    for _ in range(_TIMED_STEPS - 1):
        run.step()
    per_step = (time.perf_counter() - began) / (_TIMED_STEPS - 1)
    return max(1, round((seconds - recipe.checks * per_check) / per_step))


class _Run:
    """The state of one training."""

    def __init__(
        self,
        recipe: Recipe,
        training: Sequence[Pair],
        held_out: Sequence[Pair],
        init: WeightFile | None,
        device: str,
    ) -> None:
        check_pairs(training, recipe.scale, recipe.side)
        check_pairs(held_out, recipe.scale, recipe.side)
        self._recipe, self._device = recipe, device
        self._frames = digest([*training, *held_out])
        self._trainee = new_trainee(recipe.architecture, recipe.scale, recipe.seed, init, device)
        if recipe.side <= 2 * self._trainee.margin:
            raise UpscalerError(f"patches must be larger than {2 * self._trainee.margin} pixels")
        *others, weight, bias = self._trainee.module.parameters()
        groups = [
            {"params": others, "share": 1.0},
            {"params": [weight, bias], "share": _LAST_SHARE},
        ]
        self._adam = torch.optim.Adam(groups, lr=recipe.rate)
        self._patches = Patches(
            training, scale=recipe.scale, side=recipe.side, seed=recipe.seed, device=device
        )
        self._held_out = [
            (whole(pair, device), luma_gain(pair.signal.full_range)) for pair in held_out
        ]
        self._baselines = self._interpolated()
        self._step = 0
        self._losses: list[float] = []
        self._history: list[Point] = []
        self._best: Arrays = self._trainee.arrays()

    def go(
        self,
        checkpoint: Path | None,
        on_progress: Callable[[Progress], None],
        should_stop: Callable[[], bool],
    ) -> Outcome:
        """Take the steps that are left."""
        recipe = self._recipe
        if not self._history:
            self.check()
        while self._step < recipe.steps and not self._has_converged():
            if should_stop():
                self._save(checkpoint)
                return "interrupted"
            self.step()
            if self._step % recipe.check_every == 0 or self._step == recipe.steps:
                self.check()
                self._save(checkpoint)
            on_progress(self._progress())
        return "finished" if self._step == recipe.steps else "converged"

    def step(self) -> None:
        """Learn from one batch."""
        recipe = self._recipe
        for group in self._adam.param_groups:
            group["lr"] = recipe.rate * group["share"] * _schedule(self._step / recipe.steps)
        error = self._error(self._patches.batch(self._step, recipe.batch))
        loss = (error**2 + _EPSILON**2).sqrt().mean()
        if recipe.loss == "mse":
            loss = (error**2).mean()
        self._adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        self._losses.append(float(loss.detach()))
        if not math.isfinite(self._losses[-1]):
            raise UpscalerError(f"the training diverged at step {self._step}: lower the rate")
        self._step += 1

    def check(self) -> None:
        """Judge the held-out frames, and keep the weights if they are the best so far."""
        with torch.inference_mode():
            psnr = _mean_psnr(lambda b: self._trainee(b.rgb, b.luma), self._held_out)
        if psnr > max((point.psnr for point in self._history), default=-math.inf):
            self._best = self._trainee.arrays()
        self._history.append(Point(step=self._step, loss=self._mean_loss(), psnr=psnr))
        self._losses = []

    def restore(self, saved: Checkpoint) -> None:
        """Stand where a checkpoint was written."""
        if saved.recipe != self._recipe or saved.frames != self._frames:
            what = "another recipe" if saved.recipe != self._recipe else "other frames"
            raise UpscalerError(f"the checkpoint is of a training with {what}")
        saved.load_into(self._trainee.module, self._adam)
        self._step, self._losses = saved.step, list(saved.losses)
        self._history, self._best = list(saved.history), saved.best

    def result(self, outcome: Outcome) -> Trained:
        """The best weights."""
        training = {
            "recipe": self._recipe.notes(),
            "outcome": outcome,
            "step": self._step,
            "held_out_psnr": max(point.psnr for point in self._history),
            "baselines": self._baselines,
        }
        file = WeightFile(
            architecture=self._recipe.architecture,
            scale=self._recipe.scale,
            arrays=self._best,
            training=training,
        )
        return Trained(
            file=file,
            outcome=outcome,
            step=self._step,
            history=tuple(self._history),
            baselines=self._baselines,
        )

    def _error(self, batch: Batch) -> torch.Tensor:
        edge = self._recipe.scale * self._trainee.margin
        error = self._trainee(batch.rgb, batch.luma) - batch.wanted
        return error[..., edge:-edge, edge:-edge]

    def _has_converged(self) -> bool:
        """No better for long; not in the first half, while the rate is high and results jump."""
        if 2 * self._step < self._recipe.steps:
            return False
        psnrs = [point.psnr for point in self._history]
        return len(psnrs) - 1 - psnrs.index(max(psnrs)) >= self._recipe.patience

    def _save(self, path: Path | None) -> None:
        if path is not None:
            saved = Checkpoint.of(
                self._trainee.module,
                self._adam,
                recipe=self._recipe,
                frames=self._frames,
                step=self._step,
                losses=tuple(self._losses),
                history=tuple(self._history),
                best=self._best,
            )
            write_checkpoint(saved, path)

    def _progress(self) -> Progress:
        return Progress(
            step=self._step,
            steps=self._recipe.steps,
            loss=self._mean_loss(),
            history=tuple(self._history),
            baselines=self._baselines,
        )

    def _mean_loss(self) -> float | None:
        if self._losses:
            return sum(self._losses) / len(self._losses)
        return self._history[-1].loss if self._history else None

    def _interpolated(self) -> dict[str, float]:
        kernels: tuple[Kernel, ...] = ("bilinear", "bicubic")
        return {kernel: self._psnr_of(kernel) for kernel in kernels}

    def _psnr_of(self, kernel: Kernel) -> float:
        enlarge = Enlarger(kernel, self._recipe.scale, self._device)
        return _mean_psnr(lambda batch: enlarge(batch.luma), self._held_out)


def _schedule(done: float) -> float:
    """Share of the rate when a share of the steps is done: a short rise, then a cosine."""
    fall = (1 + math.cos(math.pi * done)) / 2
    return min(1.0, (done + _RISE / 10) / _RISE) * (_LAST_RATE + (1 - _LAST_RATE) * fall)


def _mean_psnr(
    predict: Callable[[Batch], torch.Tensor], frames: Sequence[tuple[Batch, float]]
) -> float:
    """Of 8-bit luma codes, rounded; decibels."""
    total = 0.0
    for frame, gain in frames:
        error = (gain * predict(frame)).round() - (gain * frame.wanted).round()
        total += 10 * math.log10(_PEAK**2 / max(float((error**2).mean()), _LEAST))
    return total / len(frames)
