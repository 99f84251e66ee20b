"""What jobs leave behind: nothing, not even what only Python's garbage collector would find.

That counts objects, not the bytes of FFmpeg behind them: frames in reference cycles would stay
for thousands of jobs, and a worker grow by gigabytes.
"""

import ctypes
import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from manifests import webvtt
from manifests.color import Color
from manifests.ladder import RenditionPlan
from origin.errors import BrokenSourceError
from origin.media import types
from origin.media.jobs import JobCancelledError, run
from origin.media.types import FileBody, FileFacts, Job, Moment
from tests.media.making import file_bodies, hls_bodies, plan_for, produce_job
from tests.media.packaged import inspect
from tests.media.subtitled import ASS, Track, write_subtitled
from tests.media.synth import Clip, Sound, write_file, write_hls

CLIP = Clip(frames=72, sounds=(Sound(), Sound(codec="libopus")))
SHAPE = types.StillShape(
    width=64, height=36, rotation=0, color=Color(matrix=6, primaries=6, transfer=6)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A media file with everything in it."""

    path: Path
    facts: FileFacts
    bodies: list[FileBody]
    plan: RenditionPlan

    @property
    def place(self) -> dict[str, object]:
        return {
            "name": self.path.name,
            "path": str(self.path),
            "container": self.facts.container,
        }

    @property
    def moments(self) -> tuple[Moment, ...]:
        return tuple(Moment(source=body, pts=body.span.key_pts) for body in self.bodies)

    def audio_job(self, index: int) -> Job:
        return types.PackageAudio(
            **self.place,
            audio=self.facts.audio[index],
            span_index=0,
            offset_seconds=self.facts.offset_seconds,
            sequence_number=1,
        )

    def init_job(self, index: int, *, copied: bool = True) -> Job:
        return types.BuildInit(**self.place, stream_index=index, copied=copied)

    def subtitles_job(self) -> Job:
        facts = self.facts
        return types.PackageSubtitles(
            **self.place,
            stream_index=facts.subtitles[0].stream_index,
            starts=webvtt.segment_starts(facts.spans, facts.video.time_base, facts.offset_seconds),
            offset_seconds=facts.offset_seconds,
            form="webvtt",
        )

    def assemble_job(self) -> Job:
        jobs = [produce_job(self.plan, body, number=1 + i) for i, body in enumerate(self.bodies)]
        parts = [self.path.with_suffix(f".{index}") for index in range(len(jobs))]
        for part, job in zip(parts, jobs, strict=True):
            part.write_bytes(do(job).body)
        return types.AssembleFile(
            **self.place,
            output=str(self.path.with_suffix(".out")),
            output_format="matroska",
            prepared=jobs[0].prepared,
            parts=tuple(types.FileRange(path=str(part)) for part in parts),
            offset_seconds=self.facts.offset_seconds,
        )


FILM_JOBS: dict[str, Callable[[Film], Job]] = {
    "inspect": lambda film: types.InspectFile(name=film.path.name, path=str(film.path)),
    "prepare": lambda film: types.PrepareRendition(plan=film.plan, source=film.bodies[0]),
    "produce": lambda film: produce_job(film.plan, film.bodies[0]),
    "remux": lambda film: types.RemuxVideo(
        source=film.bodies[0],
        stream_index=film.facts.video.stream_index,
        sequence_number=1,
    ),
    "video init": lambda film: film.init_job(film.facts.video.stream_index),
    "aac init": lambda film: film.init_job(film.facts.audio[0].stream_index),
    "opus init": lambda film: film.init_job(film.facts.audio[1].stream_index, copied=False),
    "aac": lambda film: film.audio_job(0),
    "opus": lambda film: film.audio_job(1),
    "poster": lambda film: types.MakePoster(
        name="poster", moments=film.moments, others=(), shape=SHAPE
    ),
    "sheet": lambda film: types.MakeSheet(
        name="sheet", moments=film.moments, shape=SHAPE, columns=2
    ),
    "subtitles": Film.subtitles_job,
    "font": lambda film: types.ExtractFont(
        **film.place, stream_index=film.facts.fonts[0].stream_index
    ),
    "check": lambda film: types.CheckOutput(
        **film.place,
        prepared=produce_job(film.plan, film.bodies[0]).prepared,
        output_format="matroska",
    ),
    "assemble": Film.assemble_job,
    "measure": lambda film: types.Measure(
        model="lanczos", width=64, height=48, frames=10, device="cpu", threads=2
    ),
}


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Film:
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    tracks = [Track(suffix="ass", content=ASS)]
    write_subtitled(path, tracks, clip=CLIP, attachments=[("a.ttf", b"\0\1\0\0font")])
    bodies = file_bodies(path)
    return Film(path=path, facts=inspect(path), bodies=bodies, plan=plan_for(bodies[0], CLIP))


def do(job: Job) -> object:
    return run(job, lambda _: None, lambda: False)


def left_by(job: Job, attempt: Callable[[Job], object] = do) -> list[str]:
    """Types of what is left in cycles, once all that is loaded and kept for later is."""
    attempt(job)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        attempt(job)
        gc.collect()
        return sorted(f"{type(one).__module__}.{type(one).__name__}" for one in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("kind", FILM_JOBS)
def test_jobs_on_files_leave_no_cycles(film, kind):
    assert left_by(FILM_JOBS[kind](film)) == []


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_jobs_on_hls_leave_no_cycles(tmp_path, kind):
    bodies = hls_bodies(write_hls(tmp_path, CLIP, kind), kind)
    plan = plan_for(bodies[0], CLIP)
    assert left_by(types.InspectHls(name="title", segments=tuple(bodies))) == []
    assert left_by(produce_job(plan, bodies[1])) == []


@pytest.mark.parametrize("kind", ["produce", "poster", "sheet", "measure", "assemble"])
def test_jobs_that_are_cancelled_leave_no_cycles(film, kind):
    def cancel(job: Job) -> None:
        with pytest.raises(JobCancelledError):
            run(job, lambda _: None, lambda: True)

    assert left_by(FILM_JOBS[kind](film), cancel) == []


def test_jobs_that_fail_leave_no_cycles(tmp_path):
    path = write_file(tmp_path / "film.mp4", replace(CLIP, noise=True, sounds=()))
    (body,) = file_bodies(path)
    job = produce_job(plan_for(body, CLIP), body)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(5000) + data[len(data) // 2 + 5000 :])

    def fail(job: Job) -> None:
        with pytest.raises(BrokenSourceError, match="frames"):
            do(job)

    assert left_by(job, fail) == []


class _Mallinfo(ctypes.Structure):
    """glibc's `struct mallinfo2`: ten numbers, of which 4 is `hblkhd` and 7 `uordblks`."""

    _fields_ = (("values", ctypes.c_size_t * 10),)


def in_use() -> int:
    """Bytes that native code has taken and not given back."""
    gc.collect()
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _Mallinfo
    values = mallinfo().values
    return values[4] + values[7]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="asks glibc")
@pytest.mark.parametrize("kind", ["aac", "remux", "prepare", "poster"])
def test_jobs_that_read_a_part_of_a_file_give_all_memory_back(film, kind):
    job = FILM_JOBS[kind](film)
    for _ in range(20):
        do(job)
    before, times = in_use(), 50
    for _ in range(times):
        do(job)
    assert (in_use() - before) / times < 100
