"""Opens models on devices: the plain network for research, the fast path on planes."""

# ruff: noqa: PLC0415 (torch and numba are heavy: imported where they are used)

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from sr.errors import UpscalerError
from sr.models import DESCRIPTORS, find_model
from sr.models.descriptor import Model
from sr.types import Depth, Matrix, ModelInfo, Planes, Signal, Upscaler

CUDA_BATCH = 8
MAX_SIDE = 16384
_CODE_TYPES: dict[Depth, type[np.uint8 | np.uint16]] = {8: np.uint8, 10: np.uint16}
_WARM_TARGETS: tuple[tuple[int, Matrix], ...] = ((16, "bt601"), (16, "bt709"), (24, "bt709"))
TORCH_CPU = "torch-cpu"
"""The torch path on the CPU: slow, the reference of the fast one."""


def list_models() -> tuple[ModelInfo, ...]:
    """Every model, whether or not its weights are installed."""
    return tuple(descriptor.info for descriptor in DESCRIPTORS)


def model_digest(name: str) -> str:
    """SHA-256, hexadecimal, of all that decides a model's pixels: its weights and our code.

    The same on every machine. Devices may differ in rounding and do not count.

    Raises:
        UpscalerError: No such model, or its weights are missing.
    """
    descriptor = find_model(name)
    text = f"{descriptor.info.name}\n{descriptor.code_version}\n{descriptor.weights_sha256()}"
    return hashlib.sha256(text.encode()).hexdigest()


def load_model(name: str, device: str = "cpu") -> Model:
    """A model on plain tensors, usable with no origin.

    Args:
        name: One of `list_models`.
        device: As for `resolve_device`.

    Returns:
        A callable from NCHW float32 R'G'B' in [0, 1] to the same at the model's scale (see
        `Model.__call__`); interpolation takes `scale`.

    Raises:
        UpscalerError: No such model or device, or its weights are missing.
    """
    descriptor = find_model(name)
    return descriptor.load(descriptor.info, _torch_device(resolve_device(device)))


def open_upscaler(
    *,
    model: str,
    source: Signal,
    target: Signal,
    device: str = "cpu",
    threads: int = 1,
    batch: int | None = None,
    dither: bool | None = None,
) -> Upscaler:
    """The fast path from the planes of one signal to those of another.

    Args:
        model: One of `list_models`.
        source: Size, matrix, range and depth of the frames that come in.
        target: Those of the frames that go out. Where the size is not what a network gives, its
            result is resampled by lanczos.
        device: As for `resolve_device`. `cpu` runs the numba kernels and never imports torch.
        threads: How many callers the CPU path serves at a time; each call keeps one core busy.
        batch: Frames per call on a GPU.
        dither: Whether fractional codes are rounded by position (see `sr.dither`). By default where
            the target has fewer bits than the source, whose gradients it keeps from banding.
            Elsewhere it costs 1.3 % more bytes from x264 at CRF 20, and of the banding it takes
            out before the encoder (two thirds) next to nothing is gone after it. Codes that come
            out whole stay as they are either way.

    Raises:
        UpscalerError: No such model or device, its weights are missing, or a size is out of range.
    """
    descriptor = find_model(model)
    for signal in (source, target):
        if not (1 <= signal.width <= MAX_SIDE and 1 <= signal.height <= MAX_SIDE):
            raise UpscalerError(f"size out of range: {signal.width}x{signal.height}")
    if threads < 1 or (batch is not None and batch < 1):
        raise UpscalerError(f"threads and batch must be at least 1: {threads}, {batch}")
    dithered = source.depth > target.depth if dither is None else dither
    target = replace(target, dithered=dithered)
    chosen = resolve_device(device)
    if chosen == "cpu":
        return descriptor.open_cpu(source, target, threads)
    default = 1 if chosen == TORCH_CPU else CUDA_BATCH
    return descriptor.open_torch(source, target, _torch_device(chosen), batch or default)


def resolve_device(device: str) -> str:
    """What a device option means here: `cpu`, `torch-cpu` or `cuda:N`.

    `auto` is the first CUDA device, or the CPU where there is none; torch is imported only if the
    machine shows an NVIDIA driver.

    Raises:
        UpscalerError: It is no device, or not one of this machine.
    """
    if device in ("cpu", TORCH_CPU):
        return device
    if device == "auto":
        return "cuda:0" if _nvidia_driver() and _cuda_devices() else "cpu"
    wanted = re.fullmatch(r"cuda(?::(\d+))?", device)
    if wanted is None:
        raise UpscalerError(f"no such device: {device}; expected auto, cpu, cuda or cuda:N")
    index, count = int(wanted[1] or 0), _cuda_devices()
    if index >= count:
        raise UpscalerError(f"no device {device}: torch sees {count} CUDA devices")
    return f"cuda:{index}"


def warm_up(model: str = "anime4k-m", device: str = "cpu") -> None:
    """Compile and cache what the first frame would otherwise wait for (seconds, once a machine).

    Raises:
        UpscalerError: As `open_upscaler`.
    """
    for depth, kind in _CODE_TYPES.items():
        shapes = (8, 8), (4, 4), (4, 4)
        grey = Planes(*(np.full(s, 1 << depth - 1, kind) for s in shapes))
        source = Signal(width=8, height=8, matrix="bt601", depth=depth)
        for size, matrix in _WARM_TARGETS:
            target = Signal(width=size, height=size, matrix=matrix)
            open_upscaler(model=model, source=source, target=target, device=device)([grey])


def _torch_device(device: str) -> str:
    return "cpu" if device == TORCH_CPU else device


def _nvidia_driver() -> bool:
    """Whether a driver shows itself, on Linux or under WSL."""
    return any(Path(p).exists() for p in ("/dev/nvidiactl", "/proc/driver/nvidia", "/dev/dxg"))


def _cuda_devices() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
