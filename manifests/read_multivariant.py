"""The values of a multivariant playlist, from its checked lines (RFC 8216bis section 4.4.6)."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from manifests.attributes import (
    Line,
    read_attributes,
    read_decimal,
    read_integer,
    read_resolution,
    unquote,
)
from manifests.errors import ManifestError
from manifests.types import MultivariantPlaylist, Rendition, Variant

MAX_VARIANTS = 1_000
MAX_FRAME_RATE = 1_000

Tags = Mapping[str, Sequence[Line]]


def read_multivariant(
    text: str, lines: Sequence[Line], tags: Tags, uris: tuple[str, ...]
) -> MultivariantPlaylist:
    """Read the lines of `text`, which are also in `tags` by their tag.

    Raises:
        ManifestError: See `manifests.parse.parse`.
    """
    media, i_frames = tags.get("EXT-X-MEDIA", ()), tags.get("EXT-X-I-FRAME-STREAM-INF", ())
    if max(len(tags.get("EXT-X-STREAM-INF", ())), len(media), len(i_frames)) > MAX_VARIANTS:
        raise ManifestError(f"more than {MAX_VARIANTS} variants or renditions")
    variants = tuple(_variant(line, uri) for line, uri in _paired(lines))
    if not variants:
        raise ManifestError("has no variant")
    return MultivariantPlaylist(
        text=text,
        variants=variants,
        renditions=tuple(map(_rendition, media)),
        i_frame_uris=tuple(_required(line, read_attributes(line), "URI") for line in i_frames),
        independent_segments="EXT-X-INDEPENDENT-SEGMENTS" in tags,
        version=read_version(tags),
        uris=uris,
    )


def read_version(tags: Tags) -> int:
    """EXT-X-VERSION, 1 where there is none."""
    lines = tags.get("EXT-X-VERSION")
    return read_integer(lines[0], lines[0].value, maximum=99) if lines else 1


def _paired(lines: Sequence[Line]) -> Iterator[tuple[Line, str]]:
    """Each EXT-X-STREAM-INF with the URI that follows it."""
    open_line: Line | None = None
    for line in lines:
        if line.tag and open_line:
            raise open_line.error("EXT-X-STREAM-INF without a URI")
        if line.tag == "EXT-X-STREAM-INF":
            open_line = line
        elif line.is_uri:
            if not open_line:
                raise line.error(f"a URI without EXT-X-STREAM-INF: {line.text[:80]!r}")
            yield open_line, line.text
            open_line = None
    if open_line:
        raise open_line.error("EXT-X-STREAM-INF without a URI")


def _variant(line: Line, uri: str) -> Variant:
    attributes = read_attributes(line)
    average = attributes.get("AVERAGE-BANDWIDTH")
    resolution = attributes.get("RESOLUTION")
    return Variant(
        uri=uri,
        bandwidth=read_integer(line, _required(line, attributes, "BANDWIDTH")),
        average_bandwidth=read_integer(line, average) if average else None,
        codecs=unquote(attributes.get("CODECS")),
        resolution=read_resolution(line, resolution) if resolution else None,
        frame_rate=_frame_rate(line, attributes.get("FRAME-RATE")),
        video_range=unquote(attributes.get("VIDEO-RANGE")),
        audio=unquote(attributes.get("AUDIO")),
        subtitles=unquote(attributes.get("SUBTITLES")),
        video=unquote(attributes.get("VIDEO")),
        closed_captions=unquote(attributes.get("CLOSED-CAPTIONS")),
        attributes=attributes,
        line=line.row,
    )


def _frame_rate(line: Line, text: str | None) -> Fraction | None:
    return Fraction(read_decimal(line, text, maximum=MAX_FRAME_RATE)) or None if text else None


def _rendition(line: Line) -> Rendition:
    attributes = read_attributes(line)
    return Rendition(
        type=_required(line, attributes, "TYPE"),
        group_id=_required(line, attributes, "GROUP-ID"),
        name=_required(line, attributes, "NAME"),
        language=unquote(attributes.get("LANGUAGE")),
        uri=unquote(attributes.get("URI")),
        default=attributes.get("DEFAULT") == "YES",
        autoselect=attributes.get("AUTOSELECT") == "YES",
        channels=unquote(attributes.get("CHANNELS")),
        attributes=attributes,
        line=line.row,
    )


def _required(line: Line, attributes: Mapping[str, str], key: str) -> str:
    value = unquote(attributes.get(key))
    if not value:
        raise line.error(f"{line.tag} without {key}")
    return value
