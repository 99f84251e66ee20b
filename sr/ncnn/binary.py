"""The binary half of an ncnn network: its weights.

One after the other, in the order of the layers: first a layer's tagged weights, whose four-byte tag
says float16 (padded to four bytes) or float32, then its plain float32 numbers (ncnn's
`ModelBin::load`, types 0 and 1).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sr.errors import UpscalerError
from sr.ncnn.graph import Graph
from sr.ncnn.operations import Operation

_TAGS: dict[bytes, Literal["<f2", "<f4"]] = {
    (0x01306B47).to_bytes(4, "little"): "<f2",
    (0x0002C056).to_bytes(4, "little"): "<f4",
    bytes(4): "<f4",
}
_QUANTISED = "weights that are not float32 or float16 are not supported"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """Of one operation, float32."""

    tagged: NDArray[np.float32]
    """In the shape that the operation states."""
    plain: NDArray[np.float32]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        end = self._position + size
        if end > len(self._data):
            raise UpscalerError(f"ncnn weights are cut short: {len(self._data)} bytes")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def tagged(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Numbers behind a tag of their type."""
        dtype = _TAGS.get(self.take(4))
        if dtype is None:
            raise UpscalerError(f"ncnn weights: {_QUANTISED}, or the file is broken")
        count = math.prod(shape)
        padded = -(-count * np.dtype(dtype).itemsize // 4) * 4
        return _finite(np.frombuffer(self.take(padded), dtype, count)).reshape(shape)

    def plain(self, count: int) -> NDArray[np.float32]:
        """Float32 numbers without a tag."""
        return _finite(np.frombuffer(self.take(4 * count), "<f4"))

    def check_end(self) -> None:
        """Nothing may be left."""
        left = len(self._data) - self._position
        if left:
            raise UpscalerError(f"ncnn weights: {left} bytes more than the network has")


def read_weights(data: bytes, graph: Graph) -> tuple[Weights, ...]:
    """The weights of every operation of a graph, in its order; empty where it has none.

    Raises:
        UpscalerError: The file is of another network, cut short, quantised or not finite.
    """
    reader = _Reader(data)
    weights = tuple(_of_operation(reader, step.operation) for step in graph.steps)
    reader.check_end()
    return weights


def _of_operation(reader: _Reader, operation: Operation) -> Weights:
    empty = np.empty(0, np.float32)
    tagged = reader.tagged(operation.tagged) if operation.tagged else empty
    return Weights(tagged=tagged, plain=reader.plain(operation.plain))


def _finite(values: NDArray[np.floating]) -> NDArray[np.float32]:
    numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise UpscalerError("ncnn weights: not all numbers are finite")
    return numbers
