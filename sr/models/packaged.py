"""Models whose networks are ncnn files in a weight package."""

# ruff: noqa: PLC0415 (torch is heavy: imported where it is used)

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from sr.errors import UpscalerError
from sr.models.descriptor import Descriptor, Model
from sr.types import ModelInfo, Signal, Upscaler
from sr.weights import WeightPackage

if TYPE_CHECKING:
    import torch

    from sr.ncnn.network import NcnnNetwork

Networks = Sequence["PackagedNetwork"]
"""Of one model, one for each of its scales, the smallest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedNetwork:
    """One network, and how the tool that its files were made for frames its input."""

    package: WeightPackage
    stem: str
    """Path of the .param and the .bin file in the package, without the ending."""
    sha256: str
    """Of the .param file followed by the .bin file: `cat X.param X.bin | sha256sum`."""
    scale: int
    kmac_per_pixel: float
    radius: int
    margin: int | None = None
    """Pixels added on each side; None: as many as the network eats."""
    border: Literal["replicate", "reflect"] = "replicate"
    """What the margin is made of."""
    adds_input: bool = False
    """Whether the result is what has to be added to the enlarged (nearest) input."""

    def read(self) -> tuple[bytes, ...]:
        """The contents of the .param and the .bin file.

        Raises:
            UpscalerError: The package is missing, or its files are not those known.
        """
        return self.package.read((f"{self.stem}.param", f"{self.stem}.bin"), self.sha256)

    def network(self) -> "NcnnNetwork":
        """The network, float32, on the CPU.

        Raises:
            UpscalerError: As `read`.
        """
        from sr.ncnn.network import read_network

        param, binary = self.read()
        return read_network(
            param, binary, margin=self.margin, border=self.border, adds_input=self.adds_input
        )


class PackagedModel:
    """`Model` of packaged networks; each is loaded when its scale is first asked for."""

    def __init__(self, networks: Networks, info: ModelInfo, device: str) -> None:
        self.info = info
        self.device = device
        self._factories: dict[float, Callable[[], NcnnNetwork]] = {
            network.scale: network.network for network in networks
        }
        self._default = networks[0].scale
        self._loaded: dict[float, NcnnNetwork] = {self._default: self._load(self._default)}

    def __call__(self, rgb: "torch.Tensor", scale: float | None = None) -> "torch.Tensor":
        """Run a network on NCHW float32 images; see `sr.models.descriptor.Model`."""
        import torch

        from sr.models.tensors import check_images

        wanted = self._default if scale is None else scale
        if wanted not in self._factories:
            known = ", ".join(str(s) for s in self._factories)
            raise UpscalerError(f"{self.info.name} scales by {known}, not by {scale}")
        if wanted not in self._loaded:
            self._loaded[wanted] = self._load(wanted)
        with torch.inference_mode():
            result: torch.Tensor = self._loaded[wanted](check_images(rgb).to(self.device))
            return result

    def _load(self, scale: float) -> "NcnnNetwork":
        return self._factories[scale]().to(self.device).eval()


def describe(name: str, licence: str, networks: Networks) -> Descriptor:
    """The descriptor of a model of one or more scales."""
    first, *others = networks
    return Descriptor(
        info=ModelInfo(
            name=name,
            scale=None if others else first.scale,
            scales=tuple(network.scale for network in networks) if others else (),
            kmac_per_pixel=first.kmac_per_pixel,
            radius=first.radius,
            licence=licence,
            weights=first.package.origin,
        ),
        code_version=1,
        weights_sha256=partial(_weights_sha256, networks),
        load=partial(_load, networks),
        open_cpu=partial(_open_cpu, networks),
        open_torch=partial(_open_torch, networks),
    )


def _weights_sha256(networks: Networks) -> str:
    for network in networks:
        network.read()
    return hashlib.sha256("".join(network.sha256 for network in networks).encode()).hexdigest()


def _load(networks: Networks, info: ModelInfo, device: str) -> Model:
    return PackagedModel(networks, info, device)


def _open_cpu(networks: Networks, source: Signal, target: Signal, threads: int) -> Upscaler:
    from sr.rgb import open_rgb

    factory = _sufficient(networks, source, target).network
    return open_rgb(factory, source, target, "cpu", 1, threads=threads)


def _open_torch(
    networks: Networks, source: Signal, target: Signal, device: str, batch: int
) -> Upscaler:
    from sr.rgb import open_rgb

    factory = _sufficient(networks, source, target).network
    return open_rgb(factory, source, target, device, batch)


def _sufficient(networks: Networks, source: Signal, target: Signal) -> PackagedNetwork:
    from sr.rgb import sufficient_scale

    by_scale = {network.scale: network for network in networks}
    return by_scale[sufficient_scale(tuple(by_scale), source, target)]
