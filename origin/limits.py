"""What a request may be: its method's body, the length of its URL, the size of its head."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from origin.responses import problem

_BODILESS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
_FRAMING = len(": \r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """The largest that is answered. All lengths are bytes as they are sent."""

    url_length: int = 8192
    query_length: int = 4096
    header_count: int = 100
    headers_length: int = 16_384
    """Of all headers together."""

    def objection(
        self, method: str, url: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> tuple[HTTPStatus, str] | None:
        """Why a request is refused, if it is.

        Args:
            method: As it is sent.
            url: The request target, percent-encoded.
            headers: Names and values, as they are sent.
        """
        fields = list(headers)
        if len(url) > self.url_length or len(url.partition("?")[2]) > self.query_length:
            return HTTPStatus.REQUEST_URI_TOO_LONG, "the URL is too long"
        length = sum(len(name) + len(value) + _FRAMING for name, value in fields)
        if len(fields) > self.header_count or length > self.headers_length:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too many or long"
        if method not in _BODILESS:
            return None
        values = {name.lower(): value for name, value in fields}
        if b"transfer-encoding" in values:
            return HTTPStatus.BAD_REQUEST, f"{method} takes no body"
        if values.get(b"content-length", b"0").strip(b"0"):
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{method} takes no body"
        return None

    def middleware(self) -> Middleware:
        """As aiohttp wants it. What is refused is answered, and its connection closed."""

        @web.middleware
        async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
            found = self.objection(request.method, request.raw_path, request.raw_headers)
            if found is None:
                return await handler(request)
            response = problem(*found)
            response.force_close()
            return response

        return refuse
