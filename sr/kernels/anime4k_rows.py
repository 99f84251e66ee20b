"""Single rows of a frame: from planes, doubled, converted and rounded."""

# ruff: noqa: PLR0917 (numba passes arguments by position)
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np
from numba import njit

from sr.kernels.chroma import chroma_row
from sr.kernels.crelu import LONG_RING, SOURCE_CHANNELS, residual_rows
from sr.kernels.simd import MIXES, PAD


@njit(nogil=True, cache=True)
def read_row(y, u, v, t, height, left, columns, color, scratch, rows):
    """Row t of 4:2:0 planes as so many affine maps of (Y, Cb, Cr, 1)."""
    cb, cr = scratch[0], scratch[1]
    chroma_row(u, t, height, left, columns, cb, scratch[2])
    chroma_row(v, t, height, left, columns, cr, scratch[2])
    source = y[t, left:]
    for channel in range(color.shape[0]):
        by_y, by_u, by_v, offset = color[channel]
        target = rows[channel]
        for x in range(columns):
            target[x] = by_y * np.float32(source[x]) + by_u * cb[x] + by_v * cr[x] + offset


@njit(nogil=True, cache=True)
def double_row(r, channel, residual, height, skip, count, gain, work, scratch, target):
    """Output row r of a channel, bilinearly doubled, plus a residual if that is not negative.

    Args:
        r: The output row.
        channel: Of the source.
        residual: Which residual of the network, or -1.
        height: Rows of the source.
        skip: The first buffered column to double.
        count: How many columns.
        gain: Applied to the residual.
        work: Line buffers in which row r / 2 is complete.
        scratch: (at least count + 2,) float32, overwritten.
        target: (at least 2 * count,) float32, written.
    """
    row = r // 2
    neighbour = min(max(row - 1 + r % 2 * 2, 0), height - 1)
    middle = work[row % LONG_RING * SOURCE_CHANNELS + channel, PAD - 1 + skip :]
    other = work[neighbour % LONG_RING * SOURCE_CHANNELS + channel, PAD - 1 + skip :]
    low, high = np.float32(0.25), np.float32(0.75)
    for x in range(count + 2):
        scratch[x] = high * middle[x] + low * other[x]
    before, here, after = scratch, scratch[1:], scratch[2:]
    if residual < 0:
        for x in range(count):
            target[2 * x] = low * before[x] + high * here[x]
            target[2 * x + 1] = high * here[x] + low * after[x]
        return
    mixed = residual_rows(row, work)
    even = mixed[residual * MIXES + r % 2 * 2, skip:]
    odd = mixed[residual * MIXES + r % 2 * 2 + 1, skip:]
    for x in range(count):
        target[2 * x] = low * before[x] + high * here[x] + gain * even[x]
        target[2 * x + 1] = high * here[x] + low * after[x] + gain * odd[x]


@njit(nogil=True, cache=True)
def weigh(red, green, blue, weights, offset, target):
    """An affine map of three rows."""
    a, b, c = weights[0], weights[1], weights[2]
    for x in range(red.size):
        target[x] = offset + a * red[x] + b * green[x] + c * blue[x]


@njit(nogil=True, cache=True)
def limit_luma(pixels, weights, count):
    """Lower R, G and B alike where their luma exceeds the fourth row."""
    red, green, blue, peak = pixels
    a, b, c = weights
    for x in range(count):
        excess = a * red[x] + b * green[x] + c * blue[x] - peak[x]
        excess = max(excess, np.float32(0))
        red[x] -= excess
        green[x] -= excess
        blue[x] -= excess


@njit(nogil=True, cache=True)
def write_pixels(pixels, color, half, y, u, v):
    """R'G'B', cut to [0, 1], to Y'CbCr."""
    for channel in range(3):
        line = pixels[channel]
        for x in range(y.size):
            line[x] = min(max(line[x], np.float32(0)), np.float32(1))
    red, green, blue = pixels[0, : y.size], pixels[1, : y.size], pixels[2, : y.size]
    weigh(red, green, blue, color[1], color[1, 3], u)
    weigh(red, green, blue, color[2], color[2, 3], v)
    weigh(red, green, blue, color[0], color[0, 3], pixels[3])
    store_row(pixels[3], y.size, half, y)


@njit(nogil=True, cache=True)
def store_row(values, count, half, target):
    """Round to uint8 with a `half` of 0.5; keep float32 as it is with 0."""
    top = np.float32(255.0) if half > 0 else np.float32(np.inf)
    bottom = np.float32(0.0) if half > 0 else np.float32(-np.inf)
    for x in range(count):
        target[x] = min(max(values[x] + half, bottom), top)
