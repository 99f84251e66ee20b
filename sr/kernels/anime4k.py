"""Anime4K's networks on whole frames: planes or R'G'B' in, planes or R'G'B' out, row by row.

One call computes one frame in one thread. Networks and workspaces are those of `crelu`.
"""

# ruff: noqa: PLR0917 (numba passes arguments by position)
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np
from numba import njit

from sr.kernels.anime4k_rows import (
    double_row,
    limit_luma,
    read_row,
    store_row,
    weigh,
    write_pixels,
)
from sr.kernels.crelu import (
    advance,
    close_source,
    residual_rows,
    source_rows,
    strip_columns,
    strip_count,
)


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
    doubled = np.empty(2 * work.shape[1], np.float32)
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
                double_row(r, 3, 0, height, start - left, count, gain, work, scratch[0], doubled)
                store_row(doubled, 2 * count, half, out[r, 2 * start :])


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
    for strip in range(strips):
        left, start, stop, right = strip_columns(strip, strips, width)
        for t in range(height + layers):
            if t < height:
                _copy_row(rgb, t, left, right, work)
                close_source(t, right - left, work)
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
def double_rgb(rgb, peaks, luma, network, color, half, y, u, v, work):
    """Y'CbCr of full resolution at twice the size, by a network of three residuals.

    Args:
        rgb: (3, H, W) float32.
        peaks: (H, W) float32 that luma must not exceed, doubled likewise; or (0, 0).
        luma: (3,) float32, the weights of R, G and B in that luma.
        network: Of twelve outputs: R, G, B, each in the order of depth-to-space.
        color: (3, 4) float32: rows Y, Cb, Cr of the target, each an affine map of (R, G, B, 1).
        half: 0.5 to round luma to uint8, 0 for float32 output.
        y: (2H, 2W) uint8 or float32, written.
        u: (2H, 2W) float32, written.
        v: As `u`.
        work: Of the network and W.
    """
    height, width = rgb.shape[1:]
    layers = len(network[1]) + 1
    scratch = np.empty(work.shape[1], np.float32)
    pixels = np.empty((4, 2 * work.shape[1]), np.float32)
    strips = strip_count(width, work)
    for strip in range(strips):
        left, start, stop, right = strip_columns(strip, strips, width)
        for t in range(height + layers):
            if t < height:
                _copy_row(rgb, t, left, right, work)
                if peaks.size:
                    source_rows(t, work)[3, : right - left] = peaks[t, left:right]
                close_source(t, right - left, work)
            advance(t, height, right - left, network, work)
            row = t - layers
            for r in range(max(2 * row, 0), max(2 * row + 2, 0)):
                skip, count = start - left, stop - start
                for c in range(4 if peaks.size else 3):
                    residual = c if c < 3 else -1
                    double_row(
                        r, c, residual, height, skip, count, np.float32(1), work, scratch, pixels[c]
                    )
                columns = slice(2 * start, 2 * stop)
                if peaks.size:
                    limit_luma(pixels, luma, 2 * count)
                write_pixels(pixels, color, half, y[r, columns], u[r, columns], v[r, columns])


@njit(nogil=True, cache=True)
def _copy_row(rgb, t, left, right, work):
    rows = source_rows(t, work)
    for channel in range(3):
        rows[channel, : right - left] = rgb[channel, t, left:right]
