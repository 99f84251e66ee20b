"""Separable resampling of planes.

Sizes in a ratio of small numbers P / Q have P sets of weights that recur every Q source samples.
The row is dealt into Q lanes, so that each set reads and writes contiguous samples and vectorises;
other ratios take the plain loop.
"""

# ruff: noqa: PLR0917 (numba passes arguments by position)
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def resample_plane(source, width, height, fy, wy, fx, wx, phases, advance, edge, half, out):
    """Resize one plane: vertically into a row, then horizontally.

    Args:
        source: (height, pitch) uint8 or float32, C-contiguous; columns from `width` on are not
            read.
        width: Columns of the source.
        height: Rows of the source.
        fy: (H_out,) int32, first source row of each output row; clamped to the plane.
        wy: (H_out, K) float32.
        fx: (W_out,) int32, first source column; clamped likewise.
        wx: (W_out, K) float32.
        phases: Output columns after which `wx` recurs; 0 to ignore that it does.
        advance: By how much `fx` has grown then.
        edge: How many columns the taps reach beyond the plane on either side, or more.
        half: 0.5 to round to uint8, 0 for float32 output.
        out: (H_out, W_out) uint8 or float32.
    """
    columns = out.shape[1]
    row = np.empty(width + 2 * edge, np.float32)
    lanes = np.empty((max(advance, 1), row.size // max(advance, 1) + 1), np.float32)
    sums = np.empty((max(phases, 1), columns // max(phases, 1) + 1), np.float32)
    for yo in range(out.shape[0]):
        _blend_rows(source, width, height, fy[yo], wy[yo], row[edge:])
        row[:edge] = row[edge]
        row[edge + width :] = row[edge + width - 1]
        if phases == 0:
            _gather(row, edge, fx, wx, sums[0])
            _store(sums[0], 1, half, out[yo])
            continue
        _deal(row, lanes)
        for phase in range(min(phases, columns)):
            count = (columns - phase + phases - 1) // phases
            _convolve(lanes, fx[phase] + edge, wx[phase], count, sums[phase])
        if phases == 2:
            _store_pairs(sums[0], sums[1], half, out[yo])
        else:
            for phase in range(min(phases, columns)):
                _store(sums[phase], phases, half, out[yo, phase:])


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
def _deal(row, lanes):
    """`lanes[q, j] = row[Q * j + q]`."""
    step = lanes.shape[0]
    for q in range(step):
        lane = lanes[q]
        for j in range((row.size - q + step - 1) // step):
            lane[j] = row[step * j + q]


@njit(nogil=True, cache=True)
def _convolve(lanes, first, weights, count, target):
    step = lanes.shape[0]
    for k in range(weights.size):
        lane = lanes[(first + k) % step, (first + k) // step :]
        weight = weights[k]
        if k == 0:
            for j in range(count):
                target[j] = weight * lane[j]
        else:
            for j in range(count):
                target[j] += weight * lane[j]


@njit(nogil=True, cache=True)
def _gather(row, edge, first, weights, target):
    for x in range(first.size):
        taps = row[first[x] + edge :]
        total = np.float32(0)
        for k in range(weights.shape[1]):
            total += weights[x, k] * taps[k]
        target[x] = total


@njit(nogil=True, cache=True)
def _store(values, step, half, target):
    """Every `step`-th sample of the target, from its first."""
    top = np.float32(255.0) if half > 0 else np.float32(np.inf)
    bottom = np.float32(0.0) if half > 0 else np.float32(-np.inf)
    count = (target.size + step - 1) // step
    if step == 1:
        for x in range(count):
            target[x] = min(max(values[x] + half, bottom), top)
    else:
        for x in range(count):
            target[step * x] = min(max(values[x] + half, bottom), top)


@njit(nogil=True, cache=True)
def _store_pairs(even, odd, half, target):
    """Both phases at once: two stores of neighbours vectorise, where a stride does not."""
    top = np.float32(255.0) if half > 0 else np.float32(np.inf)
    bottom = np.float32(0.0) if half > 0 else np.float32(-np.inf)
    for x in range(target.size // 2):
        target[2 * x] = min(max(even[x] + half, bottom), top)
        target[2 * x + 1] = min(max(odd[x] + half, bottom), top)
    if target.size % 2:
        last = target.size // 2
        target[2 * last] = min(max(even[last] + half, bottom), top)
