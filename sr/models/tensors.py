"""What models on plain tensors have in common."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sr.errors import UpscalerError

if TYPE_CHECKING:
    from sr.types import ModelInfo

RGB_CHANNELS = 3


def check_images(rgb: torch.Tensor) -> torch.Tensor:
    """The images themselves.

    Raises:
        UpscalerError: They are not NCHW float32 with three channels and at least one pixel.
    """
    fits = rgb.ndim == 4 and rgb.shape[1] == RGB_CHANNELS and rgb.numel() > 0
    if not fits or rgb.dtype != torch.float32:
        found = f"{rgb.dtype} {tuple(rgb.shape)}"
        raise UpscalerError(f"expected float32 images (N, 3, H, W) in [0, 1], found {found}")
    return rgb


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkModel:
    """`Model` of a torch module with one scale."""

    info: "ModelInfo"
    device: str
    module: torch.nn.Module

    def __call__(self, rgb: torch.Tensor, scale: float | None = None) -> torch.Tensor:
        """Run the network on NCHW float32 images; see `sr.models.descriptor.Model`."""
        if scale not in (None, self.info.scale):
            raise UpscalerError(f"{self.info.name} scales by {self.info.scale}, not by {scale}")
        with torch.inference_mode():
            result: torch.Tensor = self.module(check_images(rgb).to(self.device))
            return result
