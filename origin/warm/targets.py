"""From the URL that a user gives to the segments that it stands for."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urljoin, urlsplit

from manifests.errors import ManifestError
from manifests.parse import parse
from manifests.types import MediaPlaylist, MultivariantPlaylist, Variant
from manifests.urls import fits
from origin.errors import BrokenSourceError, ConfigError, OriginError, UnavailableError
from origin.warm.client import Client

_PRODUCED = ('"up-', '"same-')
"""How the STABLE-VARIANT-ID of our variants begins, quote included."""
_PATIENCE = 300
"""How often to ask for titles that are being prepared."""
_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a user wants warmed."""

    renditions: tuple[str, ...] = ()
    """Ids; all if empty."""
    start_seconds: float | None = None
    end_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Playlist:
    """The media playlist of a produced variant."""

    rendition_id: str
    url: str


async def find_segments(client: Client, url: str, wanted: Wanted) -> list[str]:
    """URLs of the segments to warm, init segments first, in the order that they are played in.

    Args:
        client: To ask with.
        url: Of an origin (all titles), a title, or the media playlist of a produced variant; with
            `*` in its path, of all titles that it fits.
        wanted: Which of its renditions, and which part.

    Raises:
        ConfigError: There is no such title or rendition.
        OriginError: The origin cannot be reached, or the title cannot be upscaled.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError(f"{url}: expected a URL such as http://127.0.0.1:8080/name/title.m3u8")
    playlists = await _from_listing(client, url)
    if playlists is None and "*" in parts.path:
        raise ConfigError(f"{url}: there is no such title, or no /api/titles to tell them from")
    if playlists is None:
        playlists = await _from_playlist(client, url)
    chosen = [
        playlist
        for playlist in playlists
        if not wanted.renditions or playlist.rendition_id in wanted.renditions
    ]
    if not chosen:
        there = ", ".join(sorted({p.rendition_id for p in playlists})) or "none"
        raise ConfigError(f"{url} has no such rendition; it has: {there}")
    segments: list[str] = []
    for playlist in chosen:
        segments += _segments(playlist.url, await client.text(playlist.url), wanted)
    return list(dict.fromkeys(segments))


async def _from_listing(client: Client, url: str) -> list[Playlist] | None:
    """By /api/titles, which knows of variants that no playlist lists yet; None if it does not."""
    path = urlsplit(url).path or "/"
    for _ in range(_PATIENCE):
        rows = await client.document(urljoin(url, "/api/titles"))
        if not isinstance(rows, list):
            return None
        own = [row for row in rows if path == "/" or fits(row["url"], path)]
        if not any(row["status"] == "preparing" for row in own):
            return _ready(url, own) if own else _one_rendition(url, rows)
        await asyncio.sleep(_PAUSE_SECONDS)
    raise UnavailableError(f"{url}: the origin is still preparing it; try again later")


def _ready(url: str, rows: Sequence[Mapping[str, Any]]) -> list[Playlist]:
    if len(rows) == 1 and rows[0]["status"] == "failed":
        raise OriginError(f"{url} cannot be upscaled: {rows[0]['error']}", source=url)
    return [playlist for row in rows for playlist in _renditions(url, row)]


def _renditions(url: str, row: Mapping[str, Any]) -> Iterator[Playlist]:
    for rendition in row["renditions"]:
        yield Playlist(rendition_id=rendition["id"], url=urljoin(url, rendition["url"]))


def _one_rendition(url: str, rows: Sequence[Mapping[str, Any]]) -> list[Playlist] | None:
    every = (playlist for row in rows for playlist in _renditions(url, row))
    return [p for p in every if urlsplit(p.url).path == urlsplit(url).path] or None


async def _from_playlist(client: Client, url: str) -> list[Playlist]:
    """By the playlist alone, as behind a CDN."""
    playlist = _parse(url, await client.text(url))
    if isinstance(playlist, MediaPlaylist):
        return [Playlist(rendition_id="", url=url)]
    return [_produced(url, variant) for variant in _ours(playlist)]


def _ours(playlist: MultivariantPlaylist) -> Iterator[Variant]:
    for variant in playlist.variants:
        if variant.attributes.get("STABLE-VARIANT-ID", "").startswith(_PRODUCED):
            yield variant


def _produced(url: str, variant: Variant) -> Playlist:
    own = variant.attributes["STABLE-VARIANT-ID"].strip('"')
    return Playlist(rendition_id=own, url=urljoin(url, variant.uri))


def _segments(url: str, text: str, wanted: Wanted) -> Iterator[str]:
    playlist = _parse(url, text)
    if isinstance(playlist, MultivariantPlaylist):
        raise BrokenSourceError(f"{url}: expected a media playlist", source=url)
    at = Decimal()
    for segment in playlist.segments:
        began, at = at, at + segment.duration
        late = wanted.end_seconds is not None and began >= Decimal(wanted.end_seconds)
        early = wanted.start_seconds is not None and at <= Decimal(wanted.start_seconds)
        if segment.gap or late or early:
            continue
        if segment.map is not None:
            yield urljoin(url, segment.map.uri)
        yield urljoin(url, segment.uri)


def _parse(url: str, text: str) -> MultivariantPlaylist | MediaPlaylist:
    try:
        return parse(text, name=url)
    except ManifestError as error:
        raise BrokenSourceError(str(error), source=url) from error
