"""The text half of an ncnn network: layers, how they are wired, their options.

Format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure. A magic number, the
counts of layers and blobs, then one layer a line: kind, name, counts of inputs and outputs, their
names, and options `key=value`; key `-23300 - k` gives option k as an array, its length first.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sr.errors import UpscalerError

MAX_TEXT = 1 << 20
MAX_LAYERS = 4096
_MAGIC = "7767517"
_ARRAY = -23300
_MAX_ARRAY = 64

Option = float | tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One line of a .param file."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: Mapping[int, Option]

    def number(self, key: int, default: float) -> float:
        """An option that is one number."""
        value = self.options.get(key, default)
        if isinstance(value, tuple):
            raise self.error(f"option {key} must be one number")
        return value

    def integer(self, key: int, default: int, low: int, high: int) -> int:
        """An option that is a whole number from `low` to `high`."""
        value = self.number(key, default)
        if value != int(value) or not low <= value <= high:
            raise self.error(f"option {key} must be a whole number from {low} to {high}: {value:g}")
        return int(value)

    def array(self, key: int) -> tuple[float, ...]:
        """An option that is an array; empty where it is not given."""
        value = self.options.get(key, ())
        return value if isinstance(value, tuple) else (value,)

    def check(self, *, inputs: int, keys: frozenset[int]) -> None:
        """Accept only this number of inputs, and options that are understood."""
        unknown = sorted(set(self.options) - keys)
        if len(self.inputs) != inputs or unknown:
            options = f", options {unknown}" if unknown else ""
            raise self.error(f"not supported with {len(self.inputs)} inputs{options}")

    def error(self, problem: str) -> UpscalerError:
        """What is wrong with this layer."""
        return UpscalerError(f"ncnn layer {self.kind} {self.name}: {problem}")


def read_param(text: str) -> tuple[Layer, ...]:
    """The layers in the order they run: every input is an output of an earlier layer.

    Raises:
        UpscalerError: It is no such network, or larger than any that this house would run.
    """
    lines = [line.split() for line in text[:MAX_TEXT].splitlines() if line.strip()]
    if len(text) > MAX_TEXT or len(lines) > MAX_LAYERS:
        raise UpscalerError(f"ncnn param: larger than {MAX_TEXT} bytes or {MAX_LAYERS} layers")
    if len(lines) < 3 or lines[0] != [_MAGIC]:
        raise UpscalerError(f"ncnn param: no network: expected {_MAGIC}, counts and layers")
    layers = tuple(_read_layer(words) for words in lines[2:])
    blobs = sum(len(layer.outputs) for layer in layers)
    if lines[1] != [str(len(layers)), str(blobs)]:
        found = f"{len(layers)} layers and {blobs} blobs"
        raise UpscalerError(f"ncnn param: {found}, but its header says {' '.join(lines[1])[:40]}")
    _check_wiring(layers)
    return layers


def _read_layer(words: list[str]) -> Layer:
    line = " ".join(words)[:60]
    try:
        inputs, outputs = int(words[2]), int(words[3])
        if inputs < 0 or outputs < 1 or len(words) < 4 + inputs + outputs:
            raise UpscalerError(f"ncnn param: wrong number of blobs: {line!r}")
        options = dict(_read_option(word) for word in words[4 + inputs + outputs :])
    except UpscalerError:
        raise
    except (ValueError, IndexError) as e:
        raise UpscalerError(f"ncnn param: no layer: {line!r}") from e
    names = tuple(words[4 : 4 + inputs + outputs])
    return Layer(
        kind=words[0],
        name=words[1],
        inputs=names[:inputs],
        outputs=names[inputs:],
        options=options,
    )


def _read_option(word: str) -> tuple[int, Option]:
    key, _, value = word.partition("=")
    number = int(key)
    if number > _ARRAY:
        return number, _finite(value)
    count, *values = value.split(",")
    if len(values) != int(count) or len(values) > _MAX_ARRAY:
        raise ValueError(word)
    return _ARRAY - number, tuple(_finite(v) for v in values)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _check_wiring(layers: tuple[Layer, ...]) -> None:
    known: set[str] = set()
    for layer in layers:
        missing = [name for name in layer.inputs if name not in known]
        if missing:
            raise layer.error(f"its input {missing[0]!r} is not made by an earlier layer")
        if known.intersection(layer.outputs) or len(set(layer.outputs)) != len(layer.outputs):
            raise layer.error("its output exists already")
        known.update(layer.outputs)
