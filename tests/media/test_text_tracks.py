"""Subtitles and fonts of media files, with FFmpeg's own extraction as the judge."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest

from manifests import webvtt
from origin.errors import BrokenSourceError
from origin.media import ass, fonts, subtitles
from origin.media.inspect_file import inspect_file
from origin.media.jobs import run
from origin.media.types import ExtractFont, FileFacts, InspectFile, PackageSubtitles
from tests.media.subtitled import ASS, SRT, VTT, Track, cues, extracted, write_subtitled
from tests.media.synth import Clip

FONT = b"\0\1\0\0" + bytes(range(256))
TRACKS = (
    Track(suffix="srt", content=SRT),
    Track(suffix="ass", content=ASS),
    Track(suffix="vtt", content=VTT),
)


def inspect(path) -> FileFacts:
    return inspect_file(InspectFile(name=path.name, path=str(path)))


def segments(facts: FileFacts, index: int) -> list[str]:
    return json.loads(facts.texts[index].webvtt)


def shown(facts: FileFacts, index: int) -> list[tuple[int, int, str]]:
    """On the file's own timeline."""
    offset = 1000 * facts.offset_seconds
    rows = [row for text in segments(facts, index) for row in cues(text)]
    return [(start - offset, end - offset, text) for start, end, text in dict.fromkeys(rows)]


def package(path, facts: FileFacts, index: int, form: str) -> bytes:
    job = PackageSubtitles(
        name=path.name,
        path=str(path),
        container=facts.container,
        stream_index=facts.subtitles[index].stream_index,
        starts=webvtt.segment_starts(facts.spans, facts.video.time_base, facts.offset_seconds),
        offset_seconds=facts.offset_seconds,
        form=form,
    )
    return run(job, lambda _: None, lambda: False).body


@pytest.fixture(scope="module")
def mkv(tmp_path_factory):
    return write_subtitled(tmp_path_factory.mktemp("mkv") / "film.mkv", TRACKS)


def test_every_format_gives_the_cues_that_ffmpeg_extracts(mkv):
    facts = inspect(mkv)
    assert [track.format for track in facts.subtitles] == ["srt", "ass", "webvtt"]
    assert facts.warnings == ()
    for index in range(2):
        assert shown(facts, index) == extracted(mkv, index)
    assert [row[:2] for row in shown(facts, 2)] == [row[:2] for row in extracted(mkv, 2)]


def test_mov_text_too(tmp_path):
    path = write_subtitled(tmp_path / "film.mp4", [replace(TRACKS[0], codec="mov_text")])
    facts = inspect(path)
    assert [track.format for track in facts.subtitles] == ["mov_text"]
    assert shown(facts, 0) == extracted(path, 0)
    assert shown(facts, 0)[0][2] == "<i>Hello</i> & <b>welcome</b>\nto --> segments"


def test_webvtt_goes_through_with_its_settings(mkv):
    first = segments(inspect(mkv), 2)[0]
    assert " --> 00:00:02.000 line:0 align:left\n<v Bob>Hi <b>you</b> &amp; me\n" in first


def test_a_cue_that_spans_a_border_stands_in_both_segments(mkv):
    facts = inspect(mkv)
    first, second = segments(facts, 0)
    assert len(facts.spans) == 2
    border = facts.spans[1].first_pts * facts.video.time_base
    assert Fraction("3.5") < border < Fraction("5.25")
    timing = "00:00:03.500 --> 00:00:05.250\nOver the border"
    assert timing in first
    assert timing in second
    assert "Hello" not in second
    assert "Last" not in first


def test_what_is_lost_from_the_cache_is_made_again_to_the_byte(mkv):
    facts = inspect(mkv)
    for index, texts in enumerate(facts.texts):
        assert package(mkv, facts, index, "webvtt") == texts.webvtt
        assert package(mkv, facts, index, "ass") == texts.ass


def test_an_ass_track_is_offered_as_it_is(mkv):
    assert inspect(mkv).texts[1].ass.decode() == ASS


def test_times_follow_the_shift_of_the_title(tmp_path):
    clip = Clip(frames=150, gop=25, b_frames=2)
    path = write_subtitled(tmp_path / "film.mkv", TRACKS, clip=clip)
    facts = inspect(path)
    assert facts.offset_seconds == 1
    assert "00:00:01.500 --> 00:00:03.000\n<i>Hello" in segments(facts, 0)[0]
    assert shown(facts, 0) == extracted(path, 0)
    assert facts.texts[1].ass.decode() == ASS


def test_what_the_file_says_of_its_tracks(tmp_path):
    tracks = [
        replace(
            TRACKS[0],
            options=(
                *("-metadata:s:s:#", "language=ger", "-metadata:s:s:#", "title=Für alle"),
                *("-disposition:s:#", "default+hearing_impaired"),
            ),
        ),
        replace(TRACKS[1], options=("-disposition:s:#", "forced")),
    ]
    one, two = inspect(write_subtitled(tmp_path / "film.mkv", tracks)).subtitles
    assert (one.language, one.title) == ("ger", "Für alle")
    assert (one.is_default, one.is_forced, one.is_accessible) == (True, False, True)
    assert (two.is_default, two.is_forced, two.is_accessible) == (False, True, False)


def test_pictures_are_left_out_with_a_warning(tmp_path):
    path = write_subtitled(tmp_path / "film.mkv", TRACKS)
    data = path.read_bytes()
    assert data.count(b"S_TEXT/UTF8") == 1
    path.write_bytes(data.replace(b"S_TEXT/UTF8", b"S_HDMV/PGS\0"))
    facts = inspect(path)
    assert [track.format for track in facts.subtitles] == ["ass", "webvtt"]
    assert facts.warnings == (
        "the subtitles of stream 1 are left out: hdmv_pgs_subtitle is no text",
    )


def test_bytes_that_are_no_utf8_survive(tmp_path):
    broken = SRT.replace("für 漢字", "f\udcfcr").encode("utf-8", "surrogateescape")
    script = ASS.replace("A sign", "A s\udcffgn").encode("utf-8", "surrogateescape")
    tracks = [
        Track(suffix="srt", content=broken, options=("-sub_charenc_mode", "do_nothing")),
        Track(suffix="ass", content=script),
    ]
    facts = inspect(write_subtitled(tmp_path / "film.mkv", tracks))
    assert [row[2] for row in shown(facts, 0)][1] == "Over the border, f\ufffdr"
    assert [row[2] for row in shown(facts, 1)][1] == "A s\ufffdgn"
    assert "A s\ufffdgn" in facts.texts[1].ass.decode()


def test_tracks_that_are_too_large_are_left_out(mkv, monkeypatch):
    monkeypatch.setattr(subtitles, "MAX_EVENTS", 2)
    facts = inspect(mkv)
    assert [track.format for track in facts.subtitles] == ["ass", "webvtt"]
    assert "the subtitles of stream 1 are left out: they have more than" in facts.warnings[0]


def test_bytes_are_counted_over_all_tracks(mkv, monkeypatch):
    monkeypatch.setattr(subtitles, "MAX_BYTES", 150)
    facts = inspect(mkv)
    assert 0 < len(facts.subtitles) < 3
    assert len(facts.subtitles) + len(facts.warnings) == 3


def test_events_that_are_too_large_for_text_are_passed_over(mkv, monkeypatch):
    monkeypatch.setattr(subtitles, "MAX_EVENT_BYTES", 44)
    assert [text for *_, text in shown(inspect(mkv), 0)] == [
        "Over the border, für 漢字",
        "Last",
    ]


def test_cues_that_last_too_long_are_left_out(mkv, monkeypatch):
    monkeypatch.setattr(webvtt, "MAX_BYTES", 100)
    facts = inspect(mkv)
    assert facts.subtitles == ()
    assert len(facts.warnings) == 3
    assert "their cues take more than" in facts.warnings[0]


def test_nothing_that_a_track_does_stops_the_video(mkv, monkeypatch):
    def burst(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ass, "to_cues", burst)
    facts = inspect(mkv)
    assert [track.format for track in facts.subtitles] == ["webvtt"]
    assert facts.warnings[0] == "the subtitles of stream 1 are left out: they cannot be read"
    assert len(facts.spans) == 2


def test_an_empty_track_is_left_out(tmp_path):
    drawing = ASS[: ASS.index("Dialogue: 1")] + (
        "Dialogue: 0,0:00:00.50,0:00:04.80,Default,,0,0,0,,{\\p1}m 0 0 l 10 10{\\p0}\n"
    )
    path = write_subtitled(tmp_path / "film.mkv", [Track(suffix="ass", content=drawing)])
    assert inspect(path).warnings == ("the subtitles of stream 1 are left out: they are empty",)


def test_whoever_asks_for_video_alone_gets_no_subtitles(mkv):
    facts = inspect_file(InspectFile(name="film.mkv", path=str(mkv), audio=False))
    assert (facts.subtitles, facts.texts, facts.warnings) == ((), (), ())


def test_a_track_that_has_gone_is_a_broken_source(mkv, tmp_path):
    facts = inspect(mkv)
    other = write_subtitled(tmp_path / "film.mkv", ())
    with pytest.raises(BrokenSourceError, match="changed since"):
        package(other, facts, 0, "webvtt")


def test_fonts_have_safe_names_and_are_handed_out_whole(tmp_path):
    attached = [
        ("../../etc/Fira Sans.TTF", FONT),
        ("Fira Sans.ttf", FONT + b"2"),
        ("漢字.otf", b"OTTO" + FONT),
        ("a\\b.exe", b"ttcf" + FONT),
        ("cover.jpg", b"\xff\xd8\xff\xe0" + FONT),
        ("notes.ttf", b"text"),
    ]
    path = write_subtitled(tmp_path / "film.mkv", TRACKS[1:2], attachments=attached)
    facts = inspect(path)
    names = [font.name for font in facts.fonts]
    assert names == ["Fira-Sans.ttf", "1-Fira-Sans.ttf", "font.otf", "b.ttc"]
    for font, (_, content) in zip(facts.fonts, attached, strict=False):
        assert _font(path, facts, font.stream_index) == content
    with pytest.raises(BrokenSourceError, match="changed since"):
        _font(path, facts, 0)


def _font(path, facts: FileFacts, stream_index: int) -> bytes:
    job = ExtractFont(
        name=path.name, path=str(path), container=facts.container, stream_index=stream_index
    )
    return run(job, lambda _: None, lambda: False).body


def test_fonts_that_are_too_large_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "MAX_FONT_BYTES", 100)
    path = write_subtitled(tmp_path / "film.mkv", (), attachments=[("a.ttf", FONT)])
    facts = inspect(path)
    assert facts.fonts == ()
    assert facts.warnings == ("1 attached fonts are left out: too large",)
