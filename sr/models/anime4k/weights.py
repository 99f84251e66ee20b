"""Weights of Anime4K's Upscale_CNN_x2_M, out of the packaged shader."""

import hashlib
from dataclasses import dataclass

from sr.errors import UpscalerError
from sr.shaders import ConvolutionPass, packaged_shader, read_convolution, shader_passes

PACKAGE = "anime4k_python"
SHADER = "shaders/Anime4K_ModeA.glsl"
PASS_NAME = "Upscale-CNN-x2-(M)"
HIDDEN = 6
"""Convolutions over CReLU'd features, after the one over RGB."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Anime4KWeights:
    """Every convolution of the network, in the order of the shader."""

    first: ConvolutionPass
    """(4, 3, 3, 3), over RGB."""
    hidden: tuple[ConvolutionPass, ...]
    """(4, 8, 3, 3) each, over the positive and negative halves of the four features before."""
    mix: ConvolutionPass
    """(4, 56, 1, 1), over the halves of all seven feature maps."""

    @property
    def sha256(self) -> str:
        """Digest of the numbers, little-endian."""
        digest = hashlib.sha256()
        for part in (self.first, *self.hidden, self.mix):
            for array in (part.weight, part.bias):
                digest.update(repr(array.shape).encode())
                digest.update(array.astype("<f4").tobytes())
        return digest.hexdigest()


def load_weights() -> Anime4KWeights:
    """Read the weights.

    Raises:
        UpscalerError: The package or a pass is missing, or has another shape.
    """
    passes = shader_passes(packaged_shader(PACKAGE, SHADER), PASS_NAME)
    first, *hidden, mix = (read_convolution(p) for p in passes[:-1])  # the last only shuffles
    rgb = ConvolutionPass(weight=first.weight[:, :3].copy(), bias=first.bias)
    shapes = [p.weight.shape for p in (rgb, *hidden, mix)]
    if shapes != [(4, 3, 3, 3)] + [(4, 8, 3, 3)] * HIDDEN + [(4, 8 * (HIDDEN + 1), 1, 1)]:
        raise UpscalerError(f"{SHADER}: {PASS_NAME} has unexpected shapes: {shapes}")
    return Anime4KWeights(first=rgb, hidden=tuple(hidden), mix=mix)
