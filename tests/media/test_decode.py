from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from origin.errors import BrokenSourceError, OriginError, UnsupportedSourceError
from origin.media.decode import decode, to_420
from origin.media.frames import planes_of
from origin.media.packets import open_segment
from tests.media.making import write_bodies
from tests.media.synth import Clip, draw, luma, read_counter

SOURCES = [
    ("mpegts", Clip(b_frames=2, open_gop=True)),
    ("mpegts", Clip(codec="libx265", b_frames=2, open_gop=True)),
    ("mpegts", Clip(codec="mpeg2video", b_frames=2, open_gop=True)),
    ("fmp4", Clip(b_frames=3, options={"x264-params": "bframes=3:b-pyramid=normal:keyint=24"})),
    ("fmp4", Clip(codec="libx265", b_frames=2)),
    ("webm", Clip(codec="libvpx-vp9", width=161, height=91, frames=120)),
    ("mkv", Clip(codec="libsvtav1", width=161, height=91, frames=120)),
    ("mkv", Clip(codec="libx265", pix_fmt="yuv420p10le", frames=120, b_frames=2, open_gop=True)),
    ("mp4", Clip(pix_fmt="yuv422p", frames=120, vfr=True)),
    ("mkv", Clip(pix_fmt="yuvj444p", full_range=True)),
]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("kind", "clip"), SOURCES)
def test_every_frame_comes_out_once_and_in_order(tmp_path: Path, kind, clip, threads):
    shown = []
    for body in write_bodies(tmp_path, kind, clip):
        with open_segment(body) as segment:
            pictures = list(decode(segment, threads))
            assert [picture.pts for picture in pictures] == sorted(r.pts for r in segment.timing)
        assert {picture.frame.format.name for picture in pictures} <= {"yuv420p", "yuvj420p"}
        assert {(p.frame.width, p.frame.height) for p in pictures} == {(clip.width, clip.height)}
        shown += [read_counter(luma(picture.frame)) for picture in pictures]
    assert shown == list(range(clip.frames))


def test_leading_pictures_without_anything_to_borrow_from_show_the_first_frame(tmp_path: Path):
    body = write_bodies(tmp_path, "mpegts", Clip(codec="libx265", b_frames=2, open_gop=True))[1]
    with open_segment(replace(body, preroll=())) as segment:
        pictures = list(decode(segment, 1))
        assert [picture.pts for picture in pictures] == sorted(r.pts for r in segment.timing)
    assert [read_counter(luma(p.frame)) for p in pictures][:4] == [24, 24, 24, 25]


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv422p", "yuv444p", "yuv444p10le", "nv12"])
def test_other_formats_become_420_within_a_code_value(pix_fmt):
    frame = draw(21, Clip())
    there_and_back = to_420(frame.reformat(format=pix_fmt))
    for ours, original in zip(planes_of(there_and_back), planes_of(frame), strict=True):
        assert np.abs(ours.astype(int) - original).max() <= 1


def test_full_range_stays_full_range():
    frame = draw(21, Clip()).reformat(format="yuvj444p", src_color_range=2, dst_color_range=2)
    ours, original = luma(to_420(frame)), luma(draw(21, Clip()))
    assert np.abs(ours.astype(int) - original).max() <= 1


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_a_truncated_segment_is_never_taken_for_a_whole_one(tmp_path: Path, kind):
    body = write_bodies(tmp_path, kind, Clip(noise=True))[0]
    path = Path(body.body.path)
    whole = path.read_bytes()
    with open_segment(body) as segment:
        frames = len(segment.packets)
    for tenths in range(1, 10):
        size = len(whole) * tenths // 10
        path.write_bytes(whole[: size - size % 188 if kind == "mpegts" else size])
        try:
            with open_segment(body) as segment:
                pictures = list(decode(segment, 1))
        except OriginError as error:
            assert error.source == path.name  # noqa: PT017
        else:
            # Cut between two packets, a transport stream cannot know that it is cut.
            assert kind == "mpegts"
            assert len(pictures) < frames


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_damage_within_frames_is_noticed(tmp_path: Path, codec):
    body = write_bodies(tmp_path, "mpegts", Clip(codec=codec, noise=True))[0]
    path = Path(body.body.path)
    data = bytearray(path.read_bytes())
    for at in range(188 * 40, len(data), 188 * 7):
        data[at + 60 : at + 120] = bytes(60)
    path.write_bytes(data)
    with pytest.raises(BrokenSourceError), open_segment(body) as segment:
        list(decode(segment, 1))


def test_a_change_of_size_within_a_segment_is_unsupported(tmp_path: Path):
    small = write_bodies(tmp_path / "a", "mpegts", Clip())[0]
    large = write_bodies(tmp_path / "b", "mpegts", Clip(width=192, height=96))[1]
    path = Path(small.body.path)
    joined = bytearray(path.read_bytes() + Path(large.body.path).read_bytes())
    counters: dict[bytes, int] = {}
    for at in range(0, len(joined), 188):
        pid = bytes((joined[at + 1] & 0x1F, joined[at + 2]))
        counters[pid] = counters.get(pid, -1) + 1
        joined[at + 3] = joined[at + 3] & 0xF0 | counters[pid] & 0x0F
    path.write_bytes(joined)
    with (
        pytest.raises(UnsupportedSourceError, match="from 160x90 to 192x96"),
        open_segment(small) as segment,
    ):
        list(decode(segment, 1))
