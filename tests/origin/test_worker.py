import asyncio
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import uvloop
from fake_jobs import Die, Echo, Hold, Inspect, Note, Raise, Unsendable

from manifests.color import Color
from manifests.ladder import RenditionPlan
from origin.errors import (
    BrokenSourceError,
    NotFoundError,
    ProductionError,
    UnavailableError,
    UnsupportedSourceError,
)
from origin.media.types import (
    Container,
    FileRange,
    HlsBody,
    InspectFile,
    Prepared,
    Produced,
    ProduceSegment,
)
from origin.scheduler import Klass
from origin.singleflight import SingleFlight
from origin.telemetry import Metrics
from origin.worker.lanes import Lane
from origin.worker.pool import WorkerPool
from origin.worker.process import WorkerSettings

SETTINGS = WorkerSettings(runner="fake_jobs:run")
BLOCKING, LOOKAHEAD, WARM = Klass


class Pools:
    """Makes pools with the fake runner, and closes them."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.made: list[WorkerPool] = []

    async def __call__(
        self,
        settings: WorkerSettings = SETTINGS,
        *,
        upscale_workers: int = 0,
        package_workers: int = 1,
        prepare_workers: int = 0,
        grace_seconds: float = 30.0,
    ) -> WorkerPool:
        pool = WorkerPool(
            settings,
            self.metrics,
            upscale_workers=upscale_workers,
            package_workers=package_workers,
            prepare_workers=prepare_workers,
            grace_seconds=grace_seconds,
        )
        self.made.append(pool)
        await pool.start()
        return pool


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    pools = Pools()
    yield pools
    pids = [pid for pool in pools.made for lane in Lane for pid in pool.pids(lane)]
    for pool in pools.made:
        await pool.close()
    assert not any(map(is_alive, pids)), "a worker outlived its pool"


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
        await asyncio.sleep(0.01)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def produce(number: int = 0) -> ProduceSegment:
    plan = RenditionPlan(
        rendition_id="up-720p-anime4k-m",
        model="anime4k-m",
        model_digest="m",
        source_digest="s",
        container="mpegts",
        width=1280,
        height=720,
        sar=Fraction(1),
        frame_rate=Fraction(25),
        time_base=Fraction(1, 90000),
        source_color=Color(),
        color=Color(),
        level="3.1",
        maxrate=1,
        bandwidth=1,
        average_bandwidth=1,
    )
    body = FileRange(path="seg.ts")
    return ProduceSegment(
        plan=plan,
        source=HlsBody(name="movie/seg.ts", container=Container.MPEGTS, body=body),
        prepared=Prepared(extradata=b"", codecs="", init=None),
        sequence_number=number,
        duration_seconds=4.0,
        device="cpu",
        threads=1,
    )


async def test_a_result_comes_back_whatever_the_worker_prints(pools: Pools) -> None:
    pool = await pools()
    await pool.ready()
    assert await pool.run(Echo(value={"a": 1}), key="k") == {"a": 1}
    body = os.urandom(2**20) * 24
    assert await pool.run(Echo(value=body), key="k") == body


async def test_the_loop_runs_on_while_megabytes_arrive_in_both_directions(pools: Pools) -> None:
    pool = await pools()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticker = asyncio.create_task(tick())
    await pool.ready()
    before = ticks
    await pool.run(Echo(value=bytes(2**24)), key="k")
    ticker.cancel()
    assert ticks - before > 50


def test_the_parent_stays_light() -> None:
    script = "import sys, origin.worker.pool; print({'av', 'torch', 'numba'} & {*sys.modules})"
    command = [sys.executable, "-c", script]
    checked = subprocess.run(command, check=True, capture_output=True, text=True)
    assert checked.stdout == "set()\n"


async def test_a_worker_is_spawned_and_has_the_environment_it_is_given(pools: Pools) -> None:
    pool = await pools(replace(SETTINGS, environment={"EXTRA": "1"}))
    pid, modules, environment = await pool.run(Inspect(), key="k")
    assert pid == pool.pids(Lane.PACKAGE)[0] != os.getpid()
    assert "pytest" not in modules
    assert environment["EXTRA"] == "1"


@pytest.mark.parametrize(
    "error",
    [
        BrokenSourceError("truncated at byte 7", source="movie/seg1.ts"),
        UnsupportedSourceError("interlaced"),
        NotFoundError("no such stream"),
    ],
)
async def test_our_errors_come_back_as_they_are(pools: Pools, error: BrokenSourceError) -> None:
    pool = await pools()
    with pytest.raises(type(error)) as caught:
        await pool.run(Raise(error=error), key="k")
    assert type(caught.value) is type(error)
    assert (caught.value.detail, caught.value.source) == (error.detail, error.source)
    assert pools.metrics.value("upscale_origin_worker_restarts_total", lane="package") == 0


async def test_other_errors_become_one_of_ours_with_the_trace_in_the_log_only(
    pools: Pools, capfd: pytest.CaptureFixture[str]
) -> None:
    pool = await pools()
    with pytest.raises(ProductionError, match=r"^ZeroDivisionError: by nought$"):
        await pool.run(Raise(error=ZeroDivisionError("by nought")), key="k")
    assert await pool.run(Echo(value=1), key="k") == 1
    assert "Traceback" in capfd.readouterr().err


async def test_a_result_that_cannot_travel_is_an_error(pools: Pools) -> None:
    pool = await pools()
    with pytest.raises(ProductionError, match="lambda"):
        await pool.run(Unsendable(), key="k")
    assert await pool.run(Echo(value=1), key="k") == 1


def patient(how: str) -> WorkerSettings:
    """Soon weary of silence where that is what kills the worker."""
    hangs = replace(SETTINGS, hang_seconds=1.0, startup_seconds=10.0)
    return hangs if how == "hang" else SETTINGS


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSEGV", "hang", "exit"])
async def test_a_worker_that_dies_once_costs_a_restart(
    pools: Pools, tmp_path: Path, how: str
) -> None:
    pool = await pools(patient(how))
    assert await pool.run(Echo(value=1), key="warm") == 1
    assert await pool.run(Die(how=how, once=tmp_path / "died"), key="k") == "alive"
    assert pools.metrics.value("upscale_origin_worker_restarts_total", lane="package") == 1


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("SIGKILL", "it was killed by SIGKILL twice"),
        ("SIGSEGV", "it was killed by SIGSEGV twice"),
        ("exit", "it ended with status 3 twice"),
        ("hang", "it gave no sign of life for 1 s and then gave no sign of life for 10 s"),
    ],
)
async def test_a_worker_that_dies_twice_is_a_clear_error_and_the_next_job_is_done(
    pools: Pools, how: str, words: str
) -> None:
    pool = await pools(patient(how))
    await pool.run(Echo(value=1), key="warm")
    with pytest.raises(ProductionError) as caught:
        await pool.run(Die(how=how), key="k")
    assert caught.value.detail == (
        f"the worker died twice while doing Die of movie/seg1.ts: {words}"
    )
    assert caught.value.source == "movie/seg1.ts"
    assert await pool.run(Echo(value=2), key="k") == 2


async def test_progress_is_a_sign_of_life(pools: Pools, tmp_path: Path) -> None:
    pool = await pools(replace(SETTINGS, hang_seconds=3.0))
    await pool.run(Echo(value=1), key="warm")
    clock = asyncio.get_running_loop().time
    counts, began = [], clock()

    def progress(count: int) -> None:
        counts.append(count)
        if len(counts) >= 400 and clock() > began + 4:  # longer than may pass in silence
            (tmp_path / "release").touch()

    job = Hold(release=tmp_path / "release")
    assert await pool.run(job, key="k", on_progress=progress) == "released"
    assert counts == list(range(1, len(counts) + 1))
    assert pools.metrics.value("upscale_origin_worker_restarts_total", lane="package") == 0


async def test_a_standstill_of_the_origin_is_no_silence_of_a_worker(
    pools: Pools, tmp_path: Path
) -> None:
    pool = await pools(replace(SETTINGS, hang_seconds=3.0))
    await pool.run(Echo(value=1), key="warm")
    (pid,) = pool.pids(Lane.PACKAGE)
    began = asyncio.Event()
    job = Hold(release=tmp_path / "release")
    call = asyncio.create_task(pool.run(job, key="k", on_progress=lambda _: began.set()))
    await began.wait()
    os.kill(pid, signal.SIGSTOP)
    time.sleep(4)  # noqa: ASYNC251 - as if the whole machine stood still
    await asyncio.sleep(0.5)  # nobody is heard at once
    os.kill(pid, signal.SIGCONT)
    (tmp_path / "release").touch()
    assert await call == "released"
    assert pool.pids(Lane.PACKAGE) == [pid]


async def test_an_inspection_may_be_silent_for_long(pools: Pools) -> None:
    pool = await pools(replace(SETTINGS, hang_seconds=0.5), package_workers=0, prepare_workers=1)
    await pool.run(Echo(value=1), key="warm", lane=Lane.PREPARE)
    assert await pool.run(InspectFile(name="film.mkv", path="1.0"), key="k") == "inspected"
    assert pools.metrics.value("upscale_origin_worker_restarts_total", lane="prepare") == 0


async def test_a_listener_that_fails_does_not_confuse_the_next_job(
    pools: Pools, tmp_path: Path
) -> None:
    def progress(count: int) -> None:
        (tmp_path / "release").touch()
        raise LookupError("no such progress bar")

    pool = await pools()
    with pytest.raises(ProductionError, match="no such progress bar"):
        await pool.run(Hold(release=tmp_path / "release"), key="k", on_progress=progress)
    assert await pool.run(Echo(value=1), key="k") == 1


async def test_kill_9_in_mid_encode_is_answered_by_a_second_encode(
    pools: Pools, tmp_path: Path
) -> None:
    pool = await pools()
    began = asyncio.Event()
    call = asyncio.create_task(
        pool.run(Hold(release=tmp_path / "release"), key="k", on_progress=lambda _: began.set())
    )
    await began.wait()
    os.kill(pool.pids(Lane.PACKAGE)[0], signal.SIGKILL)
    (tmp_path / "release").touch()
    assert await call == "released"


async def test_a_worker_that_dies_idle_is_replaced_without_an_attempt(pools: Pools) -> None:
    pool = await pools()
    await pool.ready()
    (pid,) = pool.pids(Lane.PACKAGE)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not is_alive(pid))
    assert await pool.run(Echo(value=1), key="k") == 1


async def test_a_runner_that_cannot_be_imported_is_said_clearly_and_not_retried(
    pools: Pools,
) -> None:
    pool = await pools(replace(SETTINGS, runner="no_such_module:run"))
    with pytest.raises(ProductionError, match="workers cannot start: ModuleNotFoundError: No modu"):
        await pool.ready()
    with pytest.raises(ProductionError, match="no_such_module"):
        await asyncio.wait_for(pool.run(Echo(value=1), key="k"), 30)
    assert pools.metrics.value("upscale_origin_worker_restarts_total", lane="package") == 1


async def test_encodes_are_counted_where_they_begin(pools: Pools) -> None:
    pool = await pools(upscale_workers=1)
    flight = SingleFlight[Produced]()
    calls = (flight.do("seg", lambda: pool.run(produce(), key="seg")) for _ in range(200))
    bodies = {produced.body for produced, _ in await asyncio.gather(*calls)}
    assert len(bodies) == 1
    assert pools.metrics.value("upscale_origin_encodes_total") == 1
    await pool.run(produce(1), key="seg")
    assert pools.metrics.value("upscale_origin_encodes_total") == 2


async def test_lanes_do_not_wait_for_each_other(pools: Pools, tmp_path: Path) -> None:
    pool = await pools(upscale_workers=1)
    held = asyncio.create_task(
        pool.run(Hold(release=tmp_path / "release"), key="long", lane=Lane.UPSCALE)
    )
    assert await pool.run(Echo(value=1), key="short") == 1
    assert not held.done()
    (tmp_path / "release").touch()
    assert await held == "released"


async def test_as_many_jobs_run_at_once_as_there_are_workers(pools: Pools, tmp_path: Path) -> None:
    pool = await pools(package_workers=2)
    note = tmp_path / "note"
    calls = [
        asyncio.create_task(pool.run(Hold(release=tmp_path / "release", note=note), key=f"{n}"))
        for n in range(3)
    ]
    await until(lambda: lines(note) == ["began", "began"])
    assert sum(pool.depth().values()) == 1
    (tmp_path / "release").touch()
    assert await asyncio.gather(*calls) == ["released"] * 3


async def test_who_waits_comes_first_and_may_promote_what_is_queued(
    pools: Pools, tmp_path: Path
) -> None:
    pool = await pools()
    order, release = tmp_path / "order", tmp_path / "release"
    note = tmp_path / "note"
    calls = [asyncio.create_task(pool.run(Hold(release=release, note=note), key="first"))]
    await until(lambda: lines(note))
    for name, klass in [("warm", WARM), ("ahead", LOOKAHEAD), ("other", LOOKAHEAD)]:
        job = Note(value=name, path=order)
        with pool.waiting(name, klass):
            calls.append(asyncio.create_task(pool.run(job, key=name)))
            await asyncio.sleep(0)
        await asyncio.sleep(0)
    blocking = pool.run(Note(value="now", path=order), key="now", deadline=5.0)
    calls.append(asyncio.create_task(blocking))
    await asyncio.sleep(0)
    with pool.waiting("other", BLOCKING, 4.0):
        assert pools.metrics.value("upscale_origin_queue_depth", **{"class": "blocking"}) == 2
        release.touch()
        await asyncio.gather(*calls)
    assert lines(order) == ["other", "now", "ahead", "warm"]


async def test_a_cancelled_call_stops_its_job_between_batches(pools: Pools, tmp_path: Path) -> None:
    pool = await pools()
    note = tmp_path / "note"
    call = asyncio.create_task(pool.run(Hold(release=tmp_path / "never", note=note), key="k"))
    await until(lambda: lines(note))
    queued = asyncio.create_task(pool.run(Note(value="never", path=note), key="queued"))
    await asyncio.sleep(0)
    queued.cancel()
    call.cancel()
    await asyncio.wait((queued, call))
    assert await pool.run(Echo(value=1), key="k") == 1
    assert lines(note) == ["began", "cancelled"]
    (pid,) = pool.pids(Lane.PACKAGE)
    assert is_alive(pid)


async def test_an_orphan_is_stopped_after_its_grace_and_made_anew_if_asked_for(
    pools: Pools, tmp_path: Path
) -> None:
    pool = await pools(grace_seconds=0.2)
    note, release = tmp_path / "note", tmp_path / "release"
    flight = SingleFlight[object]()

    async def ask() -> object:
        with pool.waiting("k", BLOCKING):
            answer, _ = await flight.do(
                "k", lambda: pool.run(Hold(release=release, note=note), key="k")
            )
            return answer

    player = asyncio.create_task(ask())
    await until(lambda: lines(note))
    player.cancel()
    await until(lambda: "k" not in flight)
    await until(lambda: lines(note) == ["began", "cancelled"])
    assert pools.metrics.value("upscale_origin_orphans_dropped_total") == 1
    release.touch()
    assert await ask() == "released"


async def test_an_orphan_that_is_asked_for_again_goes_on(pools: Pools, tmp_path: Path) -> None:
    pool = await pools(grace_seconds=0.3)
    note, release = tmp_path / "note", tmp_path / "release"

    with pool.waiting("k", BLOCKING):
        call = asyncio.create_task(pool.run(Hold(release=release, note=note), key="k"))
        await until(lambda: lines(note))
    with pool.waiting("k", BLOCKING):
        await asyncio.sleep(0.5)
        release.touch()
        assert await call == "released"
    assert lines(note) == ["began", "released"]


async def test_a_key_is_run_once_at_a_time(pools: Pools, tmp_path: Path) -> None:
    pool = await pools()
    call = asyncio.create_task(pool.run(Hold(release=tmp_path / "release"), key="k"))
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="queued or running"):
        await pool.run(Echo(value=1), key="k")
    (tmp_path / "release").touch()
    assert await call == "released"


async def test_close_answers_who_waits_and_refuses_who_comes(pools: Pools, tmp_path: Path) -> None:
    pool = await pools()
    calls = [
        asyncio.create_task(pool.run(Hold(release=tmp_path / "never"), key=f"{number}"))
        for number in range(2)
    ]
    await pool.ready()
    await pool.close()
    for answer in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(answer, UnavailableError)
    with pytest.raises(UnavailableError):
        await pool.run(Echo(value=1), key="late")


async def test_close_while_workers_start_leaves_nothing(pools: Pools) -> None:
    pool = await pools(upscale_workers=1)
    ready = asyncio.create_task(pool.ready())
    await asyncio.sleep(0)
    await pool.close()
    with pytest.raises(UnavailableError):
        await ready
    assert [pool.pids(lane) for lane in Lane] == [[], [], []]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signals_are_the_origins_business(pools: Pools, number: signal.Signals) -> None:
    pool = await pools()
    await pool.ready()
    (pid,) = pool.pids(Lane.PACKAGE)
    os.kill(pid, number)
    assert await pool.run(Echo(value=1), key="k") == 1
    assert pool.pids(Lane.PACKAGE) == [pid]
    assert os.getpgid(pid) != os.getpgid(0)


ORIGIN = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from fake_jobs import Die, Hold
    from origin.telemetry import Metrics
    from origin.worker.lanes import Lane
    from origin.worker.pool import WorkerPool
    from origin.worker.process import WorkerSettings

    async def main():
        pool = WorkerPool(WorkerSettings(runner="fake_jobs:run"), Metrics(), prepare_workers=0)
        await pool.start()
        await pool.ready()
        job = Die(how="hang in native code")
        hang = asyncio.create_task(pool.run(job, key="hang", lane=Lane.UPSCALE))
        hold = asyncio.create_task(pool.run(Hold(release=Path("/none")), key="hold"))
        await asyncio.sleep(0.2)
        print(*(pid for lane in Lane for pid in pool.pids(lane)), flush=True)
        await asyncio.wait([hang, hold])

    asyncio.run(main())
    """
)


def test_workers_die_with_an_origin_that_is_killed() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        [sys.executable, "-c", ORIGIN], stdout=subprocess.PIPE, env=environment, text=True
    ) as origin:
        assert origin.stdout is not None
        pids = [int(pid) for pid in origin.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(is_alive, pids))
        origin.kill()
    deadline = time.monotonic() + 30
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, "a worker outlived its origin"
        time.sleep(0.01)


def test_orphans_that_are_due_at_once_are_swept_under_uvloop() -> None:
    async def main() -> list[object]:
        pool = WorkerPool(SETTINGS, Metrics(), package_workers=1)
        with (
            pool.waiting("a", LOOKAHEAD, may_return=False),
            pool.waiting("b", LOOKAHEAD, may_return=False),
        ):
            calls = [asyncio.create_task(pool.run(Echo(value=1), key=key)) for key in "ab"]
            await asyncio.sleep(0)
        return await asyncio.gather(*calls, return_exceptions=True)

    assert [type(end) for end in uvloop.run(main())] == [asyncio.CancelledError] * 2


def test_it_works_under_uvloop() -> None:
    async def main() -> None:
        pools = Pools()
        pool = await pools()
        await pool.ready()
        body = bytes(2**23)
        assert await pool.run(Echo(value=body), key="k") == body
        with pytest.raises(ProductionError, match="twice"):
            await pool.run(Die(how="SIGKILL"), key="k")
        assert await pool.run(Echo(value=1), key="k", deadline=math.inf) == 1
        await pool.close()

    uvloop.run(main())


async def test_readiness_names_the_lanes_without_a_living_worker(pools: Pools) -> None:
    pool = await pools(upscale_workers=1, prepare_workers=1)
    reason = pool.unready_reason()
    assert reason is not None
    await pool.ready()
    assert pool.unready_reason() is None
    with pytest.raises(ProductionError, match="twice"):
        await pool.run(Die(how="SIGKILL"), key="k")
    assert pool.unready_reason() == "no worker is running for: package"
    assert await pool.run(Echo(value=1), key="k") == 1
    assert pool.unready_reason() is None


async def test_an_idle_worker_that_is_gone_is_replaced(
    pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("origin.worker.crew.LIVENESS_SECONDS", 0.2)
    pool = await pools(upscale_workers=1, prepare_workers=1)
    await pool.ready()
    (pid,) = pool.pids(Lane.UPSCALE)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: pool.pids(Lane.UPSCALE) not in ([], [pid]))
    await until(lambda: pool.unready_reason() is None)


async def test_an_inspection_does_not_keep_packaging_waiting(pools: Pools) -> None:
    pool = await pools(prepare_workers=1)
    long = asyncio.create_task(pool.run(InspectFile(name="film.mkv", path="600"), key="long"))
    assert await pool.run(Echo(value=1), key="k") == 1
    assert not long.done()
    long.cancel()
