"""Rolls rows through a network of Anime4K's form: 3x3 convolutions, CReLU, a 1x1 over the halves.

When row t of the frame has been read, layer l computes row t - 1 - l, and what the network adds to
row t - layers is complete; nothing larger than a few rows is ever stored. Wide frames are cut into
strips of columns with a halo as wide as the receptive radius, so that the buffers stay in the
cache; strips do not change the result.

A network is a tuple of float32 arrays, in which F is 4 or 8:
`first` (F + 3 * 9 * F,) and `hidden` (layers - 1, F + 2F * 9 * F), each as `convolve_4` wants;
`mix` (layers mixed, outputs / MIXES, 2F * MIXES), each as `mix_block` wants, for the last layers;
`bias` (outputs,) of the mix.
"""

# ruff: noqa: PLR0917 (numba passes arguments by position)
# mypy: disable-error-code="no-untyped-def,no-untyped-call,call-arg"

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sr.kernels.simd import (
    COLUMNS_4,
    COLUMNS_8,
    COLUMNS_MIX,
    MARGIN,
    MIXES,
    PAD,
    TAPS,
    aligned_floats,
    convolve_4,
    convolve_8,
    mix_block,
)

Network = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

REACH = 3
"""Columns beyond a strip's own that must be right, too: halving chroma reads them."""
HALO = 12
"""Columns that a strip computes beyond its own: even, no less than MAX_LAYERS and REACH."""
MAX_LAYERS = 8
MAX_OUTPUTS = 12
SOURCE_CHANNELS = 4
"""R, G, B, and one more that takes no part in the network."""
LONG_RING = 16
"""Rows of the source that are kept: from before the residual's to the last that is read."""
_RING = 3  # rows of a feature map that the next layer reads
_MIXED = SOURCE_CHANNELS * LONG_RING
_FEATURES = _MIXED + MAX_LAYERS * MAX_OUTPUTS
_CACHE_FLOATS = 230_000  # of the 1 MiB of L2 that a core has
_GRAIN = 16


def workspace(network: Network, width: int) -> NDArray[np.float32]:
    """Line buffers for one thread, (rows, stride): as wide as a strip of the frame can be."""
    first, hidden, *_ = network
    features = first.size // (1 + 3 * TAPS)
    rows = _FEATURES + 2 * features * _RING * (len(hidden) + 1)
    columns = min(width, _CACHE_FLOATS // rows - PAD - MARGIN)
    stride = (-(-(columns + PAD + MARGIN) // _GRAIN) | 1) * _GRAIN
    return aligned_floats(rows * stride).reshape(rows, stride)


@njit(nogil=True, cache=True)
def strip_count(width, work):
    """Into how many strips of columns the workspace cuts a frame."""
    room = work.shape[1] - PAD - MARGIN
    return 1 if width <= room else -(-width // (room - 2 * HALO - 2))


@njit(nogil=True, cache=True)
def strip_columns(strip, strips, width):
    """(left, start, stop, right): computed from `left` to `right`, kept from `start` to `stop`."""
    start = width * strip // strips // 2 * 2
    stop = width * (strip + 1) // strips // 2 * 2 if strip + 1 < strips else width
    return max(start - HALO, 0), start, stop, min(stop + HALO, width)


@njit(nogil=True, cache=True)
def source_rows(t, work):
    """Where to write the channels of row t, from column 0 on: (SOURCE_CHANNELS, stride - PAD)."""
    index = t % LONG_RING * SOURCE_CHANNELS
    return work[index : index + SOURCE_CHANNELS, PAD:]


@njit(nogil=True, cache=True)
def close_source(t, columns, work):
    """Clamp the edges of row t, once written."""
    index = t % LONG_RING * SOURCE_CHANNELS
    for channel in range(SOURCE_CHANNELS):
        _clamp_ends(work[index + channel], columns)


@njit(nogil=True, cache=True)
def residual_rows(row, work):
    """What the network adds to a row, when row + layers has been read: (outputs, stride - PAD)."""
    index = _MIXED + row % MAX_LAYERS * MAX_OUTPUTS
    return work[index : index + MAX_OUTPUTS, PAD:]


@njit(nogil=True, cache=True)
def advance(t, height, columns, network, work):
    """Compute all that follows from row t having been read; past the last row, from its copy."""
    _, hidden, mix, bias = network
    for layer in range(len(hidden) + 1):
        row = t - 1 - layer
        if 0 <= row < height:
            output = _convolve_row(layer, row, height, columns, network, work)
            index = layer + len(mix) - len(hidden) - 1
            if index == 0:
                rows = residual_rows(row, work)
                for m in range(bias.size):
                    rows[m, :columns] = bias[m]
            if index >= 0:
                _mix_row(output, row, columns, mix[index], work)


@njit(nogil=True, cache=True)
def _convolve_row(layer, row, height, columns, network, work):
    """One row of one layer; returns the index of its first buffer row."""
    first, hidden, _, _ = network
    halves = first.size // (1 + 3 * TAPS) * 2
    stride = work.shape[1]
    base = work.ctypes.data + PAD * 4
    if layer == 0:
        weights, channels, ring, step = first.ctypes.data, 3, LONG_RING, SOURCE_CHANNELS
    else:
        weights, channels, ring, step = hidden[layer - 1].ctypes.data, halves, _RING, halves
        base += (_FEATURES + (layer - 1) * _RING * halves) * stride * 4
    above = base + max(row - 1, 0) % ring * step * stride * 4
    middle = base + row % ring * step * stride * 4
    below = base + min(row + 1, height - 1) % ring * step * stride * 4
    output = _FEATURES + (layer * _RING + row % _RING) * halves
    out = work.ctypes.data + (output * stride + PAD) * 4
    if halves == 8:
        for x in range(0, 4 * columns, 4 * COLUMNS_4):
            convolve_4(above + x, middle + x, below + x, stride, channels, weights, out + x)
    else:
        for x in range(0, 4 * columns, 4 * COLUMNS_8):
            convolve_8(above + x, middle + x, below + x, stride, channels, weights, out + x)
    for channel in range(halves):
        _clamp_ends(work[output + channel], columns)
    return output


@njit(nogil=True, cache=True)
def _mix_row(output, row, columns, weights, work):
    stride = work.shape[1]
    halves = weights.shape[1] // MIXES
    base = work.ctypes.data + PAD * 4
    source = base + output * stride * 4
    mixed = base + (_MIXED + row % MAX_LAYERS * MAX_OUTPUTS) * stride * 4
    for group in range(weights.shape[0]):
        numbers = weights[group].ctypes.data
        target = mixed + group * MIXES * stride * 4
        for x in range(0, 4 * columns, 4 * COLUMNS_MIX):
            mix_block(source + x, stride, halves, numbers, target + x)


@njit(nogil=True, cache=True)
def _clamp_ends(row, columns):
    row[PAD - 1] = row[PAD]
    row[PAD + columns] = row[PAD + columns - 1]
