"""Model files of our own: safetensors whose header says what they are.

The header's `__metadata__` has one entry, `upscale-origin`, which is JSON: `format` (model or
checkpoint), `version`, and for a model `architecture`, `scale` and `training` (how the weights came
to be). One entry, because safetensors writes several in random order. Reading copies numbers and
runs nothing; torch is not imported.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from sr.errors import UpscalerError

VERSION = 1
MAX_BYTES = 2 << 30
MAX_SCALE = 8
_ENTRY = "upscale-origin"
_LENGTH_BYTES = 8

Format = Literal["model", "checkpoint"]
Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightFile:
    """A network: which, and its weights by name."""

    architecture: str
    scale: int
    arrays: Arrays
    training: Mapping[str, Any] = field(default_factory=dict)


def read_bytes(path: Path) -> bytes:
    """A whole file that may be a model.

    Raises:
        UpscalerError: It is missing, empty, no file or larger than any model.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UpscalerError(f"{path} cannot be read: {reason}") from error
    if not data:
        raise UpscalerError(f"{path} is empty")
    if len(data) > MAX_BYTES:
        raise UpscalerError(f"{path} is larger than {MAX_BYTES >> 30} GiB")
    return data


def parse_weight_file(data: bytes, path: Path) -> WeightFile | None:
    """A model of our own, or None where the safetensors file is someone else's.

    Raises:
        UpscalerError: It is broken, a checkpoint, of a later version, or not finite.
    """
    notes = read_notes(data, path)
    if notes is None:
        return None
    if notes.get("format") == "checkpoint":
        raise UpscalerError(f"{path} is a checkpoint of a training that has not ended: resume that")
    architecture, scale, training = (notes.get(k) for k in ("architecture", "scale", "training"))
    if not isinstance(architecture, str) or not isinstance(training, dict):
        raise UpscalerError(f"{path}: its header does not say what it is")
    if not isinstance(scale, int) or not 1 <= scale <= MAX_SCALE:
        raise UpscalerError(f"{path}: expected a scale from 1 to {MAX_SCALE}, found {scale}")
    arrays = read_arrays(data, path)
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise UpscalerError(f"{path}: {name} is not finite float32")
    return WeightFile(architecture=architecture, scale=scale, arrays=arrays, training=training)


def write_weight_file(file: WeightFile, path: Path) -> None:
    """Write a model, whole or not at all. The same model always gives the same bytes.

    Raises:
        UpscalerError: It cannot be written.
    """
    notes = {"architecture": file.architecture, "scale": file.scale, "training": file.training}
    write_arrays(file.arrays, "model", notes, path)


def read_notes(data: bytes, path: Path) -> dict[str, Any] | None:
    """What we wrote into the header of a safetensors file; None if we wrote nothing.

    Raises:
        UpscalerError: The header is broken or longer than the file, or of a later version.
    """
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    if len(data) < _LENGTH_BYTES or length > len(data) - _LENGTH_BYTES:
        raise _broken(path, "its header is longer than the file")
    try:
        header = json.loads(data[_LENGTH_BYTES : _LENGTH_BYTES + length])
        text = header.get("__metadata__", {}).get(_ENTRY)
        notes = None if text is None else json.loads(text)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _broken(path, "its header is not as it should be") from error
    if notes is None:
        return None
    if not isinstance(notes, dict) or notes.get("version") != VERSION:
        raise UpscalerError(f"{path} is a model file of another version than {VERSION}")
    return notes


def read_arrays(data: bytes, path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a safetensors file.

    Raises:
        UpscalerError: It is broken, or holds types that numpy lacks.
    """
    try:
        return load(data)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _broken(path, error) from error


def write_arrays(
    arrays: Mapping[str, NDArray[Any]], kind: Format, notes: Mapping[str, Any], path: Path
) -> None:
    """Write safetensors with notes in the header, whole or not at all.

    Raises:
        UpscalerError: It cannot be written.
    """
    text = json.dumps({"format": kind, "version": VERSION, **notes}, sort_keys=True)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(save(contiguous, {_ENTRY: text}))
        partial.replace(path)
    except OSError as error:
        raise UpscalerError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def _broken(path: Path, reason: object) -> UpscalerError:
    return UpscalerError(f"{path} is no safetensors file, or a broken one: {reason}")
