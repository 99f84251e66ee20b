import random
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.errors import BrokenSourceError, UnsupportedSourceError
from origin.media import limits
from origin.media.demux import read_range
from origin.media.packets import open_segment, unwrap
from origin.media.types import Container, FileRange, HlsBody
from tests.media.making import file_bodies, hls_bodies, write_bodies
from tests.media.synth import WRAP_SECONDS, Clip, Sound, write_file, write_hls


@given(st.integers(-(2**34), 2**34), st.integers(-(2**32) + 1, 2**32 - 1))
def test_unwrapping_finds_what_was_wrapped(reference, distance):
    assert unwrap((reference + distance) % 2**33, reference) == reference + distance


def test_a_segment_across_the_wrap_counts_on(tmp_path: Path):
    start = WRAP_SECONDS - Fraction(1, 2)
    bodies = write_bodies(tmp_path, "mpegts", Clip(b_frames=2, start_seconds=start))
    with open_segment(bodies[0]) as segment:
        times = sorted(row.pts for row in segment.timing)
    assert times == [round(start * 90000) + 3600 * index for index in range(24)]


@pytest.mark.parametrize(
    ("kind", "clip"),
    [
        ("mp4", Clip(b_frames=2, frames=240)),
        ("mp4", Clip(b_frames=2, open_gop=True, frames=240, rate=Fraction(24000, 1001))),
        ("mkv", Clip(b_frames=2, open_gop=True, frames=240)),
        ("mkv", Clip(vfr=True, frames=180)),
        ("webm", Clip(codec="libvpx-vp9", frames=240)),
        ("ts", Clip(b_frames=2, frames=240, start_seconds=Fraction(10))),
        ("ts", Clip(codec="mpeg2video", b_frames=2, open_gop=True, frames=240)),
    ],
    ids=lambda value: value if isinstance(value, str) else value.codec,
)
def test_every_packet_of_a_file_belongs_to_one_segment(tmp_path: Path, kind: str, clip: Clip):
    path = write_file(tmp_path / f"film.{kind}", clip)
    options = {"advanced_editlist": "0"} if kind == "mp4" else {}
    with av.open(str(path), options=options) as container:
        expected = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    found: dict[int, list[bytes]] = {}
    ends = []
    bodies = file_bodies(path)
    assert len(bodies) > 1
    for index, body in random.Random(1).sample(list(enumerate(bodies)), len(bodies)):
        with open_segment(body) as segment:
            found[index] = [bytes(packet) for packet in segment.packets]
            if body.previous is not None:
                assert bool(segment.preroll) == body.span.leading
            rows = segment.timing
            assert all(row.dts <= row.pts and row.dts >= 0 for row in rows)
            ends.append((index, rows[0].dts, rows[-1].dts + rows[-1].duration))
    assert [data for index in sorted(found) for data in found[index]] == expected
    ends.sort()
    if not clip.vfr:
        tolerance = 2 if kind == "mkv" else 1
        assert all(abs(a[2] - b[1]) <= tolerance for a, b in pairwise(ends))


def test_packets_before_the_segment_are_preroll(tmp_path: Path):
    for kind in ("mpegts", "fmp4"):
        files = write_hls(tmp_path / kind, Clip(frames=72), kind)
        with open_segment(hls_bodies(files, kind, preroll=2)[2]) as segment:
            assert len(segment.preroll) == 48
            assert len(segment.packets) == 24


def test_a_file_that_changed_is_refused(tmp_path: Path):
    bodies = file_bodies(write_file(tmp_path / "a.mkv", Clip(frames=240)))
    write_file(tmp_path / "a.mkv", Clip(frames=100))
    with pytest.raises(BrokenSourceError, match=r"ends early, or has changed") as caught:
        open_segment(bodies[-1]).__enter__()
    assert caught.value.source == "a.mkv"
    (tmp_path / "a.mkv").unlink()
    with pytest.raises(BrokenSourceError, match="cannot be read: No such file"):
        open_segment(bodies[0]).__enter__()


def test_byte_ranges_are_read_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "x.ts"
    path.write_bytes(bytes(range(100)))
    assert read_range(FileRange(path=str(path), offset=10, length=5), "x") == bytes(range(10, 15))
    assert read_range(FileRange(path=str(path), offset=90), "x") == bytes(range(90, 100))
    with pytest.raises(BrokenSourceError, match="truncated: 10 bytes of 11"):
        read_range(FileRange(path=str(path), offset=90, length=11), "x")
    with pytest.raises(BrokenSourceError, match="is empty"):
        read_range(FileRange(path=str(path), offset=100), "x")
    with pytest.raises(BrokenSourceError, match="cannot be read"):
        read_range(FileRange(path=str(tmp_path)), "x")


def test_a_segment_of_absurd_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_SEGMENT_BYTES", 99)
    (tmp_path / "x.ts").write_bytes(bytes(100))
    with pytest.raises(UnsupportedSourceError, match="larger than 99 bytes"):
        read_range(FileRange(path=str(tmp_path / "x.ts")), "x")


def _body(path: Path, container: Container = Container.MPEGTS) -> HlsBody:
    return HlsBody(name=path.name, container=container, body=FileRange(path=str(path)))


def _write_foreign(path: Path, codec: str, form: str, pix_fmt: str = "yuv420p", width=160) -> Path:
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, 32, pix_fmt
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(width, 32, pix_fmt)))
        container.mux(stream.encode(None))
    return path


def test_what_we_never_decode_is_unsupported(tmp_path: Path):
    path = _write_foreign(tmp_path / "old.ts", "mpeg4", "mpegts")
    with pytest.raises(UnsupportedSourceError, match="has mpeg4 video, which is not supported"):
        open_segment(_body(path)).__enter__()
    with av.open(str(tmp_path / "sound.ts"), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(UnsupportedSourceError, match="has no video"):
        open_segment(_body(tmp_path / "sound.ts")).__enter__()


def test_absurd_dimensions_are_refused_before_decoding(tmp_path: Path):
    path = _write_foreign(tmp_path / "wide.ts", "libx264", "mpegts", width=8208)
    with pytest.raises(UnsupportedSourceError, match="has video of 8208x32"):
        open_segment(_body(path)).__enter__()


def test_too_many_frames_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bodies = write_bodies(tmp_path, "fmp4", Clip())
    monkeypatch.setattr(limits, "MAX_SEGMENT_FRAMES", 23)
    with pytest.raises(UnsupportedSourceError, match="24 frames in a segment"):
        open_segment(bodies[0]).__enter__()


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_broken_bytes_are_refused_by_name(tmp_path: Path, kind: str):
    body = write_bodies(tmp_path, kind, Clip(sounds=(Sound(),)))[0]
    path = Path(body.body.path)
    whole = path.read_bytes()
    noise = random.Random(1).randbytes(len(whole))
    for damaged in (b"", noise, bytes(len(whole)), whole[:100], b"<html>404</html>" * 30):
        path.write_bytes(damaged)
        with pytest.raises((BrokenSourceError, UnsupportedSourceError)) as caught:
            open_segment(body).__enter__()
        assert caught.value.source == path.name
    missing = replace(body, body=FileRange(path=str(path.with_name("none"))))
    with pytest.raises(BrokenSourceError, match="No such file"):
        open_segment(missing).__enter__()
