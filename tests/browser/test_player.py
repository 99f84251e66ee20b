"""The player in Chromium, on the real origin."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest

from tests.browser.harness import drive, faults, holes, run_driver
from tests.media.synth import Clip, Sound, write_file, write_hls
from tests.tools import run_origin

pytestmark = pytest.mark.browser

RENDITION = ("--rendition", "2x:anime4k-m")
SETTINGS = "lighter_models = []\n"  # a slow test machine must not change what is made
FRAME_SECONDS = 1001 / 24000
TITLES = {
    "ts": "demo/bunny-ts/master.m3u8",
    "fmp4": "demo/bunny-fmp4/master.m3u8",
    "mkv": "demo/bunny.mkv/index.m3u8",
}
FILM_RATE = Fraction(24000, 1001)


@pytest.fixture(scope="module")
def origin(small_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    cache = tmp_path_factory.mktemp("cache")
    (config := cache / "config.toml").write_text(SETTINGS)
    options = ("--cache", cache, "--config", config, *RENDITION)
    with run_origin(f"demo={small_library}", *options) as url:
        yield url


@contextmanager
def foreign_page(origin: str, title: str) -> Iterator[str]:
    """A page of another origin, under a strict policy, with the player of `origin` in it."""
    policy = (
        f"default-src 'none'; script-src {origin}; connect-src {origin}; img-src {origin}; "
        f"media-src blob: {origin}; base-uri 'none'; form-action 'none'"
    )
    page = f"""<!doctype html><html lang="en"><title>A blog</title><h1>A blog</h1>
    <script type="module" src="{origin}/player/upscale-player.js"></script>
    <upscale-player src="{origin}/{title}" title="A film" t="2.5" muted></upscale-player>"""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_page = self.path == "/"
            self.send_response(200 if is_page else 204)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(page.encode() if is_page else b"")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def fetch_everything(multivariant: str) -> None:
    """Asks for all that the playlists name, so that every segment is in the cache."""
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        for playlist in await uris(session, multivariant):
            for segment in await uris(session, playlist):
                async with session.get(segment) as response:
                    await response.read()


async def uris(session: aiohttp.ClientSession, playlist: str) -> list[str]:
    async with session.get(playlist) as response:
        lines = (await response.text()).splitlines()
    tags = [line.split('URI="')[1].split('"')[0] for line in lines if 'URI="' in line]
    names = tags + [line for line in lines if line and not line.startswith("#")]
    return [urljoin(playlist, name) for name in names]


async def ready_titles(origin: str) -> list[dict[str, Any]]:
    """The rows of all titles, once none is being prepared."""
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{origin}/api/titles") as response:
                titles: list[dict[str, Any]] = await response.json()
            if all(title["status"] != "preparing" for title in titles):
                return titles
            await asyncio.sleep(0.1)


async def title_of(origin: str, path: str) -> str:
    """The id of the title whose multivariant playlist is at `path`."""
    (found,) = [row["id"] for row in await ready_titles(origin) if row["url"].lstrip("/") == path]
    return str(found)


@pytest.mark.parametrize("kind", TITLES)
def test_switching_and_seeking(origin: str, kind: str) -> None:
    asyncio.run(fetch_everything(f"{origin}/{TITLES[kind]}"))
    title = asyncio.run(title_of(origin, TITLES[kind]))

    report = drive(origin, title, "switchAndSeek", name=f"player-{kind}", seed=20)

    assert report["failure"] is None
    assert report["mediaError"] is None
    assert report["complaints"] == []
    assert faults(report) == []
    assert len(report["seeks"]) == 10
    assert report["decoded"] == {
        "source": [256, 144],
        "upscaled": [512, 288],
        "back": [256, 144],
        "afterSeeks": [512, 288],
    }
    assert report["tracks"]["audio"] == (["English", "Commentary"] if kind == "mkv" else [])
    assert max(holes(report["buffered"]), default=0) <= FRAME_SECONDS
    level = report["upscaled"]["index"]
    assert {
        s["cache"] for s in report["segments"] if (s["kind"], s["level"]) == ("main", level)
    } == {"hit"}


def test_automatic_settles_on_the_upscaled_variant_with_a_cold_cache(
    small_library: Path, tmp_path: Path
) -> None:
    with run_origin(f"demo={small_library}", "--cache", tmp_path / "cache", *RENDITION) as origin:
        title = asyncio.run(title_of(origin, TITLES["ts"]))
        report = drive(origin, title, "automatic", name="player-automatic")

    assert report["failure"] is None
    assert report["complaints"] == []
    assert faults(report) == []
    levels = [segment["level"] for segment in report["segments"] if segment["kind"] == "main"]
    first = levels.index(report["upscaled"]["index"])
    assert set(levels[first:]) == {report["upscaled"]["index"]}
    assert report["decoded"]["end"] == [512, 288]
    made = {"miss", "coalesced", "degraded"}
    assert made & {segment["cache"] for segment in report["segments"]}


def test_another_hosts_page_embeds_the_player_under_a_strict_policy(origin: str) -> None:
    title = asyncio.run(title_of(origin, TITLES["fmp4"]))
    asyncio.run(fetch_everything(f"{origin}/{TITLES['fmp4']}"))

    with foreign_page(origin, TITLES["fmp4"]) as host:
        found = run_driver("embed.mjs", name="embed", url=host, allowed=[host, origin])

    assert found["failure"] is None
    assert found["complaints"] == []
    assert found["title"] == title
    assert found["landed"] == pytest.approx(2.5, abs=0.05)
    assert found["variants"] == ["source 72p", "source 144p", "288p · anime4k-m · server"]
    assert found["upscaled"] == [512, 288]
    assert found["style"]["bar"] == "flex"  # constructed style sheets apply
    assert found["again"] == {"paused": True, "title": title}
    assert found["events"] == ["player-title", "player-variant"]
    assert found["errors"] == []


@pytest.fixture(scope="module")
def counters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Titles whose frames show their numbers, each with times that hls.js has its own way with."""
    library = tmp_path_factory.mktemp("counters")
    clip: dict[str, Any] = {"frames": 144, "rate": FILM_RATE, "b_frames": 2, "sounds": (Sound(),)}
    write_file(library / "film.mkv", Clip(**clip))
    write_hls(library / "ts", Clip(**clip, start_seconds=Fraction(10)), "mpegts", 2)
    write_hls(library / "fmp4", Clip(**clip), "fmp4", 2)
    write_hls(library / "flat", Clip(**clip | {"b_frames": 0}), "mpegts", 2)
    cache = tmp_path_factory.mktemp("counters-cache")
    with run_origin(f"lib={library}", "--cache", cache, "--rendition", "2x:bilinear") as url:
        yield url


def test_a_link_lands_on_its_very_frame(counters: str) -> None:
    """In the source and upscaled, from the title's start and from its middle.

    The frame that is due is known from PTS alone: the first one after the title's first PTS + t.
    """
    rows = asyncio.run(ready_titles(counters))
    wanted = [
        {"title": row["id"], "t": t} | ({"variant": row["renditions"][0]["id"]} if upscaled else {})
        for row in rows
        for t, upscaled in (("0.9", False), ("3.3", False), ("5.1", True))
    ]

    report = drive(counters, "", "links", name="player-links", links=wanted)

    assert report["failure"] is None
    assert report["complaints"] == []
    assert len(rows) == 4
    landed = zip(wanted, report["links"], strict=True)
    for link, found in landed:
        frame = int(Fraction(link["t"]) * FILM_RATE)
        assert (found["counter"], found["paused"]) == (frame, True), link
        assert ("server" in found["variant"]) or "variant" not in link
        copied = float(found["address"].split("&t=")[1].split("&")[0])
        assert round(copied * FILM_RATE) == frame, found["address"]
