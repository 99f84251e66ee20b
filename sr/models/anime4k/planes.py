"""Anime4K-M on the CPU kernel: packs weights and colour for it."""

import numpy as np
from numpy.typing import NDArray

from sr.color import codes_from_codes, luma_gain, rgb_from_codes
from sr.cpu import ROUND, ChromaPath, CpuUpscaler, PlaneResampler, is_plain
from sr.kernels.anime4k import LAYERS, double_luma, workspace
from sr.kernels.simd import FEATURES, HALVES
from sr.models.anime4k.weights import Anime4KWeights, load_weights
from sr.resample import LUMA
from sr.shaders import ConvolutionPass
from sr.types import Plane, Signal, Upscaler

SCALE = 2


def open_planes(
    source: Signal, target: Signal, threads: int, weights: Anime4KWeights | None = None
) -> Upscaler:
    """The fast CPU path; by default with the packaged weights."""
    luma = Anime4KLuma(weights or load_weights(), source, target)
    return CpuUpscaler(luma, ChromaPath("bilinear", source, target), source, threads)


class Anime4KLuma:
    """Luma of the target signal. Stateless after construction: threads may share it."""

    def __init__(self, weights: Anime4KWeights, source: Signal, target: Signal) -> None:
        color = np.vstack((rgb_from_codes(source)[:3], codes_from_codes(source, target)[:1]))
        self._network = (
            color.astype(np.float32),
            np.float32(luma_gain(target.full_range, target.depth)),
            _packed(weights.first),
            np.stack([_packed(layer) for layer in weights.hidden]),
            _packed_mix(weights.mix),
        )
        self._source = source
        doubled = Signal(
            width=SCALE * source.width, height=SCALE * source.height, matrix=target.matrix
        )
        same = (doubled.width, doubled.height) == (target.width, target.height)
        self._doubled_shape = (doubled.height, doubled.width)
        done = same and is_plain(target)
        self._finish = None if done else PlaneResampler("lanczos", doubled, target, (LUMA, LUMA))

    def __call__(self, y: Plane, u: Plane, v: Plane) -> Plane:
        """Whole rows of Y, Cb and Cr to luma."""
        size = (self._source.width, self._source.height)
        if self._finish is None:
            rounded = np.empty(self._doubled_shape, np.uint8)
            double_luma(y, u, v, *size, *self._network, ROUND, rounded, workspace())
            return rounded
        exact = np.empty(self._doubled_shape, np.float32)
        double_luma(y, u, v, *size, *self._network, np.float32(0), exact, workspace())
        return self._finish(exact)


def _packed(layer: ConvolutionPass) -> NDArray[np.float32]:
    """[channel][dy][dx][feature], then the bias."""
    return np.concatenate((layer.weight.transpose(1, 2, 3, 0).ravel(), layer.bias))


def _packed_mix(mix: ConvolutionPass) -> NDArray[np.float32]:
    """By layer: [half][feature], then room for the bias, which the first row holds."""
    rows = np.zeros((LAYERS, (HALVES + 1) * FEATURES), np.float32)
    rows[:, :-FEATURES] = mix.weight[:, :, 0, 0].T.reshape(LAYERS, HALVES * FEATURES)
    rows[0, -FEATURES:] = mix.bias
    return rows
