"""What a network learns from: low-resolution frames beside the luma that they should become."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sr.color import Affine, codes_from_rgb, luma_gain, rgb_from_codes
from sr.errors import UpscalerError
from sr.planes import check_planes
from sr.tensors import chroma_to_luma_grid
from sr.types import Planes, Signal

Luma = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """One frame, 8 bits: as a viewer gets it, and as it was."""

    low: Planes
    high: Luma
    """(scale * H, scale * W), in the matrix and range of `signal`."""
    signal: Signal
    """Of `low`."""


class Batch(NamedTuple):
    """N images in [0, 1], float32."""

    rgb: torch.Tensor
    """N3HW"""
    luma: torch.Tensor
    """N1HW, the grey level of each pixel."""
    wanted: torch.Tensor
    """N1(sH)(sW), that of the original."""


def check_pairs(pairs: Sequence[Pair], scale: int, side: int) -> None:
    """Raise UpscalerError unless each pair fits the scale and is as large as a patch."""
    if not pairs:
        raise UpscalerError("there are no frames to train on, or none to hold out")
    for pair in pairs:
        check_planes(pair.low, pair.signal)
        height, width = pair.signal.height, pair.signal.width
        if pair.high.shape != (scale * height, scale * width) or pair.high.dtype != np.uint8:
            found = f"{pair.high.dtype} {pair.high.shape}"
            raise UpscalerError(f"expected uint8 luma {scale} times {height}x{width}, not {found}")
        if min(height, width) < side:
            raise UpscalerError(f"frames of {width}x{height} are smaller than patches of {side}")


def digest(pairs: Sequence[Pair]) -> str:
    """SHA-256 of the frames, to tell whether a training goes on with the same ones."""
    result = hashlib.sha256()
    for pair in pairs:
        result.update(repr(pair.signal).encode())
        for plane in (*pair.low, pair.high):
            result.update(np.ascontiguousarray(plane).data)
    return result.hexdigest()


def whole(pair: Pair, device: str) -> Batch:
    """A frame as a batch of one."""
    return _batch([pair], device)


class Patches:
    """Square patches at random places, mirrored and turned at random; the same ones every time.

    Stateless: what a batch holds depends on the seed and the step alone.
    """

    def __init__(
        self, pairs: Sequence[Pair], *, scale: int, side: int, seed: int, device: str
    ) -> None:
        """Set up.

        Args:
            pairs: What patches are cut from; `check_pairs` is content with them.
            scale: From low to high.
            side: Of a patch in low-resolution pixels, even.
            seed: Of everything random.
            device: A torch device.
        """
        self._pairs, self._scale, self._side = pairs, scale, side
        self._seed, self._device = seed, device

    def batch(self, step: int, count: int) -> Batch:
        """The patches of one step."""
        random = np.random.default_rng([self._seed, step])
        chosen = random.integers(len(self._pairs), size=count)
        cut = [self._cut(self._pairs[index], random) for index in chosen]
        turns = [(int(random.integers(4)), bool(random.integers(2))) for _ in cut]
        return Batch(*(_turned(images, turns) for images in _batch(cut, self._device)))

    def _cut(self, pair: Pair, random: np.random.Generator) -> Pair:
        side, scale, signal = self._side, self._scale, pair.signal
        top = 2 * int(random.integers((signal.height - side) // 2 + 1))
        left = 2 * int(random.integers((signal.width - side) // 2 + 1))
        y, u, v = pair.low
        rows, columns = slice(top, top + side), slice(left, left + side)
        half = (slice(top // 2, (top + side) // 2), slice(left // 2, (left + side) // 2))
        size = slice(scale * top, scale * (top + side)), slice(scale * left, scale * (left + side))
        return Pair(
            low=Planes(y[rows, columns], u[half], v[half]),
            high=pair.high[size],
            signal=Signal(
                width=side, height=side, matrix=signal.matrix, full_range=signal.full_range
            ),
        )


def _batch(pairs: Sequence[Pair], device: str) -> Batch:
    """Frames of one size, each by its own colour matrix, with chroma on the grid of luma."""
    y, u, v = (_stacked([pair.low[i] for pair in pairs], device) for i in range(3))
    grid = chroma_to_luma_grid(pairs[0].signal, device)
    codes = torch.stack((y, grid(u), grid(v), torch.ones_like(y)), dim=1)
    to_rgb = torch.stack([_tensor(rgb_from_codes(pair.signal)[:3], device) for pair in pairs])
    grey = torch.stack([_tensor(_grey_row(pair.signal), device) for pair in pairs])
    gain, offset = (grey[:, i, None, None, None] for i in range(2))
    high = _stacked([pair.high for pair in pairs], device)[:, None]
    return Batch(
        torch.einsum("nij,njhw->nihw", to_rgb, codes),
        y[:, None] * gain + offset,
        high * gain + offset,
    )


def _grey_row(signal: Signal) -> Affine:
    """From a code of luma to [0, 1]: gain and offset."""
    gain = luma_gain(signal.full_range)
    return np.array([1 / gain, -codes_from_rgb(signal)[0, 3] / gain])


def _stacked(planes: Sequence[NDArray[np.uint8 | np.uint16]], device: str) -> torch.Tensor:
    return torch.from_numpy(np.stack(planes)).to(device).float()


def _tensor(values: Affine, device: str) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device)


def _turned(images: torch.Tensor, turns: Sequence[tuple[int, bool]]) -> torch.Tensor:
    results = []
    for image, (quarters, mirrored) in zip(images, turns, strict=True):
        turned = torch.rot90(image, quarters, (-2, -1))
        results.append(turned.flip(-1) if mirrored else turned)
    return torch.stack(results)
