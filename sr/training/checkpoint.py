"""Where a training stands, as safetensors: weights, Adam's moments, the best weights, and notes."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sr.errors import UpscalerError
from sr.models.weight_file import Arrays, read_arrays, read_bytes, read_notes, write_arrays
from sr.training.recipe import Point, Recipe

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """Everything needed to go on as if nothing had happened."""

    recipe: Recipe
    frames: str
    """Digest of the frames it learns from and is judged by."""
    step: int
    losses: tuple[float, ...]
    """Since the last check."""
    history: tuple[Point, ...]
    weights: Arrays
    moments: Arrays
    """Adam's, by the number and the name of each parameter's part."""
    best: Arrays

    @classmethod
    def of(
        cls,
        module: torch.nn.Module,
        adam: torch.optim.Adam,
        *,
        recipe: Recipe,
        frames: str,
        step: int,
        losses: tuple[float, ...],
        history: tuple[Point, ...],
        best: Arrays,
    ) -> "Checkpoint":
        """Copy a training's state."""
        moments = {
            f"{index}.{part}": _copy(state[part])
            for index, state in adam.state_dict()["state"].items()
            for part in _MOMENTS
        }
        return cls(
            recipe=recipe,
            frames=frames,
            step=step,
            losses=losses,
            history=history,
            weights={name: _copy(tensor) for name, tensor in module.state_dict().items()},
            moments=moments,
            best=best,
        )

    def load_into(self, module: torch.nn.Module, adam: torch.optim.Adam) -> None:
        """Put a training where this one stood.

        Raises:
            UpscalerError: It is of another network.
        """
        try:
            module.load_state_dict({k: torch.from_numpy(a.copy()) for k, a in self.weights.items()})
        except RuntimeError as error:
            raise UpscalerError("the checkpoint is of another network") from error
        state = adam.state_dict()
        for name, array in self.moments.items():
            index, _, part = name.partition(".")
            state["state"].setdefault(int(index), {})[part] = torch.from_numpy(array.copy())
        adam.load_state_dict(state)


def write_checkpoint(saved: Checkpoint, path: Path) -> None:
    """Write it, whole or not at all.

    Raises:
        UpscalerError: It cannot be written.
    """
    groups = {"now": saved.weights, "adam": saved.moments, "best": saved.best}
    arrays = {f"{group}/{k}": a for group, items in groups.items() for k, a in items.items()}
    notes = {
        "recipe": saved.recipe.notes(),
        "frames": saved.frames,
        "step": saved.step,
        "losses": saved.losses,
        "history": [asdict(point) for point in saved.history],
    }
    write_arrays(arrays, "checkpoint", notes, path)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Raises:
        UpscalerError: It is missing, broken or no checkpoint.
    """
    data = read_bytes(path)
    notes = read_notes(data, path)
    if notes is None or notes.get("format") != "checkpoint":
        raise UpscalerError(f"{path} is no checkpoint of a training")
    groups: dict[str, dict[str, NDArray[np.float32]]] = {"now": {}, "adam": {}, "best": {}}
    try:
        for name, array in read_arrays(data, path).items():
            group, _, key = name.partition("/")
            groups[group][key] = array
        return Checkpoint(
            recipe=Recipe(**notes["recipe"]),
            frames=str(notes["frames"]),
            step=int(notes["step"]),
            losses=tuple(map(float, notes["losses"])),
            history=tuple(Point(**point) for point in notes["history"]),
            weights=groups["now"],
            moments=groups["adam"],
            best=groups["best"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UpscalerError(f"{path} is a broken checkpoint: {json.dumps(str(error))}") from error


def _copy(tensor: torch.Tensor) -> NDArray[np.float32]:
    return tensor.detach().cpu().numpy().copy()
