"""Anime4K's networks in torch, exactly as its shaders compute them."""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from sr.color import codes_from_codes, luma_gain, rgb_from_codes
from sr.models.anime4k.weights import LUMA_WEIGHTS
from sr.rgb import open_rgb
from sr.tensors import (
    FrameFunction,
    TorchUpscaler,
    affine,
    chroma_converter,
    chroma_to_luma_grid,
    plane_resampler,
    quantiser,
)
from sr.types import Signal, Upscaler

if TYPE_CHECKING:
    from sr.models.anime4k.weights import Anime4KWeights
    from sr.shaders import ConvolutionPass

SCALE = 2
PEAK_WINDOW = 5


class Anime4KNetwork(torch.nn.Module):
    """3x3 convolutions in a row, a 1x1 over the CReLU halves of all or most, depth to space.

    Each map is padded by its own edge, as clamped textures are.
    """

    multiple = 1
    is_global = False

    def __init__(self, weights: "Anime4KWeights") -> None:
        super().__init__()
        layers = [_convolution(p) for p in (weights.first, *weights.hidden)]
        self.layers = torch.nn.ModuleList(layers)
        self.mix = _convolution(weights.mix)
        self.scale = weights.scale
        self.radius = weights.layers
        self._mixed_layers = weights.mixed_layers
        self.requires_grad_(False)

    def residual(self, rgb: torch.Tensor) -> torch.Tensor:
        """N3HW to NR(sH)(sW), R = 1 or 3: what is added to R, G and B after enlarging."""
        halves, features = [], rgb
        for layer in self.layers:
            raw = layer(F.pad(features, (1, 1, 1, 1), mode="replicate"))
            features = torch.cat((raw.relu(), (-raw).relu()), dim=1)
            halves.append(features)
        mixed = self.mix(torch.cat(halves[-self._mixed_layers :], dim=1))
        return F.pixel_shuffle(mixed, self.scale)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """N3HW in [0, 1] to N3(sH)(sW)."""
        return enlarge(rgb, self.scale) + self.residual(rgb)


class ModeA(torch.nn.Module):
    """The passes of the packaged Mode A shader that run where the output is twice as large.

    Restore_CNN_VL at the size of the source, Upscale_CNN_x2_VL, then Clamp_Highlights, whose
    statistics are those of the source. By their `//!WHEN`, AutoDownscalePre_x2 runs only below
    twice the size, AutoDownscalePre_x4 and Upscale_CNN_x2_M only above (more than 2.4 times).
    """

    scale = SCALE
    multiple = 1
    is_global = False

    def __init__(self, restore: "Anime4KWeights", upscale: "Anime4KWeights") -> None:
        super().__init__()
        self.restore, self.upscale = Anime4KNetwork(restore), Anime4KNetwork(upscale)
        self.radius = self.restore.radius + self.upscale.radius

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """N3HW in [0, 1] to N3(2H)(2W)."""
        return clamp_highlights(self.upscale(self.restore(rgb)), rgb)


def clamp_highlights(rgb: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Lower R, G and B alike until luma does not exceed the source's greatest within 5x5 pixels.

    Args:
        rgb: N3(sH)(sW).
        source: N3HW; its peaks are enlarged bilinearly.
    """
    reach = PEAK_WINDOW // 2
    peaks = F.max_pool2d(_luma(source).clamp(min=0), PEAK_WINDOW, stride=1, padding=reach)
    limit = enlarge(peaks, rgb.shape[-1] // source.shape[-1])
    return rgb - (_luma(rgb) - limit).clamp(min=0)


def enlarge(images: torch.Tensor, scale: int) -> torch.Tensor:
    """Bilinearly, as a texture is read between its samples; clamped at the edges."""
    return images if scale == 1 else F.interpolate(images, scale_factor=scale, mode="bilinear")


def make_network(*chain: "Anime4KWeights") -> torch.nn.Module:
    """A network that doubles, or one that restores and one that doubles: Mode A."""
    network = Anime4KNetwork(*chain) if len(chain) == 1 else ModeA(*chain)
    return network.eval()


def open_network(
    *chain: "Anime4KWeights", source: Signal, target: Signal, device: str, batch: int
) -> Upscaler:
    """A chain on planes; with one residual it makes the luma, and chroma is bilinear."""
    if chain[-1].residuals == 1:
        frames = luma_frames(*chain, source=source, target=target, device=device)
        return TorchUpscaler(frames, source, device, batch)
    return open_rgb(lambda: make_network(*chain), source, target, device, batch)


def luma_frames(
    weights: "Anime4KWeights", *, source: Signal, target: Signal, device: str
) -> FrameFunction:
    """Luma by a network of one residual, chroma bilinear; half precision for it on CUDA.

    With four channels NCHW is the faster layout there (measured on an H100: 3.1 ms for eight frames
    of 640x360, against 3.8 ms in channels_last).
    """
    dtype = torch.float16 if torch.device(device).type == "cuda" else torch.float32
    network = Anime4KNetwork(weights).to(device=device, dtype=dtype)
    doubled = Signal(
        width=SCALE * source.width,
        height=SCALE * source.height,
        matrix=target.matrix,
        full_range=target.full_range,
    )
    grid = chroma_to_luma_grid(source, device)
    double = plane_resampler("bilinear", source, doubled, device)
    finish = plane_resampler("lanczos", doubled, target, device)
    is_doubled = (doubled.width, doubled.height) == (target.width, target.height)
    chroma = chroma_converter("bilinear", source, target, device)
    quantise = quantiser(target, device)
    rgb_rows, luma_row = rgb_from_codes(source)[:3], codes_from_codes(source, target)[0]
    gain = luma_gain(target.full_range, target.depth)

    def frames(
        y: torch.Tensor, u: torch.Tensor, v: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        codes = (y.float(), grid(u.float()), grid(v.float()))
        rgb = torch.stack([affine(row, *codes) for row in rgb_rows], dim=1)
        residual = network.residual(rgb.to(dtype))[:, 0].float()
        luma = double(affine(luma_row, *codes)) + gain * residual
        _, cb, cr = chroma(y, u, v)
        return quantise(luma if is_doubled else finish(luma)), cb, cr

    return frames


def _luma(rgb: torch.Tensor) -> torch.Tensor:
    """N3HW to N1HW."""
    red, green, blue = (weight * rgb[:, i : i + 1] for i, weight in enumerate(LUMA_WEIGHTS))
    return red + green + blue


def _convolution(weights: "ConvolutionPass") -> torch.nn.Conv2d:
    features, channels, rows, columns = weights.weight.shape
    layer = torch.nn.Conv2d(channels, features, (rows, columns))
    layer.weight.data = torch.from_numpy(weights.weight.copy())
    layer.bias = torch.nn.Parameter(torch.from_numpy(weights.bias.copy()))
    return layer
