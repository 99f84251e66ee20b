"""In which number format and memory layout a large network runs, by device and by measurement.

On CUDA: half precision, channels last. On the CPU nobody can know: oneDNN likes one layout for one
network and another for the next, and bfloat16 doubles the rate where the processor has it and
halves it where it is emulated. So the formats are timed on a small image, once a process for each
network, and the fastest that stays true to single precision is taken. What counts is the processor
time of one thread: a busy machine stretches the clock, and more so for threads that wait for each
other.

Formats differ by a code here and there, so two processes that choose differently make segments that
differ; a slight advantage is therefore no reason to leave the simpler format.
"""

import copy
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import torch

TensorFunction = Callable[[torch.Tensor], torch.Tensor]
MIN_PSNR = 50.0
"""Decibels against single precision, with 1 as the peak."""
ADVANTAGE = 0.9
"""A format must take less than so much of a simpler one's time."""
_SIDE = 48
_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """Number format and memory layout."""

    dtype: torch.dtype
    layout: torch.memory_format

    def __str__(self) -> str:
        return f"{self.dtype} {self.layout}".replace("torch.", "")


SINGLE = Format(dtype=torch.float32, layout=torch.contiguous_format)
HALF = Format(dtype=torch.float16, layout=torch.channels_last)
CPU_FORMATS = (
    SINGLE,
    Format(dtype=torch.float32, layout=torch.channels_last),
    Format(dtype=torch.bfloat16, layout=torch.channels_last),
)
"""The simpler first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """Equal where the weights are."""

    digest: str
    module: torch.nn.Module = field(compare=False)


def in_format(module: torch.nn.Module, chosen: Format, device: str) -> TensorFunction:
    """A network in a format, as a function from float32 to float32 images."""
    network = copy.deepcopy(module).eval().requires_grad_(False).to(device)
    network = network.to(dtype=chosen.dtype, memory_format=chosen.layout)  # type: ignore[call-overload]

    def run(images: torch.Tensor) -> torch.Tensor:
        given = images.to(dtype=chosen.dtype, memory_format=chosen.layout)
        result: torch.Tensor = network(given)
        return result.float()

    return run


def fastest_format(module: torch.nn.Module) -> Format:
    """The fastest of the CPU's formats for a float32 network, within `MIN_PSNR` of single."""
    digest = hashlib.sha256(type(module).__qualname__.encode())
    for name, values in module.state_dict().items():
        digest.update(f"{name} {tuple(values.shape)}".encode())
        digest.update(values.contiguous().numpy().tobytes())
    return _measured(_Network(digest=digest.hexdigest(), module=module))


def has_native_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16, rather than torch emulating it."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)


@lru_cache(maxsize=8)
def _measured(network: _Network) -> Format:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            return _fastest(_true_formats(network.module))
    finally:
        torch.set_num_threads(threads)


def _true_formats(module: torch.nn.Module) -> list[tuple[Format, TensorFunction]]:
    """Those that stay within `MIN_PSNR` of the first, with what runs in them."""
    true: list[tuple[Format, TensorFunction]] = []
    exact = None
    for candidate in CPU_FORMATS:
        if candidate.dtype == torch.bfloat16 and not has_native_bfloat16():
            continue
        run = in_format(module, candidate, "cpu")
        result = run(_picture())
        exact = result if exact is None else exact
        if (result - exact).square().mean() <= 10 ** (-MIN_PSNR / 10):
            true.append((candidate, run))
    return true


def _fastest(formats: list[tuple[Format, TensorFunction]]) -> Format:
    rounds = [[_seconds(run) for _, run in formats] for _ in range(_ROUNDS)]
    seconds = [min(times) for times in zip(*rounds, strict=True)]
    best = 0
    for index, taken in enumerate(seconds):
        if taken < ADVANTAGE * seconds[best]:
            best = index
    return formats[best][0]


def _seconds(run: TensorFunction) -> float:
    image = _picture()
    began = time.thread_time()
    run(image)
    return time.thread_time() - began


def _picture() -> torch.Tensor:
    """1 x 3 x 48 x 48: slopes, hard edges and texture, differently in each channel."""
    rows, columns = torch.meshgrid(torch.arange(_SIDE), torch.arange(_SIDE), indexing="ij")
    slope = (rows + columns) / (2 * _SIDE)
    edges = ((rows // 16 + columns // 12) % 2).float()
    texture = torch.sin(0.7 * rows) * torch.sin(0.45 * columns + 0.02 * rows * rows)
    channels = [slope * (0.5 + 0.5 * edges) + weight * texture for weight in (0.1, 0.06, 0.15)]
    return torch.stack(channels).clamp(0, 1)[None]
