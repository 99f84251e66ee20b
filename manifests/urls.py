"""The URL scheme: the one place that knows how produced things are addressed.

A title is addressed by its title path: the path of its playlist or media file, with the name of
its library in front (`NAME/path/to/master.m3u8`, `NAME/path/to/film.mkv`), decoded and without a
leading slash. What is produced lies below it:

    /<title path>                              multivariant playlist of an HLS title
    /<title path>/index.m3u8                   multivariant playlist of a media file
    /<title path>/<track>/index.m3u8           media playlist
    /<title path>/<track>/<digest>/init.mp4    init segment
    /<title path>/<track>/<digest>/<n>.ts      segment (or .m4s, .vtt), n from 0
    /<title path>/subs-<i>/<digest>/subtitles.ass   the script of an ASS track, as it is
    /<title path>/fonts/<digest>/<name>        a font that is attached to the file
    /<title path>/stills/<digest>/poster.jpg   a picture of the title
    /<title path>/stills/<digest>/thumbnails.vtt   where in the sheets which moment is
    /<title path>/stills/<digest>/<n>.jpg      sheet of small pictures, n from 0

The track is a rendition id (`up-720p-anime4k-m`, `same-480p`), or for media files also `source`,
`audio-<i>` and `subs-<i>`. A path is read from its right end, so a directory may be called
anything. The text alone cannot tell a directory `film.mkv` with an `index.m3u8` of its own from the
media file `film.mkv`: who serves tries the title that `match` names, then a file of the source.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import quote, unquote_to_bytes

from manifests.errors import ManifestError

MEDIA_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".m2ts", ".mts"})
PLAYLIST_SUFFIXES = frozenset({".m3u8", ".m3u"})
SOURCE_TRACK = "source"
POSTER = "poster.jpg"
THUMBNAILS = "thumbnails.vtt"
SCRIPT = "subtitles.ass"
FONTS = "fonts"
"""Stands where the track does in the path of a font."""

RouteKind = Literal["multivariant", "playlist", "init", "segment", "still", "file"]
Extension = Literal["ts", "m4s", "vtt"]

_INDEX = "index.m3u8"
_INIT = "init.mp4"
_STILLS = "stills"
_SOURCE_MARK = ".source"
_TRACK = re.compile(
    r"source|(?:audio|subs)-(?:0|[1-9][0-9]{0,2})"
    r"|(?:up|same)-[1-9][0-9]{0,4}p(?:-[a-z0-9._-]+)?"
)
_FILE_TRACK = re.compile(r"source|(?:audio|subs)-.*")
_DIGEST = re.compile(r"[0-9a-f]{16}")
_STILL = re.compile(r"poster\.jpg|thumbnails\.vtt|(?:0|[1-9][0-9]{0,3})\.jpg")
_SEGMENT = re.compile(r"(0|[1-9][0-9]{0,5})\.(ts|m4s|vtt)")
_FILE = re.compile(r"subs-(?:0|[1-9][0-9]{0,2})/subtitles\.ass|fonts/[A-Za-z0-9_-][A-Za-z0-9._-]*")
_EXTENSIONS: dict[str, Extension] = {"ts": "ts", "m4s": "m4s", "vtt": "vtt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a path under a title stands for."""

    kind: RouteKind
    title_path: str
    track_id: str | None = None
    digest: str | None = None
    index: int | None = None
    extension: Extension | None = None
    name: str | None = None
    """Of a still or another file: its last part."""


def is_media_file(path: str) -> bool:
    """Whether a title path names a media file, by its suffix."""
    return PurePosixPath(path).suffix.lower() in MEDIA_SUFFIXES


def is_playlist(path: str) -> bool:
    """Whether a path names a playlist, by its suffix."""
    return PurePosixPath(path).suffix.lower() in PLAYLIST_SUFFIXES


def encode_path(path: str) -> str:
    """Percent-encode a decoded path for a URL or a playlist; slashes stay.

    Raises:
        ManifestError: A name in it is no Unicode text.
    """
    try:
        return quote(path, safe="/")
    except UnicodeEncodeError as error:
        raise ManifestError(f"{path!a}: the name is not UTF-8") from error


def fits(path: str, pattern: str) -> bool:
    """Whether a pattern means a path: `*` stands for any text and `?` for a character.

    Brackets stand for themselves, since releases are named with them (`[Group] Show.mkv`).
    """
    return fnmatchcase(path, pattern.replace("[", "[[]"))


def decode_path(path: str) -> str | None:
    """Decode the percent-encoded path of a URL, without its leading slash.

    None where it cannot name anything inside a library: an empty, `.` or `..` part, an encoded
    slash, a backslash, a control character, or bytes that are no UTF-8.
    """
    parts = [_decode_part(part) for part in path.removeprefix("/").split("/")]
    return None if None in parts else "/".join(part for part in parts if part is not None)


def is_addressable(path: str) -> bool:
    """Whether a URL can name the path: it survives being encoded and decoded."""
    try:
        return decode_path(encode_path(path)) == path
    except ManifestError:
        return False


def _decode_part(part: str) -> str | None:
    try:
        text = unquote_to_bytes(part).decode()
    except UnicodeError:
        return None
    unsafe = text in ("", ".", "..") or any(c in "/\\\x7f" or c < " " for c in text)
    return None if unsafe else text


@lru_cache(maxsize=2048)
def match(path: str) -> Route | None:
    """Read the percent-encoded path of a request (no query).

    None where it is no produced path: the multivariant playlist of an HLS title too, which has the
    path of its source.
    """
    decoded = decode_path(path)
    parts = decoded.split("/") if decoded is not None else []
    if len(parts) < 3:
        return None
    if parts[-1] == _INDEX:
        return _match_playlist(parts)
    return _match_body(parts) if len(parts) >= 5 else None


def _match_playlist(parts: list[str]) -> Route | None:
    above = "/".join(parts[:-2])
    if _is_track(above, parts[-2]):
        return Route(kind="playlist", title_path=above, track_id=parts[-2])
    title_path = f"{above}/{parts[-2]}"
    return Route(kind="multivariant", title_path=title_path) if is_media_file(title_path) else None


def _match_body(parts: list[str]) -> Route | None:
    *above, track, digest, name = parts
    title_path = "/".join(above)
    if track == _STILLS:
        return _match_still(title_path, digest, name)
    if _FILE.fullmatch(f"{track}/{name}"):
        return _match_file(title_path, track, digest, name)
    if not _is_track(title_path, track) or not _DIGEST.fullmatch(digest):
        return None
    if name == _INIT:
        return Route(kind="init", title_path=title_path, track_id=track, digest=digest)
    found = _SEGMENT.fullmatch(name)
    if not found:
        return None
    return Route(
        kind="segment",
        title_path=title_path,
        track_id=track,
        digest=digest,
        index=int(found[1]),
        extension=_EXTENSIONS[found[2]],
    )


def _match_still(title_path: str, digest: str, name: str) -> Route | None:
    is_title = "/" in title_path and (is_media_file(title_path) or is_playlist(title_path))
    if not is_title or not _DIGEST.fullmatch(digest) or not _STILL.fullmatch(name):
        return None
    return Route(kind="still", title_path=title_path, digest=digest, name=name)


def _match_file(title_path: str, track: str, digest: str, name: str) -> Route | None:
    is_title = "/" in title_path and is_media_file(title_path)
    if not is_title or not _DIGEST.fullmatch(digest):
        return None
    return Route(kind="file", title_path=title_path, track_id=track, digest=digest, name=name)


def _is_track(title_path: str, track: str) -> bool:
    """HLS titles have produced tracks only; their own variants keep their own paths."""
    if "/" not in title_path or not _TRACK.fullmatch(track):
        return False
    if is_media_file(title_path):
        return True
    return is_playlist(title_path) and not _FILE_TRACK.fullmatch(track)


def build(route: Route) -> str:
    """The percent-encoded absolute path of a route: `match(build(route)) == route`."""
    base = "/" + encode_path(route.title_path)
    if route.kind == "multivariant":
        return f"{base}/{_INDEX}"
    if route.kind == "still":
        return f"{base}/{_STILLS}/{route.digest}/{route.name}"
    track = f"{base}/{route.track_id}"
    if route.kind == "playlist":
        return f"{track}/{_INDEX}"
    segment = f"{route.index}.{route.extension}"
    name = {"init": _INIT, "file": route.name}.get(route.kind, segment)
    return f"{track}/{route.digest}/{name}"


def title_url(title_path: str) -> str:
    """The absolute path of a title's multivariant playlist, of either kind of title."""
    base = "/" + encode_path(title_path)
    return f"{base}/{_INDEX}" if is_media_file(title_path) else base


def playlist_uri(title_path: str, track_id: str) -> str:
    """A track's media playlist, relative to the title's multivariant playlist."""
    below = f"{track_id}/{_INDEX}"
    if is_media_file(title_path):
        return below
    return f"{encode_path(title_path.rpartition('/')[2])}/{below}"


def segment_uri(digest: str, index: int, extension: Extension) -> str:
    """A produced segment, relative to its media playlist."""
    return f"{digest}/{index}.{extension}"


def init_uri(digest: str) -> str:
    """A produced init segment, relative to its media playlist."""
    return f"{digest}/{_INIT}"


def sheet_uri(number: int) -> str:
    """A sheet of small pictures, relative to what says where in it which moment is."""
    return f"{number}.jpg"


def source_playlist_path(path: str) -> str:
    """Where the source's media playlist of a title that is a lone one is served verbatim.

    A sibling, so that its relative URIs still work: `dir/index.m3u8` → `dir/index.source.m3u8`.
    """
    pure = PurePosixPath(path)
    return str(pure.with_name(f"{pure.stem}{_SOURCE_MARK}{pure.suffix}"))


def lone_playlist_path(path: str) -> str | None:
    """Inverse of `source_playlist_path`; None where the path is not of that form."""
    pure = PurePosixPath(path)
    stem = pure.stem.removesuffix(_SOURCE_MARK)
    if not is_playlist(path) or stem in ("", pure.stem):
        return None
    return str(pure.with_name(f"{stem}{pure.suffix}"))
