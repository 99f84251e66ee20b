"""The assembly line: decode, upscale and encode one segment on a fixed number of threads.

One pool does all three kinds of step, so that the stated budget of threads is the truth: decoding
is one step at a time, upscaling as many as the upscaler allows, and each sub-GOP's encoder one.
Frames enter in order; sub-GOPs advance evenly, so that the last of them do not wait for a core
each. At most `lanes` sub-GOPs are under way, which bounds memory whatever the segment's length:
decoded frames wait at their small size, and few upscaled ones wait for their encoder.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from origin.media.decode import Picture
from origin.media.encode import Coded
from origin.media.frames import Plane

Planes = Sequence[Plane]
_DECODE_CHUNK = 8
_ENCODE_CHUNK = 4
_WAITING_BYTES = 256 * 2**20
_POLL_SECONDS = 0.1


class JobCancelledError(Exception):
    """Nobody wants the result any more."""


class Encoder(Protocol):
    """What a sub-GOP is encoded by: `origin.media.encode.SubGopEncoder`."""

    def encode(self, planes: Planes, pts: int) -> Iterator[Coded]:
        """Take the next frame; yield what is done."""
        ...

    def finish(self) -> Iterator[Coded]:
        """Yield the rest."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """What the line works with."""

    pictures: Iterator[Picture]
    """Frames of the whole segment in presentation order; used by one thread at a time."""
    planes_of: Callable[[Picture], Planes]
    upscale: Callable[[list[Planes]], list[Planes]]
    batch: int
    concurrency: int
    """Calls of `upscale` at a time."""
    open_encoder: Callable[[range], Encoder]
    """For the frames of one sub-GOP."""


@dataclass(slots=True)
class _Lane:
    """One sub-GOP on its way."""

    frames: range
    decoded: deque[tuple[int, Picture]] = field(default_factory=deque)
    upscaled: dict[int, tuple[Planes, int]] = field(default_factory=dict)
    encoder: Encoder | None = None
    received: int = 0
    taken: int = 0
    encoded: int = 0
    busy: bool = False
    done: bool = False
    coded: list[Coded] = field(default_factory=list)

    @property
    def encodable(self) -> bool:
        ready = self.encoded in self.upscaled or self.encoded == len(self.frames)
        return ready and not self.busy and not self.done


class Line:
    """Runs one segment through. Use once; `run` returns when every thread has ended."""

    def __init__(
        self, machines: Machines, sub_gops: Sequence[range], threads: int, frame_bytes: int
    ) -> None:
        """Set up.

        Args:
            machines: See there.
            sub_gops: Ranks of the frames of each sub-GOP, in order.
            threads: How many threads work.
            frame_bytes: Size of a decoded frame, which bounds how many may wait.
        """
        self.seconds = {"decode": 0.0, "upscale": 0.0, "encode": 0.0}
        self.pts: list[int] = []
        self._machines = machines
        self._threads = threads
        self._lanes = [_Lane(frames) for frames in sub_gops]
        self._open_lanes = max(3, threads + 1)
        self._waiting_limit = max(2 * machines.batch, _WAITING_BYTES // frame_bytes)
        self._upscaled_limit = 2 * machines.batch * machines.concurrency + threads
        self._condition = threading.Condition()
        self._decoding = self._exhausted = False
        self._upscaling = self._waiting = self._upscaled = 0
        self._error: BaseException | None = None

    def run(self, progress: Callable[[int], None], cancelled: Callable[[], bool]) -> None:
        """Work until every frame is encoded; `pts` and `coded` then hold the result.

        Raises:
            JobCancelledError: As soon as `cancelled` says so.
            Exception: The first error of any step.
        """
        workers = [
            threading.Thread(target=self._work, name=f"line-{number}")
            for number in range(self._threads)
        ]
        for worker in workers:
            worker.start()
        try:
            self._watch(progress, cancelled)
        except BaseException as error:
            self._fail(error)
        for worker in workers:
            worker.join()
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # whose traceback leads back here, to all the frames

    @property
    def coded(self) -> list[list[Coded]]:
        """Encoded frames of each sub-GOP, in decode order."""
        return [lane.coded for lane in self._lanes]

    def _watch(self, progress: Callable[[int], None], cancelled: Callable[[], bool]) -> None:
        reported, ended = -1, False
        while not ended:
            with self._condition:
                ended = self._ended or (self._condition.wait(_POLL_SECONDS) and self._ended)
                frames = sum(lane.encoded for lane in self._lanes)
            if frames != reported:
                progress(frames)
                reported = frames
            if cancelled():
                raise JobCancelledError

    @property
    def _ended(self) -> bool:
        return self._error is not None or all(lane.done for lane in self._lanes)

    def _fail(self, error: BaseException) -> None:
        with self._condition:
            self._error = self._error or error
            self._condition.notify_all()

    def _work(self) -> None:
        while (step := self._wait_for_step()) is not None:
            try:
                step()
            except BaseException as error:
                self._fail(error)

    def _wait_for_step(self) -> Callable[[], None] | None:
        with self._condition:
            while not self._ended:
                step = self._next_step()
                if step is not None:
                    return step
                self._condition.wait()
            self._condition.notify_all()
            return None

    def _next_step(self) -> Callable[[], None] | None:
        """Choose what to do next, and note that it is being done. Under the lock."""
        if self._may_decode():
            self._decoding = True
            return self._decode
        lane = min(
            (lane for lane in self._lanes if lane.encodable),
            key=lambda lane: lane.encoded,
            default=None,
        )
        if lane is not None:
            lane.busy = True
            return lambda: self._encode(lane)
        return self._next_upscale()

    def _may_decode(self) -> bool:
        if self._decoding or self._exhausted or self._waiting >= self._waiting_limit:
            return False
        oldest = next(index for index, lane in enumerate(self._lanes) if not lane.done)
        return len(self.pts) < self._lanes[: oldest + self._open_lanes][-1].frames.stop

    def _next_upscale(self) -> Callable[[], None] | None:
        machines = self._machines
        if self._upscaling >= machines.concurrency or self._upscaled >= self._upscaled_limit:
            return None
        lane = min(
            (lane for lane in self._lanes if self._has_batch(lane)),
            key=lambda lane: lane.taken,
            default=None,
        )
        if lane is None:
            return None
        size = min(machines.batch, len(lane.decoded))
        batch = [lane.decoded.popleft() for _ in range(size)]
        lane.taken += size
        self._upscaling += 1
        self._waiting -= size
        self._upscaled += size
        return lambda: self._upscale(lane, batch)

    def _has_batch(self, lane: _Lane) -> bool:
        complete = lane.received == len(lane.frames)
        return len(lane.decoded) >= (1 if complete else self._machines.batch)

    def _decode(self) -> None:
        began = time.perf_counter()
        pictures = list(islice(self._machines.pictures, _DECODE_CHUNK))
        with self._condition:
            self.seconds["decode"] += time.perf_counter() - began
            for picture in pictures:
                rank = len(self.pts)
                lane = next(lane for lane in self._lanes if rank in lane.frames)
                lane.decoded.append((rank - lane.frames.start, picture))
                lane.received += 1
                self.pts.append(picture.pts)
            self._waiting += len(pictures)
            self._exhausted = len(pictures) < _DECODE_CHUNK
            self._decoding = False
            self._condition.notify_all()

    def _upscale(self, lane: _Lane, batch: list[tuple[int, Picture]]) -> None:
        began = time.perf_counter()
        results = self._machines.upscale([self._machines.planes_of(item) for _, item in batch])
        with self._condition:
            self.seconds["upscale"] += time.perf_counter() - began
            for (rank, picture), planes in zip(batch, results, strict=True):
                lane.upscaled[rank] = (planes, picture.pts)
            self._upscaling -= 1
            self._condition.notify_all()

    def _encode(self, lane: _Lane) -> None:
        began = time.perf_counter()
        lane.encoder = lane.encoder or self._machines.open_encoder(lane.frames)
        done = 0
        while done < _ENCODE_CHUNK and (item := lane.upscaled.pop(lane.encoded, None)):
            lane.coded += lane.encoder.encode(*item)
            lane.encoded += 1
            done += 1
        last = lane.encoded == len(lane.frames)
        if last:
            lane.coded += lane.encoder.finish()
            lane.encoder = None
        with self._condition:
            self.seconds["encode"] += time.perf_counter() - began
            self._upscaled -= done
            lane.done = last
            lane.busy = False
            self._condition.notify_all()
