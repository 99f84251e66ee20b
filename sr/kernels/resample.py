"""Separable resampling and colour conversion of planes, deterministic to the bit."""

# ruff: noqa: PLR0917 (numba passes arguments by position)
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def resample_plane(source, width, height, fy, wy, fx, wx, doubles, edge, half, out):
    """Resize one plane: vertically into a row, then horizontally.

    Args:
        source: (height, pitch) uint8 or float32, C-contiguous; columns from `width` on are not
            read.
        width: Columns of the source.
        height: Rows of the source.
        fy: (H_out,) int32, first source row of each output row; clamped to the plane.
        wy: (H_out, K) float32.
        fx: (W_out,) int32, first source column; clamped likewise.
        wx: (K, W_out) float32.
        doubles: Whether `fx` and `wx` have two phases that advance by one (see Taps.doubles).
        edge: How many columns the taps reach beyond the plane on either side, or more.
        half: 0.5 to round to uint8, 0 for float32 output.
        out: (H_out, W_out) uint8 or float32.
    """
    row = np.empty(width + 2 * edge, np.float32)
    even = np.empty(out.shape[1] + 1, np.float32)
    odd = np.empty(out.shape[1] + 1, np.float32)
    for yo in range(out.shape[0]):
        _blend_rows(source, width, height, fy[yo], wy[yo], row[edge:])
        row[:edge] = row[edge]
        row[edge + width :] = row[edge + width - 1]
        if doubles:
            _phase(row[edge + fx[0] :], wx[:, 0], (out.shape[1] + 1) // 2, even)
            _phase(row[edge + fx[1] :], wx[:, 1], out.shape[1] // 2, odd)
            _store_pairs(even, odd, half, out[yo])
        else:
            _gather(row, edge, fx, wx, even)
            _store(even, half, out[yo])


@njit(nogil=True, cache=True)
def _blend_rows(source, width, height, first, weights, target):
    for k in range(weights.size):
        line = source[min(max(first + k, 0), height - 1)]
        weight = weights[k]
        if k == 0:
            for x in range(width):
                target[x] = weight * np.float32(line[x])
        elif weight != 0:
            for x in range(width):
                target[x] += weight * np.float32(line[x])


@njit(nogil=True, cache=True)
def _phase(row, weights, count, target):
    weight = weights[0]
    for x in range(count):
        target[x] = weight * row[x]
    for k in range(1, weights.size):
        shifted = row[k:]
        weight = weights[k]
        for x in range(count):
            target[x] += weight * shifted[x]


@njit(nogil=True, cache=True)
def _gather(row, edge, first, weights, target):
    for x in range(first.size):
        target[x] = np.float32(0)
    for k in range(weights.shape[0]):
        weight = weights[k]
        for x in range(first.size):
            target[x] += weight[x] * row[np.uint64(first[x] + k + edge)]


@njit(nogil=True, cache=True)
def _store(values, half, target):
    top = np.float32(255.0) if half > 0 else np.float32(np.inf)
    bottom = np.float32(0.0) if half > 0 else np.float32(-np.inf)
    for x in range(target.size):
        target[x] = min(max(values[x] + half, bottom), top)


@njit(nogil=True, cache=True)
def _store_pairs(even, odd, half, target):
    top = np.float32(255.0) if half > 0 else np.float32(np.inf)
    bottom = np.float32(0.0) if half > 0 else np.float32(-np.inf)
    for x in range(target.size // 2):
        target[2 * x] = min(max(even[x] + half, bottom), top)
        target[2 * x + 1] = min(max(odd[x] + half, bottom), top)
    if target.size % 2:
        last = target.size // 2
        target[2 * last] = min(max(even[last] + half, bottom), top)


@njit(nogil=True, cache=True)
def convert_luma(y, u, v, fx, wx, fy, wy, coefficients, out):
    """Luma of another matrix or range, with chroma brought to the luma grid by two taps per axis.

    Args:
        y: (H, pitch) uint8.
        u: (H_chroma, pitch) uint8.
        v: As `u`.
        fx: (W,) int32.
        wx: (W, 2) float32.
        fy: (H,) int32.
        wy: (H, 2) float32.
        coefficients: (4,) float32: an affine map of (Y, Cb, Cr, 1).
        out: (H, W) float32.
    """
    height, width = out.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    by_y, by_u, by_v, offset = coefficients
    line = np.empty(columns + 2, np.float32)
    for r in range(height):
        a, b = min(max(fy[r], 0), rows - 1), min(max(fy[r] + 1, 0), rows - 1)
        wa, wb = wy[r]
        middle = line[1:]
        for x in range(columns):
            top = by_u * np.float32(u[a, x]) + by_v * np.float32(v[a, x])
            bottom = by_u * np.float32(u[b, x]) + by_v * np.float32(v[b, x])
            middle[x] = wa * top + wb * bottom
        line[0], line[columns + 1] = line[1], line[columns]
        target, luma = out[r], y[r]
        for x in range(width):
            k = np.uint64(fx[x] + 1)
            chroma = wx[x, 0] * line[k] + wx[x, 1] * line[k + np.uint64(1)]
            target[x] = by_y * np.float32(luma[x]) + chroma + offset


@njit(nogil=True, cache=True)
def convert_chroma(u, v, coefficients, out):
    """One chroma plane as an affine map of both.

    Args:
        u: (H, pitch) uint8.
        v: As `u`.
        coefficients: (3,) float32: of (Cb, Cr, 1).
        out: (H, W) float32.
    """
    by_u, by_v, offset = coefficients
    for r in range(out.shape[0]):
        a, b, target = u[r], v[r], out[r]
        for x in range(out.shape[1]):
            target[x] = by_u * np.float32(a[x]) + by_v * np.float32(b[x]) + offset
