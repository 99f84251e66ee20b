"""The networks that can be trained, behind one interface: luma in, enlarged luma out."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sr.errors import UpscalerError
from sr.models.anime4k import files as anime4k
from sr.models.anime4k.tensors import Anime4KNetwork
from sr.models.anime4k.weights import Anime4KWeights, load_weights
from sr.models.srcnn import weights as srcnn
from sr.models.srcnn.tensors import SrcnnNetwork, load_network
from sr.models.weight_file import Arrays, WeightFile
from sr.resample import Kernel, make_taps
from sr.shaders import ConvolutionPass
from sr.tensors import TensorFunction, axis_resampler

ARCHITECTURES = (srcnn.ARCHITECTURE, anime4k.ARCHITECTURE)
_BICUBIC_REACH, _CHROMA_REACH = 2, 1


class Trainee(Protocol):
    """A network in training."""

    margin: int
    """Low-resolution pixels at the edges of a patch whose results depend on what lies outside."""

    @property
    def module(self) -> torch.nn.Module:
        """What has the parameters."""
        ...

    def __call__(self, rgb: torch.Tensor, luma: torch.Tensor) -> torch.Tensor:
        """N3HW and N1HW in [0, 1] to N1(sH)(sW)."""
        ...

    def arrays(self) -> Arrays:
        """The weights as a model file holds them: copies."""
        ...


def new_trainee(
    architecture: str, scale: int, seed: int, init: WeightFile | None, device: str
) -> Trainee:
    """A network with weights from a file, or random ones.

    Raises:
        UpscalerError: There is no such architecture, or it has not this scale, or the file holds
            another network.
    """
    if architecture not in ARCHITECTURES:
        known = " and ".join(ARCHITECTURES)
        raise UpscalerError(f"cannot train {architecture}; only {known}")
    if init is not None and (init.architecture, init.scale) != (architecture, scale):
        raise UpscalerError(
            f"cannot start {architecture} of scale {scale} from {init.architecture} of {init.scale}"
        )
    if architecture == srcnn.ARCHITECTURE:
        return _Srcnn(scale, seed, init, device)
    if scale != anime4k.SCALE:
        raise UpscalerError(f"{architecture} has the scale {anime4k.SCALE}, not {scale}")
    return _Anime4K(seed, init, device)


def packaged_anime4k() -> WeightFile:
    """The published Anime4K-M, to start from."""
    arrays = anime4k.to_arrays(load_weights())
    return WeightFile(architecture=anime4k.ARCHITECTURE, scale=anime4k.SCALE, arrays=arrays)


class Enlarger:
    """Images N1HW to N1(sH)(sW) by a kernel."""

    def __init__(self, kernel: Kernel, scale: int, device: str) -> None:
        self._kernel, self._scale, self._device = kernel, scale, device
        self._axes: dict[tuple[int, int], TensorFunction] = {}

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Vertically, then horizontally."""
        for dim in (-2, -1):
            images = self._axis(images.shape[dim], dim)(images)
        return images

    def _axis(self, size: int, dim: int) -> TensorFunction:
        if (size, dim) not in self._axes:
            taps = make_taps(self._kernel, size, self._scale * size)
            self._axes[size, dim] = axis_resampler(taps, size, dim, self._device)
        return self._axes[size, dim]


class _Srcnn:
    def __init__(self, scale: int, seed: int, init: WeightFile | None, device: str) -> None:
        if init is None:
            self.module = SrcnnNetwork(srcnn.KERNELS[0])
            _randomise(list(self.module.layers), seed)
        else:
            self.module = load_network(srcnn.from_file(init)).requires_grad_(True)
        self.module.to(device)
        self.margin = -(-self.module.margin // scale) + _BICUBIC_REACH
        self._enlarge = Enlarger("bicubic", scale, device)
        self._scale = scale

    def __call__(self, rgb: torch.Tensor, luma: torch.Tensor) -> torch.Tensor:
        large = self._enlarge(luma)
        return large + self.module.residual(large)

    def arrays(self) -> Arrays:
        layers = tuple(map(_numbers, self.module.layers))
        return srcnn.SrcnnWeights(scale=self._scale, layers=layers).arrays


class _Anime4K:
    def __init__(self, seed: int, init: WeightFile | None, device: str) -> None:
        weights = load_weights() if init is None else anime4k.from_file(init)
        self.module = Anime4KNetwork(weights).requires_grad_(True)
        if init is None:
            _randomise([*self.module.layers, self.module.mix], seed)
        self.module.to(device)
        self.margin = len(self.module.layers) + _CHROMA_REACH
        self._enlarge = Enlarger("bilinear", anime4k.SCALE, device)

    def __call__(self, rgb: torch.Tensor, luma: torch.Tensor) -> torch.Tensor:
        return self._enlarge(luma) + self.module.residual(rgb)

    def arrays(self) -> Arrays:
        numbers = map(_numbers, (*self.module.layers, self.module.mix))
        first, *hidden, mix = (ConvolutionPass(weight=w, bias=b) for w, b in numbers)
        return anime4k.to_arrays(Anime4KWeights(first=first, hidden=tuple(hidden), mix=mix))


def _randomise(layers: list[torch.nn.Module], seed: int) -> None:
    """Kaiming's initialisation, but for the last layer: it starts at plain interpolation."""
    random = torch.Generator().manual_seed(seed)
    for index, layer in enumerate(layers):
        assert isinstance(layer, torch.nn.Conv2d)
        torch.nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        if index + 1 < len(layers):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=random)
        else:
            torch.nn.init.zeros_(layer.weight)


def _numbers(layer: torch.nn.Module) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Copies of a layer's weight and bias."""
    weight, bias = (tensor.detach().cpu().numpy().copy() for tensor in layer.parameters())
    return weight, bias
