"""Anime4K on the CPU kernels: packs weights and colour for them, and finishes what they give."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sr.color import codes_from_codes, codes_from_rgb, luma_gain, rgb_from_codes
from sr.cpu import ROUND, ChromaPath, CpuUpscaler, PlaneResampler, Quantiser, is_plain
from sr.errors import UpscalerError
from sr.kernels import anime4k as kernels
from sr.kernels.crelu import MAX_LAYERS, MAX_OUTPUTS, Network, workspace
from sr.kernels.simd import MIXES
from sr.models.anime4k.weights import LUMA_WEIGHTS, Anime4KWeights
from sr.planes import check_planes, whole_rows
from sr.resample import CHROMA_X, CHROMA_Y, LUMA, subsampling_taps
from sr.shaders import ConvolutionPass
from sr.types import Plane, Planes, Signal, Upscaler

SCALE = 2
HalvingTaps = tuple[int, NDArray[np.float32], int, NDArray[np.float32]]
_NO_TAPS: HalvingTaps = (0, np.empty(0, np.float32), 0, np.empty(0, np.float32))
_LUMA = np.array(LUMA_WEIGHTS, np.float32)


def open_network(*chain: Anime4KWeights, source: Signal, target: Signal, threads: int) -> Upscaler:
    """A chain as `sr.models.anime4k.tensors.make_network` takes it, on planes."""
    if chain[-1].residuals == 1:
        luma = Anime4KLuma(*chain, source=source, target=target)
        return CpuUpscaler(luma, ChromaPath("bilinear", source, target), source, threads)
    return RgbUpscaler(*chain, source=source, target=target, threads=threads)


def pack(weights: Anime4KWeights) -> Network:
    """The weights as `sr.kernels.crelu` takes them; the outputs are padded to whole groups.

    Raises:
        UpscalerError: The network is too large for the kernel.
    """
    outputs, channels = weights.mix.weight.shape[:2]
    if weights.features not in (4, 8) or weights.layers > MAX_LAYERS or outputs > MAX_OUTPUTS:
        raise UpscalerError(
            f"no CPU kernel for {weights.features} features, {weights.layers} layers and {outputs}"
            f" outputs: it takes 4 or 8, {MAX_LAYERS} and {MAX_OUTPUTS}"
        )
    groups, layers = -(-outputs // MIXES), weights.mixed_layers
    mix = np.zeros((groups * MIXES, channels), np.float32)
    mix[:outputs] = weights.mix.weight[:, :, 0, 0]
    bias = np.zeros(groups * MIXES, np.float32)
    bias[:outputs] = weights.mix.bias
    by_layer = mix.reshape(groups, MIXES, layers, channels // layers).transpose(2, 0, 3, 1)
    return (
        _packed(weights.first),
        np.stack([_packed(layer) for layer in weights.hidden]),
        np.ascontiguousarray(by_layer).reshape(layers, groups, -1),
        bias,
    )


class Anime4KLuma:
    """Luma of the target signal. Stateless after construction: threads may share it."""

    def __init__(self, weights: Anime4KWeights, *, source: Signal, target: Signal) -> None:
        color = np.vstack((rgb_from_codes(source)[:3], codes_from_codes(source, target)[:1]))
        self._color = color.astype(np.float32)
        self._gain = np.float32(luma_gain(target.full_range, target.depth))
        self._network = pack(weights)
        self._source = source
        self._output = _Output(_doubled(source), target)

    def __call__(self, y: Plane, u: Plane, v: Plane) -> Plane:
        """Whole rows of Y, Cb and Cr to luma."""
        size = (self._source.width, self._source.height)
        network, work = self._network, workspace(self._network, size[0])
        out, half = self._output.buffer()
        kernels.double_luma(y, u, v, *size, self._color, self._gain, network, half, out, work)
        return self._output.finish(out)


class RgbUpscaler:
    """`Upscaler` of networks with three residuals: chroma comes from the enlarged R'G'B'.

    Given one network to restore and one to double, it is Mode A, which clamps highlights, too.
    """

    batch = 1

    def __init__(
        self, *chain: Anime4KWeights, source: Signal, target: Signal, threads: int
    ) -> None:
        self.concurrency = threads
        self._source = source
        *self._restore, self._double = map(pack, chain)
        self._to_rgb = rgb_from_codes(source)[:3].astype(np.float32)
        self._to_codes = codes_from_rgb(target)[:3].astype(np.float32)
        doubled = _doubled(source)
        self._luma = _Output(doubled, target)
        self._chroma = _Output(doubled, target, halved=True)
        self._taps = _halving_taps(doubled) if self._chroma.is_halved else _NO_TAPS

    def __call__(self, frames: list[Planes]) -> list[Planes]:
        """Upscale frames one after the other."""
        return [self._upscale(frame) for frame in frames]

    def _upscale(self, frame: Planes) -> Planes:
        check_planes(frame, self._source)
        y, u, v = (whole_rows(plane) for plane in frame)
        shape = (self._source.height, self._source.width)
        rgb, peaks = np.empty((3, *shape), np.float32), np.empty((0, 0), np.float32)
        kernels.planes_to_rgb(y, u, v, self._to_rgb, rgb)
        if self._restore:
            peaks = np.empty(shape, np.float32)
            kernels.local_peaks(rgb, _LUMA, peaks)
        for network in self._restore:
            degraded, rgb = rgb, np.empty_like(rgb)
            kernels.restore(degraded, network, rgb, workspace(network, shape[1]))
        return self._write(rgb, peaks)

    def _write(self, rgb: NDArray[np.float32], peaks: NDArray[np.float32]) -> Planes:
        (luma, half), (u, _), (v, _) = (o.buffer() for o in (self._luma, *[self._chroma] * 2))
        network, work = self._double, workspace(self._double, rgb.shape[2])
        kernels.double_rgb(
            rgb, peaks, _LUMA, network, self._to_codes, self._taps, half, luma, u, v, work
        )
        return Planes(self._luma.finish(luma), self._chroma.finish(u), self._chroma.finish(v))


class _Output:
    """Where a kernel writes a plane: the codes that are wanted, or what becomes them."""

    def __init__(self, doubled: Signal, target: Signal, *, halved: bool = False) -> None:
        same = (doubled.width, doubled.height) == (target.width, target.height)
        self.is_halved = halved and same
        self._dtype = np.uint8 if same and is_plain(target) else np.float32
        step = 2 if self.is_halved else 1
        self._shape = (doubled.height // step, doubled.width // step)
        self._finish: PlaneResampler | Quantiser | None = None
        if not same:
            siting = (CHROMA_X, CHROMA_Y) if halved else (LUMA, LUMA)
            self._finish = PlaneResampler("lanczos", doubled, target, siting, subsampling=halved)
        elif not is_plain(target):
            self._finish = Quantiser(target)

    def buffer(self) -> tuple[NDArray[Any], np.float32]:
        """Room for a plane, and what the kernel adds before it converts to its type."""
        half = ROUND if self._dtype == np.uint8 else np.float32(0)
        return np.empty(self._shape, self._dtype), half

    def finish(self, written: NDArray[Any]) -> Plane:
        """The plane of the target."""
        return self._finish(written) if self._finish else written


def _halving_taps(doubled: Signal) -> HalvingTaps:
    """From the full chroma of a frame to that of its 4:2:0, the same for every sample."""
    x = subsampling_taps("lanczos", doubled.width, doubled.width, CHROMA_X)
    y = subsampling_taps("lanczos", doubled.height, doubled.height, CHROMA_Y)
    return int(x.first[0]), x.weights[0], int(y.first[0]), y.weights[0]


def _doubled(source: Signal) -> Signal:
    return replace(source, width=SCALE * source.width, height=SCALE * source.height)


def _packed(layer: ConvolutionPass) -> NDArray[np.float32]:
    """The biases, then [channel][dy][dx][feature]."""
    return np.concatenate((layer.bias, layer.weight.transpose(1, 2, 3, 0).ravel()))
