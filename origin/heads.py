"""Heads of requests, read only where nothing about them is in doubt. Pure: no I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_MAX_BYTES = 4096
_MAX_FIELDS = 64
_HEAD = re.compile(  # never backtracks
    r"(GET|HEAD|OPTIONS) (/(?!/)[!$-;=@-Z_a-z~]*+)(?:\?([!$-;=?-Z_a-z~]*+))? HTTP/1\.1\r\n"
    r"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t -~]*+\r\n)++)\r\n"
)
_MEANT_FOR_PARSERS = frozenset(
    {
        "content-encoding",
        "content-length",
        "expect",
        "proxy-connection",
        "sec-websocket-key1",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Names of headers that change how a reader of HTTP goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A request without a body, on a connection that is kept alive."""

    method: str
    """GET, HEAD or OPTIONS."""
    path: str
    """Percent-encoded, with its leading slash."""
    query: str
    headers: Mapping[str, str]
    """By name in lower case; no name comes twice."""
    size: int
    """Bytes."""


def read_head(data: bytes) -> Head | None:
    """The request that these bytes are, if they are all of it and nothing else.

    None for whatever a stricter or a laxer reader might see otherwise: anything but ASCII, a body,
    an upgrade, a name twice, no Host, a second request, unusual length.
    """
    if len(data) > _MAX_BYTES or not data.isascii():
        return None
    found = _HEAD.fullmatch(data.decode("ascii"))
    if found is None:
        return None
    method, path, query, lines = found.groups("")
    fields = [line.partition(":") for line in lines.split("\r\n")[:-1]]
    headers = {name.lower(): value.strip(" \t") for name, _, value in fields}
    if (
        len(fields) > _MAX_FIELDS
        or len(headers) < len(fields)
        or "host" not in headers
        or headers.get("connection", "keep-alive").lower() != "keep-alive"
        or not _MEANT_FOR_PARSERS.isdisjoint(headers)
    ):
        return None
    return Head(method=method, path=path, query=query, headers=headers, size=len(data))
