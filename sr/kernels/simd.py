"""The convolution microkernel, written as LLVM vector instructions through numba's `intrinsic`.

LLVM's loop vectoriser does not keep accumulators in registers across the taps of a convolution;
spelled out like this, one core runs near its peak, and compiling takes a second.

Layout: feature maps are kept by rows. A row holds its channels one after the other, `STRIDE`
floats each, of which `PAD` lie left of column 0 and at least `BLOCK` right of the last column.
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

FEATURES: Final = 4
"""Output channels of a convolution, before CReLU."""
HALVES: Final = 2 * FEATURES
"""Stored channels: the positive halves, then the negative ones."""
LANES: Final = 16
BLOCK: Final = 2 * LANES if llvm.get_host_cpu_features().get("avx512f") else LANES
"""Columns per call: as many as accumulators fit in registers. It does not change the result."""
PAD: Final = 16
STRIDE: Final = 800
MAX_COLUMNS: Final = STRIDE - PAD - 48
LINE: Final = 64
"""Bytes of a cache line."""

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
    """Builds loads, stores and multiply-adds on vectors at one column of the image."""

    def __init__(self, builder: Any, column: Any) -> None:
        self.builder = builder
        self.offset = builder.mul(column, ir.Constant(_INT64, 4))
        self.fma_function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{LANES}f32"
        )

    def numbers(self, address: Any) -> Any:
        return self.builder.inttoptr(address, _FLOAT.as_pointer())

    def pixels(self, address: Any) -> Any:
        return self.numbers(self.builder.add(address, self.offset))

    def _at(self, pointer: Any, index: int) -> Any:
        return self.builder.gep(pointer, [ir.Constant(_INT64, index)])

    def load(self, pointer: Any, index: int) -> Any:
        vector = self.builder.bitcast(self._at(pointer, index), _VECTOR.as_pointer())
        return self.builder.load(vector, align=4)

    def store(self, value: Any, pointer: Any, index: int) -> None:
        vector = self.builder.bitcast(self._at(pointer, index), _VECTOR.as_pointer())
        self.builder.store(value, vector, align=4)

    def splat(self, pointer: Any, index: int) -> Any:
        undefined = ir.Constant(_VECTOR, ir.Undefined)
        number = self.builder.load(self._at(pointer, index))
        lane = self.builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(lane, undefined, _SPLAT)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.builder.call(self.fma_function, [a, b, c])

    def halves(self, value: Any) -> tuple[Any, Any]:
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        positive = self.builder.select(self.builder.fcmp_ordered(">", value, zero), value, zero)
        return positive, self.builder.fsub(positive, value)


def _convolve(emit: _Emitter, rows: list[Any], weights: Any, channels: int) -> list[list[Any]]:
    """Accumulators of FEATURES channels by BLOCK / LANES vectors; bias first, then every tap."""
    vectors = range(BLOCK // LANES)
    bias = channels * 9 * FEATURES
    sums = [[emit.splat(weights, bias + f) for _ in vectors] for f in range(FEATURES)]
    for tap in range(channels * 9):
        channel, dy, dx = tap // 9, tap // 3 % 3, tap % 3
        start = channel * STRIDE + dx - 1
        pixels = [emit.load(rows[dy], start + v * LANES) for v in vectors]
        for f in range(FEATURES):
            weight = emit.splat(weights, tap * FEATURES + f)
            for v in vectors:
                sums[f][v] = emit.fma(pixels[v], weight, sums[f][v])
    return sums


def _mix(emit: _Emitter, halves: list[Any], mix: Any, start: list[Any]) -> list[Any]:
    for channel, half in enumerate(halves):
        for f in range(FEATURES):
            weight = emit.splat(mix, channel * FEATURES + f)
            start[f] = emit.fma(half, weight, start[f])
    return start


def _make_block(channels: int, accumulate: bool) -> Callable[..., None]:
    @intrinsic
    def block(context, above, middle, below, column, weights, output, mix, mixed):
        address = types.uintp
        signature = types.void(
            address, address, address, types.intp, address, address, address, address
        )

        def generate(context, builder, signature, args):
            *rows, column, weights, output, mix, mixed = args
            emit = _Emitter(builder, column)
            mix, mixed, output = emit.numbers(mix), emit.pixels(mixed), emit.pixels(output)
            inputs = [emit.pixels(row) for row in rows]
            sums = _convolve(emit, inputs, emit.numbers(weights), channels)
            for v in range(BLOCK // LANES):
                positive, negative = zip(*(emit.halves(s[v]) for s in sums), strict=True)
                halves = [*positive, *negative]
                for channel, half in enumerate(halves):
                    emit.store(half, output, channel * STRIDE + v * LANES)
                start = [
                    emit.load(mixed, f * STRIDE + v * LANES)
                    if accumulate
                    else emit.splat(mix, HALVES * FEATURES + f)
                    for f in range(FEATURES)
                ]
                for f, value in enumerate(_mix(emit, halves, mix, start)):
                    emit.store(value, mixed, f * STRIDE + v * LANES)
            return context.get_dummy_value()

        return signature, generate

    return block


first_block = _make_block(3, accumulate=False)
"""3x3 convolution of BLOCK pixels of RGB rows to FEATURES channels, stored as CReLU halves.

Arguments: addresses of column 0 of the rows above, at and below; the first column; the address of
the weights, ordered [channel][dy][dx][feature], then the bias; of column 0 of the output row; of
the mix weights [half][feature] of this layer, then the mix bias; of the mixed row, which is set to
the mix bias plus the 1x1 convolution of the halves.
"""

hidden_block = _make_block(HALVES, accumulate=True)
"""As `first_block`, over rows of CReLU halves; adds to the mixed row, and reads no mix bias."""
