from fractions import Fraction
from pathlib import Path

import av
import pytest

from origin.errors import BrokenSourceError, UnsupportedSourceError
from origin.media.inspect_hls import inspect_hls
from origin.media.types import Container, FileRange, HlsBody, HlsFacts, InspectHls
from tests.media import synth
from tests.media.synth import Clip, Sound


def bodies_of(files: synth.HlsFiles) -> tuple[HlsBody, ...]:
    return tuple(
        HlsBody(
            name=segment.name,
            container=Container.MP4 if files.init else Container.MPEGTS,
            body=FileRange(path=str(segment)),
            init=FileRange(path=str(files.init)) if files.init else None,
        )
        for segment in files.segments
    )


def inspect(folder: Path, clip: Clip, kind: str = "mpegts") -> HlsFacts:
    bodies = bodies_of(synth.write_hls(folder, clip, kind))
    return inspect_hls(InspectHls(name="title", segments=bodies))


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(50)], ids=str
)
def test_frame_rates_are_exact_and_segments_tile(tmp_path: Path, kind: str, rate: Fraction):
    facts = inspect(tmp_path, Clip(rate=rate, frames=72, sounds=(Sound(),)), kind)
    assert facts.video.frame_rate == rate
    assert [row.frames for row in facts.segments] == [24, 24, 24]
    for before, after in zip(facts.segments, facts.segments[1:], strict=False):
        assert after.first_pts == before.end_pts
    assert all(row.has_key and not row.leading and not row.error for row in facts.segments)
    assert all(row.video_bytes and row.audio_bytes for row in facts.segments)
    seconds = facts.segments[0].duration_seconds(facts.video.time_base)
    assert seconds == pytest.approx(float(24 / rate), abs=2e-5)


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_streams_are_described(tmp_path: Path, kind: str):
    clip = Clip(
        sar=Fraction(32, 27),
        matrix=5,
        primaries=5,
        transfer=6,
        pix_fmt="yuv420p",
        sounds=(Sound(language="eng"), Sound(codec="ac3", layout="5.1")),
    )
    facts = inspect(tmp_path, clip, kind)
    video = facts.video
    assert (video.codec, video.width, video.height) == ("h264", 160, 90)
    assert video.codecs.startswith("avc1.6400")
    assert video.sar == Fraction(32, 27)
    assert (video.color.matrix, video.color.primaries, video.color.transfer) == (5, 5, 6)
    assert not video.color.full_range
    assert (video.bit_depth, video.interlaced, video.rotation) == (8, False, 0)
    assert [(a.codec, a.codecs, a.channels) for a in facts.audio] == [
        ("aac", "mp4a.40.2", 2),
        ("ac3", "ac-3", 6),
    ]
    assert facts.audio[0].language == "eng"
    total = max(row.audio_bytes * 8 / 0.96 for row in facts.segments)
    assert sum(a.peak_bandwidth for a in facts.audio) == pytest.approx(total, rel=0.1)


def test_depth_and_full_range_are_seen(tmp_path: Path):
    clip = Clip(codec="libx265", pix_fmt="yuv420p10le", full_range=True)
    video = inspect(tmp_path, clip, "fmp4").video
    assert (video.codec, video.bit_depth, video.color.full_range) == ("hevc", 10, True)
    assert video.codecs.startswith("hvc1.2.")


def test_interlaced_video_is_seen(tmp_path: Path):
    clip = Clip(height=96, options={"flags": "+ilme+ildct", "x264-params": "tff=1"})
    assert inspect(tmp_path, clip).video.interlaced


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
@pytest.mark.parametrize(("b_frames", "room"), [(0, False), (1, True), (2, True)])
def test_only_video_that_is_reordered_leaves_room_for_b_frames(
    tmp_path: Path, kind: str, b_frames: int, room: bool
):
    assert inspect(tmp_path, Clip(b_frames=b_frames), kind).video.reorders is room


def test_variable_frame_rate_has_its_average(tmp_path: Path):
    facts = inspect(tmp_path, Clip(vfr=True, frames=120))
    assert float(facts.video.frame_rate) == pytest.approx(25 * 5 / 8, rel=0.02)


def test_timestamps_unwrap_within_a_segment(tmp_path: Path):
    start = synth.WRAP_SECONDS - Fraction(3, 2)
    facts = inspect(tmp_path, Clip(start_seconds=start, frames=72))
    assert [row.frames for row in facts.segments] == [24, 24, 24]
    assert [row.end_pts - row.first_pts for row in facts.segments] == [86400] * 3
    assert facts.segments[1].first_pts < 2**33 < facts.segments[1].end_pts
    assert facts.segments[2].first_pts < 2**32
    assert facts.video.frame_rate == 25


def test_an_open_gop_without_parameter_sets_of_its_own_is_read_behind_one_that_has_them(
    tmp_path: Path,
):
    facts = inspect(tmp_path, Clip(b_frames=2, open_gop=True, frames=72))
    assert [row.error for row in facts.segments] == [None, None, None]
    assert [row.leading for row in facts.segments] == [False, True, True]
    assert sum(row.frames for row in facts.segments) == 72
    assert facts.video.reorders


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"no video at all" * 100), ""),
        (lambda path: path.write_bytes(path.read_bytes()[: 188 * 3]), ""),
    ],
)
def test_a_broken_segment_has_its_reason_and_the_title_lives(tmp_path: Path, damage, reason: str):
    files = synth.write_hls(tmp_path, Clip(frames=72))
    for index in (0, 1):
        damage(files.segments[index])
        facts = inspect_hls(InspectHls(name="title", segments=bodies_of(files)))
        assert [bool(row.error) for row in facts.segments] == [True, index == 1, False]
        assert reason in (facts.segments[index].error or "")
        assert facts.segments[index].frames == 0
        assert facts.video.width == 160


def test_a_title_without_one_readable_segment_is_broken(tmp_path: Path):
    files = synth.write_hls(tmp_path, Clip())
    for segment in files.segments:
        segment.write_bytes(b"")
    with pytest.raises(BrokenSourceError, match="is empty") as caught:
        inspect_hls(InspectHls(name="title", segments=bodies_of(files)))
    assert caught.value.source == files.segments[-1].name
    with pytest.raises(BrokenSourceError):
        inspect_hls(InspectHls(name="title", segments=()))


def test_a_title_without_video_is_unsupported(tmp_path: Path):
    path = tmp_path / "sound.ts"
    source = synth.write_file(tmp_path / "both.ts", Clip(sounds=(Sound(),)))
    with av.open(str(source)) as given, av.open(str(path), "w", format="mpegts") as made:
        stream = made.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(given.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    body = HlsBody(name="sound.ts", container=Container.MPEGTS, body=FileRange(path=str(path)))
    with pytest.raises(UnsupportedSourceError, match="no video"):
        inspect_hls(InspectHls(name="title", segments=(body,)))
