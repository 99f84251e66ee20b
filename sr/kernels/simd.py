"""The convolution microkernels, written as LLVM vector instructions through numba's `intrinsic`.

LLVM's loop vectoriser does not keep accumulators in registers across the taps of a convolution;
spelled out like this, one core runs near its peak, and compiling takes a second.

Layout: feature maps are kept by rows. A row holds its channels one after the other, `stride`
floats each, of which `PAD` lie left of column 0 and at least `MARGIN` right of the last column.
"""

# ruff: noqa: PLR0917 (numba passes arguments by position)
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from collections.abc import Callable
from typing import Any, Final

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

_WIDE: Final[bool] = bool(llvm.get_host_cpu_features().get("avx512f"))
LANES: Final = 16 if _WIDE else 8
MIXES: Final = 4
"""Outputs of one call of `mix_block`."""
COLUMNS_4: Final = 2 * LANES
COLUMNS_8: Final = 3 * LANES if _WIDE else LANES
"""Columns per call: as many as accumulators fit in registers. They do not change the result."""
COLUMNS_MIX: Final = 2 * LANES
PAD: Final = 16
MARGIN: Final = 64
LINE: Final = 64
"""Bytes of a cache line."""
TAPS: Final = 9

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_INT64 = ir.IntType(64)
_SPLAT = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)


def aligned_floats(count: int) -> NDArray[np.float32]:
    """An uninitialised float32 array that begins on a cache line."""
    room = np.empty(count + LINE // 4, np.float32)
    skip = -room.ctypes.data % LINE // 4
    return room[skip : skip + count]


class _Emitter:
    """Builds loads, stores and multiply-adds on vectors."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        self.fma_function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{LANES}f32"
        )

    def numbers(self, address: Any) -> Any:
        return self.builder.inttoptr(address, _FLOAT.as_pointer())

    def at(self, pointer: Any, index: Any) -> Any:
        offset = ir.Constant(_INT64, index) if isinstance(index, int) else index
        return self.builder.gep(pointer, [offset])

    def load(self, pointer: Any, index: int) -> Any:
        vector = self.builder.bitcast(self.at(pointer, index), _VECTOR.as_pointer())
        return self.builder.load(vector, align=4)

    def store(self, value: Any, pointer: Any, index: int) -> None:
        vector = self.builder.bitcast(self.at(pointer, index), _VECTOR.as_pointer())
        self.builder.store(value, vector, align=4)

    def splat(self, pointer: Any, index: int) -> Any:
        undefined = ir.Constant(_VECTOR, ir.Undefined)
        number = self.builder.load(self.at(pointer, index))
        lane = self.builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(lane, undefined, _SPLAT)

    def halves(self, value: Any) -> tuple[Any, Any]:
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        positive = self.builder.select(self.builder.fcmp_ordered(">", value, zero), value, zero)
        return positive, self.builder.fsub(positive, value)

    def accumulate(
        self, start: list[list[Any]], count: Any, step: Callable[[Any], list[tuple[Any, Any]]]
    ) -> list[list[Any]]:
        """Add products in a loop of `count` rounds.

        `step` is given the round and yields, tap by tap, the vectors of pixels and the splats of
        weights, in the order of `start[weight][vector]`.
        """
        slots = [[cgutils.alloca_once_value(self.builder, v) for v in row] for row in start]
        with cgutils.for_range(self.builder, count) as loop:
            sums = [[self.builder.load(slot) for slot in row] for row in slots]
            for pixels, weights in step(loop.index):
                for row, weight in zip(sums, weights, strict=True):
                    for v, pixel in enumerate(pixels):
                        row[v] = self.builder.call(self.fma_function, [pixel, weight, row[v]])
            for row, values in zip(slots, sums, strict=True):
                for slot, value in zip(row, values, strict=True):
                    self.builder.store(value, slot)
        return [[self.builder.load(slot) for slot in row] for row in slots]


def _make_convolution(features: int, columns: int) -> Callable[..., None]:
    vectors = range(columns // LANES)

    def emit_block(emit: _Emitter, rows: Any, stride: Any, channels: Any, weights: Any, out: Any):
        def taps(channel):
            skip = emit.builder.mul(channel, stride)
            number = emit.builder.mul(channel, ir.Constant(_INT64, TAPS * features))
            lines, factors = [emit.at(row, skip) for row in rows], emit.at(weights, number)
            for tap in range(TAPS):
                start = tap % 3 - 1
                pixels = [emit.load(lines[tap // 3], start + v * LANES) for v in vectors]
                at = features + tap * features
                yield pixels, (emit.splat(factors, at + f) for f in range(features))

        bias = [[emit.splat(weights, f)] * len(vectors) for f in range(features)]
        for f, row in enumerate(emit.accumulate(bias, channels, taps)):
            above = emit.at(out, emit.builder.mul(stride, ir.Constant(_INT64, f)))
            below = emit.at(out, emit.builder.mul(stride, ir.Constant(_INT64, features + f)))
            for v, value in enumerate(row):
                positive, negative = emit.halves(value)
                emit.store(positive, above, v * LANES)
                emit.store(negative, below, v * LANES)

    @intrinsic
    def block(context, above, middle, below, stride, channels, weights, output):
        address = types.uintp
        signature = types.void(*[address] * 3, types.intp, types.intp, address, address)

        def generate(context, builder, signature, args):
            *rows, stride, channels, weights, output = args
            emit = _Emitter(builder)
            weights, output = emit.numbers(weights), emit.numbers(output)
            emit_block(emit, [emit.numbers(r) for r in rows], stride, channels, weights, output)
            return context.get_dummy_value()

        return signature, generate

    return block


convolve_4 = _make_convolution(4, COLUMNS_4)
"""3x3 convolution of COLUMNS_4 pixels to four features, stored as CReLU halves.

Arguments: addresses, at the first column to compute, of the rows above, at and below; the distance
between channels in floats; the number of channels read; the address of the biases, followed by the
weights ordered [channel][dy][dx][feature]; that of the output row, at the same column, to which
the positive halves are written and then the negative ones.
"""

convolve_8 = _make_convolution(8, COLUMNS_8)
"""As `convolve_4`, of COLUMNS_8 pixels to eight features."""


@intrinsic
def mix_block(context, halves, stride, channels, weights, mixed):
    """Add a 1x1 convolution of COLUMNS_MIX pixels to MIXES rows.

    Arguments: the address, at the first column, of the row read; the distance between channels in
    floats; the number of channels read; the address of the weights ordered [channel][mix]; that of
    the first row that is added to, at the same column.
    """
    address = types.uintp
    signature = types.void(address, types.intp, types.intp, address, address)
    vectors = range(COLUMNS_MIX // LANES)

    def generate(context, builder, signature, args):
        halves, stride, channels, weights, mixed = args
        emit = _Emitter(builder)
        halves, weights, mixed = (emit.numbers(a) for a in (halves, weights, mixed))
        rows = [emit.at(mixed, builder.mul(stride, ir.Constant(_INT64, m))) for m in range(MIXES)]

        def taps(channel):
            line = emit.at(halves, builder.mul(channel, stride))
            factors = emit.at(weights, builder.mul(channel, ir.Constant(_INT64, MIXES)))
            pixels = [emit.load(line, v * LANES) for v in vectors]
            yield pixels, (emit.splat(factors, m) for m in range(MIXES))

        start = [[emit.load(row, v * LANES) for v in vectors] for row in rows]
        for row, values in zip(rows, emit.accumulate(start, channels, taps), strict=True):
            for v, value in enumerate(values):
                emit.store(value, row, v * LANES)
        return context.get_dummy_value()

    return signature, generate
