"""Anime4K's Upscale_CNN_x2_M on 8-bit 4:2:0 planes: the doubled luma, in one pass over the rows.

The network writes one residual for R, G and B, so it corrects luma only. Rows roll through line
buffers: when row t of the frame is read, layer l computes row t - 1 - l, and the residual of row
t - LAYERS is complete; nothing larger than a few rows is ever stored. Wide frames are cut into
strips of columns with a halo as wide as the receptive radius, so that the buffers stay in the
cache; strips do not change the result.
"""

# ruff: noqa: PLR0917 (numba passes arguments by position)
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np
from numba import njit

from sr.kernels.chroma import chroma_row
from sr.kernels.simd import (
    BLOCK,
    FEATURES,
    HALVES,
    MAX_COLUMNS,
    PAD,
    STRIDE,
    aligned_floats,
    first_block,
    hidden_block,
)

LAYERS = 7
HALO = LAYERS + 1
RING = 3  # rows of a feature map that the next layer reads
LONG_RING = 16  # rows between reading luma and completing its residual, rounded up
_RGB = 0
_FEATURE_ROWS = _RGB + RING * 3
_MIXED = _FEATURE_ROWS + LAYERS * RING * HALVES
_LUMA = _MIXED + LONG_RING * FEATURES
_SCRATCH = _LUMA + LONG_RING
WORKSPACE_ROWS = _SCRATCH + 3


def workspace() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Line buffers for one thread."""
    return aligned_floats(WORKSPACE_ROWS * STRIDE).reshape(WORKSPACE_ROWS, STRIDE)


@njit(nogil=True, cache=True)
def double_luma(y, u, v, width, height, color, gain, first, hidden, mix, half, out, work):
    """Write luma at twice the size.

    Args:
        y: (H, pitch) uint8, C-contiguous; columns from `width` on are not read.
        u: (ceil(H/2), pitch) uint8, likewise; left-sited.
        v: As `u`.
        width: Luma columns.
        height: Luma rows.
        color: (4, 4) float32: rows R, G, B and target luma, each an affine map of (Y, Cb, Cr, 1).
        gain: Code values of target luma per unit of the network's output.
        first: (3 * 9 * 4 + 4,) float32, as `first_block` wants.
        hidden: (6, 8 * 9 * 4 + 4) float32, as `hidden_block` wants.
        mix: (7, 8 * 4 + 4) float32; the bias of the first row is the one that counts.
        half: 0.5 to round to uint8, 0 for float32 output.
        out: (2H, 2W) uint8 or float32.
        work: What `workspace` returned.
    """
    strips = 1 if width <= MAX_COLUMNS else -(-width // (MAX_COLUMNS - 2 * HALO - 2))
    for strip in range(strips):
        start = width * strip // strips // 2 * 2
        stop = width * (strip + 1) // strips // 2 * 2 if strip + 1 < strips else width
        left = max(start - HALO, 0)
        right = min(stop + HALO, width)
        columns = right - left
        for t in range(height + LAYERS):
            if t < height:
                _read_row(y[t], u, v, t, height, left, columns, color, work)
            for layer in range(LAYERS):
                row = t - 1 - layer
                if 0 <= row < height:
                    _layer_row(layer, row, height, columns, first, hidden, mix, work)
            row = t - LAYERS
            if row >= 0:
                _write_rows(row, height, start - left, stop - start, gain, half, out, start, work)


@njit(nogil=True, cache=True)
def _clamp_ends(row, columns):
    row[PAD - 1] = row[PAD]
    row[PAD + columns] = row[PAD + columns - 1]


@njit(nogil=True, cache=True)
def _read_row(luma, u, v, t, height, left, columns, color, work):
    """Row t as R'G'B' in [0, 1] and as target luma, with chroma brought to the luma grid."""
    cb, cr = work[_SCRATCH], work[_SCRATCH + 1]
    chroma_row(u, t, height, left, columns, cb, work[_SCRATCH + 2])
    chroma_row(v, t, height, left, columns, cr, work[_SCRATCH + 2])
    source = luma[left:]
    for channel in range(4):
        index = _RGB + t % RING * 3 + channel if channel < 3 else _LUMA + t % LONG_RING
        by_y, by_u, by_v, offset = color[channel]
        target = work[index, PAD:]
        for x in range(columns):
            target[x] = by_y * np.float32(source[x]) + by_u * cb[x] + by_v * cr[x] + offset
        _clamp_ends(work[index], columns)


@njit(nogil=True, cache=True)
def _layer_row(layer, row, height, columns, first, hidden, mix, work):
    base = work.ctypes.data + PAD * 4
    bytes_per_row = STRIDE * 4
    above, below = max(row - 1, 0) % RING, min(row + 1, height - 1) % RING
    middle = row % RING
    output = _FEATURE_ROWS + (layer * RING + middle) * HALVES
    out = base + output * bytes_per_row
    mixed = base + (_MIXED + row % LONG_RING * FEATURES) * bytes_per_row
    blend = mix[layer].ctypes.data
    if layer == 0:
        origin, step = base + _RGB * bytes_per_row, 3 * bytes_per_row
        a, m, b = origin + above * step, origin + middle * step, origin + below * step
        for x in range(0, columns, BLOCK):
            first_block(a, m, b, x, first.ctypes.data, out, blend, mixed)
    else:
        step = HALVES * bytes_per_row
        origin = base + _FEATURE_ROWS * bytes_per_row + (layer - 1) * RING * step
        a, m, b = origin + above * step, origin + middle * step, origin + below * step
        weights = hidden[layer - 1].ctypes.data
        for x in range(0, columns, BLOCK):
            hidden_block(a, m, b, x, weights, out, blend, mixed)
    for channel in range(HALVES):
        _clamp_ends(work[output + channel], columns)


@njit(nogil=True, cache=True)
def _write_rows(row, height, skip, columns, gain, half, out, start, work):
    """Two output rows: the bilinearly doubled luma plus the residual of depth-to-space."""
    middle = work[_LUMA + row % LONG_RING, PAD - 1 + skip :]
    mixed = _MIXED + row % LONG_RING * FEATURES
    scratch = work[_SCRATCH]
    before, here, after = scratch, scratch[1:], scratch[2:]
    low, high = np.float32(0.25), np.float32(0.75)
    top = np.float32(255.0) if half > 0 else np.float32(np.inf)
    bottom = np.float32(0.0) if half > 0 else np.float32(-np.inf)
    for dy in range(2):
        neighbour = min(max(row - 1 + 2 * dy, 0), height - 1)
        other = work[_LUMA + neighbour % LONG_RING, PAD - 1 + skip :]
        for x in range(columns + 2):
            scratch[x] = high * middle[x] + low * other[x]
        even = work[mixed + 2 * dy, PAD + skip :]
        odd = work[mixed + 2 * dy + 1, PAD + skip :]
        target = out[2 * row + dy, 2 * start :]
        for x in range(columns):
            a = low * before[x] + high * here[x] + gain * even[x] + half
            b = high * here[x] + low * after[x] + gain * odd[x] + half
            target[2 * x] = min(max(a, bottom), top)
            target[2 * x + 1] = min(max(b, bottom), top)
