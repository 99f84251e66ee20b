"""Subtitles over HTTP: FFmpeg as an HLS client reads what FFmpeg extracts from the file itself."""

import hashlib
import io
import re
import shutil
from pathlib import Path
from urllib.parse import urljoin

import av
import pytest

from tests.http_client import get, get_many, title, titles
from tests.media.subtitled import ASS, SRT, VTT, Track, extracted, write_subtitled
from tests.media.synth import Clip, write_hls
from tests.tools import run_origin

SPEC = ("--rendition", "2x:bilinear", "--device", "cpu")
FONT = b"\0\1\0\0" + bytes(range(256))
TRACKS = (
    Track(suffix="srt", content=SRT, options=("-metadata:s:s:#", "language=eng")),
    Track(suffix="ass", content=ASS, options=("-metadata:s:s:#", "title=Signs")),
    Track(suffix="vtt", content=VTT),
)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("library")
    clip = Clip(frames=150, gop=25, b_frames=2)
    attached = [("Block Font.ttf", FONT)]
    write_subtitled(root / "film.mkv", TRACKS, clip=clip, attachments=attached)
    mov_text = Track(suffix="srt", content=SRT, codec="mov_text")
    write_subtitled(root / "film.mp4", [mov_text], clip=clip)
    write_subtitled(root / "plain.mkv", (), clip=clip)
    _write_hls_title(root / "show")
    return root


def _write_hls_title(folder: Path) -> None:
    write_hls(folder / "video", Clip(frames=75), "fmp4")
    for name, files in (
        ("vtt", ("0.vtt",)),
        ("wvtt", ("init.mp4", "0.m4s")),
        ("im1t", ("0.cmft",)),
    ):
        (folder / name).mkdir()
        for file in files:
            (folder / name / file).write_bytes(f"{name} {file}".encode())
        maps = '#EXT-X-MAP:URI="init.mp4"\n' if "init.mp4" in files else ""
        (folder / name / "index.m3u8").write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n{maps}#EXTINF:3,\n{files[-1]}\n#EXT-X-ENDLIST\n"
        )
    media = [
        f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s-{name}",NAME="{name}",X-ODD=1,URI="{name}/index.m3u8"'
        for name in ("vtt", "wvtt", "im1t")
    ]
    (folder / "master.m3u8").write_text(
        "\n".join(
            [
                "#EXTM3U",
                *media,
                '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC",INSTREAM-ID="CC1"',
                "#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=160x90,"
                'CODECS="avc1.64000b",SUBTITLES="s-wvtt",CLOSED-CAPTIONS="cc"',
                "video/index.m3u8",
                "",
            ]
        )
    )


@pytest.fixture(scope="module")
def base(library, tmp_path_factory):
    with run_origin(f"lib={library}", *SPEC, "--cache", tmp_path_factory.mktemp("cache")) as url:
        titles(url)
        yield url


def _subtitle_urls(url: str) -> list[str]:
    found = [row for row in title(url).playlist.media if row.type == "SUBTITLES"]
    return [urljoin(url, row.uri) for row in found]


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4"])
def test_ffmpeg_reads_back_what_it_extracts_from_the_file(base, library, name):
    row = titles(base)[f"lib/{name}"]
    urls = _subtitle_urls(base + row["url"])
    assert [subtitle["format"] for subtitle in row["subtitles"]] == (
        ["srt", "ass", "webvtt"] if name == "film.mkv" else ["mov_text"]
    )
    for index, url in enumerate(urls):
        own = extracted(library / name, index)
        assert len(own) >= 2
        shifted = [(start + 1000, end + 1000, text) for start, end, text in own]
        assert extracted(url, 0) == shifted  # these titles begin a second late: B-frames


def test_the_playlist_and_the_listing_agree(base):
    row = titles(base)["lib/film.mkv"]
    playlist = title(base + row["url"]).playlist
    media = [media for media in playlist.media if media.type == "SUBTITLES"]
    assert [media.name for media in media] == [own["name"] for own in row["subtitles"]]
    assert [media.name for media in media] == ["English", "Signs", "Subtitles 3"]
    assert [media.language for media in media] == ["en", None, None]
    assert [media.uri for media in media] == [f"{own['id']}/index.m3u8" for own in row["subtitles"]]
    assert len({media.group_id for media in media}) == 1
    for variant in playlist.playlists:
        assert variant.stream_info.subtitles == media[0].group_id
        assert "vtt" not in variant.stream_info.codecs


def test_scripts_and_players_agree_on_the_time(base):
    """A player's timeline begins where the first segment does, whose times are a second late."""
    row = titles(base)["lib/film.mkv"]
    own = title(base + row["url"]).source_track()
    with av.open(io.BytesIO(get(own.init).body + get(own.segments[0]).body)) as container:
        first = next(container.demux(video=0))
    begin = float(first.dts * first.time_base)
    assert begin == pytest.approx(0.96)
    assert row["ass_offset_seconds"] == pytest.approx(1 - begin, abs=0.001)


def test_titles_without_subtitles_say_so(base):
    rows = titles(base)
    assert rows["lib/plain.mkv"]["subtitles"] == rows["lib/show/master.m3u8"]["subtitles"] == []
    assert "SUBTITLES" not in title(base + rows["lib/plain.mkv"]["url"]).text


def test_segments_lie_on_the_grid_of_the_video(base):
    url = base + titles(base)["lib/film.mkv"]["url"]
    video = get(urljoin(url, "source/index.m3u8")).body.decode()
    pattern = r"#EXTINF:\S+|#EXT-X-TARGETDURATION:\d+"
    for own in _subtitle_urls(url):
        assert re.findall(pattern, get(own).body.decode()) == re.findall(pattern, video)


def test_every_segment_is_cached_for_ever(base):
    for own in _subtitle_urls(base + titles(base)["lib/film.mkv"]["url"]):
        names = [line for line in get(own).body.decode().splitlines() if line.endswith(".vtt")]
        assert len(names) == 2
        for reply in get_many([urljoin(own, name) for name in names]):
            assert reply.status == 200
            assert reply.headers["Content-Type"] == "text/vtt; charset=utf-8"
            assert reply.headers["ETag"] == f'"{hashlib.sha256(reply.body).hexdigest()}"'
            assert "immutable" in reply.headers["Cache-Control"]
            assert reply.headers["X-Cache"] == "hit"  # inspection has found them
            assert reply.body.startswith(b"WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n")


def test_scripts_and_fonts_are_handed_out_as_they_are(base):
    srt, own, vtt = titles(base)["lib/film.mkv"]["subtitles"]
    assert srt["ass"] is vtt["ass"] is None
    assert srt["fonts"] == vtt["fonts"] == []
    assert get(base + own["ass"]).body.decode() == ASS
    (font,) = own["fonts"]
    assert font["name"] == "Block-Font.ttf"
    reply = get(base + font["url"])
    assert (reply.body, reply.headers["Content-Type"]) == (FONT, "font/ttf")


def test_what_is_not_there_is_not_found(base):
    own = titles(base)["lib/film.mkv"]["subtitles"][1]
    folder = (base + own["ass"]).rpartition("/")[0]
    font = base + own["fonts"][0]["url"]
    missing = [
        f"{folder}/2.vtt",
        f"{folder}/0.m4s",
        f"{folder}/init.mp4",
        folder.replace("subs-1", "subs-0") + "/subtitles.ass",
        folder.replace("subs-1", "subs-9") + "/0.vtt",
        f"{font}.ttf",
        f"{base}/lib/film.mkv/subs-3/index.m3u8",
        f"{base}/lib/film.mkv/fonts/0123456789abcdef/Block-Font.ttf",
        f"{base}/lib/show/master.m3u8/subs-0/index.m3u8",
    ]
    assert [reply.status for reply in get_many(missing)] == [404] * len(missing)


def test_groups_of_hls_titles_go_through_and_ours_carry_them(base, library):
    url = f"{base}/lib/show/master.m3u8"
    own = (library / "show" / "master.m3u8").read_text().splitlines()
    text = get(url).body.decode().splitlines()
    assert [line for line in text if line in own] == own
    (added,) = [line for line in text if 'STABLE-VARIANT-ID="up-' in line]
    assert 'SUBTITLES="s-wvtt"' in added
    assert 'CLOSED-CAPTIONS="cc"' in added
    for path in sorted((library / "show").glob("*vtt/*")) + sorted(
        (library / "show").glob("im1t/*")
    ):
        reply = get(urljoin(url, path.relative_to(library / "show").as_posix()))
        assert (reply.status, reply.body) == (200, path.read_bytes())


def test_what_the_cache_has_lost_is_made_again_to_the_byte(library, tmp_path):
    cache = tmp_path / "cache"
    kept: dict[str, bytes] = {}
    for expected in ("hit", "miss"):
        with run_origin(f"lib={library}", *SPEC, "--cache", cache) as base:
            row = titles(base)["lib/film.mkv"]
            own = row["subtitles"][1]
            segment = own["ass"].replace("subtitles.ass", "1.vtt")
            for path in (segment, own["ass"]):
                reply = get(base + path)
                assert reply.headers["X-Cache"] == expected
                assert kept.setdefault(path, reply.body) == reply.body
        for folder in cache.iterdir():
            if folder.name != "state" and folder.is_dir():
                shutil.rmtree(folder)
