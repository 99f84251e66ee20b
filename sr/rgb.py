"""RGB networks on planes: 4:2:0 to R'G'B', the network, and back to the 4:2:0 that is wanted."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Protocol

import torch

from sr.color import codes_from_rgb, rgb_from_codes
from sr.resample import CHROMA_X, CHROMA_Y, LUMA, Siting, subsampling_taps
from sr.tensors import (
    FrameFunction,
    TensorFunction,
    TorchUpscaler,
    affine,
    axis_resampler,
    chroma_to_luma_grid,
    quantiser,
)
from sr.types import Signal, Upscaler


class RgbNetwork(Protocol):
    """A `torch.nn.Module` that enlarges images, and says how it may be run.

    Called with N3HW in [0, 1], returns N3(sH)(sW): same geometry, no shift, nothing cropped.
    """

    scale: int
    radius: int
    """Receptive radius in input pixels."""
    multiple: int
    """Sizes that suit it are multiples of this one; others it pads by itself."""
    is_global: bool
    """Every output depends on the whole input (global pooling)."""


NetworkFactory = Callable[[], torch.nn.Module]
"""Makes an `RgbNetwork` with its weights, float32, on the CPU."""


def open_rgb(
    network: NetworkFactory,
    source: Signal,
    target: Signal,
    device: str,
    batch: int,
    *,
    threads: int = 1,
) -> Upscaler:
    """Open an RGB network on planes.

    Args:
        network: Makes an `RgbNetwork`.
        source: What comes in.
        target: What goes out; where the size is not what the network gives, its result is resampled
            by lanczos.
        device: A torch device: `cpu`, `cuda:N`.
        batch: Frames per call.
        threads: Of torch, on the CPU; there one call at a time uses them all.

    Raises:
        UpscalerError: The network's weights are missing.
    """
    module = network().to(device).eval()
    return TorchUpscaler(rgb_frames(module, source, target, device), source, device, batch)


def sufficient_scale(scales: Sequence[int], source: Signal, target: Signal) -> int:
    """The smallest of a model's scales that reaches the target, or its largest."""
    needed = max(
        Fraction(target.width, source.width),
        Fraction(target.height, source.height),
    )
    return min((s for s in scales if s >= needed), default=max(scales))


def rgb_frames(
    module: torch.nn.Module, source: Signal, target: Signal, device: str
) -> FrameFunction:
    """The whole way as a function of planes."""
    to_rgb = planes_to_rgb(source, device)
    scale: int = module.scale  # type: ignore[assignment]
    to_planes = rgb_to_planes((scale * source.width, scale * source.height), target, device)

    def frames(
        y: torch.Tensor, u: torch.Tensor, v: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return to_planes(module(to_rgb(y, u, v)).float().clamp(0, 1))

    return frames


def planes_to_rgb(
    source: Signal, device: str
) -> Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]:
    """A function from NHW planes to N3HW float32 in [0, 1], chroma bilinear."""
    grid = chroma_to_luma_grid(source, device)
    rows = rgb_from_codes(source)[:3]

    def convert(y: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        codes = (y.float(), grid(u.float()), grid(v.float()))
        return torch.stack([affine(row, *codes) for row in rows], dim=1).clamp(0, 1)

    return convert


def rgb_to_planes(
    size: tuple[int, int], target: Signal, device: str
) -> Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """A function from N3HW of `size` (width, height) to the NHW uint8 planes of the target.

    Each plane is resampled by lanczos straight to where its samples lie.
    """
    rows = codes_from_rgb(target)[:3]
    luma = _to_plane(size, target, (LUMA, LUMA), device)
    chroma = _to_plane(size, target, (CHROMA_X, CHROMA_Y), device)
    quantise = quantiser(target, device)

    def convert(rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        red, green, blue = rgb.unbind(1)
        y, u, v = (affine(row, red, green, blue) for row in rows)
        return quantise(luma(y)), quantise(chroma(u)), quantise(chroma(v))

    return convert


def _to_plane(
    size: tuple[int, int], target: Signal, siting: tuple[Siting, Siting], device: str
) -> TensorFunction:
    x, y = (
        subsampling_taps("lanczos", given, wanted, s)
        for given, wanted, s in zip(size, (target.width, target.height), siting, strict=True)
    )
    if x.is_copy and y.is_copy:
        return lambda plane: plane
    vertical = axis_resampler(y, size[1], -2, device)
    horizontal = axis_resampler(x, size[0], -1, device)
    return lambda plane: horizontal(vertical(plane))
