"""Small RGB networks to test machinery with."""

from itertools import pairwise

import torch
import torch.nn.functional as F


class SmallNetwork(torch.nn.Module):
    """Random 3x3 convolutions, padded by their maps' own edges; then depth to space."""

    def __init__(
        self, *, scale: int = 2, layers: int = 3, multiple: int = 1, is_global: bool = False
    ) -> None:
        super().__init__()
        torch.manual_seed(scale + 10 * layers)
        self.scale, self.multiple, self.is_global = scale, multiple, is_global
        self.radius = layers * multiple + multiple - 1
        widths = [3 * multiple**2, *[16] * (layers - 1), 3 * (scale * multiple) ** 2]
        self.layers = torch.nn.ModuleList(torch.nn.Conv2d(a, b, 3) for a, b in pairwise(widths))
        self.seen: list[tuple[int, ...]] = []

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        self.seen.append(tuple(rgb.shape))
        height, width = rgb.shape[-2:]
        below, right = -height % self.multiple, -width % self.multiple
        maps = F.pad(rgb, (0, right, 0, below), mode="replicate")
        maps = F.pixel_unshuffle(maps, self.multiple)
        for layer in self.layers:
            maps = layer(F.pad(maps, (1, 1, 1, 1), mode="replicate")).tanh()
        if self.is_global:
            maps = maps * maps.mean((-1, -2), keepdim=True).sigmoid()
        enlarged = F.pixel_shuffle(maps, self.scale * self.multiple)
        near = F.interpolate(rgb, scale_factor=float(self.scale), mode="nearest")
        return near + 0.1 * enlarged[..., : self.scale * height, : self.scale * width]


class Enlarge(torch.nn.Module):
    """Bilinear: what comes out is known."""

    radius, multiple, is_global = 1, 1, False

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return F.interpolate(rgb, scale_factor=float(self.scale), mode="bilinear")
