"""SRCNN in torch: luma by the network, chroma bicubic."""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from sr.color import LUMA_COEFFICIENTS, codes_from_codes, codes_from_rgb, luma_gain
from sr.models.srcnn.weights import FEATURES
from sr.resample import make_taps
from sr.tensors import (
    FrameFunction,
    affine,
    axis_resampler,
    chroma_converter,
    chroma_to_luma_grid,
    plane_resampler,
    quantiser,
)
from sr.types import Signal

if TYPE_CHECKING:
    from sr.models.srcnn.weights import SrcnnWeights

STRIP_ROWS = 128
"""Rows computed at a time: 64 features of a whole 4K frame would be 2 GB."""


class SrcnnNetwork(torch.nn.Module):
    """The paper's three layers, which correct bicubically enlarged luma.

    They give what is to be added to it, where the paper's give the luma itself: so the network
    starts at bicubic, and minutes of training are enough to pass it (the skip connection is from
    Kim, Lee, Lee: Accurate Image Super-Resolution Using Very Deep Convolutional Networks, 2016).
    """

    def __init__(self, kernels: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(
            torch.nn.Conv2d(FEATURES[i], FEATURES[i + 1], side) for i, side in enumerate(kernels)
        )
        self.margin = sum(side // 2 for side in kernels)

    def valid(self, luma: torch.Tensor) -> torch.Tensor:
        """N1HW in [0, 1] to the correction of all but `margin` samples at each edge."""
        *hidden, last = self.layers
        for layer in hidden:
            luma = layer(luma).relu()
        result: torch.Tensor = last(luma)
        return result

    def residual(self, luma: torch.Tensor) -> torch.Tensor:
        """N1HW in [0, 1] to the correction of every sample; beyond the edges luma stays the same.

        Computed in strips of rows, which bounds the memory.
        """
        side, height = self.margin, luma.shape[-2]
        padded = F.pad(luma, (side, side, side, side), mode="replicate")
        strips = [
            self.valid(padded[..., top : min(top + STRIP_ROWS, height) + 2 * side, :])
            for top in range(0, height, STRIP_ROWS)
        ]
        return torch.cat(strips, dim=-2)


class SrcnnImages(torch.nn.Module):
    """SRCNN on R'G'B' images: the correction of their luma (BT.709) is added to each channel."""

    def __init__(self, network: SrcnnNetwork, scale: int) -> None:
        super().__init__()
        self.network = network
        self.scale = scale

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """N3HW in [0, 1] to N3(sH)(sW)."""
        for dim in (-2, -1):
            size = rgb.shape[dim]
            taps = make_taps("bicubic", size, self.scale * size)
            rgb = axis_resampler(taps, size, dim, str(rgb.device))(rgb)
        kr, kb = LUMA_COEFFICIENTS["bt709"]
        red, green, blue = rgb.unbind(1)
        luma = kr * red + (1 - kr - kb) * green + kb * blue
        return rgb + self.network.residual(luma[:, None])


def load_network(weights: "SrcnnWeights") -> SrcnnNetwork:
    """The network with its weights, on the CPU."""
    network = SrcnnNetwork(weights.kernels)
    tensors = {name: torch.from_numpy(array.copy()) for name, array in weights.arrays.items()}
    network.load_state_dict(tensors)
    return network.requires_grad_(False).eval()


def luma_frames(
    weights: "SrcnnWeights", source: Signal, target: Signal, device: str
) -> FrameFunction:
    """The whole way as a function of planes; half precision for the network on CUDA."""
    dtype = torch.float16 if torch.device(device).type == "cuda" else torch.float32
    network = load_network(weights).to(device=device, dtype=dtype)
    enlarged = Signal(
        width=weights.scale * source.width, height=weights.scale * source.height, matrix="bt709"
    )
    grid = chroma_to_luma_grid(source, device)
    enlarge = plane_resampler("bicubic", source, enlarged, device)
    finish = plane_resampler("lanczos", enlarged, target, device)
    is_final = (enlarged.width, enlarged.height) == (target.width, target.height)
    chroma = chroma_converter("bicubic", source, target, device)
    quantise = quantiser(target, device)
    row = codes_from_codes(source, target)[0]
    gain, black = luma_gain(target.full_range, target.depth), float(codes_from_rgb(target)[0, 3])

    def frames(
        y: torch.Tensor, u: torch.Tensor, v: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        large = enlarge(affine(row, y.float(), grid(u.float()), grid(v.float())))
        grey = ((large - black) / gain).to(dtype)
        luma = large + gain * network.residual(grey[:, None])[:, 0].float()
        _, cb, cr = chroma(y, u, v)
        return quantise(luma if is_final else finish(luma)), cb, cr

    return frames
