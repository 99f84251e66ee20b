"""Posters, thumbnails and shaders, as a page gets them from a running origin."""

import hashlib
import io
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path
from urllib.parse import urljoin

import av
import pytest

import sr
from tests.http_client import get, get_many, titles
from tests.media.synth import Clip, write_file, write_hls
from tests.tools import run_origin

CLIP = Clip(frames=100, b_frames=2, rate=Fraction(24000, 1001))


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    write_hls(root / "ts", CLIP, "mpegts", segment_seconds=0.9)
    write_hls(root / "fmp4", CLIP, "fmp4", segment_seconds=0.9)
    write_file(root / "a film.mkv", CLIP)
    write_file(root / "swapped.mp4", CLIP)
    (root / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42 and nothing else")
    return root


@pytest.fixture(scope="module")
def base(library, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    spec = ("--rendition", "2x:lanczos", "--device", "cpu")
    with run_origin(f"lib={library}", *spec, "--cache", cache) as url:
        titles(url)
        yield url


def size_of(jpeg: bytes) -> tuple[int, int]:
    with av.open(io.BytesIO(jpeg), format="jpeg_pipe") as container:
        (frame,) = container.decode(video=0)
    return frame.width, frame.height


@pytest.mark.parametrize("name", ["lib/ts/index.m3u8", "lib/fmp4/index.m3u8", "lib/a film.mkv"])
def test_titles_have_pictures(base, name):
    row = titles(base)[name]
    assert Fraction(row["source"]["frame_rate"]) == CLIP.rate
    poster = get(base + row["poster"])
    assert poster.status == 200
    assert poster.headers["Content-Type"] == "image/jpeg"
    assert size_of(poster.body) == (160, 90)
    thumbnails = get(base + row["thumbnails"])
    assert thumbnails.headers["Content-Type"].startswith("text/vtt")
    lines = thumbnails.body.decode().splitlines()
    assert lines[:4] == ["WEBVTT", "", "00:00:00.000 --> 00:00:01.000", "0.jpg#xywh=0,0,160,90"]
    sheet = get(urljoin(base + row["thumbnails"], "0.jpg"))
    assert size_of(sheet.body) == (5 * 160, 90)
    for reply in (poster, thumbnails, sheet):
        assert reply.headers["ETag"] == f'"{hashlib.sha256(reply.body).hexdigest()}"'
        assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert reply.headers["Access-Control-Allow-Origin"] == "*"


def test_fifty_viewers_of_a_list_cost_one_picture(base):
    row = titles(base)["lib/swapped.mp4"]
    replies = get_many([base + row["poster"]] * 50, threads=50)
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    found = Counter(reply.headers["X-Cache"] for reply in replies)
    assert found["miss"] == 1
    assert "mux" not in (replies[0].headers["Server-Timing"] or "")


def test_conditions_ranges_and_heads(base):
    url = base + titles(base)["lib/a film.mkv"]["poster"]
    whole = get(url)
    assert get(url, If_None_Match=whole.headers["ETag"]).status == 304
    part = get(url, Range="bytes=2-9")
    assert (part.status, part.body) == (206, whole.body[2:10])
    head = get(url, method="HEAD")
    assert (head.body, head.headers["Content-Length"]) == (b"", str(len(whole.body)))


@pytest.mark.parametrize("name", ["poster.jpg", "thumbnails.vtt", "0.jpg"])
def test_pictures_of_what_is_no_more_are_gone(base, name):
    row = titles(base)["lib/a film.mkv"]
    above, digest, _ = row["poster"].rsplit("/", 2)
    assert get(f"{base}{above}/{digest}/{name}").status == 200
    old = get(f"{base}{above}/{'0' * 16}/{name}")
    assert old.status == 404
    assert old.headers["Content-Type"] == "application/problem+json"
    assert old.headers["Cache-Control"] == "public, max-age=1"
    assert get(f"{base}{above}/{digest}/7.jpg").status == 404


def test_a_swapped_file_gets_other_pictures(base, library):
    before = titles(base)["lib/swapped.mp4"]
    write_file(library / "swapped.mp4", Clip(frames=60))
    while (after := titles(base)["lib/swapped.mp4"])["poster"] == before["poster"]:
        time.sleep(0.1)
    assert after["source"]["frame_rate"] == "25"
    assert get(base + after["poster"]).status == 200
    assert get(base + before["poster"]).status == 404
    assert get(base + before["thumbnails"]).status == 404


def test_titles_that_fail_have_none(base):
    row = titles(base)["lib/broken.mp4"]
    assert (row["status"], row["poster"], row["thumbnails"]) == ("failed", None, None)
    broken = get(f"{base}/lib/broken.mp4/stills/{'0' * 16}/poster.jpg")
    assert broken.status == 502
    assert broken.headers["Content-Type"] == "application/problem+json"


def test_browsers_get_the_models_own_weights(base):
    reply = get(f"{base}/api/shaders/anime4k-vl.glsl")
    assert reply.body.decode() == sr.mpv_shader("anime4k-vl")
    assert get(f"{base}/api/shaders/none.glsl").status == 404
