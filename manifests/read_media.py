"""The values of a media playlist, from its checked lines (RFC 8216bis sections 4.4.3 to 4.4.5)."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from manifests.attributes import Line, read_attributes, read_decimal, read_integer, unquote
from manifests.errors import ManifestError
from manifests.read_multivariant import read_version
from manifests.types import ByteRange, MapTag, MediaPlaylist, Segment

MAX_SEGMENTS = 50_000
MAX_DURATION_SECONDS = 86_400
MAX_OFFSET = 2**62

_BYTERANGE = re.compile(r"([0-9]{1,20})(?:@([0-9]{1,20}))?")

Tags = Mapping[str, Sequence[Line]]


class _Entry(NamedTuple):
    """The EXTINF of a segment, and the tags in force there."""

    extinf: Line
    duration: Decimal
    key_method: str | None
    map: MapTag | None


def read_media(
    text: str,
    lines: Sequence[Line],
    tags: Tags,
    uris: tuple[str, ...],
    read_segments: Callable[[], Sequence[dict[str, Any]]],
) -> MediaPlaylist:
    """Read the lines of `text`, which are also in `tags` by their tag.

    Once they are found sound, `read_segments` gives what m3u8 makes of each segment.

    Raises:
        ManifestError: See `manifests.parse.parse`.
    """
    if len(tags.get("EXTINF", ())) > MAX_SEGMENTS:
        raise ManifestError(f"more than {MAX_SEGMENTS} segments")
    if "EXT-X-TARGETDURATION" not in tags:
        raise ManifestError("EXT-X-TARGETDURATION is missing")
    media_sequence = _integer(tags, "EXT-X-MEDIA-SEQUENCE", 0)
    entries = list(_entries(lines))
    if not entries:
        raise ManifestError("has no segment")
    found = read_segments()
    if len(found) != len(entries):
        raise ManifestError("ends with tags that need a URI")
    return MediaPlaylist(
        text=text,
        segments=tuple(_segments(entries, found, media_sequence)),
        target_duration=_integer(tags, "EXT-X-TARGETDURATION", 0, maximum=MAX_DURATION_SECONDS),
        media_sequence=media_sequence,
        discontinuity_sequence=_integer(tags, "EXT-X-DISCONTINUITY-SEQUENCE", 0),
        version=read_version(tags),
        playlist_type=_playlist_type(tags),
        ended="EXT-X-ENDLIST" in tags,
        i_frames_only="EXT-X-I-FRAMES-ONLY" in tags,
        independent_segments="EXT-X-INDEPENDENT-SEGMENTS" in tags,
        encrypted=any(entry.key_method for entry in entries),
        uris=uris,
    )


def _integer(tags: Tags, tag: str, default: int, *, maximum: int = 2**63) -> int:
    lines = tags.get(tag)
    return read_integer(lines[0], lines[0].value, maximum=maximum) if lines else default


def _playlist_type(tags: Tags) -> str | None:
    lines = tags.get("EXT-X-PLAYLIST-TYPE")
    if lines and lines[0].value not in ("VOD", "EVENT"):
        raise lines[0].error(f"expected VOD or EVENT, not {lines[0].value[:40]!r}")
    return lines[0].value if lines else None


def _entries(lines: Sequence[Line]) -> Iterator[_Entry]:
    """One entry for each URI, in order."""
    extinf: Line | None = None
    key_method: str | None = None
    map_tag: MapTag | None = None
    for line in lines:
        if line.tag == "EXTINF":
            if extinf:
                raise extinf.error("EXTINF without a URI")
            extinf = line
        elif line.tag == "EXT-X-KEY":
            key_method = _key_method(line)
        elif line.tag == "EXT-X-MAP":
            map_tag = _map(line)
        elif line.is_uri:
            if not extinf:
                raise line.error(f"a URI without EXTINF: {line.text[:80]!r}")
            yield _Entry(extinf, _duration(extinf), key_method, map_tag)
            extinf = None
    if extinf:
        raise extinf.error("EXTINF without a URI")


def _duration_text(extinf: Line) -> str:
    return extinf.value.partition(",")[0].strip()


def _duration(extinf: Line) -> Decimal:
    return read_decimal(extinf, _duration_text(extinf), maximum=MAX_DURATION_SECONDS)


def _key_method(line: Line) -> str | None:
    method = read_attributes(line).get("METHOD")
    if not method:
        raise line.error("EXT-X-KEY without METHOD")
    return None if method == "NONE" else method


def _map(line: Line) -> MapTag:
    attributes = read_attributes(line)
    uri, byterange = unquote(attributes.get("URI")), unquote(attributes.get("BYTERANGE"))
    if not uri:
        raise line.error("EXT-X-MAP without URI")
    return MapTag(uri=uri, byterange=_byterange(line, byterange, 0) if byterange else None)


def _segments(
    entries: Sequence[_Entry], found: Sequence[dict[str, Any]], media_sequence: int
) -> Iterator[Segment]:
    previous_uri: str | None = None
    end: int | None = None
    for sequence, (entry, item) in enumerate(zip(entries, found, strict=True), media_sequence):
        uri, text = item["uri"], item.get("byterange")
        start = end if uri == previous_uri else None
        byterange = _byterange(entry.extinf, text, start) if text is not None else None
        end = byterange.offset + byterange.length if byterange else None
        previous_uri = uri
        yield _segment(entry, item, sequence, byterange)


def _segment(
    entry: _Entry, item: dict[str, Any], sequence: int, byterange: ByteRange | None
) -> Segment:
    return Segment(
        uri=item["uri"],
        duration=entry.duration,
        duration_text=_duration_text(entry.extinf),
        byterange=byterange,
        map=entry.map,
        discontinuity=item["discontinuity"],
        sequence=sequence,
        key_method=entry.key_method,
        gap=bool(item["gap_tag"]),
    )


def _byterange(line: Line, text: str, start: int | None) -> ByteRange:
    """Read `length[@offset]`; without an offset it begins at `start`."""
    found = _BYTERANGE.fullmatch(text.strip())
    if not found:
        raise line.error(f"expected a byte range LENGTH[@OFFSET], not {text[:60]!r}")
    if found[2] is None and start is None:
        raise line.error("a byte range without an offset must follow one of the same resource")
    length, offset = int(found[1]), int(found[2]) if found[2] else start or 0
    if not 0 < length <= MAX_OFFSET or offset > MAX_OFFSET:
        raise line.error(f"byte range {text[:60]!r} is out of bounds")
    return ByteRange(length=length, offset=offset)
