"""Anime4K's networks on whole frames: planes or R'G'B' in, planes or R'G'B' out, row by row.

One call computes one frame in one thread. Networks and workspaces are those of `crelu`.
"""

# ruff: noqa: PLR0917 (numba passes arguments by position)
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np
from numba import njit

from sr.kernels.anime4k_rows import (
    double_row,
    halve_row,
    limit_luma,
    read_row,
    store_blend,
    store_pair,
    to_codes,
    weigh,
)
from sr.kernels.crelu import (
    REACH,
    advance,
    close_source,
    residual_rows,
    source_rows,
    strip_columns,
    strip_count,
)

_CHROMA_RING = 16  # rows of chroma from which halved rows are made


@njit(nogil=True, cache=True)
def double_luma(y, u, v, width, height, color, gain, network, half, out, work):
    """Luma at twice the size, by a network that writes one residual for R, G and B.

    Args:
        y: (H, pitch) uint8, C-contiguous; columns from `width` on are not read.
        u: (ceil(H/2), pitch) uint8, likewise; left-sited.
        v: As `u`.
        width: Luma columns.
        height: Luma rows.
        color: (4, 4) float32: rows R, G, B and target luma, each an affine map of (Y, Cb, Cr, 1).
        gain: Code values of target luma per unit of the network's output.
        network: Of four outputs, the residual in the order of depth-to-space.
        half: 0.5 to round to uint8, 0 for float32 output.
        out: (2H, 2W) uint8 or float32.
        work: Of the network and `width`.
    """
    layers = len(network[1]) + 1
    scratch = np.empty((3, work.shape[1]), np.float32)
    pair = np.empty((2, work.shape[1]), np.float32)
    strips = strip_count(width, work)
    for strip in range(strips):
        left, start, stop, right = strip_columns(strip, strips, width)
        columns = right - left
        for t in range(height + layers):
            if t < height:
                read_row(y, u, v, t, height, left, columns, color, scratch, source_rows(t, work))
                close_source(t, columns, work)
            advance(t, height, columns, network, work)
            row = t - layers
            for r in range(max(2 * row, 0), max(2 * row + 2, 0)):
                count = stop - start
                double_row(r, 3, 0, height, start - left, count, gain, work, scratch[0], pair)
                store_pair(pair, count, half, out[r, 2 * start :])


@njit(nogil=True, cache=True)
def planes_to_rgb(y, u, v, color, rgb):
    """R'G'B' in [0, 1], chroma brought to the luma grid.

    Args:
        y: (H, pitch) uint8, C-contiguous.
        u: (ceil(H/2), pitch) uint8, likewise; left-sited.
        v: As `u`.
        color: (3, 4) float32: rows R, G, B, each an affine map of (Y, Cb, Cr, 1).
        rgb: (3, H, W) float32, written.
    """
    height, width = rgb.shape[1:]
    scratch = np.empty((3, width + 2), np.float32)
    for t in range(height):
        rows = rgb[:, t]
        read_row(y, u, v, t, height, 0, width, color, scratch, rows)
        for row in rows:
            for x in range(width):
                row[x] = min(max(row[x], np.float32(0)), np.float32(1))


@njit(nogil=True, cache=True)
def local_peaks(rgb, weights, peaks):
    """The greatest luma of 5x5 pixels around each, and no less than 0.

    Args:
        rgb: (3, H, W) float32.
        weights: (3,) float32 of R, G and B in luma.
        peaks: (H, W) float32, written.
    """
    height, width = peaks.shape
    lines = np.zeros((5, width + 4), np.float32)
    luma = np.zeros(width + 4, np.float32)
    for t in range(height + 2):
        line = lines[t % 5]
        if t < height:
            weigh(rgb[0, t], rgb[1, t], rgb[2, t], weights, np.float32(0), luma[2:])
            for x in range(width):
                line[x] = max(luma[x], luma[x + 1], luma[x + 2], luma[x + 3], luma[x + 4])
        else:
            line[:] = 0
        if t >= 2:
            target = peaks[t - 2]
            for x in range(width):
                a, b = max(lines[0, x], lines[1, x]), max(lines[2, x], lines[3, x])
                target[x] = max(a, b, lines[4, x])


@njit(nogil=True, cache=True)
def restore(rgb, network, out, work):
    """Add the residual of a network that keeps the size.

    Args:
        rgb: (3, H, W) float32.
        network: Of four outputs, of which the first three are R, G and B.
        out: (3, H, W) float32.
        work: Of the network and W.
    """
    height, width = rgb.shape[1:]
    layers = len(network[1]) + 1
    strips = strip_count(width, work)
    no_peaks = np.empty((0, 0), np.float32)
    for strip in range(strips):
        left, start, stop, right = strip_columns(strip, strips, width)
        for t in range(height + layers):
            if t < height:
                _copy_row(rgb, no_peaks, t, left, right, work)
            advance(t, height, right - left, network, work)
            row = t - layers
            if row >= 0:
                base, residual = source_rows(row, work), residual_rows(row, work)
                for channel in range(3):
                    a, b = base[channel, start - left :], residual[channel, start - left :]
                    target = out[channel, row, start:stop]
                    for x in range(stop - start):
                        target[x] = a[x] + b[x]


@njit(nogil=True, cache=True)
def double_rgb(rgb, peaks, luma, network, color, taps, half, y, u, v, work):
    """Y'CbCr planes at twice the size, by a network of three residuals.

    Args:
        rgb: (3, H, W) float32.
        peaks: (H, W) float32 that luma must not exceed, doubled likewise; or (0, 0).
        luma: (3,) float32, the weights of R, G and B in that luma.
        network: Of twelve outputs: R, G, B, each in the order of depth-to-space.
        color: (3, 4) float32: rows Y, Cb, Cr of the target, each an affine map of (R, G, B, 1).
        taps: How chroma is halved: (column of the first tap of the first sample, (K,) float32
            weights, row of the first tap, (L,) weights), K and L at most 12; with no weights it is
            not halved.
        half: 0.5 to round to uint8, 0 for float32 output.
        y: (2H, 2W) uint8 or float32, written.
        u: (H, W) likewise; where chroma is not halved, (2H, 2W).
        v: As `u`.
        work: Of the network and W.
    """
    height, width = rgb.shape[1:]
    layers = len(network[1]) + 1
    first_column, across, first_row, down = taps
    delay = max(first_row + down.size - 1, 0) // 2  # rows until a row's last tap is there
    pixels = np.empty((4, 2, work.shape[1]), np.float32)
    scratch = np.empty(work.shape[1], np.float32)
    rings = np.empty((2, _CHROMA_RING, work.shape[1]), np.float32)
    strips = strip_count(width, work)
    for strip in range(strips):
        left, start, stop, right = strip_columns(strip, strips, width)
        window = (max(start - REACH, left), start, stop, min(stop + REACH, right))
        count = stop - start
        for t in range(height + layers + delay):
            if t < height:
                _copy_row(rgb, peaks, t, left, right, work)
            advance(t, height, right - left, network, work)
            row = t - layers
            for r in range(2 * row, 2 * row + 2) if 0 <= row < height else range(0):
                _double_pixels(r, height, left, window, peaks, luma, work, scratch, pixels)
                _convert_pixels(window, color, pixels)
                store_pair(pixels[0, :, REACH:], count, half, y[r, 2 * start :])
                for plane, full, ring in ((1, u, rings[0]), (2, v, rings[1])):
                    if across.size:
                        line = ring[r % _CHROMA_RING, :count]
                        halve_row(pixels[plane], first_column + 2 * REACH, across, line)
                    else:
                        store_pair(pixels[plane, :, REACH:], count, half, full[r, 2 * start :])
            if across.size and row >= delay:
                first = 2 * (row - delay) + first_row
                for plane, ring in ((u, rings[0]), (v, rings[1])):
                    target = plane[row - delay, start:stop]
                    store_blend(ring, first, 2 * height, down, half, scratch, target)


@njit(nogil=True, cache=True)
def _double_pixels(r, height, left, window, peaks, luma, work, scratch, pixels):
    """Output row r of R, G and B, from column REACH on what is kept, before it what is read."""
    first, start, _, end = window
    count, lead = end - first, REACH - (start - first)
    one = np.float32(1)
    for c in range(4 if peaks.size else 3):
        residual = c if c < 3 else -1
        pair = pixels[c, :, lead:]
        double_row(r, c, residual, height, first - left, count, one, work, scratch, pair)
    if peaks.size:
        for side in range(2):
            red, green, blue, peak = pixels[:, side, lead : lead + count]
            limit_luma(red, green, blue, peak, luma)


@njit(nogil=True, cache=True)
def _convert_pixels(window, color, pixels):
    """To codes; those beyond the frame's edges repeat them."""
    first, start, stop, end = window
    lead = REACH - (start - first)
    tail = lead + end - first
    for side in range(2):
        red, green, blue = pixels[:3, side, lead:tail]
        to_codes(red, green, blue, color)
    for plane in range(1, 3):
        pixels[plane, :, :lead] = pixels[plane, 0, lead]
        pixels[plane, :, tail : stop - start + 2 * REACH] = pixels[plane, 1, tail - 1]


@njit(nogil=True, cache=True)
def _copy_row(rgb, peaks, t, left, right, work):
    rows = source_rows(t, work)
    for channel in range(3):
        rows[channel, : right - left] = rgb[channel, t, left:right]
    if peaks.size:
        rows[3, : right - left] = peaks[t, left:right]
    close_source(t, right - left, work)
