"""SRCNN (Dong, Loy, He, Tang: Image Super-Resolution Using Deep Convolutional Networks, 2014).

Three convolutions over bicubically enlarged luma. No package carries weights: `sr.training` makes
them from a user's own material, and a model file holds them.
"""

# ruff: noqa: PLC0415 (torch is heavy: imported where it is used)

from typing import NoReturn

from sr.errors import UpscalerError
from sr.models.descriptor import Descriptor, Model
from sr.models.srcnn.weights import ARCHITECTURE, FEATURES, KERNELS, SrcnnWeights
from sr.types import ModelInfo, Signal, Upscaler

_TRAIN_IT = "train it: upscale-origin train MATERIAL --architecture srcnn --out FILE.safetensors"
_SCALE = 2
CODE_VERSION = 1


def describe(weights: SrcnnWeights, *, name: str, origin: str, weights_sha256: str) -> Descriptor:
    """A trained network."""

    def load(info: ModelInfo, device: str) -> Model:
        from sr.models.srcnn.tensors import SrcnnImages, load_network
        from sr.models.tensors import NetworkModel

        images = SrcnnImages(load_network(weights), weights.scale).to(device)
        return NetworkModel(info=info, device=device, module=images)

    def open_torch(
        source: Signal, target: Signal, device: str, batch: int, threads: int | None = None
    ) -> Upscaler:
        from sr.models.srcnn.tensors import luma_frames
        from sr.tensors import TorchUpscaler

        frames = luma_frames(weights, source, target, device)
        return TorchUpscaler(frames, source, device, batch, threads=threads)

    def open_cpu(source: Signal, target: Signal, threads: int) -> Upscaler:
        return open_torch(source, target, "cpu", 1, threads)

    return Descriptor(
        info=_info(name, weights.scale, weights.kernels, origin),
        code_version=CODE_VERSION,
        weights_sha256=lambda: weights_sha256,
        load=load,
        open_cpu=open_cpu,
        open_torch=open_torch,
    )


def _info(name: str, scale: int, kernels: tuple[int, ...], weights: str) -> ModelInfo:
    layers = zip(FEATURES[:-1], FEATURES[1:], kernels, strict=True)
    macs = sum(channels * features * side**2 for channels, features, side in layers)
    return ModelInfo(
        name=name,
        scale=scale,
        kmac_per_pixel=scale * scale * macs / 1000,
        radius=-(-sum(k // 2 for k in kernels) // scale) + 2,
        licence="of its training material",
        weights=weights,
    )


def _untrained(*_: object) -> NoReturn:
    raise UpscalerError(f"srcnn has no weights of its own; {_TRAIN_IT}")


DESCRIPTORS = (
    Descriptor(
        info=_info(ARCHITECTURE, _SCALE, KERNELS[0], "train it"),
        code_version=CODE_VERSION,
        weights_sha256=_untrained,
        load=_untrained,
        open_cpu=_untrained,
        open_torch=_untrained,
    ),
)
