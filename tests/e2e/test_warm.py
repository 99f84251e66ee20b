"""`upscale-origin warm` against a running origin, and variants that wait for it."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from origin.cli import main
from origin.warm.client import Client
from origin.warm.targets import Wanted, find_segments
from tests.http_client import get, post, title, titles, track
from tests.media.synth import Clip, Sound, write_file, write_hls
from tests.tools import ROOT, run_origin

CLIP = Clip(frames=100, sounds=(Sound(),))
SPECS = ("--rendition", "2x:bilinear", "--rendition", "4x:lanczos:when=warmed", "--device", "cpu")
SLOW = "up-360p-lanczos"
NAMES = ("lib/ts/index.m3u8", "lib/fmp4/index.m3u8", "lib/film.mkv")


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("library")
    write_hls(root / "ts", CLIP, "mpegts", segment_seconds=0.9)
    write_hls(root / "fmp4", CLIP, "fmp4", segment_seconds=0.9)
    write_file(root / "film.mkv", Clip(frames=30, gop=5, rate=CLIP.rate / 20))
    return root


def listed(base: str, name: str) -> list[str | None]:
    variants = title(base + titles(base)[name]["url"]).playlist.playlists
    return [variant.stream_info.stable_variant_id for variant in variants]


def rendition(base: str, name: str, wanted: str = SLOW) -> dict:
    (row,) = [row for row in titles(base)[name]["renditions"] if row["id"] == wanted]
    return row


def encodes(base: str) -> int:
    found = re.search(
        r"^upscale_origin_encodes_total (\d+)", get(f"{base}/metrics").body.decode(), re.MULTILINE
    )
    return int(found[1]) if found else 0


def warm(*arguments: str) -> int:
    return main(["warm", *arguments])


def test_a_slow_variant_appears_once_its_title_is_warmed(library, tmp_path, capsys):
    cache = tmp_path / "cache"
    with run_origin(f"lib={library}", *SPECS, "--cache", cache) as base:
        for name in NAMES:
            row = rendition(base, name)
            url = base + titles(base)[name]["url"]
            assert (row["warmed"], row["listed"]) == (False, False)
            assert listed(base, name) == [None, "up-180p-bilinear"]
            segments = track(base + row["url"]).segments
            assert get(segments[-1]).status == 200
            assert warm(url, "--rendition", SLOW, "--to", "0.5") == 0
            assert listed(base, name) == [None, "up-180p-bilinear"]

            assert warm(url, "--rendition", SLOW, "--concurrency", "3") == 0
            assert listed(base, name) == [None, "up-180p-bilinear", SLOW]
            assert (rendition(base, name)["warmed"], rendition(base, name)["listed"]) == (
                True,
                True,
            )
            assert all(get(segment).headers["X-Cache"] == "hit" for segment in segments)

        capsys.readouterr()
        before = encodes(base)
        assert warm(base, "--rendition", SLOW) == 0
        assert encodes(base) == before
        assert re.search(
            r"^0 segments made, \d+ were there, 0 failed", capsys.readouterr().err, re.M
        )
        known = {
            name: base_less(base, track(base + rendition(base, name)["url"]).segments)
            for name in NAMES
        }

    with run_origin(f"lib={library}", *SPECS, "--cache", cache) as base:
        for name in NAMES:
            assert listed(base, name) == [None, "up-180p-bilinear", SLOW]
        victim = known["lib/film.mkv"][0]
        body = get(base + victim).body
    (file,) = [
        p for p in (cache / "bodies-2").rglob("*.*") if p.is_file() and p.read_bytes() == body
    ]
    file.unlink()

    with run_origin(f"lib={library}", *SPECS, "--cache", cache) as base:
        assert listed(base, "lib/film.mkv") == [None, "up-180p-bilinear"]
        assert listed(base, "lib/ts/index.m3u8") == [None, "up-180p-bilinear", SLOW]
        again = get(base + victim)
        assert (again.body, again.headers["X-Cache"]) == (body, "miss")
        assert listed(base, "lib/film.mkv") == [None, "up-180p-bilinear", SLOW]


def base_less(base: str, urls: tuple[str, ...]) -> list[str]:
    return [url.removeprefix(base) for url in urls]


@pytest.fixture(scope="module")
def running(library, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    with run_origin(f"lib={library}", *SPECS, "--cache", cache) as base:
        titles(base)
        yield base


def test_nothing_is_made_ahead_of_a_background_request(running):
    before = encodes(running)
    segments = track(running + rendition(running, NAMES[0])["url"]).segments
    assert get(segments[0], Priority="u=7").headers["X-Cache"] == "miss"
    time.sleep(0.5)
    assert encodes(running) == before + 1


def test_a_media_playlist_and_a_part_of_it(running, capsys):
    url = running + rendition(running, "lib/ts/index.m3u8", "up-180p-bilinear")["url"]
    assert warm(url, "--from", "1.5", "--to", "2.5") == 0
    segments = track(url).segments
    states = [
        get(segment, Range="bytes=0-0", Priority="u=7").headers["X-Cache"] for segment in segments
    ]
    assert states == ["miss", "hit", "hit", "miss", "miss"]


def test_titles_by_pattern_and_from_a_file_with_an_outcome_for_scripts(running, tmp_path, capsys):
    file = tmp_path / "titles"
    file.write_text(f"# the film\n\n{running}/lib/film.mkv/index.m3u8\n")
    options = ("--rendition", "up-180p-bilinear", "--to", "0.5", "--json")
    assert warm(f"{running}/lib/*/index.m3u8", "--titles", str(file), *options) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["made"] + outcome["found"] == 5
    assert outcome["work_seconds"] > 0
    assert warm(f"{running}/lib/f*", *options) == 0
    assert json.loads(capsys.readouterr().out) == {
        "made": 0,
        "found": 4,
        "failed": 0,
        "work_seconds": 0,
    }
    assert warm(f"{running}/nothing*", *options) == 2
    assert warm() == 2
    assert warm(running, "--header", "no colon") == 2


def test_an_administrator_has_titles_warmed_by_the_origin_itself(running):
    wanted = {"titles": ["lib/fmp4/*"], "renditions": ["up-180p-*"]}
    reply = post(f"{running}/api/warm", wanted)
    assert reply.status == 202
    url = running + reply.headers["Location"]
    while (row := get(url).json)["state"] == "running":
        time.sleep(0.05)
    assert row["errors"] == []
    segments = track(running + rendition(running, NAMES[1], "up-180p-bilinear")["url"]).segments
    assert row["segments"]["total"] == len(segments)
    assert row["segments"]["made"] + row["segments"]["found"] == len(segments)
    assert all(get(segment).headers["X-Cache"] == "hit" for segment in segments)
    assert post(f"{running}/api/warm", {"titles": []}).status == 400
    assert get(f"{running}/api/warm/none").status == 404


def test_a_broken_segment_is_named_and_does_not_stop_the_rest(tmp_path, capsys):
    files = write_hls(tmp_path / "library" / "cut", CLIP, "mpegts", segment_seconds=0.9)
    files.segments[1].write_bytes(b"\x13\x37" * 5000)
    cache = tmp_path / "cache"
    with run_origin(f"lib={tmp_path / 'library'}", *SPECS, "--cache", cache) as base:
        url = base + titles(base)["lib/cut/index.m3u8"]["url"]
        assert warm(url, "--rendition", SLOW) == 1
        errors = capsys.readouterr().err
        assert "s001.ts" in errors
        assert "4 segments made, 0 were there, 1 failed" in errors
        assert listed(base, "lib/cut/index.m3u8")[-1] == SLOW


def test_an_interruption_says_how_to_go_on(tmp_path):
    write_file(
        tmp_path / "film.mkv", Clip(width=640, height=360, frames=400, gop=100, rate=CLIP.rate)
    )
    with run_origin(f"lib={tmp_path}", *SPECS, "--cache", tmp_path / "cache") as base:
        titles(base)
        command = [sys.executable, "-m", "origin", "warm", base, "--rendition", "up-1440p-lanczos"]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 300
        while encodes(base) == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "run the same command again" in errors
    assert "Traceback" not in errors


async def test_a_title_behind_a_cdn_that_has_no_listing(running, monkeypatch):
    async def nothing(self: Client, url: str) -> None:
        return None

    monkeypatch.setattr(Client, "document", nothing)
    url = running + titles(running)["lib/fmp4/index.m3u8"]["url"]
    async with Client(connections=1) as client:
        found = await find_segments(client, url, Wanted())
    own = track(running + rendition(running, "lib/fmp4/index.m3u8", "up-180p-bilinear")["url"])
    assert found == [own.init, *own.segments]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["library/film.mkv"], "expected a URL"),
        (["http://127.0.0.1:9/"], "127.0.0.1:9"),
        (["BASE/lib/nothing.mkv/index.m3u8"], "lib has no file nothing.mkv"),
        (
            ["BASE/lib/film.mkv/index.m3u8", "--rendition", "up-99p-x"],
            "up-180p-bilinear, up-360p-l",
        ),
        (["BASE", "--concurrency", "0"], "expected a --concurrency"),
        (["BASE", "--from", "5", "--to", "2"], "expected --from before --to"),
    ],
)
def test_a_mistake_ends_in_one_line(running, capsys, monkeypatch, arguments, words):
    monkeypatch.setattr("origin.warm.client._ATTEMPTS", 1)
    status = main(["warm", *(text.replace("BASE", running) for text in arguments)])
    lines = [at for at in capsys.readouterr().err.splitlines() if not at.startswith("time=")]
    assert status in (1, 2)
    assert len(lines) == 1
    assert words in lines[0]
