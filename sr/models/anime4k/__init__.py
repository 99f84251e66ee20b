"""Anime4K (MIT, bloc97): small CReLU networks published as mpv shaders."""

# ruff: noqa: PLC0415 (torch and numba are heavy: imported where they are used)

from sr.models.descriptor import Descriptor, Model
from sr.types import ModelInfo, Signal, Upscaler


def _weights_sha256() -> str:
    from sr.models.anime4k.weights import load_weights

    return load_weights().sha256


def _load(info: ModelInfo, device: str) -> Model:
    from sr.models.anime4k.tensors import load_network
    from sr.models.tensors import NetworkModel

    return NetworkModel(info=info, device=device, module=load_network(device))


def _open_cpu(source: Signal, target: Signal, threads: int) -> Upscaler:
    from sr.models.anime4k.planes import open_planes

    return open_planes(source, target, threads)


def _open_torch(source: Signal, target: Signal, device: str, batch: int) -> Upscaler:
    from sr.models.anime4k.tensors import luma_frames
    from sr.tensors import TorchUpscaler

    return TorchUpscaler(luma_frames(source, target, device), source, device, batch)


DESCRIPTORS = (
    Descriptor(
        info=ModelInfo(
            name="anime4k-m",
            scale=2,
            kmac_per_pixel=(3 * 9 * 4 + 6 * 8 * 9 * 4 + 56 * 4) / 1000,
            radius=7,
            licence="MIT",
            weights="package anime4k-python",
        ),
        code_version=1,
        weights_sha256=_weights_sha256,
        load=_load,
        open_cpu=_open_cpu,
        open_torch=_open_torch,
    ),
)
