"""What a training is told, and what it tells."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from sr.errors import UpscalerError
from sr.models.weight_file import WeightFile

Loss = Literal["charbonnier", "mse"]
Outcome = Literal["finished", "converged", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides the weights, the frames and the starting point apart."""

    architecture: str
    """`srcnn` or `anime4k-m`."""
    scale: int = 2
    steps: int
    batch: int = 8
    side: int = 40
    """Of a patch, in low-resolution pixels, even."""
    rate: float = 1e-3
    """Adam's largest learning rate; it rises for a short while, then falls along a cosine."""
    loss: Loss = "mse"
    """Of luma: `mse` is what PSNR rewards, and starts faster; `charbonnier` forgives outliers."""
    seed: int = 0
    checks: int = 16
    """How often the held-out frames are looked at."""
    patience: int = 5
    """In its second half, ends after so many checks without a better result on them."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        positive = (self.steps, self.batch, self.scale, self.checks, self.patience)
        if min(positive) < 1 or self.side < 2 or self.side % 2 or not 0 < self.rate < 1:
            raise UpscalerError(f"a training cannot be as {self}")

    @property
    def check_every(self) -> int:
        """Steps between looks at the held-out frames."""
        return max(1, self.steps // self.checks)

    def notes(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One check: the mean loss since the one before, and PSNR of luma on the held-out frames."""

    step: int
    loss: float | None
    """None before the first step."""
    psnr: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training stands after a step."""

    step: int
    steps: int
    loss: float | None
    """Mean since the last check."""
    history: tuple[Point, ...]
    baselines: dict[str, float]
    """PSNR of plain interpolation on the held-out frames, by kernel."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """The best weights that were met, and how."""

    file: WeightFile
    outcome: Outcome
    """`converged`: the held-out frames gained nothing any more."""
    step: int
    history: tuple[Point, ...]
    baselines: dict[str, float]

    @property
    def best(self) -> Point:
        """The check whose weights these are."""
        return max(self.history, key=lambda point: point.psnr)
