"""Broken, hostile and missing sources: a clear reason, nothing cached, the rest still plays."""

from pathlib import Path

import pytest

from tests.http_client import get, title, titles
from tests.media.synth import Clip, Sound, write_file, write_hls
from tests.tools import run_origin

CLIP = Clip(frames=96, sounds=(Sound(),))


def _multivariant(media: str, extra: str = "") -> str:
    return f"#EXTM3U\n{extra}#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=160x90\n{media}\n"


def _media(*uris: str) -> str:
    rows = "".join(f"#EXTINF:1.0,\n{uri}\n" for uri in uris)
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n{rows}#EXT-X-ENDLIST\n"


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    outer = tmp_path_factory.mktemp("bad")
    root = outer / "library"
    root.mkdir()
    (outer / "secret.ts").write_bytes(b"secret")
    (outer / "secret.m3u8").write_text(_media("secret.ts"))
    good = write_hls(root / "good", CLIP, "mpegts", segment_seconds=0.9)
    second = good.segments[1]
    for name, damage in {
        "empty": b"",
        "garbage": b"\x13\x37" * 5000,
        "truncated": second.read_bytes()[: second.stat().st_size // 2 - 77],
    }.items():
        files = write_hls(root / name, CLIP, "mpegts", segment_seconds=0.9)
        files.segments[1].write_bytes(damage)
    write_hls(root / "missing", CLIP, "mpegts", segment_seconds=0.9).segments[1].unlink()
    (root / "escape").mkdir()
    (root / "escape" / "up.m3u8").write_text(_multivariant("../../secret.m3u8"))
    (root / "escape" / "file.m3u8").write_text(_multivariant("file:///etc/passwd"))
    (root / "escape" / "host.m3u8").write_text(_multivariant("http://127.0.0.1:1/x.m3u8"))
    (root / "escape" / "link.m3u8").write_text(_multivariant("link-target.m3u8"))
    (root / "escape" / "link-target.m3u8").symlink_to(outer / "secret.m3u8")
    (root / "escape" / "self.m3u8").write_text(_multivariant("self.m3u8"))
    (root / "escape" / "segment.m3u8").write_text(_media("../../secret.ts"))
    (root / "escape" / "key.m3u8").write_text(
        _media("a.ts").replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="k.bin"\n#EXTINF')
    )
    (root / "text").mkdir()
    (root / "text" / "none.m3u8").write_text("hello\n")
    (root / "text" / "binary.m3u8").write_bytes(b"\xff\xfe\x00\x01" * 100)
    (root / "text" / "live.m3u8").write_text(_media("a.ts").replace("#EXT-X-ENDLIST\n", ""))
    film = write_file(root / "film.mkv", CLIP)
    (root / "half.mkv").write_bytes(film.read_bytes()[:2000])
    (root / "zero.mp4").write_bytes(b"")
    (root / "noise.mp4").write_bytes(b"noise" * 1000)
    write_file(
        root / "long-gop.mkv", Clip(frames=1000, gop=1000, width=64, height=36, rate=CLIP.rate)
    )
    return root


@pytest.fixture(scope="module")
def base(library, tmp_path_factory):
    arguments = ("--rendition", "2x:lanczos", "--device", "cpu")
    with run_origin(f"lib={library}", *arguments, "--cache", tmp_path_factory.mktemp("c")) as url:
        titles(url)
        yield url


@pytest.mark.parametrize("name", ["empty", "garbage", "truncated", "missing"])
def test_one_bad_segment_costs_only_itself(base, library, name):
    row = titles(base)[f"lib/{name}/index.m3u8"]
    assert row["error"] is None
    assert any("s001.ts" in warning for warning in row["warnings"]), row
    playlists = title(base + row["url"])
    segments = playlists.produced_track().segments
    statuses = [get(url).status for url in segments]
    assert statuses == [200, 502, 200, 200]
    problem = get(segments[1])
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert "s001.ts" in problem.json["detail"] + problem.json.get("source", "")
    assert problem.headers["Cache-Control"] == "no-store"
    if name != "missing":
        served = get(playlists.source_track().segments[1])
        assert served.body == (library / name / "s001.ts").read_bytes()


@pytest.mark.parametrize("name", ["up", "file", "host", "link", "self"])
def test_playlists_that_lead_out_are_refused(base, name):
    path = f"/lib/escape/{name}.m3u8"
    reply = get(base + path)
    assert reply.status == 422
    assert "refused" in reply.json["detail"]
    row = titles(base)[path[1:]]
    assert row["status"] == "failed"
    assert "refused" in row["error"]


def test_segments_that_lead_out_are_refused(base):
    assert get(f"{base}/lib/escape/segment.m3u8").status == 422
    assert b"secret" not in get(f"{base}/lib/escape/link-target.m3u8").body


@pytest.mark.parametrize("name", ["none", "binary"])
def test_what_is_no_playlist_is_broken(base, name):
    reply = get(f"{base}/lib/text/{name}.m3u8")
    assert reply.status == 502
    assert f"{name}.m3u8" in reply.json["detail"]


@pytest.mark.parametrize(("path", "reason"), [("text/live", "ENDLIST"), ("escape/key", "KEY")])
def test_what_cannot_be_upscaled_still_passes_through(base, library, path, reason):
    row = titles(base)[f"lib/{path}.m3u8"]
    assert reason in row["error"]
    reply = get(f"{base}/lib/{path}.m3u8")
    assert reply.status == 200
    assert reply.body == (library / f"{path}.m3u8").read_bytes()


@pytest.mark.parametrize("name", ["half.mkv", "zero.mp4", "noise.mp4"])
def test_broken_media_files_are_listed_with_the_reason(base, name):
    row = titles(base)[f"lib/{name}"]
    reply = get(base + row["url"])
    if name == "half.mkv" and reply.status == 200:
        return
    assert reply.status == 502
    assert name in reply.json["detail"] + reply.json.get("source", "")
    assert row["error"]


def test_a_segment_that_would_be_too_long_is_refused(base):
    row = titles(base)["lib/long-gop.mkv"]
    assert "20" in row["error"]
    assert get(base + row["url"]).status == 422


def test_a_source_that_changes_under_us_changes_its_paths(tmp_path):
    library = tmp_path / "library"
    write_hls(library / "t", CLIP, "mpegts", segment_seconds=0.9)
    arguments = ("--rendition", "2x:lanczos", "--device", "cpu", "--cache", tmp_path / "cache")
    with run_origin(f"lib={library}", *arguments) as base:
        titles(base)
        url = f"{base}/lib/t/index.m3u8"
        old = title(url).produced_track().segments[0]
        assert get(old).status == 200
        write_hls(library / "t", Clip(frames=96, gop=32), "mpegts", segment_seconds=0.9)
        while (new := title(url).produced_track().segments[0]) == old:
            pass
        assert get(old).status == 404
        assert get(new).status == 200
