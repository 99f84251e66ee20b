"""Anime4K (MIT, bloc97): small CReLU networks published as mpv shaders.

A model is a chain of networks of the packaged shader: one that doubles, or before it one that
restores, which together are the shader's Mode A.
"""

# ruff: noqa: PLC0415 (torch and numba are heavy: imported where they are used)

import hashlib
from collections.abc import Mapping
from functools import partial

from sr.errors import UpscalerError
from sr.models.anime4k.weights import (
    CLAMP_HIGHLIGHTS,
    PACKAGE,
    RESTORE_VL,
    SHADER,
    UPSCALE_M,
    UPSCALE_VL,
    load_weights,
)
from sr.models.descriptor import Descriptor, Model
from sr.shaders import packaged_shader, shader_passes
from sr.types import ModelInfo, Signal, Upscaler

Chain = tuple[str, ...]
"""Names of networks, as `load_weights` takes them."""


def _weights_sha256(chain: Chain) -> str:
    digests = [load_weights(name).sha256 for name in chain]
    return digests[0] if len(chain) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _load(chain: Chain, info: ModelInfo, device: str) -> Model:
    from sr.models.anime4k.tensors import make_network
    from sr.models.tensors import NetworkModel

    module = make_network(*map(load_weights, chain)).to(device)
    return NetworkModel(info=info, device=device, module=module)


def _open_cpu(chain: Chain, source: Signal, target: Signal, threads: int) -> Upscaler:
    from sr.models.anime4k.planes import open_network

    return open_network(*map(load_weights, chain), source=source, target=target, threads=threads)


def _open_torch(chain: Chain, source: Signal, target: Signal, device: str, batch: int) -> Upscaler:
    from sr.models.anime4k.tensors import open_network

    weights = map(load_weights, chain)
    return open_network(*weights, source=source, target=target, device=device, batch=batch)


def _descriptor(name: str, chain: Chain, kmac: float, radius: int, code_version: int) -> Descriptor:
    info = ModelInfo(
        name=name,
        scale=2,
        kmac_per_pixel=kmac,
        radius=radius,
        licence="MIT",
        weights="package anime4k-python",
    )
    return Descriptor(
        info=info,
        code_version=code_version,
        weights_sha256=partial(_weights_sha256, chain),
        load=partial(_load, chain),
        open_cpu=partial(_open_cpu, chain),
        open_torch=partial(_open_torch, chain),
    )


def _kmac(features: int, layers: int, mixed_layers: int, outputs: int) -> float:
    hidden = (layers - 1) * 2 * features * 9 * features
    return (3 * 9 * features + hidden + mixed_layers * 2 * features * outputs) / 1000


_M, _VL, _RESTORE = _kmac(4, 7, 7, 4), _kmac(8, 7, 7, 12), _kmac(8, 8, 7, 3)

CHAINS: Mapping[str, Chain] = {
    "anime4k-m": (UPSCALE_M,),
    "anime4k-vl": (UPSCALE_VL,),
    "anime4k-a": (RESTORE_VL, UPSCALE_VL),
}

DESCRIPTORS = (
    _descriptor("anime4k-m", CHAINS["anime4k-m"], _M, 7, code_version=1),
    _descriptor("anime4k-vl", CHAINS["anime4k-vl"], _VL, 7, code_version=1),
    _descriptor("anime4k-a", CHAINS["anime4k-a"], _RESTORE + _VL, 15, code_version=1),
)


def mpv_shader(model: str) -> str:
    """The passes of a model as the packaged shader has them, licence included: a shader for mpv.

    Raises:
        UpscalerError: It is no model of Anime4K's, or the package is not installed.
    """
    names = CHAINS.get(model)
    if names is None:
        known = ", ".join(CHAINS)
        raise UpscalerError(f"{model} has no mpv shader; these have one: {known}")
    text = packaged_shader(PACKAGE, SHADER)
    clamp = (CLAMP_HIGHLIGHTS,) if len(names) > 1 else ()
    passes = [glsl for name in (*clamp, *names) for glsl in shader_passes(text, name)]
    return text.partition("//!DESC")[0] + "".join(passes)
