"""Weights of SRCNN: three convolutions, as a model file holds them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sr.errors import UpscalerError
from sr.models.weight_file import Arrays, WeightFile

ARCHITECTURE = "srcnn"
LAYERS = 3
FEATURES = (1, 64, 32, 1)
KERNELS = ((9, 1, 5), (9, 5, 5))
"""The paper's 9-1-5, which it starts from, and 9-5-5, the best that it tries."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SrcnnWeights:
    """(O, I, K, K) and (O,) of each layer, float32, and the scale that they were trained for."""

    scale: int
    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]

    @property
    def kernels(self) -> tuple[int, ...]:
        """Side of each layer's kernel."""
        return tuple(weight.shape[-1] for weight, _ in self.layers)

    @property
    def arrays(self) -> Arrays:
        """By name."""
        pairs = enumerate(self.layers)
        return {
            f"layers.{i}.{name}": array
            for i, pair in pairs
            for name, array in zip(("weight", "bias"), pair, strict=True)
        }


def from_file(file: WeightFile) -> SrcnnWeights:
    """The weights in a model file.

    Raises:
        UpscalerError: A tensor is missing, or one has another shape than either network's.
    """
    found = {name: array.shape for name, array in file.arrays.items()}
    if not any(found == shapes(kernels) for kernels in KERNELS):
        described = ", ".join(f"{name} {shape}" for name, shape in sorted(found.items()))
        raise UpscalerError(f"no {ARCHITECTURE} of 9-1-5 or 9-5-5 on one channel: {described}")
    layers = [
        (file.arrays[f"layers.{i}.weight"], file.arrays[f"layers.{i}.bias"]) for i in range(LAYERS)
    ]
    return SrcnnWeights(scale=file.scale, layers=tuple(layers))


def shapes(kernels: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Of every tensor of a network with these kernels, by name."""
    result: dict[str, tuple[int, ...]] = {}
    for i, side in enumerate(kernels):
        result[f"layers.{i}.weight"] = (FEATURES[i + 1], FEATURES[i], side, side)
        result[f"layers.{i}.bias"] = (FEATURES[i + 1],)
    return result
