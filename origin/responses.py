"""How bodies, texts, files and problems become responses, conditions and ranges respected."""

import asyncio
import gzip
import hashlib
import json
import sys
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from origin.arena import Body
from origin.bodies import sendable
from origin.headers import UnsatisfiableRangeError, choose_coding, etag_matches, select_range


def body_response(request: web.BaseRequest, body: Body, headers: dict[str, str]) -> web.Response:
    """Answer with a body, a part of it, or the news that it has not changed.

    Args:
        request: With its conditions and its range.
        body: All of it.
        headers: Of a 200, with the ETag.
    """
    headers = headers | {hdrs.ACCEPT_RANGES: "bytes"}
    etag = headers[hdrs.ETAG]
    short = _without_body(request, headers)
    if short is not None:
        return short
    wanted = request.headers.get(hdrs.RANGE)
    condition = request.headers.get(hdrs.IF_RANGE)
    if condition is not None and not etag_matches(condition, etag, weak=False):
        wanted = None
    try:
        span = select_range(wanted, len(body))
    except UnsatisfiableRangeError:
        status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        response = problem(status, f"the body has {len(body)} bytes")
        response.headers[hdrs.CONTENT_RANGE] = f"bytes */{len(body)}"
        return response
    if span is None:
        return web.Response(body=sendable(body), headers=headers)
    headers[hdrs.CONTENT_RANGE] = f"bytes {span.start}-{span.stop - 1}/{len(body)}"
    part = sendable(body, span.start, span.stop)
    return web.Response(status=HTTPStatus.PARTIAL_CONTENT, body=part, headers=headers)


def _without_body(request: web.BaseRequest, headers: dict[str, str]) -> web.Response | None:
    """What RFC 9110 section 13.2.2 has to say before a body is sent, if anything."""
    etag = headers[hdrs.ETAG]
    expected = request.headers.get(hdrs.IF_MATCH)
    if expected not in (None, "*") and not etag_matches(expected, etag, weak=False):
        return problem(HTTPStatus.PRECONDITION_FAILED, "the body is not the one that was expected")
    if etag_matches(request.headers.get(hdrs.IF_NONE_MATCH), etag, weak=True):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return None


def text_response(
    request: web.BaseRequest, text: str, *, content_type: str, cache: str
) -> web.Response:
    """Answer with a text, gzipped where that is accepted; never with a part of it."""
    body = text.encode()
    headers: dict[str, str] = {
        hdrs.CONTENT_TYPE: content_type,
        hdrs.CACHE_CONTROL: cache,
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
    }
    if choose_coding(request.headers.get(hdrs.ACCEPT_ENCODING), ("gzip",)):
        body = gzip.compress(body, mtime=0)
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    headers[hdrs.ETAG] = strong_etag(body)
    short = _without_body(request, headers)
    return web.Response(body=body, headers=headers) if short is None else short


class FileOnDisk(web.FileResponse):
    """A file that is too large for memory.

    A Range header that is malformed or names several ranges is ignored, as RFC 9110 section 14.2
    allows, and so is one that depends on another body's ETag: aiohttp would refuse the former two
    and not look at the latter.
    """

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it."""
        if hdrs.RANGE in request.headers and await self._ignores_range(request):
            headers = request.headers.copy()
            headers.popall(hdrs.RANGE)
            request = request.clone(headers=headers)
        return await super().prepare(request)

    async def _ignores_range(self, request: web.BaseRequest) -> bool:
        condition = request.headers.get(hdrs.IF_RANGE, "")
        if condition.startswith(('"', "W/")) and condition != await self._etag():
            return True
        try:
            return select_range(request.headers[hdrs.RANGE], sys.maxsize) is None
        except UnsatisfiableRangeError:
            return False

    async def _etag(self) -> str:
        """As aiohttp makes it."""
        try:
            info = await asyncio.to_thread(self._path.stat)
        except OSError:
            return ""
        return f'"{info.st_mtime_ns:x}-{info.st_size:x}"'


def strong_etag(body: bytes) -> str:
    """The SHA-256 of a body, in quotes."""
    return f'"{hashlib.sha256(body).hexdigest()}"'


def problem(status: HTTPStatus, detail: str, *, source: str | None = None) -> web.Response:
    """Build an RFC 9457 problem response."""
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
    }
    if source is not None:
        document["source"] = source
    headers = {hdrs.CACHE_CONTROL: "no-store"}
    if status is HTTPStatus.NOT_FOUND:
        headers[hdrs.CACHE_CONTROL] = "public, max-age=1"
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers[hdrs.RETRY_AFTER] = "2"
    body = json.dumps(document).encode()
    headers[hdrs.CONTENT_TYPE] = "application/problem+json"
    return web.Response(status=status, body=body, headers=headers)
