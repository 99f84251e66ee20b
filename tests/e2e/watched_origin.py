"""`python -m tests.e2e.watched_origin serve ...`: the origin, with workers that can be watched.

Where `ORIGIN_WORK_LOG` names a file, a worker adds a line to it whenever it begins to encode:
process id, model, number of the segment. `ORIGIN_SLOW_<model>` (dashes as underscores) are seconds
by which each segment of that model takes longer, `ORIGIN_HELD_<model>` names a file: as long as it
is there, none of them ends.
"""

import functools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from origin.media import jobs
from origin.media.types import Job, ProduceSegment, Result
from origin.worker.process import WorkerSettings

STEP_SECONDS = 0.05


def run(job: Job, progress: Callable[[int], None], cancelled: Callable[[], bool]) -> Result:
    """What workers run."""
    if isinstance(job, ProduceSegment):
        _note(f"{os.getpid()} {job.plan.model} {job.sequence_number - 1}\n")
        model = job.plan.model.replace("-", "_")
        until = time.monotonic() + float(os.environ.get(f"ORIGIN_SLOW_{model}", "0"))
        held = Path(os.environ.get(f"ORIGIN_HELD_{model}", "/no such file"))
        while time.monotonic() < until or held.exists():
            progress(0)
            if cancelled():
                raise jobs.JobCancelledError
            time.sleep(STEP_SECONDS)
    return jobs.run(job, progress, cancelled)


def _note(line: str) -> None:
    path = os.environ.get("ORIGIN_WORK_LOG")
    if path:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line.encode())
        os.close(descriptor)


def work(log: Path) -> list[tuple[int, str, int]]:
    """What was begun: process id, model, number of the segment."""
    rows = (line.split() for line in log.read_text().splitlines()) if log.exists() else ()
    return [(int(pid), model, int(index)) for pid, model, index in rows]


if __name__ == "__main__":
    from origin.cli import main

    settings = functools.partial(WorkerSettings, runner="tests.e2e.watched_origin:run")
    with mock.patch("origin.app.WorkerSettings", settings):
        sys.exit(main())
