"""RGB networks on planes: 4:2:0 to R'G'B', the network, and back to the 4:2:0 that is wanted.

Large frames go through in tiles (see `sr.tiles`); a network that looks at the whole frame at once
gets it whole, or refuses.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Protocol

import torch

from sr.color import codes_from_rgb, rgb_from_codes
from sr.errors import UpscalerError
from sr.precision import HALF, SINGLE, fastest_format, in_format
from sr.resample import CHROMA_X, CHROMA_Y, LUMA, Siting, subsampling_taps
from sr.tensors import (
    MAX_PIXELS,
    FrameFunction,
    TensorFunction,
    TorchUpscaler,
    affine,
    axis_resampler,
    chroma_to_luma_grid,
    quantiser,
)
from sr.tiles import plan_tiles, run_tiles
from sr.types import Signal, Upscaler

WHOLE_PIXELS = 1 << 21
"""Input pixels of the largest frame that goes whole through a network that must not be tiled: 1920
by 1080, for which CUnet takes 4 GiB on the CPU."""


class RgbNetwork(Protocol):
    """A `torch.nn.Module` that enlarges images, and says how it may be run.

    Called with N3HW in [0, 1], returns N3(sH)(sW): same geometry, no shift, nothing cropped.
    """

    scale: int
    radius: int
    """Receptive radius in input pixels."""
    multiple: int
    """Sizes that suit it are multiples of this one; others it pads by itself."""
    is_global: bool
    """Every output depends on the whole input (global pooling)."""


NetworkFactory = Callable[[], torch.nn.Module]
"""Makes an `RgbNetwork` with its weights, float32, on the CPU."""


def open_rgb(
    network: NetworkFactory,
    source: Signal,
    target: Signal,
    device: str,
    batch: int,
    *,
    threads: int | None = None,
    tile_global: bool = False,
) -> Upscaler:
    """Open an RGB network on planes.

    Args:
        network: Makes an `RgbNetwork`.
        source: What comes in.
        target: What goes out; where the size is not what the network gives, its result is resampled
            by lanczos.
        device: A torch device: `cpu`, `cuda:N`.
        batch: Frames per call.
        threads: Of torch, on the CPU, where one call at a time uses them all, in the fastest format
            (see `sr.precision`). None: the reference, in single precision, on as many as torch is
            set to.
        tile_global: Tile a network that looks at the whole frame all the same: its result is then
            another one, with seams where tiles meet.

    Raises:
        UpscalerError: The network's weights are missing, or it cannot be tiled and the frame is
            too large to go through it whole.
    """
    module = network()
    if module.is_global and not tile_global:
        _check_whole(source)
    if torch.device(device).type == "cuda":
        chosen = HALF
    else:
        chosen = SINGLE if threads is None else fastest_format(module)
    run = in_format(module, chosen, device)
    tiled = tiled_network(module, run, source, device, tile_global=tile_global)
    scale: int = module.scale  # type: ignore[assignment]
    frames = rgb_frames(tiled, scale, source, target, device)
    return TorchUpscaler(frames, source, device, batch, threads=threads)


def sufficient_scale(scales: Sequence[int], source: Signal, target: Signal) -> int:
    """The smallest of a model's scales that reaches the target, or its largest."""
    needed = max(
        Fraction(target.width, source.width),
        Fraction(target.height, source.height),
    )
    return min((s for s in scales if s >= needed), default=max(scales))


def tiled_network(
    module: torch.nn.Module,
    run: TensorFunction,
    source: Signal,
    device: str,
    *,
    tile_global: bool = False,
) -> TensorFunction:
    """The network over tiles, where frames of the source are too large to go through whole.

    Args:
        module: An `RgbNetwork`, for what it says of itself.
        run: The same as a function.
        source: Size of the images.
        device: A torch device.
        tile_global: As for `open_rgb`.
    """
    whole = WHOLE_PIXELS if module.is_global and not tile_global else 0
    max_pixels = max(MAX_PIXELS[torch.device(device).type], whole)
    size = (source.height, source.width)
    if source.height * source.width <= max_pixels:
        return run
    radius, multiple, scale = (int(getattr(module, n)) for n in ("radius", "multiple", "scale"))
    grid = plan_tiles(size, radius, multiple, max_pixels)
    return lambda images: run_tiles(run, grid, scale, images)


def rgb_frames(
    network: TensorFunction, scale: int, source: Signal, target: Signal, device: str
) -> FrameFunction:
    """The whole way as a function of planes."""
    to_rgb = planes_to_rgb(source, device)
    to_planes = rgb_to_planes((scale * source.width, scale * source.height), target, device)

    def frames(
        y: torch.Tensor, u: torch.Tensor, v: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return to_planes(network(to_rgb(y, u, v)).clamp(0, 1))

    return frames


def planes_to_rgb(
    source: Signal, device: str
) -> Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]:
    """A function from NHW planes to N3HW float32 in [0, 1], chroma bilinear."""
    grid = chroma_to_luma_grid(source, device)
    rows = rgb_from_codes(source)[:3]

    def convert(y: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        codes = (y.float(), grid(u.float()), grid(v.float()))
        return torch.stack([affine(row, *codes) for row in rows], dim=1).clamp(0, 1)

    return convert


def rgb_to_planes(
    size: tuple[int, int], target: Signal, device: str
) -> Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """A function from N3HW of `size` (width, height) to the NHW uint8 planes of the target.

    Each plane is resampled by lanczos straight to where its samples lie.
    """
    rows = codes_from_rgb(target)[:3]
    luma = _to_plane(size, target, (LUMA, LUMA), device)
    chroma = _to_plane(size, target, (CHROMA_X, CHROMA_Y), device)
    quantise = quantiser(target, device)

    def convert(rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        red, green, blue = rgb.unbind(1)
        y, u, v = (affine(row, red, green, blue) for row in rows)
        return quantise(luma(y)), quantise(chroma(u)), quantise(chroma(v))

    return convert


def _check_whole(source: Signal) -> None:
    if source.width * source.height > WHOLE_PIXELS:
        raise UpscalerError(
            f"frames of {source.width}x{source.height} are too large for this model: it looks at a"
            f" whole frame at once, tiles would change its result, and {WHOLE_PIXELS} pixels are"
            " as many as fit"
        )


def _to_plane(
    size: tuple[int, int], target: Signal, siting: tuple[Siting, Siting], device: str
) -> TensorFunction:
    x, y = (
        subsampling_taps("lanczos", given, wanted, s)
        for given, wanted, s in zip(size, (target.width, target.height), siting, strict=True)
    )
    if x.is_copy and y.is_copy:
        return lambda plane: plane
    vertical = axis_resampler(y, size[1], -2, device)
    horizontal = axis_resampler(x, size[0], -1, device)
    return lambda plane: horizontal(vertical(plane))
