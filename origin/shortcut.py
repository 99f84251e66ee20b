"""Hits in memory, answered from the bytes of a request: what most requests are, and no more.

aiohttp's task, its request and response objects and its middlewares take several times what it
costs to find and send a body that is in memory. Whatever is not as plain as can be is theirs all
the same. What a request is answered with does not depend on which way it goes.
"""

import logging
import time
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import parse_qsl, unquote

from aiohttp import hdrs

from origin import cmcd
from origin.access import without_token
from origin.arena import Body
from origin.errors import ForbiddenError
from origin.guard import Guard
from origin.headers import is_background
from origin.heads import Head
from origin.limits import RequestLimits
from origin.produced import EVERYWHERE, produced_headers
from origin.service import Service
from origin.service.answers import CacheResult, ProducedAnswer
from origin.service.playing import Viewer
from origin.telemetry import Metrics, accept_request_id, log, request_id

_SPECIAL = frozenset(
    {
        "cdn-origin-assist-prefetch-enabled",
        "if-match",
        "if-none-match",
        "if-range",
        "range",
        "x-sendfile-type",
    }
)
"""Headers that ask for something else than the whole body."""
_CMCD = tuple(name.lower() for name in cmcd.HEADERS)
_log = logging.getLogger(__name__)


class Shortcut:
    """One event loop owns it."""

    def __init__(
        self, *, service: Service, guard: Guard, limits: RequestLimits, metrics: Metrics
    ) -> None:
        """Set up.

        Args:
            service: Knows what is in memory.
            guard: Says who may have it.
            limits: What is longer than they allow is not answered here.
            metrics: What is counted.
        """
        self._service = service
        self._guard = guard
        self._most_bytes = min(limits.url_length, limits.query_length, limits.headers_length)
        self._most_headers = limits.header_count
        self._metrics = metrics

    def answer(self, head: Head, address: str) -> tuple[bytes, Body] | None:
        """A response's head and its body; None for what aiohttp has to answer.

        Args:
            head: Of the request.
            address: The peer's.
        """
        started = time.monotonic()
        path = self._plain_path(head)
        if path is None:
            return None
        outside = request_id.set(accept_request_id(head.headers.get("x-request-id")))
        try:
            found = self._find(path, Viewer(address=address, cmcd=_said(head)))
            if found is None:
                return None
            self._note(head, found, time.monotonic() - started)
            return _head(found), found.body
        finally:
            request_id.reset(outside)

    def _find(self, path: str, viewer: Viewer) -> ProducedAnswer | None:
        try:
            return self._service.at_hand(path.removeprefix("/"), viewer)
        except Exception:
            _log.exception("unexpected error looking for %s in memory", path)
            return None

    def _plain_path(self, head: Head) -> str | None:
        """The path without its token, if whoever asks may have it, and wants the whole body."""
        headers = head.headers
        if (
            head.method != hdrs.METH_GET
            or head.size > self._most_bytes
            or len(headers) > self._most_headers
            or not _SPECIAL.isdisjoint(headers)
            or ("priority" in headers and is_background(headers["priority"]))
        ):
            return None
        secret = headers.get(self._guard.access.cdn_header.lower())
        try:
            return self._guard.admit(head.path, secret)
        except ForbiddenError:
            return None

    def _note(self, head: Head, found: ProducedAnswer, seconds: float) -> None:
        self._metrics.answered("hit", 200, seconds)
        self._metrics.body("hit", len(found.body))
        if _log.isEnabledFor(logging.INFO):
            path = without_token(unquote(head.path))
            log(_log, head.method, path=path, status=200, kind="hit", seconds=seconds)


def _said(head: Head) -> cmcd.Cmcd:
    asked = dict(reversed(parse_qsl(head.query))).get("CMCD") if head.query else None
    return cmcd.parse(asked, [head.headers[name] for name in _CMCD if name in head.headers])


def _head(found: ProducedAnswer) -> bytes:
    always = _always(found.content_type, found.etag, len(found.body), found.next_uri)
    now = f"Date: {_date(int(time.time()))}\r\nX-Request-ID: {request_id.get()}\r\n"
    return f"HTTP/1.1 200 OK\r\n{always}{now}\r\n".encode("ascii")


@lru_cache(maxsize=1024)
def _always(content_type: str, etag: str, size: int, next_uri: str | None) -> str:
    """What every hit of a body has in its head."""
    hit = ProducedAnswer(
        body=b"",
        etag=etag,
        content_type=content_type,
        cache_result=CacheResult.HIT,
        next_uri=next_uri,
    )
    own = {hdrs.ACCEPT_RANGES: "bytes", hdrs.CONTENT_LENGTH: str(size)}
    headers = produced_headers(hit) | own | EVERYWHERE
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
