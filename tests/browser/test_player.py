"""hls.js in Chromium, on the real origin."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest

from tests.browser.harness import drive, faults, holes
from tests.tools import run_origin

pytestmark = pytest.mark.browser

RENDITION = ("--rendition", "2x:anime4k-m")
FRAME_SECONDS = 1001 / 24000
TITLES = {
    "ts": "demo/bunny-ts/master.m3u8",
    "fmp4": "demo/bunny-fmp4/master.m3u8",
    "mkv": "demo/bunny.mkv/index.m3u8",
}


@pytest.fixture(scope="module")
def origin(small_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    cache = tmp_path_factory.mktemp("cache")
    with run_origin(f"demo={small_library}", "--cache", cache, *RENDITION) as url:
        yield url


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


async def title_of(origin: str, path: str) -> str:
    """The id of the title whose multivariant playlist is at `path`."""
    async with aiohttp.ClientSession() as session, session.get(f"{origin}/api/titles") as response:
        titles = await response.json()
    (found,) = [title["id"] for title in titles if title["url"].lstrip("/") == path]
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
    assert max(holes(report["buffered"]), default=0) <= FRAME_SECONDS
    level = report["upscaled"]["index"]
    assert {
        s["cache"] for s in report["segments"] if (s["kind"], s["level"]) == ("video", level)
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
    levels = [segment["level"] for segment in report["segments"] if segment["kind"] == "video"]
    first = levels.index(report["upscaled"]["index"])
    assert set(levels[first:]) == {report["upscaled"]["index"]}
    assert report["decoded"]["end"] == [512, 288]
    assert "miss" in {segment["cache"] for segment in report["segments"]}


def test_the_mkv_offers_both_audio_tracks(origin: str) -> None:
    title = asyncio.run(title_of(origin, TITLES["mkv"]))

    report = drive(origin, title, "watch", name="player-audio", until=2)

    assert faults(report) == []
    assert report["audioMenu"] == ["English", "Commentary"]
