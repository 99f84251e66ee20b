import subprocess
import sys
from pathlib import Path

import pytest

from origin import demo
from origin.errors import ConfigError
from origin.media.inspect_file import inspect_file
from origin.media.types import InspectFile
from tests import ffmpeg_client
from tests.media.subtitled import extracted


@pytest.mark.parametrize(
    ("title", "videos", "audios"),
    [
        ("bunny-ts/master.m3u8", [((256, 144), 1000), ((128, 72), 1000)], 2),
        ("bunny-fmp4/master.m3u8", [((256, 144), 960), ((128, 72), 960)], 1),
        ("bunny.mkv", [((256, 144), 1000)], 2),
    ],
)
def test_ffmpeg_decodes_every_title_whole(small_library, title, videos, audios):
    played = ffmpeg_client.decode(small_library / title)

    assert played.problems == ()
    assert [(stream.size, len(stream.pts)) for stream in played.video] == videos
    assert len(played.audio) == audios


@pytest.mark.parametrize("title", ["bunny-ts/master.m3u8", "bunny-fmp4/master.m3u8", "bunny.mkv"])
def test_picture_and_sound_begin_together(small_library, title):
    played = ffmpeg_client.decode(small_library / title)
    starts = [float(stream.pts[0] * stream.time_base) for stream in played.streams]

    assert max(starts) - min(starts) < 0.05


def test_the_fmp4_title_is_ntsc_film(small_library):
    (stream, _) = ffmpeg_client.decode(small_library / "bunny-fmp4/master.m3u8").video
    steps = {b - a for a, b in zip(stream.pts, stream.pts[1:], strict=False)}

    assert {step * stream.time_base * 24000 / 1001 for step in steps} == {1}


def test_the_mkv_has_b_frames(small_library):
    pts = ffmpeg_client.packets(small_library / "bunny.mkv").video[0].pts

    assert list(pts) != sorted(pts)


def test_the_mkv_has_subtitles_of_two_kinds_and_their_font(small_library):
    path = small_library / "bunny.mkv"
    facts = inspect_file(InspectFile(name=path.name, path=str(path)))

    assert [(track.format, track.title) for track in facts.subtitles] == [
        ("srt", "English"),
        ("ass", "Styled"),
    ]
    assert [font.name for font in facts.fonts] == ["FredokaOne-Regular.ttf"]
    assert facts.warnings == ()
    assert len(extracted(path, 0)) == 10
    assert len(extracted(path, 1)) == 20


def test_a_made_library_is_left_alone(small_library, clip):
    before = {path: path.stat().st_mtime_ns for path in small_library.rglob("*")}

    assert not demo.prepare(clip, small_library, height=144, seconds=40)
    assert {path: path.stat().st_mtime_ns for path in small_library.rglob("*")} == before


def test_a_library_of_another_recipe_is_remade(clip, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(demo, "_make_with_progress", lambda *_: made.append(1))
    for height in (144, 144, 288):
        demo.prepare(clip, tmp_path / "library", height=height, seconds=4)

    assert len(made) == 2


def test_an_interrupted_library_is_remade(clip, tmp_path, monkeypatch):
    library = tmp_path / "library"

    def stop(_clip: Path, directory: Path, *_: int) -> None:
        (directory / "half").write_text("")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(demo, "_make_with_progress", stop)
        with pytest.raises(KeyboardInterrupt):
            demo.prepare(clip, library)
    assert not library.exists()

    monkeypatch.setattr(demo, "_make_with_progress", lambda *_: None)
    assert demo.prepare(clip, library)
    assert not (library / "half").exists()


def test_a_directory_of_someone_else_is_refused(clip, tmp_path):
    (tmp_path / "holiday.mp4").write_text("")

    with pytest.raises(ConfigError, match="was not made by this command"):
        demo.prepare(clip, tmp_path)
    assert (tmp_path / "holiday.mp4").exists()


def test_the_command_says_in_one_line_what_is_wrong(tmp_path):
    (tmp_path / "holiday.mp4").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "origin.demo", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(tmp_path) in done.stderr
