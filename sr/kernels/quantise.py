"""From fractional code values to integers."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def quantise_plane(source, thresholds, top, out):
    """Add a threshold by position, cut the fraction off, stay within 0 and `top`.

    Args:
        source: (H, at least W) float32 or integers.
        thresholds: (P, Q) float32 in (0, 1), repeated over the plane.
        top: float32, the largest code.
        out: (H, W) uint8 or uint16.
    """
    rows, columns = out.shape
    period = thresholds.shape[1]
    pattern = np.empty(columns + period, np.float32)
    for t in range(rows):
        line = thresholds[t % thresholds.shape[0]]
        for x in range(0, columns, period):
            pattern[x : x + period] = line
        values, target = source[t], out[t]
        for x in range(columns):
            code = np.float32(values[x]) + pattern[x]
            target[x] = min(max(code, np.float32(0)), top)
