"""What the house knows about a model without loading it, and how it is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sr.types import ModelInfo, Signal, Upscaler

if TYPE_CHECKING:
    import torch


class Model(Protocol):
    """A model on plain tensors, for research: what it computes, without video around it."""

    @property
    def info(self) -> ModelInfo:
        """What it is."""
        ...

    @property
    def device(self) -> str:
        """The torch device it runs on."""
        ...

    def __call__(self, rgb: "torch.Tensor", scale: float | None = None) -> "torch.Tensor":
        """Upscale images.

        Args:
            rgb: NCHW float32, three channels R'G'B' in [0, 1]; moved to the model's device.
            scale: For models of any scale, the output's size over the input's. Networks have one
                scale, and take none other.

        Returns:
            NCHW float32 on the model's device. Not clamped: overshoots are the caller's to cut.

        Raises:
            UpscalerError: The shape, the type or the scale does not fit.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A model. Nothing here is called, and so nothing heavy imported, before it is needed."""

    info: ModelInfo
    code_version: int
    """Raised whenever the same weights would give other pixels."""
    weights_sha256: Callable[[], str]
    load: Callable[[ModelInfo, str], Model]
    """(info, torch device)"""
    open_cpu: Callable[[Signal, Signal, int], Upscaler]
    """(source, target, threads): the numba path."""
    open_torch: Callable[[Signal, Signal, str, int], Upscaler]
    """(source, target, torch device, batch)"""
