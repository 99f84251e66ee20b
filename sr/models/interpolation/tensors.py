"""Interpolation of plain tensors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sr.errors import UpscalerError
from sr.models.tensors import check_images
from sr.resample import Kernel, make_taps
from sr.tensors import axis_resampler

if TYPE_CHECKING:
    import torch

    from sr.types import ModelInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpolationModel:
    """`Model` of one resampling kernel."""

    info: "ModelInfo"
    device: str
    kernel: Kernel

    def __call__(self, rgb: "torch.Tensor", scale: float | None = None) -> "torch.Tensor":
        """Resample NCHW float32 images; see `sr.models.descriptor.Model`."""
        scale = self.info.scale if scale is None else scale
        if scale is None or not scale > 0:
            raise UpscalerError(f"{self.info.name}: give a scale above 0, such as scale=2")
        images = check_images(rgb).to(self.device)
        for dim in (-2, -1):
            size = images.shape[dim]
            taps = make_taps(self.kernel, size, max(1, round(size * scale)))
            images = axis_resampler(taps, size, dim, self.device)(images)
        return images
