"""Workers of a command that upscales by itself, with no player waiting and nothing else to do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from origin.telemetry import Metrics
from origin.worker.pool import WorkerPool
from origin.worker.process import WorkerSettings

_HANG_SECONDS = 900.0
"""Silence allowed: a frame of 4K by a large network takes minutes on a few cores."""


@asynccontextmanager
async def upscale_workers(count: int) -> AsyncIterator[WorkerPool]:
    """Yield a pool with so many workers in the upscale lane, and none in the others."""
    pool = WorkerPool(
        WorkerSettings(hang_seconds=_HANG_SECONDS, log_level="error"),
        Metrics(),
        upscale_workers=count,
        package_workers=0,
        prepare_workers=0,
    )
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()
