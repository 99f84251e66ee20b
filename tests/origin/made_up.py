"""Titles without media: an HLS library of small text files, facts to go with it, and a pool that
answers jobs in this process."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from manifests.color import Color
from manifests.timeline import SegmentFacts, SegmentSpan, TrackSpan
from origin.media.types import (
    AudioFacts,
    Container,
    FileFacts,
    HlsFacts,
    InspectFile,
    InspectHls,
    Measure,
    Measured,
    Prepared,
    PrepareRendition,
    Produced,
    VideoFacts,
)
from origin.scheduler import Klass


def write_media_playlist(path: Path, *, count: int = 4, text: str | None = None) -> None:
    """A playlist of 4 s segments `path.stem-N.ts`, and the segments."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for index in range(count):
        name = f"{path.stem}-{index}.ts"
        path.with_name(name).write_bytes(f"{path} {index}".encode())
        rows.append(f"#EXTINF:4.0,\n{name}\n")
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    path.write_text(text or head + "".join(rows) + "#EXT-X-ENDLIST\n")


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.001)


def video(**changes: Any) -> VideoFacts:
    facts = {
        "stream_index": 0,
        "codec": "h264",
        "codecs": "avc1.4d401e",
        "width": 640,
        "height": 360,
        "sar": Fraction(1),
        "frame_rate": Fraction(25),
        "time_base": Fraction(1, 90000),
        "color": Color(),
        "bit_depth": 8,
        "interlaced": False,
        "reorders": False,
    }
    return VideoFacts(**(facts | changes))


def segment(index: int, **changes: Any) -> SegmentFacts:
    facts = {
        "first_pts": index * 360000,
        "end_pts": (index + 1) * 360000,
        "frames": 100,
        "has_key": True,
        "leading": False,
        "video_bytes": 1000,
        "audio_bytes": 0,
    }
    return SegmentFacts(**(facts | changes))


def hls_facts(count: int) -> HlsFacts:
    return HlsFacts(video=video(), audio=(), segments=tuple(map(segment, range(count))))


def file_facts(*, leading: bool = False) -> FileFacts:
    spans = tuple(
        SegmentSpan(
            index=index,
            key_pts=index * 360000,
            key_dts=index * 360000,
            packet_count=100,
            first_pts=index * 360000,
            end_pts=(index + 1) * 360000,
            leading=leading and index > 0,
        )
        for index in range(3)
    )
    audio = AudioFacts(
        stream_index=1,
        codec="aac",
        codecs="mp4a.40.2",
        copied=True,
        sample_rate=48000,
        channels=2,
        time_base=Fraction(1, 48000),
        language="eng",
        title=None,
        is_default=True,
        peak_bandwidth=128000,
        spans=(
            TrackSpan(index=0, first_pts=0, packet_count=10, end_pts=192000),
            TrackSpan(index=1, first_pts=192000, packet_count=0, end_pts=384000),
            TrackSpan(index=2, first_pts=384000, packet_count=10, end_pts=576000),
        ),
    )
    return FileFacts(
        container=Container.MATROSKA,
        video=video(),
        audio=(audio,),
        spans=spans,
        duration_seconds=12.0,
        video_peak_bandwidth=500000,
        video_average_bandwidth=400000,
        offset_seconds=0,
    )


class FakePool:
    """Stands in for `WorkerPool`. `before` sees each job, and may wait or raise."""

    def __init__(self, *, pace: float = 60.0) -> None:
        self.pace = pace
        self.jobs: list[object] = []
        self.keys: list[str] = []
        self.running: set[str] = set()
        self.waited: list[tuple[str, Klass]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.before: Callable[[object], None] = lambda job: None

    async def run(self, job: object, *, key: str, on_start: Any = None, **_: object) -> object:
        assert key not in self.running, f"{key} is queued or running already"
        self.jobs.append(job)
        self.keys.append(key)
        self.running.add(key)
        try:
            await self.gate.wait()
            if on_start:
                on_start()
            self.before(job)
            return self._result(job)
        finally:
            self.running.discard(key)

    @contextlib.contextmanager
    def waiting(self, key: str, klass: Klass, *_: object, **options: object) -> Iterator[None]:
        self.waited.append((key, klass))
        yield

    def costs(self, job: object, lighter: Sequence[object] = ()) -> tuple[float, ...]:
        return (0.0,) * (1 + len(lighter))

    def forecast(self, lane: object, cost: float, deadline: float) -> float:
        return cost

    def load_seconds(self, lane: object) -> float:
        return 0.0

    def slots(self, lane: object) -> int:
        return 1

    def of(self, kind: type) -> list[Any]:
        return [job for job in self.jobs if isinstance(job, kind)]

    def unready_reason(self) -> str | None:
        return None

    def _result(self, job: object) -> object:
        match job:
            case InspectHls():
                return hls_facts(len(job.segments))
            case InspectFile():
                return file_facts()
            case PrepareRendition():
                init = None if job.plan.container == "mpegts" else b"init"
                return Prepared(extradata=b"x", codecs="avc1.64001f", init=init)
            case Measure():
                return Measured(frames_per_second=self.pace)
            case _:
                return Produced(body=repr(job).encode(), stages={"encode": 0.1})
