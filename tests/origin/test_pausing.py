"""Worker processes that are stopped for what players wait for, and go on afterwards."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from fake_jobs import Echo, Hold

from origin.scheduler import Klass
from origin.telemetry import Metrics
from origin.worker.lanes import Lane
from origin.worker.pool import WorkerPool
from tests.origin.test_worker import SETTINGS, is_alive, lines, until

LANE = Lane.UPSCALE


@asynccontextmanager
async def one_slot(hang_seconds: float = 60.0) -> AsyncIterator[tuple[WorkerPool, Metrics]]:
    """Two processes, of which one works at a time; both have done a job."""
    metrics = Metrics()
    pool = WorkerPool(
        replace(SETTINGS, hang_seconds=hang_seconds),
        metrics,
        upscale_workers=1,
        package_workers=0,
        prepare_workers=0,
        express_workers=1,
    )
    await pool.start()
    try:
        await pool.ready()
        for number in range(2):
            await pool.run(Echo(value=1), key=f"echo {number}", lane=LANE)
        yield pool, metrics
    finally:
        await pool.close()


def states(pool: WorkerPool) -> list[str]:
    stats = (Path(f"/proc/{pid}/stat").read_text() for pid in pool.pids(LANE))
    return [stat.rpartition(")")[2].split()[0] for stat in stats]


def stopped(pool: WorkerPool) -> int:
    pid = dict(zip(states(pool), pool.pids(LANE), strict=True)).get("T")
    assert pid is not None
    return pid


def hold(
    pool: WorkerPool, folder: Path, key: str, klass: Klass, **options: Callable[..., None]
) -> asyncio.Task[object]:
    job = Hold(release=folder / f"release {key}", note=folder / key)
    return asyncio.create_task(pool.run(job, key=key, klass=klass, lane=LANE, **options))


async def test_a_player_is_served_while_other_work_stands_still(tmp_path: Path) -> None:
    counts: list[int] = []
    async with one_slot(hang_seconds=3.0) as (pool, metrics):
        warm = hold(pool, tmp_path, "warm", Klass.WARM, on_progress=counts.append)
        await until(lambda: lines(tmp_path / "warm"))
        player = hold(pool, tmp_path, "player", Klass.BLOCKING)
        await until(lambda: lines(tmp_path / "player"))
        await until(lambda: "T" in states(pool))
        done = -1
        while done < len(counts):  # what it said before it was stopped
            done = len(counts)
            await asyncio.sleep(0.2)
        await asyncio.sleep(4)  # longer than a worker may be silent
        assert len(counts) == done
        (tmp_path / "release player").touch()
        assert await player == "released"
        await until(lambda: len(counts) > done + 5)
        (tmp_path / "release warm").touch()
        assert await warm == "released"
        assert lines(tmp_path / "warm") == ["began", "released"], "begun once"
        assert metrics.value("upscale_origin_preempted_total") == 1
        assert metrics.value("upscale_origin_worker_restarts_total", lane="upscale") == 0


async def test_what_was_paused_can_be_promoted_and_given_up(tmp_path: Path) -> None:
    async with one_slot() as (pool, _):
        warm = hold(pool, tmp_path, "warm", Klass.WARM)
        await until(lambda: lines(tmp_path / "warm"))
        player = hold(pool, tmp_path, "player", Klass.BLOCKING)
        await until(lambda: "T" in states(pool))
        warm.cancel()
        await until(lambda: lines(tmp_path / "warm") == ["began", "cancelled"])
        (tmp_path / "release player").touch()
        assert await player == "released"
        assert await pool.run(Echo(value=2), key="warm", lane=LANE) == 2


async def test_a_paused_worker_that_is_killed_costs_one_redo(tmp_path: Path) -> None:
    async with one_slot() as (pool, metrics):
        warm = hold(pool, tmp_path, "warm", Klass.WARM)
        await until(lambda: lines(tmp_path / "warm"))
        player = hold(pool, tmp_path, "player", Klass.BLOCKING)
        await until(lambda: "T" in states(pool))
        os.kill(stopped(pool), signal.SIGKILL)
        await until(lambda: len(lines(tmp_path / "warm")) == 2)
        for key in ("player", "warm"):
            (tmp_path / f"release {key}").touch()
        assert await player == "released"
        assert await warm == "released"
        assert lines(tmp_path / "warm") == ["began", "began", "released"]
        assert lines(tmp_path / "player") == ["began", "released"]
        assert metrics.value("upscale_origin_worker_restarts_total", lane="upscale") == 1


async def test_close_leaves_no_stopped_process(tmp_path: Path) -> None:
    async with one_slot() as (pool, _):
        calls = [hold(pool, tmp_path, "warm", Klass.WARM)]
        await until(lambda: lines(tmp_path / "warm"))
        calls.append(hold(pool, tmp_path, "player", Klass.BLOCKING))
        await until(lambda: "T" in states(pool))
        pids = pool.pids(LANE)
    await asyncio.gather(*calls, return_exceptions=True)
    assert not any(map(is_alive, pids))
