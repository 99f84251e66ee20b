"""A plain HTTP client, and playlists as the m3u8 package reads them."""

import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urljoin

import m3u8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def get(url: str, *, method: str = "GET", timeout: float = 480, **headers: str) -> Reply:
    """One request; header names are written with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _open(urllib.request.Request(url, method=method, headers=named), timeout)


def post(url: str, document: object, *, timeout: float = 120) -> Reply:
    """Sends JSON."""
    return _open(urllib.request.Request(url, data=json.dumps(document).encode()), timeout)


def _open(request: urllib.request.Request, timeout: float) -> Reply:
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return Reply(status=response.status, headers=response.headers, body=response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(status=error.code, headers=error.headers, body=error.read())


def get_many(urls: list[str], *, threads: int = 32) -> list[Reply]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(get, urls))


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A media playlist: absolute URLs of its segments and init segment, and their byte ranges."""

    url: str
    playlist: m3u8.M3U8
    segments: tuple[str, ...]
    ranges: tuple[str | None, ...]
    init: str | None
    init_range: str | None

    def durations(self) -> list[float]:
        return [segment.duration for segment in self.playlist.segments]


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A multivariant playlist and the absolute URLs of its variants, in order."""

    url: str
    text: str
    playlist: m3u8.M3U8

    def variant_urls(self, *, produced: bool) -> list[str]:
        return [
            urljoin(self.url, variant.uri)
            for variant in self.playlist.playlists
            if is_produced(variant) == produced
        ]

    def produced(self) -> m3u8.Playlist:
        return next(variant for variant in self.playlist.playlists if is_produced(variant))

    def source_track(self) -> Track:
        """Of the tallest source variant."""
        sources = [v for v in self.playlist.playlists if not is_produced(v)]
        tallest = max(sources, key=lambda v: (v.stream_info.resolution or (0, 0))[1])
        return track(urljoin(self.url, tallest.uri))

    def produced_track(self) -> Track:
        return track(self.variant_urls(produced=True)[0])


def is_produced(variant: m3u8.Playlist) -> bool:
    return (variant.stream_info.stable_variant_id or "").startswith(("up-", "same-"))


def title(url: str) -> Title:
    reply = get(url)
    assert reply.status == 200, reply.body
    text = reply.body.decode()
    return Title(url=url, text=text, playlist=m3u8.loads(text))


def track(url: str) -> Track:
    reply = get(url)
    assert reply.status == 200, reply.body
    playlist = m3u8.loads(reply.body.decode())
    maps = playlist.segment_map
    return Track(
        url=url,
        playlist=playlist,
        segments=tuple(urljoin(url, segment.uri) for segment in playlist.segments),
        ranges=tuple(segment.byterange for segment in playlist.segments),
        init=urljoin(url, maps[0].uri) if maps else None,
        init_range=maps[0].byterange if maps else None,
    )


def titles(base: str) -> dict[str, Any]:
    """/api/titles by id, once none is being prepared any more."""
    while True:
        rows = get(f"{base}/api/titles").json
        if all(row["status"] != "preparing" for row in rows):
            return {row["id"]: row for row in rows}
        time.sleep(0.1)
