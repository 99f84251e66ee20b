"""Lines, tags and attribute lists of a playlist (RFC 8216bis section 4), read verbatim."""

import re
from decimal import Decimal
from typing import NamedTuple

from manifests.errors import ManifestError

_ATTRIBUTE = re.compile(r'\s*([A-Za-z0-9._-]+)\s*=("[^"]*"\s*|[^",]*)(?:,|$)')
_INTEGER = re.compile(r"[0-9]{1,20}")
_DECIMAL = re.compile(r"[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}")


class LineError(ManifestError):
    """A ManifestError that names the line, counted from 1."""


class Line(NamedTuple):
    """One line, without the white space around it."""

    row: int
    """From 0."""
    text: str
    tag: str
    """Such as `EXT-X-MAP`; empty for a URI, a comment or a blank line."""
    value: str
    """What follows the tag's colon."""

    @property
    def is_uri(self) -> bool:
        """Whether the line is neither a tag, nor a comment, nor blank."""
        return bool(self.text) and not self.text.startswith("#")

    def error(self, reason: str) -> LineError:
        """An error that names this line."""
        return LineError(f"line {self.row + 1}: {reason}")


def read_lines(text: str) -> list[Line]:
    """Split a playlist at each line feed, so that rows are indices of `text.split` too."""
    return [_read_line(row, line.strip()) for row, line in enumerate(text.split("\n"))]


def _read_line(row: int, text: str) -> Line:
    if not text.startswith("#EXT"):
        return Line(row, text, "", "")
    tag, _, value = text[1:].partition(":")
    return Line(row, text, tag, value.strip())


def read_attributes(line: Line) -> dict[str, str]:
    """Read an attribute list; values stay verbatim, quotes included.

    Raises:
        LineError: It is malformed, or an attribute stands there twice (clients refuse that).
    """
    attributes: dict[str, str] = {}
    position = 0
    while position < len(line.value):
        found = _ATTRIBUTE.match(line.value, position)
        if not found:
            raise line.error(f"{line.tag} has a malformed attribute list")
        if found[1] in attributes:
            raise line.error(f"{line.tag} has {found[1]} twice")
        attributes[found[1]] = found[2].strip()
        position = found.end()
    return attributes


def unquote(value: str | None) -> str | None:
    """The text of a quoted string, or of an enumerated one as it stands."""
    if value is None:
        return None
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value


def quote(text: str) -> str:
    """A quoted string; what cannot stand in one (quotes, control characters) is replaced."""
    return '"' + "".join("'" if c == '"' else c if c.isprintable() else " " for c in text) + '"'


def read_integer(line: Line, text: str, *, maximum: int = 2**64 - 1) -> int:
    """A decimal-integer, refused above `maximum`."""
    if not _INTEGER.fullmatch(text) or int(text) > maximum:
        raise line.error(f"{line.tag}: expected a whole number up to {maximum}, not {text[:40]!r}")
    return int(text)


def read_decimal(line: Line, text: str, *, maximum: int) -> Decimal:
    """A decimal-floating-point, exactly: no sign, exponent, NaN or infinity."""
    if not _DECIMAL.fullmatch(text) or Decimal(text) > maximum:
        raise line.error(f"{line.tag}: expected a number from 0 to {maximum}, not {text[:40]!r}")
    return Decimal(text)


def read_resolution(line: Line, text: str) -> tuple[int, int]:
    """A decimal-resolution: width and height."""
    width, _, height = text.lower().partition("x")
    size = (read_integer(line, width, maximum=65535), read_integer(line, height, maximum=65535))
    if 0 in size:
        raise line.error(f"{line.tag}: RESOLUTION {text[:40]!r} has no area")
    return size
