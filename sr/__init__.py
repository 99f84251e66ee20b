"""Tensors in, tensors out: models, weights, resampling, colour and the engine that runs them.

`load_model` gives the plain network for research; `open_upscaler` the fast path on planes that
the origin uses. No av, no HTTP, no playlists here. Importing this package imports neither torch nor
numba.
"""

from sr.engine import (
    list_models,
    load_model,
    model_digest,
    open_upscaler,
    resolve_device,
    warm_up,
)
from sr.errors import UpscalerError
from sr.models.anime4k import mpv_shader
from sr.models.descriptor import Model
from sr.models.files import is_model_file
from sr.types import Depth, Matrix, ModelInfo, Planes, Signal, Upscaler

__all__ = [
    "Depth",
    "Matrix",
    "Model",
    "ModelInfo",
    "Planes",
    "Signal",
    "Upscaler",
    "UpscalerError",
    "is_model_file",
    "list_models",
    "load_model",
    "model_digest",
    "mpv_shader",
    "open_upscaler",
    "resolve_device",
    "warm_up",
]
