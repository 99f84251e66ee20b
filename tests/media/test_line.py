import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import av
import numpy as np
import pytest

from origin.errors import BrokenSourceError
from origin.media.decode import Picture
from origin.media.encode import Coded, split_frames
from origin.media.line import JobCancelledError, Line, Machines

FRAME_BYTES = 16 * 16 * 3 // 2


@dataclass
class Bench:
    """Machines of paper, that count what is under way."""

    frames: int
    sub_gops: list[range]
    batch: int = 1
    concurrency: int = 2
    fail_at: dict[str, int] = field(default_factory=dict)
    upscale_seconds: float = 0.0
    encode_seconds: float = 0.0
    may_encode: Callable[["Bench"], bool] = lambda _: True
    """What an encoder waits for before each frame."""

    decoded: int = 0
    encoded: int = 0
    upscaling: int = 0
    most_waiting: int = 0
    most_upscaling: int = 0
    batches: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def _trip(self, stage: str, index: int) -> None:
        if self.fail_at.get(stage) == index:
            raise BrokenSourceError(f"{stage} breaks at {index}", source="x")

    def pictures(self) -> Iterator[Picture]:
        for index in range(self.frames):
            self._trip("decode", index)
            with self.lock:
                self.decoded += 1
                self.most_waiting = max(self.most_waiting, self.decoded - self.encoded)
            yield Picture(1000 + index, av.VideoFrame(16, 16, "yuv420p"))

    def upscale(self, batch: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
        with self.lock:
            self.upscaling += 1
            self.batches.append(len(batch))
            self.most_upscaling = max(self.most_upscaling, self.upscaling)
        for planes in batch:
            self._trip("upscale", int(planes[0][0]))
        time.sleep(self.upscale_seconds)
        with self.lock:
            self.upscaling -= 1
        return batch

    def open_encoder(self, frames: range) -> "PaperEncoder":
        return PaperEncoder(self, frames)

    def machines(self) -> Machines:
        return Machines(
            pictures=self.pictures(),
            planes_of=lambda picture: [np.array([picture.pts - 1000])],
            upscale=self.upscale,
            batch=self.batch,
            concurrency=self.concurrency,
            open_encoder=self.open_encoder,
        )


class PaperEncoder:
    def __init__(self, bench: Bench, frames: range) -> None:
        self.bench = bench
        self.frames = frames
        self.count = 0
        self.thread: int | None = None

    def encode(self, planes, pts) -> Iterator[Coded]:
        index = int(planes[0][0])
        assert index == self.frames.start + self.count
        assert pts == 1000 + index
        assert self.thread is None, "one thread at a time"
        self.thread = threading.get_ident()
        self.bench._trip("encode", index)
        while not self.bench.may_encode(self.bench):
            time.sleep(0.001)
        time.sleep(self.bench.encode_seconds)
        self.thread = None
        with self.bench.lock:
            self.bench.encoded += 1
        self.count += 1
        yield Coded((bytes([index % 256]),), self.count - 1, self.count == 1)

    def finish(self) -> Iterator[Coded]:
        assert self.count == len(self.frames)
        return iter(())


def bench(frames: int, seconds: float, **more) -> Bench:
    return Bench(frames, split_frames(frames, seconds), **more)


def run(paper: Bench, threads: int = 2, progress=lambda _: None, cancelled=lambda: False) -> Line:
    before = set(threading.enumerate())
    line = Line(paper.machines(), paper.sub_gops, threads, FRAME_BYTES)
    try:
        line.run(progress, cancelled)
    finally:
        assert set(threading.enumerate()) <= before
    return line


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize(("frames", "seconds"), [(1, 0.04), (7, 0.3), (100, 4.0), (333, 20.0)])
def test_every_frame_reaches_its_encoder_in_order(threads, batch, frames, seconds):
    paper = bench(frames, seconds, batch=batch)
    line = run(paper, threads)
    assert line.pts == [1000 + index for index in range(frames)]
    assert [len(part) for part in line.coded] == [len(part) for part in paper.sub_gops]
    shown = [int(item.units[0][0]) for part in line.coded for item in part]
    assert shown == [index % 256 for index in range(frames)]
    assert max(paper.batches) <= batch


def test_batches_are_full_but_at_the_end_of_a_sub_gop():
    paper = bench(96, 4.0, batch=8)
    run(paper)
    assert set(paper.batches) == {8}


def test_the_upscaler_is_not_called_more_often_than_it_allows():
    paper = bench(100, 4.0, concurrency=1, upscale_seconds=0.001)
    run(paper, threads=6)
    assert paper.most_upscaling == 1


def test_frames_in_flight_do_not_grow_with_the_segment():
    in_three_sub_gops = 3 * 50
    for seconds in (20, 80):
        paper = bench(
            25 * seconds,
            seconds,
            encode_seconds=0.0002,
            may_encode=lambda paper: paper.decoded >= in_three_sub_gops,
        )
        run(paper, threads=2)
        assert in_three_sub_gops <= paper.most_waiting <= in_three_sub_gops + 8


def test_large_frames_wait_in_small_numbers():
    paper = bench(200, 8.0, encode_seconds=0.0005)
    line = Line(paper.machines(), paper.sub_gops, 2, 64 * 2**20)
    line.run(lambda _: None, lambda: False)
    assert paper.most_waiting <= 4 + 8 + 6


@pytest.mark.parametrize("stage", ["decode", "upscale", "encode"])
@pytest.mark.parametrize("index", [0, 60, 99])
def test_the_first_error_ends_everything(stage, index):
    with pytest.raises(BrokenSourceError, match=f"{stage} breaks at {index}"):
        run(bench(100, 4.0, fail_at={stage: index}), threads=3)


def test_nobody_wants_it_any_more():
    seen = []
    with pytest.raises(JobCancelledError):
        run(
            bench(100_000, 400.0, encode_seconds=0.001),
            progress=seen.append,
            cancelled=lambda: len(seen) > 2,
        )
    assert seen[-1] < 1000


def test_progress_grows_to_the_number_of_frames():
    seen: list[int] = []
    run(
        bench(100, 4.0, may_encode=lambda paper: paper.encoded < sum(seen[-1:]) + 10),
        progress=seen.append,
    )
    assert seen == sorted(set(seen))
    assert len(seen) > 5
    assert seen[-1] == 100


def test_an_error_in_progress_ends_everything():
    def progress(_: int) -> None:
        raise RuntimeError("the origin is gone")

    with pytest.raises(RuntimeError, match="the origin is gone"):
        run(bench(1000, 40.0, encode_seconds=0.001), progress=progress)


def test_stages_are_timed():
    line = run(bench(50, 2.0, upscale_seconds=0.002, encode_seconds=0.001))
    assert line.seconds["upscale"] >= 0.1
    assert line.seconds["encode"] >= 0.05
