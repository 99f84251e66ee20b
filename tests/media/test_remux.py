import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from origin.errors import BrokenSourceError
from origin.media import boxes
from tests import ffmpeg_client
from tests.media import synth
from tests.media.packaged import audio_segment, file_body, init, inspect, video_segment, write_video
from tests.media.synth import Clip, Sound

CLIPS = {
    "plain.mp4": Clip(),
    "reordered.mp4": Clip(b_frames=2, sounds=(Sound(),)),
    "reordered.mkv": Clip(b_frames=2, start_seconds=Fraction(10)),
    "film.ts": Clip(b_frames=2, rate=Fraction(24000, 1001), start_seconds=Fraction(10)),
    "plain.ts": Clip(rate=Fraction(30000, 1001)),
    "open.ts": Clip(b_frames=2, open_gop=True, start_seconds=Fraction(10)),
    "wrapped.ts": Clip(b_frames=2, start_seconds=synth.WRAP_SECONDS - Fraction(2)),
    "open.mp4": Clip(b_frames=2, open_gop=True),
    "open.mkv": Clip(b_frames=2, open_gop=True, rate=Fraction(24000, 1001)),
    "variable.mkv": Clip(vfr=True, b_frames=2),
    "anamorphic.mov": Clip(sar=Fraction(32, 27), matrix=5, primaries=5, transfer=6),
    "hevc.mp4": Clip(codec="libx265", b_frames=2, start_seconds=Fraction(10)),
    "hevc.mkv": Clip(codec="libx265", open_gop=True, b_frames=2),
    "vp9.webm": Clip(codec="libvpx-vp9", width=161, height=91),
    "vp9.mp4": Clip(codec="libvpx-vp9", start_seconds=Fraction(10)),
    "av1.mkv": Clip(codec="libsvtav1", width=160, height=96),
    "av1.mp4": Clip(codec="libsvtav1", width=160, height=96, rate=Fraction(30000, 1001)),
}


def seconds(stream, shift: int = 0) -> list[Fraction]:
    return [at * stream.time_base + shift for at in stream.pts]


@pytest.mark.parametrize("name", CLIPS)
def test_ffmpeg_sees_the_same_packets_at_the_same_times_as_in_the_file(tmp_path: Path, name: str):
    path = synth.write_file(tmp_path / name, replace(CLIPS[name], frames=200))
    facts = inspect(path)
    assert len(facts.spans) >= 2
    served = write_video(tmp_path / "served.mp4", path, facts)

    source, ours = ffmpeg_client.packets(path), ffmpeg_client.packets(served)
    assert ours.problems == ()
    assert len(ours.video[0].pts) == 200
    assert seconds(ours.video[0]) == seconds(source.video[0], facts.offset_seconds)
    if not name.endswith(".ts"):  # where NAL units have start codes instead of lengths
        assert ours.video[0].md5 == source.video[0].md5

    shown, expected = ffmpeg_client.decode(served), ffmpeg_client.decode(path)
    assert shown.problems == ()
    assert shown.video[0].md5 == expected.video[0].md5
    assert seconds(shown.video[0]) == seconds(expected.video[0], facts.offset_seconds)


@pytest.mark.parametrize("name", ["reordered.mp4", "reordered.mkv", "film.ts", "open.mkv"])
def test_decode_times_rise_without_a_hole_from_fragment_to_fragment(tmp_path: Path, name: str):
    path = synth.write_file(tmp_path / name, replace(CLIPS[name], frames=200))
    facts = inspect(path)
    expected = None
    for span in facts.spans:
        fragment = video_segment(path, facts, span.index)
        first = struct.unpack(">Q", boxes.find(fragment, b"moof", b"traf", b"tfdt")[12:])[0]
        run = boxes.find(fragment, b"moof", b"traf", b"trun")
        count = struct.unpack_from(">I", run, 12)[0]
        assert count == span.packet_count
        assert expected in (None, first)
        expected = first + sum(
            struct.unpack_from(">I", run, 20 + 16 * row)[0] for row in range(count)
        )


def test_shape_colour_and_rotation_stand_in_the_init_segment(tmp_path: Path):
    plain = synth.write_file(tmp_path / "plain.mov", CLIPS["anamorphic.mov"])
    path = tmp_path / "turned.mov"
    with av.open(str(plain)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        stream.set_display_rotation(90)
        for packet in given.demux():
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    facts = inspect(path)
    served = write_video(tmp_path / "served.mp4", path, facts)
    with av.open(str(served)) as container:
        stream = container.streams.video[0]
        assert stream.sample_aspect_ratio == Fraction(32, 27)
        context = stream.codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (5, 5, 6)
        assert next(container.decode(stream)).rotation == 90


def test_the_same_bytes_every_time_in_any_order(tmp_path: Path):
    path = synth.write_file(tmp_path / "file.mkv", Clip(frames=250, b_frames=2))
    facts = inspect(path)
    assert inspect(path) == facts
    forwards = [video_segment(path, facts, index) for index in (0, 1, 2)]
    backwards = [video_segment(path, facts, index) for index in (2, 1, 0)]
    assert forwards == backwards[::-1]
    assert init(path, facts, 0) == init(path, facts, 0)


def test_a_file_that_changed_is_broken(tmp_path: Path):
    path = synth.write_file(tmp_path / "file.mp4", Clip(frames=250, sounds=(Sound(),)))
    facts = inspect(path)
    synth.write_file(path, Clip(frames=100))
    assert file_body(path, facts, 1).span.packet_count == 120
    with pytest.raises(BrokenSourceError):
        video_segment(path, facts, 1)
    with pytest.raises(BrokenSourceError, match="changed"):
        audio_segment(path, facts, facts.audio[0], 1)
    with pytest.raises(BrokenSourceError, match="changed"):
        init(path, facts, facts.audio[0].stream_index)
    path.unlink()
    with pytest.raises(BrokenSourceError, match="cannot be read"):
        video_segment(path, facts, 0)
