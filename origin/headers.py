"""The parts of HTTP that aiohttp leaves to us, as pure functions.

Ranges and conditions are RFC 9110's, the cache status is RFC 9211's, priorities RFC 9218's.
"""

import re
from dataclasses import dataclass

_SINGLE_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteSpan:
    """Bytes `start` to `stop`, the latter not included."""

    start: int
    stop: int


class UnsatisfiableRangeError(ValueError):
    """The range begins past the end of the body (416)."""


def select_range(header: str | None, size: int) -> ByteSpan | None:
    """Return the part of a body that a Range header asks for, None for all of it.

    What is malformed or asks for several ranges is ignored, as RFC 9110 section 14.2 allows.

    Raises:
        UnsatisfiableRangeError: Nothing of the range exists.
    """
    match = _SINGLE_RANGE.fullmatch(header.replace(" ", "").lower()) if header else None
    if match is None or match[0] == "bytes=-":
        return None
    first, last = (_bounded(text) for text in match.groups())
    if first is None:
        suffix = min(last or 0, size)
        if suffix == 0:
            raise UnsatisfiableRangeError
        return ByteSpan(start=size - suffix, stop=size)
    if last is not None and last < first:
        return None
    if first >= size:
        raise UnsatisfiableRangeError
    return ByteSpan(start=first, stop=size if last is None else min(last + 1, size))


def _bounded(digits: str) -> int | None:
    return int(digits[:19]) if digits else None


def etag_matches(header: str | None, etag: str, *, weak: bool) -> bool:
    """Whether an If-None-Match (weak comparison) or If-Range (strong) header names `etag`.

    Args:
        header: The header's value, None if absent.
        etag: Ours, with its quotes.
        weak: Ignore the `W/` of the client's tags.
    """
    if header is None:
        return False
    tags = [tag.strip() for tag in header.split(",")]
    if weak:
        tags = [tag.removeprefix("W/") for tag in tags]
    return etag in tags or (weak and tags == ["*"])


def accepts_gzip(header: str | None) -> bool:
    """Whether an Accept-Encoding header allows gzip (RFC 9110 section 12.5.3)."""
    weights = {}
    for item in (header or "").lower().split(","):
        coding, _, parameter = item.partition(";")
        weights[coding.strip()] = parameter.replace(" ", "")
    chosen = weights.get("gzip", weights.get("*", "q=0"))
    return re.fullmatch(r"q=0(\.0*)?", chosen) is None


def is_background(header: str | None) -> bool:
    """Whether a Priority header says that nobody waits: urgency 7 (RFC 9218 section 4.1)."""
    members = [member.partition("=") for member in (header or "").split(",")]
    return any(key.strip() == "u" and value.strip() == "7" for key, _, value in members)


def server_timing(stages: dict[str, float]) -> str:
    """Format seconds by stage as a Server-Timing header (milliseconds)."""
    return ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in stages.items())


def cache_status(result: str) -> str:
    """Format RFC 9211's Cache-Status for `hit`, `miss` or `coalesced`."""
    detail = {"hit": "hit", "coalesced": "fwd=uri-miss; collapsed"}.get(result, "fwd=uri-miss")
    return f"upscale-origin; {detail}"
