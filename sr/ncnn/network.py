"""Runs an ncnn graph in torch, as an RGB network with exact geometry."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial, reduce
from itertools import product
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from sr.errors import UpscalerError
from sr.ncnn.binary import Weights, read_weights
from sr.ncnn.graph import Graph, read_graph
from sr.ncnn.operations import (
    Activation,
    Convolution,
    Crop,
    Linear,
    ParametricRelu,
    PixelShuffle,
    Plain,
    Resize,
    Sum,
    Work,
)

MAX_SUBPIXEL = 4
"""Features up to which a transposed convolution is a convolution before a pixel shuffle."""
Border = Literal["replicate", "reflect"]


class NcnnNetwork(nn.Module):
    """An `RgbNetwork` (see `sr.rgb`): pads what the network eats, cuts what is over.

    Args:
        graph: What to run.
        weights: Of each of its steps.
        margin: Input pixels to add on each side; None: as many as the graph eats.
        border: What they are made of: the edge, or the image mirrored in it.
        adds_input: Whether the enlarged input (nearest) is added to what the graph gives.
    """

    def __init__(
        self,
        graph: Graph,
        weights: tuple[Weights, ...],
        *,
        margin: int | None = None,
        border: Border = "replicate",
        adds_input: bool = False,
    ) -> None:
        super().__init__()
        self.scale = graph.scale
        self.radius = graph.radius
        self.multiple = graph.multiple
        self.is_global = graph.is_global
        self.kmac_per_pixel = graph.kmac_per_pixel
        self._margin = graph.margin if margin is None else margin
        self._border = border
        self._adds_input = adds_input
        offset = self.scale * self._margin - graph.result.cut / 2
        smallest = graph.multiple + 2 * self._margin
        if offset < 0 or offset != int(offset) or not graph.takes(smallest):
            raise UpscalerError(f"a margin of {self._margin} pixels does not fit the network")
        self._offset = int(offset)
        self._graph = _GraphModule(graph, weights)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """N3HW in [0, 1] to N3(sH)(sW), not clamped."""
        padded = rgb
        for dim in (-2, -1):
            padded = self._pad(padded, dim)
        rows, columns = (slice(self._offset, self._offset + self.scale * n) for n in rgb.shape[-2:])
        result: torch.Tensor = self._graph(padded)[..., rows, columns]
        if self._adds_input:
            result = result + F.interpolate(rgb, scale_factor=float(self.scale), mode="nearest")
        return result

    def _pad(self, image: torch.Tensor, dim: int) -> torch.Tensor:
        """Margins, and what else makes the size a multiple; images may be smaller than those."""
        size = image.shape[dim]
        extra = -size % self.multiple
        if not (self._margin or extra):
            return image
        end = size + self._margin + extra
        indices = torch.arange(-self._margin, end, device=image.device)
        if self._border == "reflect" and size > 1:
            indices = indices.abs() % (2 * size - 2)
            indices = size - 1 - (indices - size + 1).abs()
        return image.index_select(dim, indices.clamp(0, size - 1))


class _GraphModule(nn.Module):
    """The steps of a graph; keeps a result only for as long as a later step takes it."""

    def __init__(self, graph: Graph, weights: tuple[Weights, ...]) -> None:
        super().__init__()
        self._input, self._output = graph.input, graph.output
        self._wires = tuple((step.inputs, step.outputs) for step in graph.steps)
        self._uses = Counter(name for step in graph.steps for name in step.inputs)
        self.layers = nn.ModuleList(
            _layer(step.operation.work, given)
            for step, given in zip(graph.steps, weights, strict=True)
        )
        self.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        blobs = {self._input: images}
        uses = self._uses.copy()
        for layer, (inputs, outputs) in zip(self.layers, self._wires, strict=True):
            uses.subtract(inputs)
            result = layer(*(blobs[name] if uses[name] else blobs.pop(name) for name in inputs))
            blobs.update(dict.fromkeys(outputs, result))
        return blobs[self._output]


class _Crop(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self._before, self._after = before, after

    def forward(self, image: torch.Tensor, *_like: torch.Tensor) -> torch.Tensor:
        rows, columns = (slice(self._before, size - self._after) for size in image.shape[-2:])
        return image[..., rows, columns]


class _Sum(nn.Module):
    def __init__(self, weights: tuple[float, ...]) -> None:
        super().__init__()
        self._weights = weights

    def forward(self, *images: torch.Tensor) -> torch.Tensor:
        pairs = zip(self._weights, images, strict=True)
        return reduce(torch.add, (x if weight == 1 else weight * x for weight, x in pairs))


class _Product(nn.Module):
    def forward(self, image: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        return image * factors


class _Concatenation(nn.Module):
    def forward(self, *images: torch.Tensor) -> torch.Tensor:
        return torch.cat(images, dim=1)


_PLAIN: Mapping[str, Callable[[], nn.Module]] = {
    "copy": nn.Identity,
    "mean": partial(nn.AdaptiveAvgPool2d, 1),
    "product": _Product,
    "concatenation": _Concatenation,
}


def _layer(work: Work, weights: Weights) -> nn.Module:
    match work:
        case Convolution():
            return nn.Sequential(_convolution(work, weights), *_activation(work.activation))
        case Linear(features=features, channels=channels):
            # on pooled maps, N x channels x 1 x 1
            layer = nn.Conv2d(channels, features, 1, bias=work.bias, device="meta")
            _fill(layer, weights.tagged.reshape(features, channels, 1, 1), weights.plain)
            return nn.Sequential(layer, *_activation(work.activation))
        case ParametricRelu(slopes=slopes):
            relu = nn.PReLU(slopes, device="meta")
            relu.weight = nn.Parameter(torch.from_numpy(weights.plain))
            return relu
        case Activation():
            return nn.Sigmoid() if work.kind == "sigmoid" else nn.LeakyReLU(work.slope)
        case _:
            return _weightless(work)


def _weightless(work: Crop | Resize | PixelShuffle | Sum | Plain) -> nn.Module:
    match work:
        case Crop(before=before, after=after):
            return _Crop(before, after)
        case Resize(kind=kind, factor=factor):
            return nn.Upsample(scale_factor=float(factor), mode=kind)
        case PixelShuffle(factor=factor):
            return nn.PixelShuffle(factor)
        case Sum(weights=weights):
            return _Sum(weights)
        case Plain(kind=plain):
            return _PLAIN[plain]()


def _convolution(work: Convolution, weights: Weights) -> nn.Module:
    if work.transposed and work.features <= MAX_SUBPIXEL and (taps := _subpixel_taps(work)):
        return _subpixel(work, weights, taps)
    kind = nn.ConvTranspose2d if work.transposed else nn.Conv2d
    layer = kind(
        work.channels,
        work.features,
        work.kernel,
        stride=work.stride,
        padding=work.padding,
        bias=work.bias,
        device="meta",
    )
    values = weights.tagged.swapaxes(0, 1).copy() if work.transposed else weights.tagged
    _fill(layer, values, weights.plain)
    return layer


def _subpixel_taps(work: Convolution) -> int:
    """Side of the kernel that does the same before a pixel shuffle; 0 where none does."""
    k, s, p = work.kernel, work.stride, work.padding
    taps = (s - 1 + p) // s + 1
    fits = -s < p - k + 1 <= 0 and s * (2 - taps) == k - 2 * p
    return taps if fits else 0


def _subpixel(work: Convolution, weights: Weights, taps: int) -> nn.Module:
    """The transposed convolution as one convolution with a feature for each of its phases.

    To few features that is faster (15 ms for 27 in bfloat16 on a CPU, 256 to 3). Output
    m * s + phase takes kernel element t from input m + (phase + p - t) / s.
    """
    s, p = work.stride, work.padding
    spread = np.zeros((work.features, s, s, work.channels, taps, taps), np.float32)
    phases = [(f, d, f + p - d * s) for f in range(s) for d in range(taps)]
    phases = [(f, d, t) for f, d, t in phases if 0 <= t < work.kernel]
    for (fy, dy, ty), (fx, dx, tx) in product(phases, phases):
        spread[:, fy, fx, :, dy, dx] = weights.tagged[:, :, ty, tx]
    features = work.features * s * s
    layer = nn.Conv2d(work.channels, features, taps, bias=work.bias, device="meta")
    plain = weights.plain.repeat(s * s)
    _fill(layer, spread.reshape(features, work.channels, taps, taps), plain)
    return nn.Sequential(layer, nn.PixelShuffle(s))


def _fill(
    layer: nn.Conv2d | nn.ConvTranspose2d, values: NDArray[np.float32], bias: NDArray[np.float32]
) -> None:
    layer.weight = nn.Parameter(torch.from_numpy(values))
    if layer.bias is not None:
        layer.bias = nn.Parameter(torch.from_numpy(bias))


def _activation(activation: Activation | None) -> tuple[nn.Module, ...]:
    """In place, on what a layer has just made."""
    match activation:
        case None:
            return ()
        case Activation(kind="sigmoid"):
            return (nn.Sigmoid(),)
        case Activation(slope=slope):
            return (nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True),)


def read_network(
    param: bytes,
    binary: bytes,
    *,
    margin: int | None = None,
    border: Border = "replicate",
    adds_input: bool = False,
) -> NcnnNetwork:
    """A network from the contents of its two files.

    Raises:
        UpscalerError: They are broken, hostile, of different networks, or use what is not
            supported; nothing of them was executed.
    """
    try:
        text = param.decode("ascii")
    except UnicodeDecodeError as e:
        raise UpscalerError("ncnn param: not a text file") from e
    graph = read_graph(text)
    weights = read_weights(binary, graph)
    return NcnnNetwork(graph, weights, margin=margin, border=border, adds_input=adds_input)
