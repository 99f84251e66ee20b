"""What each ncnn layer computes, and what follows from it without running anything.

Sizes, weights, cost and receptive field are derived here from the options alone, in exact numbers,
so that a file which lies is found out before memory is taken for it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from sr.ncnn.operations import (
    Activation,
    Blob,
    Convolution,
    Crop,
    Linear,
    Operation,
    ParametricRelu,
    PixelShuffle,
    Plain,
    Resize,
    Sum,
)
from sr.ncnn.param import Layer

MAX_CHANNELS = 4096
"""Of a layer, and numbers for each pixel of the input that it may give."""
MAX_KERNEL = 15
MAX_RATE = 16
_AXES = (-2.0, -1.0)
_GIVEN = -233
"""ncnn's way to say that a number comes from a second input."""


def understand(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    """The operation of a layer on these inputs.

    Raises:
        UpscalerError: The layer is of a kind or has options that are not supported, or its inputs
            do not fit it.
    """
    reader = _READERS.get(layer.kind)
    if reader is None:
        known = ", ".join(sorted(_READERS))
        raise layer.error(f"not supported; only {known} are")
    operation = reader(layer, inputs)
    blob = operation.blob
    fits = blob.rate <= MAX_RATE and blob.channels * blob.rate**2 <= MAX_CHANNELS
    if not fits or blob.channels > MAX_CHANNELS:
        raise layer.error(f"gives {blob.channels} channels at {blob.rate} times the size")
    return operation


def _convolution(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=1, keys=frozenset({0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16}))
    source = _only_map(layer, inputs)
    transposed = layer.kind == "Deconvolution"
    kernel = _square(layer, (1, 11), 1, 1, MAX_KERNEL)
    stride = _square(layer, (3, 13), 1, 1, MAX_RATE)
    padding = _square(layer, (4, 14, 15, 16), 0, 0, kernel)
    _square(layer, (2, 12), 1, 1, 1)
    work = Convolution(
        features=layer.integer(0, 0, 1, MAX_CHANNELS),
        channels=source.channels,
        kernel=kernel,
        stride=stride,
        padding=padding,
        bias=layer.integer(5, 0, 0, 1) == 1,
        transposed=transposed,
        activation=_activation(layer),
    )
    blob = _transposed_blob(source, work) if transposed else _convolved_blob(source, work)
    shape = (work.features, work.channels, kernel, kernel)
    _check_size(layer, 6, shape)
    rate = source.rate if transposed else blob.rate
    return Operation(
        work=work,
        blob=blob,
        tagged=shape,
        plain=work.features if work.bias else 0,
        macs=math.prod(shape) * rate**2,
    )


def _convolved_blob(source: Blob, work: Convolution) -> Blob:
    """N gives (N + 2p - k) / s + 1; sample i reads i * s - p to i * s - p + k - 1."""
    k, s, p = work.kernel, work.stride, work.padding
    return Blob(
        channels=work.features,
        rate=source.rate / s,
        cut=(source.cut + k - 2 * p) / s - 1,
        first=source.first - p / source.rate,
        last=source.last + (k - 1 - p) / source.rate,
    )


def _transposed_blob(source: Blob, work: Convolution) -> Blob:
    """N gives (N - 1) * s + k - 2p; sample o reads (o + p - k + 1) / s to (o + p) / s."""
    k, s, p = work.kernel, work.stride, work.padding
    return Blob(
        channels=work.features,
        rate=source.rate * s,
        cut=source.cut * s + s - k + 2 * p,
        first=source.first + Fraction(p - k + 1, s) / source.rate,
        last=source.last + Fraction(p, s) / source.rate,
    )


def _linear(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=1, keys=frozenset({0, 1, 2, 9, 10}))
    (source,) = inputs
    if source.is_map:
        raise layer.error("its input is not pooled")
    shape = (layer.integer(0, 0, 1, MAX_CHANNELS), source.channels)
    _check_size(layer, 2, shape)
    bias = layer.integer(1, 0, 0, 1) == 1
    work = Linear(features=shape[0], channels=shape[1], bias=bias, activation=_activation(layer))
    blob = replace(source, channels=shape[0])
    return Operation(work=work, blob=blob, tagged=shape, plain=shape[0] if bias else 0)


def _prelu(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=1, keys=frozenset({0}))
    (source,) = inputs
    slopes = layer.integer(0, 0, 1, MAX_CHANNELS)
    if slopes not in (1, source.channels):
        raise layer.error(f"{slopes} slopes for {source.channels} channels")
    return Operation(work=ParametricRelu(slopes=slopes), blob=source, plain=slopes)


def _relu(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=1, keys=frozenset({0}))
    return Operation(work=Activation(kind="leaky", slope=layer.number(0, 0)), blob=inputs[0])


def _sigmoid(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=1, keys=frozenset())
    return Operation(work=Activation(kind="sigmoid"), blob=inputs[0])


def _crop(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    """By starts and ends on both axes, or by an offset and the size of a second input."""
    if len(inputs) == 2:
        layer.check(inputs=2, keys=frozenset({0, 1}))
        source, like = inputs
        before = _square(layer, (0, 1), 0, 0, 1 << 12)
        after = like.cut - source.cut - before
        same = (like.rate, like.channels) == (source.rate, source.channels)
        if not same or after != int(after) or after < 0:
            raise layer.error("its inputs do not fit each other")
    else:
        layer.check(inputs=1, keys=frozenset({9, 10, 11}))
        source = _only_map(layer, inputs)
        starts, ends = layer.array(9), layer.array(10)
        if layer.array(11) != _AXES or len(set(starts)) != 1 or len(set(ends)) != 1:
            raise layer.error("only crops by the same on both axes are supported")
        before, after = int(starts[0]), Fraction(-ends[0])
        if before != starts[0] or after != int(after) or before < 0 or after < 0:
            raise layer.error("its bounds are no whole numbers of samples")
    if not source.is_map:
        raise layer.error("its input is pooled")
    blob = replace(
        source,
        cut=source.cut + before + after,
        first=source.first + before / source.rate,
        last=source.last + before / source.rate,
    )
    return Operation(work=Crop(before=before, after=int(after)), blob=blob)


def _resize(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=1, keys=frozenset({0, 1, 2}))
    source = _only_map(layer, inputs)
    kind = {1: "nearest", 2: "bilinear", 3: "bicubic"}[layer.integer(0, 0, 1, 3)]
    factor = Fraction(layer.number(1, 0)).limit_denominator(MAX_RATE)
    if layer.number(2, 0) != layer.number(1, 0) or not Fraction(1, MAX_RATE) <= factor <= MAX_RATE:
        raise layer.error(f"scales by {layer.number(1, 0):g} and {layer.number(2, 0):g}")
    centre = (1 / factor - 1) / 2
    reach = {"nearest": Fraction(1, 2), "bilinear": Fraction(1), "bicubic": Fraction(2)}[kind]
    blob = replace(
        source,
        rate=source.rate * factor,
        cut=source.cut * factor,
        first=source.first + (centre - reach) / source.rate,
        last=source.last + (centre + reach) / source.rate,
    )
    return Operation(work=Resize(kind=kind, factor=factor), blob=blob)


def _shuffle(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=1, keys=frozenset({0}))
    source = _only_map(layer, inputs)
    factor = layer.integer(0, 1, 1, MAX_RATE)
    if source.channels % factor**2:
        raise layer.error(f"{source.channels} channels are no multiple of {factor**2}")
    blob = replace(
        source,
        channels=source.channels // factor**2,
        rate=source.rate * factor,
        cut=source.cut * factor,
        first=source.first - Fraction(factor - 1, factor) / source.rate,
    )
    return Operation(work=PixelShuffle(factor=factor), blob=blob)


def _pooling(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=1, keys=frozenset({0, 4}))
    source = _only_map(layer, inputs)
    if (layer.integer(0, 0, 0, 1), layer.integer(4, 0, 0, 1)) != (1, 1):
        raise layer.error("only the global mean is supported")
    return Operation(work=Plain(kind="mean"), blob=Blob(channels=source.channels, rate=Fraction(0)))


def _scale(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=2, keys=frozenset({0}))
    if layer.number(0, 0) != _GIVEN:
        raise layer.error("only scales that are a second input are supported")
    return _product(layer, inputs)


def _binary(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=2, keys=frozenset({0}))
    kind = layer.integer(0, 0, 0, 20)
    if kind not in (0, 2):
        raise layer.error("only sums and products are supported")
    return _sum(layer, inputs, (1.0, 1.0)) if kind == 0 else _product(layer, inputs)


def _eltwise(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=len(inputs), keys=frozenset({0, 1}))
    if layer.integer(0, 0, 0, 2) != 1:
        raise layer.error("only sums are supported")
    return _sum(layer, inputs, layer.array(1) or (1.0,) * len(inputs))


def _sum(layer: Layer, inputs: tuple[Blob, ...], weights: tuple[float, ...]) -> Operation:
    if len(weights) != len(inputs):
        raise layer.error(f"{len(weights)} weights for {len(inputs)} inputs")
    blob = _joined(layer, inputs)
    if any(b.channels != blob.channels for b in inputs):
        raise layer.error("its inputs differ in channels")
    return Operation(work=Sum(weights=weights), blob=blob)


def _product(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    """Of a map and one value for each of its channels."""
    source, factors = inputs
    if not source.is_map or factors.is_map or source.channels != factors.channels:
        raise layer.error("only a map times pooled values is supported")
    return Operation(work=Plain(kind="product"), blob=source)


def _concat(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=len(inputs), keys=frozenset({0}))
    if layer.integer(0, 0, -3, 2) not in (0, -3):
        raise layer.error("only concatenation of channels is supported")
    blob = replace(_joined(layer, inputs), channels=sum(b.channels for b in inputs))
    return Operation(work=Plain(kind="concatenation"), blob=blob)


def _split(layer: Layer, inputs: tuple[Blob, ...]) -> Operation:
    layer.check(inputs=1, keys=frozenset())
    return Operation(work=Plain(kind="copy"), blob=inputs[0])


def _joined(layer: Layer, inputs: tuple[Blob, ...]) -> Blob:
    """Maps of one size; what depends on all depends on the union."""
    if not inputs or len({(b.rate, b.cut) for b in inputs}) != 1 or not inputs[0].is_map:
        raise layer.error("its inputs are no maps of one size")
    first, last = min(b.first for b in inputs), max(b.last for b in inputs)
    return replace(inputs[0], first=first, last=last)


def _only_map(layer: Layer, inputs: tuple[Blob, ...]) -> Blob:
    (source,) = inputs
    if not source.is_map:
        raise layer.error("its input is pooled")
    return source


def _square(layer: Layer, keys: tuple[int, ...], default: int, low: int, high: int) -> int:
    """An option that is given for each axis or side, and must be the same for all."""
    value = layer.integer(keys[0], default, low, high)
    if any(layer.number(key, value) != value for key in keys[1:]):
        raise layer.error(f"options {keys} must be the same")
    return value


def _check_size(layer: Layer, key: int, shape: tuple[int, ...]) -> None:
    if layer.number(key, 0) != math.prod(shape):
        raise layer.error(f"{layer.number(key, 0):.0f} weights, expected {math.prod(shape)}")


def _activation(layer: Layer) -> Activation | None:
    kind, options = layer.integer(9, 0, 0, 6), layer.array(10)
    if kind == 0:
        return None
    if kind == 2 and len(options) == 1:
        return Activation(kind="leaky", slope=options[0])
    if kind not in (1, 4):
        raise layer.error(f"activation {kind} is not supported")
    return Activation(kind="sigmoid" if kind == 4 else "leaky")


_READERS: Mapping[str, Callable[[Layer, tuple[Blob, ...]], Operation]] = {
    "BinaryOp": _binary,
    "Concat": _concat,
    "Convolution": _convolution,
    "Crop": _crop,
    "Deconvolution": _convolution,
    "Eltwise": _eltwise,
    "InnerProduct": _linear,
    "Interp": _resize,
    "PReLU": _prelu,
    "PixelShuffle": _shuffle,
    "Pooling": _pooling,
    "ReLU": _relu,
    "Scale": _scale,
    "Sigmoid": _sigmoid,
    "Split": _split,
}
