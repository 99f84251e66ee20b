"""Text of a playlist to values. The sole importer of the m3u8 package.

m3u8 tells which tags belong to which segment. It is lenient (it drops stray URIs, takes `1_000` and
`nan` for numbers, mixes both kinds of playlist), quadratic in keys, and loses what is verbatim. So
the lines are checked first, it is shown only the tags that it is asked about, and attributes and
numbers are read from the lines.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import m3u8

from manifests.attributes import Line, LineError, read_attributes, read_lines, unquote
from manifests.errors import ManifestError
from manifests.read_media import read_media
from manifests.read_multivariant import read_multivariant
from manifests.types import MediaPlaylist, MultivariantPlaylist

MAX_TEXT_LENGTH = 8 * 1024 * 1024
MAX_LINES = 500_000

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]|\r(?!\n)")
_MULTIVARIANT_TAGS = frozenset(
    {
        "EXT-X-STREAM-INF",
        "EXT-X-I-FRAME-STREAM-INF",
        "EXT-X-IMAGE-STREAM-INF",
        "EXT-X-MEDIA",
        "EXT-X-SESSION-DATA",
        "EXT-X-SESSION-KEY",
        "EXT-X-CONTENT-STEERING",
    }
)
_MEDIA_TAGS = frozenset(
    {
        "EXTINF",
        "EXT-X-TARGETDURATION",
        "EXT-X-MEDIA-SEQUENCE",
        "EXT-X-DISCONTINUITY-SEQUENCE",
        "EXT-X-DISCONTINUITY",
        "EXT-X-PLAYLIST-TYPE",
        "EXT-X-I-FRAMES-ONLY",
        "EXT-X-ENDLIST",
        "EXT-X-BYTERANGE",
        "EXT-X-KEY",
        "EXT-X-MAP",
        "EXT-X-PROGRAM-DATE-TIME",
        "EXT-X-DATERANGE",
        "EXT-X-GAP",
        "EXT-X-BITRATE",
        "EXT-X-PART",
        "EXT-X-PART-INF",
        "EXT-X-SERVER-CONTROL",
    }
)
_ONCE = (
    "EXT-X-VERSION",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-PLAYLIST-TYPE",
)
_REFUSED = {
    "EXT-X-DEFINE": "variables (EXT-X-DEFINE) are not supported",
    "EXT-X-SKIP": "a delta update (EXT-X-SKIP) is no whole playlist",
}
_SHOWN_TO_M3U8 = frozenset({"EXTINF", "EXT-X-DISCONTINUITY", "EXT-X-BYTERANGE", "EXT-X-GAP"})
_LISTS_WITH_URIS = frozenset(
    {
        "EXT-X-I-FRAME-STREAM-INF",
        "EXT-X-IMAGE-STREAM-INF",
        "EXT-X-MEDIA",
        "EXT-X-SESSION-DATA",
        "EXT-X-SESSION-KEY",
        "EXT-X-CONTENT-STEERING",
        "EXT-X-KEY",
        "EXT-X-MAP",
        "EXT-X-PART",
        "EXT-X-PRELOAD-HINT",
        "EXT-X-RENDITION-REPORT",
        "EXT-X-DATERANGE",
    }
)
_URI_ATTRIBUTES = frozenset({"URI", "SERVER-URI", "X-ASSET-URI", "X-ASSET-LIST"})


def parse(text: str, *, name: str) -> MultivariantPlaylist | MediaPlaylist:
    """Read a playlist.

    Args:
        text: The playlist, decoded from UTF-8. CRLF line ends and a byte order mark are tolerated.
        name: How errors call it.

    Raises:
        ManifestError: It is no playlist, breaks RFC 8216bis in a way that matters, uses what we do
            not support, or exceeds a limit. The message names the playlist, the line, the reason.
    """
    try:
        return _parse(text.removeprefix("\ufeff"))
    except ManifestError as error:
        raise ManifestError(f"{name}: {error}") from None


def _parse(text: str) -> MultivariantPlaylist | MediaPlaylist:
    _check_text(text)
    lines = read_lines(text)
    tags: dict[str, list[Line]] = {}
    for line in lines:
        if line.tag:
            tags.setdefault(line.tag, []).append(line)
    _check_tags(tags)
    uris = tuple(_all_uris(lines))
    if tags.keys() & _MULTIVARIANT_TAGS:
        return read_multivariant(text, lines, tags, uris)
    return read_media(text, lines, tags, uris, lambda: _read_segments(text))


def _check_text(text: str) -> None:
    if len(text) > MAX_TEXT_LENGTH:
        raise ManifestError(f"longer than {MAX_TEXT_LENGTH} characters")
    if not text.startswith("#EXTM3U"):
        raise LineError("line 1: does not begin with #EXTM3U, so it is no playlist")
    if text.count("\n") >= MAX_LINES:
        raise ManifestError(f"more than {MAX_LINES} lines")
    found = _FORBIDDEN.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise LineError(f"line {line}: control character {found[0]!a}")


def _check_tags(tags: dict[str, list[Line]]) -> None:
    for tag, reason in _REFUSED.items():
        if tag in tags:
            raise tags[tag][0].error(reason)
    for tag in _ONCE:
        if len(tags.get(tag, ())) > 1:
            raise tags[tag][1].error(f"{tag} for the second time")
    multivariant = [tags[tag][0] for tag in _MULTIVARIANT_TAGS & tags.keys()]
    media = [tags[tag][0] for tag in _MEDIA_TAGS & tags.keys()]
    if multivariant and media:
        first, second = sorted((min(multivariant), min(media)))
        raise second.error(f"tags of both kinds of playlist: {first.tag} and {second.tag}")
    if not multivariant and not media:
        raise ManifestError("neither variants nor segments")


def _all_uris(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        if line.is_uri:
            yield line.text
        elif line.tag in _LISTS_WITH_URIS:
            for key, value in read_attributes(line).items():
                if key in _URI_ATTRIBUTES:
                    yield unquote(value) or ""


def _read_segments(text: str) -> list[dict[str, Any]]:
    def is_hidden(line: str, *_: object) -> bool:
        return line[1:].partition(":")[0] not in _SHOWN_TO_M3U8

    try:
        return list(m3u8.parse(text, custom_tags_parser=is_hidden)["segments"])
    except Exception as error:  # whatever its casts raise
        raise ManifestError(f"cannot be read: {error!r:.200}") from None
