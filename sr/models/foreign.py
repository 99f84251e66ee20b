"""Other people's .safetensors and .pth files, by way of spandrel (the `spandrel` extra)."""

# ruff: noqa: PLC0415 (spandrel imports every architecture it knows, and torchvision)

import io
import zipfile
from pathlib import Path
from typing import Any

import torch

from sr.errors import UpscalerError
from sr.models.weight_file import MAX_BYTES

RGB_CHANNELS = 3
_LOCAL = ("Compact", "ESRGAN")
"""Architectures that consist of small convolutions, and so may be tiled."""


class SpandrelNetwork(torch.nn.Module):
    """An `RgbNetwork` (see `sr.rgb`) of a spandrel model."""

    def __init__(self, described: Any) -> None:
        super().__init__()
        self.network = described.model.requires_grad_(False).eval()
        self.scale: int = described.scale
        self.multiple: int = described.size_requirements.multiple_of
        self.is_global = described.architecture.id not in _LOCAL
        convolutions = [m for m in self.modules() if isinstance(m, torch.nn.Conv2d)]
        self.radius = self.multiple * sum(m.kernel_size[0] // 2 for m in convolutions)
        self._padding = described.size_requirements.get_padding
        self._call = described._call_fn

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """N3HW in [0, 1] to N3(sH)(sW); the edge is repeated where other sizes are needed."""
        height, width = rgb.shape[-2:]
        right, below = self._padding(width, height)
        padded = torch.nn.functional.pad(rgb, (0, right, 0, below), mode="replicate")
        result: torch.Tensor = self._call(self.network, padded)
        return result[..., : self.scale * height, : self.scale * width]


def load_foreign(data: bytes, path: Path) -> SpandrelNetwork:
    """The network in a file, float32, on the CPU.

    Raises:
        UpscalerError: The file is broken, holds anything but tensors, or no network from R'G'B' to
            R'G'B' that spandrel knows; or spandrel is missing.
    """
    state = _safetensors(data, path) if path.suffix.lower() == ".safetensors" else _pth(data, path)
    if (claimed := _bytes_of(state)) > 2 * len(data) + (1 << 20):
        raise UpscalerError(f"{path} claims {claimed} bytes of weights, in {len(data)}")
    spandrel = _spandrel(path)
    try:
        found = spandrel.ModelLoader().load_from_state_dict(spandrel.canonicalize_state_dict(state))
    except Exception as error:  # it infers the network from whatever the file holds
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UpscalerError(f"{path} is no network that spandrel knows: {reason}") from error
    if not isinstance(found, spandrel.ImageModelDescriptor):
        raise UpscalerError(f"{path} is a network for {found.purpose}, not for upscaling")
    channels = (found.input_channels, found.output_channels)
    if channels != (RGB_CHANNELS, RGB_CHANNELS):
        raise UpscalerError(
            f"{path} is a network from {channels[0]} to {channels[1]} channels; expected 3 to 3"
        )
    found.model.float()
    return SpandrelNetwork(found)


def _safetensors(data: bytes, path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise UpscalerError(f"{path} is a broken safetensors file: {error}") from error


def _pth(data: bytes, path: Path) -> dict[str, Any]:
    """Only tensors and plain containers of them: anything else in the pickle is refused unread."""
    refused = f"{path} is broken, or holds more than tensors; nothing in it was executed"
    try:
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                    raise UpscalerError(f"{path} unpacks to more than {MAX_BYTES >> 30} GiB")
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except UpscalerError:
        raise
    except Exception as error:  # pickle, zip and torch have no common error
        raise UpscalerError(refused) from error
    if not isinstance(state, dict):
        raise UpscalerError(refused)
    return state


def _bytes_of(state: object) -> int:
    if isinstance(state, torch.Tensor):
        return state.numel() * state.element_size()
    return sum(map(_bytes_of, state.values())) if isinstance(state, dict) else 0


def _spandrel(path: Path) -> Any:
    try:
        import spandrel
    except Exception as error:  # torchvision raises RuntimeError beside another torch build
        reason = str(error).partition("\n")[0]
        raise UpscalerError(
            f"{path} needs spandrel: pip install 'upscale-origin[spandrel]' with a torchvision that"
            f" fits torch {torch.__version__} ({reason})"
        ) from error
    return spandrel
