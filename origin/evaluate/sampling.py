"""Which frames of a clip are measured."""

RUN_FRAMES = 3
"""Frames stay in short runs: VMAF and XPSNR look at how a frame differs from its neighbours."""


def spread(count: int, wanted: int | None) -> tuple[int, ...]:
    """Indices of `wanted` out of `count` frames: runs of consecutive ones, evenly spread.

    None, or as many as there are: all of them.
    """
    if wanted is None or wanted >= count:
        return tuple(range(count))
    runs = -(-wanted // RUN_FRAMES)
    chosen: list[int] = []
    for run in range(runs):
        done, end = wanted * run // runs, wanted * (run + 1) // runs
        start = done + (count - wanted) * (2 * run + 1) // (2 * runs)
        chosen += range(start, start + end - done)
    return tuple(chosen)


def split_runs(indices: tuple[int, ...]) -> list[range]:
    """Positions within `indices` whose values follow one another."""
    starts = [i for i, index in enumerate(indices) if i == 0 or index != indices[i - 1] + 1]
    return [
        range(start, end) for start, end in zip(starts, [*starts[1:], len(indices)], strict=True)
    ]
