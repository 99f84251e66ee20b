"""The parts of HTTP that aiohttp leaves to us, as pure functions.

Ranges and conditions are RFC 9110's, the cache status is RFC 9211's, priorities RFC 9218's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_SINGLE_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_QUALITY = re.compile(r"q=([01](?:\.\d{0,3})?)", re.ASCII)


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


def choose_coding(header: str | None, available: Sequence[str]) -> str | None:
    """The content coding that an Accept-Encoding header likes best (RFC 9110 section 12.5.3).

    Args:
        header: Its value, None if absent.
        available: Codings there are, the best one first; it wins where none is preferred.

    Returns:
        None where nothing of it is accepted.
    """
    weights = {}
    for item in (header or "").lower().split(","):
        coding, _, parameter = item.partition(";")
        weights[coding.strip()] = _weight(parameter)
    chosen = max(available, key=lambda coding: _of(weights, coding), default=None)
    return chosen if chosen is not None and _of(weights, chosen) > 0 else None


def _of(weights: dict[str, float], coding: str) -> float:
    return weights.get(coding, weights.get("*", 0.0))


def _weight(parameter: str) -> float:
    found = _QUALITY.fullmatch(parameter.replace(" ", ""))
    return float(found[1]) if found else 1.0


def is_background(header: str | None) -> bool:
    """Whether a Priority header says that nobody waits: urgency 7 (RFC 9218 section 4.1)."""
    members = [member.partition("=") for member in (header or "").split(",")]
    return any(key.strip() == "u" and value.strip() == "7" for key, _, value in members)


def server_timing(stages: dict[str, float]) -> str:
    """Format seconds by stage as a Server-Timing header (milliseconds)."""
    return ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in stages.items())


def cache_status(result: str, *, is_stored: bool = False) -> str:
    """Format RFC 9211's Cache-Status; no cache key is in it.

    Args:
        result: `hit`, `miss`, `coalesced` or `degraded`.
        is_stored: The cache keeps what had to be made.
    """
    details = {
        "hit": "hit",
        "coalesced": "fwd=uri-miss; collapsed",
        "degraded": "fwd=uri-miss; detail=degraded",
    }
    detail = details.get(result, "fwd=uri-miss; stored" if is_stored else "fwd=uri-miss")
    return f"upscale-origin; {detail}"
