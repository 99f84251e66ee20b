"""Left-sited 4:2:0 chroma on the grid of its luma, and signals converted there."""

# ruff: noqa: PLR0917 (numba passes arguments by position)
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def chroma_row(plane, t, height, left, columns, target, scratch):
    """Interpolate the chroma of luma row t, columns `left` (even) to `left + columns`.

    Chroma rows lie half way between luma rows; chroma columns on the even luma columns.

    Args:
        plane: (ceil(H/2), pitch) uint8.
        t: The luma row.
        height: Luma rows of the frame.
        left: The first luma column, even.
        columns: How many luma columns.
        target: (at least columns + 1,) float32.
        scratch: (at least columns / 2 + 2,) float32, overwritten.
    """
    last = (height + 1) // 2 - 1
    near, other = t // 2, min(max(t // 2 - 1 + t % 2 * 2, 0), last)
    first = left // 2
    count = (columns + 1) // 2
    a, b = plane[near, first:], plane[other, first:]
    for x in range(count):
        scratch[x] = np.float32(0.75) * np.float32(a[x]) + np.float32(0.25) * np.float32(b[x])
    scratch[count] = scratch[count - 1]
    following = scratch[1:]
    for x in range(count):
        target[2 * x] = scratch[x]
        target[2 * x + 1] = np.float32(0.5) * (scratch[x] + following[x])


@njit(nogil=True, cache=True)
def convert_luma(y, u, v, coefficients, out):
    """Luma of another matrix or range.

    Args:
        y: (H, pitch) uint8.
        u: (ceil(H/2), pitch) uint8.
        v: As `u`.
        coefficients: (4,) float32: an affine map of (Y, Cb, Cr, 1).
        out: (H, W) float32.
    """
    height, width = out.shape
    by_y, by_u, by_v, offset = coefficients
    cb, cr, scratch = np.empty((3, width + 2), np.float32)
    for t in range(height):
        chroma_row(u, t, height, 0, width, cb, scratch)
        chroma_row(v, t, height, 0, width, cr, scratch)
        luma, target = y[t], out[t]
        for x in range(width):
            target[x] = by_y * np.float32(luma[x]) + by_u * cb[x] + by_v * cr[x] + offset


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
