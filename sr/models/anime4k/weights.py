"""Weights of Anime4K's networks, out of the packaged shader."""

import hashlib
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np

from sr.errors import UpscalerError
from sr.shaders import (
    ConvolutionPass,
    packaged_shader,
    read_convolution,
    read_wiring,
    shader_passes,
)

PACKAGE = "anime4k_python"
SHADER = "shaders/Anime4K_ModeA.glsl"
UPSCALE_M = "Upscale-CNN-x2-(M)"
UPSCALE_VL = "Upscale-CNN-x2-(VL)"
RESTORE_VL = "Restore-CNN-(VL)"
CLAMP_HIGHLIGHTS = "De-Ring"
LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Of R, G and B in the luma by which highlights are clamped, whatever the signal's matrix."""
_SHUFFLE = "Depth-to-Space"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Anime4KWeights:
    """Every convolution of a network, in the order of the shader; F features are 4, 8 or 12.

    3x3 convolutions follow each other, each reading the positive and the negative halves (CReLU)
    of the one before; a 1x1 over the halves of the last few of them gives the residual, which is
    added to the image, enlarged bilinearly where `scale` is 2.
    """

    first: ConvolutionPass
    """(F, 3, 3, 3), over RGB."""
    hidden: tuple[ConvolutionPass, ...]
    """(F, 2F, 3, 3) each, over the positive and then the negative halves of the features before."""
    mix: ConvolutionPass
    """(R * scale^2, M * 2F, 1, 1), over the halves of the last M feature maps; R is 3 (R, G, B) or
    1 (the same for all), each in the order of depth-to-space."""
    scale: int = 2

    @property
    def features(self) -> int:
        """Output channels of each 3x3 convolution: F."""
        return int(self.first.weight.shape[0])

    @property
    def layers(self) -> int:
        """3x3 convolutions, which is the receptive radius, too."""
        return 1 + len(self.hidden)

    @property
    def mixed_layers(self) -> int:
        """Of how many of them the mix reads the result: M, the last ones."""
        return int(self.mix.weight.shape[1]) // (2 * self.features)

    @property
    def residuals(self) -> int:
        """3, or 1 that is added to R, G and B alike, which corrects luma alone."""
        return int(self.mix.weight.shape[0]) // self.scale**2

    @property
    def sha256(self) -> str:
        """Digest of the numbers, little-endian."""
        digest = hashlib.sha256()
        for part in (self.first, *self.hidden, self.mix):
            for array in (part.weight, part.bias):
                digest.update(repr(array.shape).encode())
                digest.update(array.astype("<f4").tobytes())
        return digest.hexdigest()


@cache
def load_weights(name: str = UPSCALE_M) -> Anime4KWeights:
    """Read a network of the packaged shader.

    Args:
        name: What its passes have in their `//!DESC`.

    Raises:
        UpscalerError: The package or a pass is missing, or has another shape.
    """
    return read_weights(packaged_shader(PACKAGE, SHADER), name)


def read_weights(shader: str, name: str) -> Anime4KWeights:
    """Read a network out of a shader: any of Anime4K's Upscale, Restore or Denoise nets.

    Raises:
        UpscalerError: There is none of this name, or its passes are wired in another way.
    """
    passes = shader_passes(shader, name)
    enlarges = _SHUFFLE in passes[-1].splitlines()[0]
    layers = [_Layer(list(group)) for group in _by_inputs(passes[:-1] if enlarges else passes)]
    if "+ MAIN_tex(MAIN_pos)" not in passes[-1] or len(layers) < 3:
        raise UpscalerError(f"{name}: unexpected passes")
    *convolutions, mix = layers
    halves = [layer.halves for layer in convolutions]
    expected = [("MAIN",), *halves[:-1]]
    mixed = [h for h in halves if set(h) <= set(mix.inputs)]
    if [c.inputs for c in convolutions] != expected or mix.inputs != sum(mixed, ()):
        raise UpscalerError(f"{name}: its passes are wired in an unexpected way")
    rgb, last = convolutions[0].convolution, mix.convolution
    weights = Anime4KWeights(
        first=ConvolutionPass(weight=rgb.weight[:, :3].copy(), bias=rgb.bias),
        hidden=tuple(c.convolution for c in convolutions[1:]),
        mix=last if enlarges else ConvolutionPass(weight=last.weight[:3], bias=last.bias[:3]),
        scale=2 if enlarges else 1,
    )
    _check(weights, mixed == halves[-len(mixed) :], name)
    return weights


class _Layer:
    """Passes that read the same textures: one convolution, four features to a pass."""

    def __init__(self, passes: list[str]) -> None:
        wirings = [read_wiring(p) for p in passes]
        parts = [read_convolution(p) for p in passes]
        self.inputs = wirings[0].inputs
        outputs = [w.output for w in wirings]
        self.halves = tuple(sign + name for sign in "+-" for name in outputs)
        self.convolution = ConvolutionPass(
            weight=np.concatenate([p.weight for p in parts]),
            bias=np.concatenate([p.bias for p in parts]),
        )


def _by_inputs(passes: tuple[str, ...]) -> list[list[str]]:
    return [list(group) for _, group in groupby(passes, key=lambda p: read_wiring(p).inputs)]


def _check(weights: Anime4KWeights, mixes_last: bool, name: str) -> None:
    features = weights.features
    shapes = [p.weight.shape for p in (weights.first, *weights.hidden)]
    expected = [(features, 3, 3, 3)] + [(features, 2 * features, 3, 3)] * len(weights.hidden)
    is_point = weights.mix.weight.shape[2:] == (1, 1)
    if shapes != expected or not (mixes_last and is_point) or weights.residuals not in (1, 3):
        raise UpscalerError(f"{name}: unexpected shapes: {shapes} {weights.mix.weight.shape}")
