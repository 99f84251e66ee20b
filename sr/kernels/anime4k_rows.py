"""Single rows of a frame: from planes, doubled, converted and rounded.

A doubled row is kept as its even and its odd columns, which are what networks give, until it is
stored: so every step works on neighbours.
"""

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
def double_row(r, channel, residual, height, first, count, gain, work, scratch, pair):
    """Output row r of a channel, bilinearly doubled, plus a residual if that is not negative.

    Args:
        r: The output row.
        channel: Of the source.
        residual: Which residual of the network, or -1.
        height: Rows of the source.
        first: The first buffered column to double.
        count: How many columns.
        gain: Applied to the residual.
        work: Line buffers in which row r / 2 is complete.
        scratch: (at least count + 2,) float32, overwritten.
        pair: (2, at least count) float32, written: even and odd columns.
    """
    row = r // 2
    neighbour = min(max(row - 1 + r % 2 * 2, 0), height - 1)
    middle = work[row % LONG_RING * SOURCE_CHANNELS + channel, PAD - 1 + first :]
    other = work[neighbour % LONG_RING * SOURCE_CHANNELS + channel, PAD - 1 + first :]
    low, high = np.float32(0.25), np.float32(0.75)
    for x in range(count + 2):
        scratch[x] = high * middle[x] + low * other[x]
    before, here, after = scratch, scratch[1:], scratch[2:]
    for x in range(count):
        pair[0, x] = low * before[x] + high * here[x]
        pair[1, x] = high * here[x] + low * after[x]
    if residual >= 0:
        mixed = residual_rows(row, work)
        for side in range(2):
            added = mixed[residual * MIXES + r % 2 * 2 + side, first:]
            for x in range(count):
                pair[side, x] += gain * added[x]


@njit(nogil=True, cache=True)
def weigh(red, green, blue, weights, offset, target):
    """An affine map of three rows."""
    a, b, c = weights[0], weights[1], weights[2]
    for x in range(red.size):
        target[x] = offset + a * red[x] + b * green[x] + c * blue[x]


@njit(nogil=True, cache=True)
def limit_luma(red, green, blue, peak, weights):
    """Lower R, G and B alike where their luma exceeds the peak."""
    a, b, c = weights
    for x in range(red.size):
        excess = a * red[x] + b * green[x] + c * blue[x] - peak[x]
        excess = max(excess, np.float32(0))
        red[x] -= excess
        green[x] -= excess
        blue[x] -= excess


@njit(nogil=True, cache=True)
def to_codes(red, green, blue, color):
    """R'G'B', cut to [0, 1], to Y'CbCr in place."""
    (ry, gy, by, oy), (ru, gu, bu, ou), (rv, gv, bv, ov) = color
    zero, one = np.float32(0), np.float32(1)
    for x in range(red.size):
        r, g, b = (
            min(max(red[x], zero), one),
            min(max(green[x], zero), one),
            min(max(blue[x], zero), one),
        )
        red[x] = oy + ry * r + gy * g + by * b
        green[x] = ou + ru * r + gu * g + bu * b
        blue[x] = ov + rv * r + gv * g + bv * b


@njit(nogil=True, cache=True)
def halve_row(pair, first, weights, target):
    """Every even column, filtered.

    Args:
        pair: (2, n) float32: even and odd columns.
        first: Where the first sample of the target has its first tap, in columns of the row.
        weights: (K,) float32.
        target: (m,) float32, written.
    """
    target[:] = 0
    for k in range(weights.size):
        weight = weights[k]
        source = pair[(first + k) % 2, (first + k) // 2 :]
        if weight != 0:
            for x in range(target.size):
                target[x] += weight * source[x]


@njit(nogil=True, cache=True)
def store_pair(pair, count, half, target):
    """Interleave even and odd; round to uint8 with a `half` of 0.5, keep float32 with 0."""
    top = np.float32(255.0) if half > 0 else np.float32(np.inf)
    bottom = np.float32(0.0) if half > 0 else np.float32(-np.inf)
    even, odd = pair[0], pair[1]
    for x in range(count):
        target[2 * x] = min(max(even[x] + half, bottom), top)
        target[2 * x + 1] = min(max(odd[x] + half, bottom), top)


@njit(nogil=True, cache=True)
def store_blend(ring, first, height, weights, half, scratch, target):
    """The filtered column of rows, stored as by `store_pair`.

    Args:
        ring: (R, at least n) float32: row t of the plane at t modulo R.
        first: The row of the first tap; clamped to the plane.
        height: Rows of the plane.
        weights: (K,) float32, K <= R.
        half: 0.5 to round to uint8, 0 for float32.
        scratch: (at least n,) float32, overwritten.
        target: (n,) uint8 or float32, written.
    """
    top = np.float32(255.0) if half > 0 else np.float32(np.inf)
    bottom = np.float32(0.0) if half > 0 else np.float32(-np.inf)
    scratch[: target.size] = half
    for k in range(weights.size):
        weight = weights[k]
        source = ring[min(max(first + k, 0), height - 1) % ring.shape[0]]
        for x in range(target.size):
            scratch[x] += weight * source[x]
    for x in range(target.size):
        target[x] = min(max(scratch[x], bottom), top)
