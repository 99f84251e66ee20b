"""Interpolation: no weights, any scale. `identity` keeps the size, or resamples to the nearest."""

# ruff: noqa: PLC0415 (torch and numba are heavy: imported where they are used)

from functools import partial

from sr.models.descriptor import Descriptor, Model
from sr.resample import Kernel
from sr.types import ModelInfo, Signal, Upscaler

_RADII: dict[Kernel, int] = {"bilinear": 1, "bicubic": 2, "lanczos": 3}


def _load(kernel: Kernel, info: ModelInfo, device: str) -> Model:
    from sr.models.interpolation.tensors import InterpolationModel

    return InterpolationModel(info=info, device=device, kernel=kernel)


def _open_cpu(kernel: Kernel, source: Signal, target: Signal, threads: int) -> Upscaler:
    from sr.cpu import ChromaPath, CpuUpscaler, resampling_luma

    luma = resampling_luma(kernel, source, target)
    return CpuUpscaler(luma, ChromaPath(kernel, source, target), source, threads)


def _open_torch(
    kernel: Kernel, source: Signal, target: Signal, device: str, batch: int
) -> Upscaler:
    from sr.tensors import TorchUpscaler, resampling_frames

    frames = resampling_frames(kernel, source, target, device)
    return TorchUpscaler(frames, source, device, batch)


def _describe(name: str, kernel: Kernel, scale: int | None) -> Descriptor:
    radius = _RADII[kernel]
    info = ModelInfo(
        name=name,
        scale=scale,
        kmac_per_pixel=0.0 if scale == 1 else 12 * radius / 1000,
        radius=radius,
        licence="MIT",
        weights="none needed",
    )
    return Descriptor(
        info=info,
        code_version=1,
        weights_sha256=lambda: kernel,
        load=partial(_load, kernel),
        open_cpu=partial(_open_cpu, kernel),
        open_torch=partial(_open_torch, kernel),
    )


DESCRIPTORS = (
    _describe("identity", "lanczos", 1),
    _describe("bilinear", "bilinear", None),
    _describe("bicubic", "bicubic", None),
    _describe("lanczos", "lanczos", None),
)
