from fractions import Fraction
from pathlib import Path

import av
import pytest

from origin.errors import BrokenSourceError, UnsupportedSourceError
from origin.media import inspect_file as module
from origin.media.types import Container
from tests.media import synth
from tests.media.packaged import inspect, video_segment
from tests.media.synth import Clip, Sound


def duration(track) -> Fraction:
    return (track.spans[-1].end_pts - track.spans[0].first_pts) * track.time_base


@pytest.mark.parametrize(
    ("suffix", "codec", "container"),
    [
        (".mp4", "libx264", Container.MP4),
        (".mov", "libx264", Container.MP4),
        (".mkv", "libx264", Container.MATROSKA),
        (".webm", "libvpx-vp9", Container.MATROSKA),
        (".ts", "libx264", Container.MPEGTS),
    ],
)
def test_spans_tile_the_video_and_every_audio_track(
    tmp_path: Path, suffix: str, codec: str, container: Container
):
    sound = Sound(codec="libopus") if suffix == ".webm" else Sound(language="fra")
    clip = Clip(codec=codec, frames=250, sounds=(sound, sound))
    facts = inspect(synth.write_file(tmp_path / f"file{suffix}", clip))
    assert facts.container is container
    assert [span.packet_count for span in facts.spans] == [120, 120, 10]
    assert facts.video.frame_rate == 25
    assert facts.duration_seconds == 10
    for before, after in zip(facts.spans, facts.spans[1:], strict=False):
        assert after.first_pts == before.end_pts
    assert len(facts.audio) == 2
    for track in facts.audio:
        assert len(track.spans) == 3
        assert 10 <= duration(track) < 10.1
        for before, after in zip(track.spans, track.spans[1:], strict=False):
            assert after.first_pts == before.end_pts
            cut = facts.spans[after.index].first_pts * facts.video.time_base
            assert 0 <= after.first_pts * track.time_base - cut < Fraction(1024, 48000)
    if suffix != ".webm":
        assert [track.language for track in facts.audio] == ["fra", "fra"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001)], ids=str)
def test_frame_rates_are_exact_although_containers_round(
    tmp_path: Path, suffix: str, rate: Fraction
):
    facts = inspect(synth.write_file(tmp_path / f"file{suffix}", Clip(rate=rate, frames=120)))
    assert facts.video.frame_rate == rate


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_room_for_b_frames_is_what_the_served_dts_leave(tmp_path: Path, suffix: str):
    for b_frames in (0, 1, 2):
        path = tmp_path / f"{b_frames}{suffix}"
        facts = inspect(synth.write_file(path, Clip(b_frames=b_frames, frames=120)))
        assert facts.video.reorders is (b_frames > 0)


@pytest.mark.parametrize(
    ("suffix", "clip", "offset"),
    [
        (".mp4", Clip(frames=120), 0),
        (".mp4", Clip(frames=120, b_frames=2), 1),  # negative DTS
        (".mp4", Clip(frames=120, sounds=(Sound(),)), 1),  # AAC priming
        (".mp4", Clip(frames=120, b_frames=2, sounds=(Sound(),), start_seconds=Fraction(10)), 0),
        (".mkv", Clip(frames=120, b_frames=2), 1),
        (".mkv", Clip(frames=120, sounds=(Sound(codec="libopus"),)), 1),
        (".mkv", Clip(frames=120, b_frames=2, start_seconds=Fraction(10)), 0),
        (".ts", Clip(frames=120, b_frames=2, start_seconds=Fraction(10)), 0),
    ],
)
def test_the_offset_is_the_least_that_leaves_nothing_negative(
    tmp_path: Path, suffix: str, clip: Clip, offset: int
):
    facts = inspect(synth.write_file(tmp_path / f"file{suffix}", clip))
    assert facts.offset_seconds == offset


def test_bandwidth_covers_the_served_segments(tmp_path: Path):
    for name in ("file.mp4", "file.ts"):
        path = synth.write_file(tmp_path / name, Clip(frames=250, b_frames=2, noise=True))
        facts = inspect(path)
        rates, bits = [], 0
        for span in facts.spans:
            size = 8 * len(video_segment(path, facts, span.index))
            bits += size
            rates.append(size / ((span.end_pts - span.first_pts) * facts.video.time_base))
        assert max(rates) <= facts.video_peak_bandwidth <= 1.01 * max(rates) + 1
        assert bits / 10 <= facts.video_average_bandwidth <= 1.01 * bits / 10


def test_cover_art_is_not_the_video(tmp_path: Path):
    source = synth.write_file(tmp_path / "plain.mp4", Clip(frames=120))
    path = tmp_path / "cover.mp4"
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        cover = made.add_stream("mjpeg", rate=1, width=64, height=64, pix_fmt="yuvj420p")
        stream = made.add_stream_from_template(given.streams.video[0])
        cover.disposition = av.stream.Disposition.attached_pic
        picture = cover.encode(av.VideoFrame(64, 64, "yuvj420p"))
        made.mux(picture + cover.encode(None))
        for packet in given.demux():
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    facts = inspect(path)
    assert facts.video.codec == "h264"


def test_rotation_is_found(tmp_path: Path):
    source = synth.write_file(tmp_path / "plain.mp4", Clip(frames=120))
    path = tmp_path / "turned.mp4"
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        stream.set_display_rotation(90)
        for packet in given.demux():
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    assert inspect(path).video.rotation == 90
    assert inspect(source).video.rotation == 0


def test_what_cannot_be_served_is_refused_with_its_reason(tmp_path: Path, monkeypatch):
    def refused(path: Path, match: str):
        with pytest.raises(UnsupportedSourceError, match=match) as caught:
            inspect(path)
        assert caught.value.source == path.name

    text = tmp_path / "notes.txt"
    text.write_text("no film")
    refused(text, "no MP4, Matroska, WebM or MPEG-TS")
    sparse = synth.write_file(tmp_path / "sparse.mp4", Clip(frames=600, gop=600))
    refused(sparse, "keyframes lie too far apart")
    path = synth.write_file(tmp_path / "file.mkv", Clip(frames=250))
    monkeypatch.setattr(module, "MAX_SEGMENTS", 2)
    refused(path, "more than 2 segments")
    monkeypatch.setattr(module, "MAX_DURATION_SECONDS", 8)
    refused(path, "longer")
    with av.open(str(tmp_path / "mjpeg.mkv"), "w") as made:
        stream = made.add_stream("mjpeg", rate=25, width=64, height=64, pix_fmt="yuvj420p")
        made.mux(stream.encode(av.VideoFrame(64, 64, "yuvj420p")) + stream.encode(None))
    refused(tmp_path / "mjpeg.mkv", "mjpeg video, which is not supported")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_broken_files_are_named_with_their_reason(tmp_path: Path, suffix: str):
    def broken(path: Path, match: str | None = None):
        with pytest.raises(BrokenSourceError, match=match) as caught:
            inspect(path)
        assert caught.value.source == path.name

    broken(tmp_path / f"missing{suffix}", "cannot be read")
    empty = tmp_path / f"empty{suffix}"
    empty.write_bytes(b"")
    broken(empty, "is empty")
    garbage = tmp_path / f"garbage{suffix}"
    garbage.write_bytes(b"this is no film at all. " * 400)
    broken(garbage, "does not begin as")
    whole = synth.write_file(tmp_path / f"whole{suffix}", Clip(frames=250)).read_bytes()
    headless = tmp_path / f"headless{suffix}"
    headless.write_bytes(whole[:400])
    broken(headless)


def test_truncated_files_are_broken(tmp_path: Path):
    options = {"movflags": "faststart"}
    source = synth.write_file(tmp_path / "source.mp4", Clip(frames=250))
    for name, chosen in (("front.mp4", options), ("file.mkv", {})):
        path = tmp_path / name
        with av.open(str(source)) as given, av.open(str(path), "w", options=chosen) as made:
            stream = made.add_stream_from_template(given.streams.video[0])
            for packet in given.demux():
                if packet.size:
                    packet.stream = stream
                    made.mux(packet)
        inspect(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(BrokenSourceError, match="truncated"):
            inspect(path)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(BrokenSourceError):
        inspect(source)
