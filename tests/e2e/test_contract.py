"""What HTTP clients and CDNs rely on, against a running origin."""

import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.http_client import get, get_many, title, titles
from tests.media.synth import Clip, Sound, write_file, write_hls
from tests.tools import ROOT, run_origin

CLIP = Clip(frames=100, b_frames=2, sounds=(Sound(),))
SPEC = ("--rendition", "2x:anime4k-m", "--device", "cpu")
SETTINGS = """\
lighter_models = []
drain_seconds = 300
"""
"""A slow test machine must not change what is made, nor cut off what is being made."""


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("contract")
    write_hls(root / "ts", CLIP, "mpegts", segment_seconds=0.9)
    write_hls(root / "fmp4", CLIP, "fmp4", segment_seconds=0.9)
    write_file(root / "film.mkv", CLIP)
    return root


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> tuple[str, ...]:
    settings = tmp_path_factory.mktemp("settings") / "origin.toml"
    settings.write_text(SETTINGS)
    return (*SPEC, "--config", str(settings))


@pytest.fixture(scope="module")
def base(library, options, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    with run_origin(f"lib={library}", *options, "--cache", cache) as url:
        titles(url)
        yield url


def _metric(base: str, name: str) -> float:
    text = get(f"{base}/metrics").body.decode()
    found = re.search(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_titles_are_listed_with_what_they_offer(base):
    rows = titles(base)
    assert set(rows) == {"lib/ts/index.m3u8", "lib/fmp4/index.m3u8", "lib/film.mkv"}
    for row in rows.values():
        assert row["duration_seconds"] == pytest.approx(4, abs=0.1)
        assert row["source"]["height"] == 90
        assert [rendition["id"] for rendition in row["renditions"]] == ["up-180p-anime4k-m"]
        assert get(base + row["url"]).status == 200
    assert rows["lib/film.mkv"]["url"] == "/lib/film.mkv/index.m3u8"


@pytest.mark.parametrize("name", ["lib/ts/index.m3u8", "lib/fmp4/index.m3u8", "lib/film.mkv"])
def test_the_sources_variants_come_first(base, name):
    variants = title(base + titles(base)[name]["url"]).playlist.playlists
    ids = [variant.stream_info.stable_variant_id for variant in variants]
    assert ids == [None, "up-180p-anime4k-m"]


def test_a_lone_media_playlist_is_served_verbatim_beside_its_title(base, library):
    own = get(f"{base}/lib/ts/index.source.m3u8")
    assert own.body.decode() == (library / "ts" / "index.m3u8").read_text()


@pytest.mark.parametrize("name", ["lib/ts/index.m3u8", "lib/fmp4/index.m3u8", "lib/film.mkv"])
def test_segments_carry_the_headers_that_caches_need(base, name):
    url = title(base + titles(base)[name]["url"]).produced_track().segments[0]
    first = get(url)
    again = get(url)
    assert first.body == again.body
    assert again.headers["X-Cache"] == "hit"
    assert again.headers["Cache-Status"] == "upscale-origin; hit"
    assert again.headers["ETag"] == f'"{hashlib.sha256(again.body).hexdigest()}"'
    assert again.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert again.headers["Accept-Ranges"] == "bytes"
    assert int(again.headers["Content-Length"]) == len(again.body)
    assert again.headers["Access-Control-Allow-Origin"] == "*"
    assert "X-Cache" in again.headers["Access-Control-Expose-Headers"]
    assert again.headers["Timing-Allow-Origin"] == "*"
    kind = "video/mp2t" if name == "lib/ts/index.m3u8" else "video/iso.segment"
    assert again.headers["Content-Type"] == kind


def test_ranges_and_conditions(base):
    url = title(base + titles(base)["lib/ts/index.m3u8"]["url"]).produced_track().segments[0]
    whole = get(url)
    etag = whole.headers["ETag"]
    part = get(url, Range="bytes=188-375")
    assert (part.status, part.body) == (206, whole.body[188:376])
    assert part.headers["Content-Range"] == f"bytes 188-375/{len(whole.body)}"
    assert get(url, Range="bytes=-188").body == whole.body[-188:]
    assert get(url, Range="bytes=999999999-").status == 416
    assert get(url, Range="bytes=0-1", If_Range=etag).status == 206
    assert get(url, Range="bytes=0-1", If_Range='"old"').body == whole.body
    assert get(url, If_None_Match=etag).status == 304
    head = get(url, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(whole.body)
    assert get(f"{url}?CMCD=bl%3D2000%2Cbr%3D4000").headers["X-Cache"] == "hit"


def test_playlists_are_short_lived_gzipped_and_revalidated(base):
    url = base + "/lib/ts/index.m3u8"
    plain = get(url)
    zipped = get(url, Accept_Encoding="gzip")
    assert gzip.decompress(zipped.body) == plain.body
    assert zipped.headers["ETag"] != plain.headers["ETag"]
    assert zipped.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert plain.headers["Cache-Control"] == "public, max-age=5"
    assert get(url, If_None_Match=plain.headers["ETag"]).status == 304


@pytest.mark.parametrize(
    "path",
    [
        "/lib/nothing.m3u8",
        "/lib/ts/index.m3u8/up-999p-none/index.m3u8",
        "/lib/ts/index.m3u8/up-180p-anime4k-m/0000000000000000/0.ts",
        "/other/ts/index.m3u8",
        "/lib/film.mkv",
        "/lib/../../etc/passwd",
        "/lib/%2e%2e/%2e%2e/etc/passwd",
        "/lib/ts%2f..%2f..%2fsecret.ts",
        "/nothing",
    ],
)
def test_what_is_not_there_is_a_problem_document(base, path):
    reply = get(base + path)
    assert reply.status == 404
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["status"] == 404
    assert reply.json["detail"]
    assert reply.headers["Cache-Control"] == "public, max-age=1"


def test_a_segment_past_the_end_is_not_found(base):
    url = title(base + "/lib/ts/index.m3u8").produced_track().segments[-1]
    past = re.sub(r"\d+\.ts$", "99.ts", url)
    assert get(past).status == 404


def test_other_methods_are_refused(base):
    reply = get(base + "/lib/ts/index.m3u8", method="DELETE")
    assert reply.status == 405
    assert "GET" in reply.headers["Allow"]


def test_health_readiness_and_metrics(base):
    assert get(f"{base}/healthz").status == 200
    assert get(f"{base}/readyz").status == 200
    assert b"upscale_origin_requests_total" in get(f"{base}/metrics").body


def test_two_hundred_askers_cause_one_encode(library, options, tmp_path):
    with run_origin(f"lib={library}", *options, "--cache", tmp_path) as base:
        titles(base)
        url = title(base + "/lib/ts/index.m3u8").produced_track().segments[-1]
        before = _metric(base, "upscale_origin_encodes_total")
        replies = get_many([url] * 200, threads=200)
        assert {reply.status for reply in replies} == {200}
        assert len({reply.body for reply in replies}) == 1
        assert _metric(base, "upscale_origin_encodes_total") - before == 1
        results = [reply.headers["X-Cache"] for reply in replies]
        assert results.count("miss") == 1
        assert set(results) <= {"miss", "coalesced", "hit"}
        timing = replies[results.index("miss")].headers["Server-Timing"]
        for stage in ("queue", "fetch", "decode", "upscale", "encode", "mux"):
            assert re.search(rf"\b{stage};dur=\d", timing), timing


def test_another_origin_with_an_empty_cache_answers_the_same_bytes(
    base, library, options, tmp_path
):
    with run_origin(f"lib={library}", *options, "--cache", tmp_path) as second:
        for path in ("/lib/ts/index.m3u8", "/lib/fmp4/index.m3u8", "/lib/film.mkv/index.m3u8"):
            track = title(base + path).produced_track()
            urls = [*track.segments, *([track.init] if track.init else [])]
            for url in urls:
                assert get(url).body == get(url.replace(base, second)).body


def _workers(base_pid: int) -> list[int]:
    listing = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(base_pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    rows = [line.split(None, 1) for line in listing.splitlines()]
    return [int(pid) for pid, arguments in rows if "origin.worker.child" in arguments]


def test_a_killed_worker_is_replaced_and_the_waiting_request_answered(options, tmp_path):
    library = tmp_path / "library"
    long = Clip(frames=300, gop=300, width=640, height=360, noise=True)
    write_hls(library / "long", long, "mpegts", segment_seconds=20)
    command = [sys.executable, "-m", "origin", "serve", f"lib={library}", "--port", "0"]
    command += ["--cache", str(tmp_path / "cache"), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            base = process.stdout.readline().split()[-1]
            titles(base)
            url = title(f"{base}/lib/long/index.m3u8").produced_track().segments[0]
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(get, url)
                while _metric(base, "upscale_origin_encodes_total") == 0:
                    time.sleep(0.02)
                for pid in _workers(process.pid):
                    os.kill(pid, signal.SIGKILL)
                reply = answer.result()
            assert reply.status == 200
            assert reply.headers["X-Cache"] == "miss"
            assert _metric(base, "upscale_origin_worker_restarts_total") >= 1
            assert get(url).body == reply.body
        finally:
            process.terminate()
            assert process.wait(120) == 0


def test_sigterm_lets_requests_in_flight_end(library, options, tmp_path):
    command = [sys.executable, "-m", "origin", "serve", f"lib={library}", "--port", "0"]
    command += ["--cache", str(tmp_path), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        base = process.stdout.readline().split()[-1]
        titles(base)
        url = title(f"{base}/lib/ts/index.m3u8").produced_track().segments[0]
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(get, url)
            while _metric(base, "upscale_origin_in_flight") < 2:
                if answer.done():
                    break
                time.sleep(0.005)
            process.terminate()
            assert answer.result().status == 200
        assert process.wait(120) == 0


def test_a_page_is_served_at_the_root(base):
    reply = get(base + "/")
    assert reply.status in (200, 501)
    if reply.status == 200:
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]


def test_errors_are_json(base):
    reply = get(f"{base}/lib/ts/nothing.ts")
    assert json.loads(reply.body)["title"] == "Not Found"
