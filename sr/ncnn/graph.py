"""A whole ncnn network, understood: its operations in order, and what they amount to."""

import math
from dataclasses import dataclass
from fractions import Fraction

from sr.errors import UpscalerError
from sr.ncnn.layers import understand
from sr.ncnn.operations import Blob, Operation, Plain
from sr.ncnn.param import read_param

RGB = 3
MAX_SCALE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An operation and the names of what it takes and gives."""

    operation: Operation
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """RGB in, RGB out, enlarged by `scale`."""

    input: str
    output: str
    steps: tuple[Step, ...]
    result: Blob

    @property
    def scale(self) -> int:
        """The output's size over the input's, but for what the network cuts off."""
        return int(self.result.rate)

    @property
    def margin(self) -> int:
        """Input pixels that the network eats on each side."""
        return max(0, math.ceil(self.result.cut / 2 / self.result.rate))

    @property
    def multiple(self) -> int:
        """Input sizes at which no layer has half samples are multiples of it."""
        return math.lcm(*(s.operation.blob.rate.denominator for s in self.steps))

    @property
    def is_global(self) -> bool:
        """Whether something is pooled over the whole image."""
        return any(s.operation.work == Plain(kind="mean") for s in self.steps)

    @property
    def radius(self) -> int:
        """Input pixels to each side that an output depends on, pooling apart."""
        shift = self.result.cut / 2 / self.result.rate
        before = shift - self.result.first
        after = self.result.last - shift + 1 - 1 / self.result.rate
        return math.floor(max(before, after))

    @property
    def kmac_per_pixel(self) -> float:
        """Thousand multiply-accumulates for each input pixel, on large images."""
        return float(sum((s.operation.macs for s in self.steps), Fraction(0)) / 1000)

    def takes(self, size: int) -> bool:
        """Whether every layer has whole samples, and some, on an input of `size` squared."""
        maps = (s.operation.blob for s in self.steps if s.operation.blob.is_map)
        sizes = [blob.rate * size - blob.cut for blob in maps]
        return all(s >= 1 and s.denominator == 1 for s in sizes)


def read_graph(text: str) -> Graph:
    """Read a .param file.

    Raises:
        UpscalerError: It is broken, uses what is not supported, or is no RGB upscaler.
    """
    source, *layers = read_param(text)
    if source.kind != "Input" or len(source.outputs) != 1 or source.inputs:
        raise source.error("a network must start with its one input")
    blobs = {source.outputs[0]: Blob(channels=RGB)}
    steps = []
    for layer in layers:
        operation = understand(layer, tuple(blobs[name] for name in layer.inputs))
        if len(layer.outputs) != 1 and operation.work != Plain(kind="copy"):
            raise layer.error("gives more than one output")
        blobs.update(dict.fromkeys(layer.outputs, operation.blob))
        steps.append(Step(operation=operation, inputs=layer.inputs, outputs=layer.outputs))
    output = _only_output(tuple(steps))
    result = blobs[output]
    whole = result.rate.denominator == 1 and 1 <= result.rate <= MAX_SCALE
    if result.channels != RGB or not whole:
        found = f"{result.channels} channels at {result.rate} times the size"
        raise UpscalerError(f"ncnn network gives {found}: expected {RGB} at 1 to {MAX_SCALE} times")
    return Graph(input=source.outputs[0], output=output, steps=tuple(steps), result=result)


def _only_output(steps: tuple[Step, ...]) -> str:
    taken = {name for step in steps for name in step.inputs}
    left = [name for step in steps for name in step.outputs if name not in taken]
    if len(left) != 1:
        raise UpscalerError(f"ncnn network has {len(left)} outputs; expected one")
    return left[0]
