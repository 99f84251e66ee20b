"""What players say about themselves: Common Media Client Data (CTA-5004), as query or headers.

Everything in it is a claim of a stranger. What cannot be read is left out, field by field, and
nothing of it may ever reach a cache key.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

HEADERS = ("CMCD-Request", "CMCD-Object", "CMCD-Status", "CMCD-Session")
"""Names of the header form."""
MAX_LENGTH = 4096
"""Characters of all of it together; the rest is not read."""

_MAX_TEXT, _MAX_URL = 64, 1024
_PAIR = re.compile(
    r"""\s*(?P<key>[A-Za-z0-9._-]{1,64})
        (?:=(?: "(?P<text>(?:[^"\\]|\\.)*+)" | \((?P<list>[^)]{0,256})\) | (?P<bare>[^,"();]*+) ))?
        \s*+(?:;[^,]*+)?(?:,|$)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmcd:
    """One request's data; None for what was not said, or not so that it can be read."""

    bitrate_kbps: float | None = None
    """`br`: of the object that is asked for."""
    buffer_seconds: float | None = None
    """`bl`: what the player has buffered of this object type."""
    deadline_seconds: float | None = None
    """`dl`: from the request until the buffer runs dry."""
    duration_seconds: float | None = None
    """`d`: of the object."""
    object_type: str | None = None
    """`ot`: v, a, av, i, m, c, tt, k or o."""
    top_bitrate_kbps: float | None = None
    """`tb`: the highest that the player may choose."""
    throughput_kbps: float | None = None
    """`mtp`: as the player measures it."""
    requested_kbps: float | None = None
    """`rtp`: what would be enough."""
    playback_rate: float | None = None
    """`pr`: 1 is real time, 0 is not playing."""
    streaming_format: str | None = None
    """`sf`: d, h, s or o."""
    stream_type: str | None = None
    """`st`: v or l."""
    session: str | None = None
    """`sid`."""
    content: str | None = None
    """`cid`."""
    next_object: str | None = None
    """`nor`: a relative path, percent-encoded."""
    next_range: str | None = None
    """`nrr`."""
    is_starting: bool = False
    """`su`: nothing is being shown: at the start, after a seek, or after the buffer ran dry."""
    is_starved: bool = False
    """`bs`: the buffer ran dry since the last request."""


NOTHING = Cmcd()


def parse(query: str | None, headers: Iterable[str] = ()) -> Cmcd:
    """Read both forms; where they disagree the headers win.

    Args:
        query: Decoded value of the `CMCD` parameter.
        headers: Values of the `HEADERS` that there are.
    """
    texts = [text for text in (query, *headers) if text]
    if not texts:
        return NOTHING
    pairs: dict[str, str | None] = {}
    for text in texts:
        pairs.update(_pairs(text[:MAX_LENGTH]))
    return Cmcd(
        bitrate_kbps=_number(pairs, "br"),
        buffer_seconds=_seconds(pairs, "bl"),
        deadline_seconds=_seconds(pairs, "dl"),
        duration_seconds=_seconds(pairs, "d"),
        object_type=_token(pairs, "ot"),
        top_bitrate_kbps=_number(pairs, "tb"),
        throughput_kbps=_number(pairs, "mtp"),
        requested_kbps=_number(pairs, "rtp"),
        playback_rate=_number(pairs, "pr"),
        streaming_format=_token(pairs, "sf"),
        stream_type=_token(pairs, "st"),
        session=_text(pairs, "sid", _MAX_TEXT),
        content=_text(pairs, "cid", 2 * _MAX_TEXT),
        next_object=_text(pairs, "nor", _MAX_URL),
        next_range=_text(pairs, "nrr", _MAX_TEXT),
        is_starting=_flag(pairs, "su"),
        is_starved=_flag(pairs, "bs"),
    )


def _pairs(text: str) -> dict[str, str | None]:
    """Key to value, None for a key alone. What is no pair is skipped up to the next comma."""
    pairs: dict[str, str | None] = {}
    at = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None:
            comma = text.find(",", at)
            at = comma + 1 if comma >= 0 else len(text)
            continue
        pairs[found["key"]] = _value(found)
        at = found.end()
    return pairs


def _value(found: re.Match[str]) -> str | None:
    """The first item of a list (version 2 has those), a string without its escapes, or a token."""
    if found["text"] is not None:
        return re.sub(r"\\(.)", r"\1", found["text"])
    if found["list"] is not None:
        item = found["list"].partition(" ")[0].partition(";")[0]
        return item.strip('"')
    return found["bare"]


def _number(pairs: Mapping[str, str | None], key: str) -> float | None:
    try:
        number = float(pairs.get(key) or "")
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None


def _seconds(pairs: Mapping[str, str | None], key: str) -> float | None:
    milliseconds = _number(pairs, key)
    return None if milliseconds is None else milliseconds / 1000


def _token(pairs: Mapping[str, str | None], key: str) -> str | None:
    value = pairs.get(key) or ""
    return value if re.fullmatch(r"[a-z]{1,2}", value) else None


def _text(pairs: Mapping[str, str | None], key: str, longest: int) -> str | None:
    value = pairs.get(key) or ""
    return value if 0 < len(value) <= longest and value.isprintable() else None


def _flag(pairs: Mapping[str, str | None], key: str) -> bool:
    return key in pairs and pairs[key] not in ("false", "?0")
