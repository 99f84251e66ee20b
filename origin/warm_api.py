"""`/api/warm`: what administrators have made ahead, over HTTP."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from origin.responses import problem
from origin.service.warming import Errand, Warming, WarmRequest

WARMING: web.AppKey[Warming] = web.AppKey("warming", Warming)
MAX_BODY_BYTES = 64 << 10
"""Of a request; some hundreds of titles."""
_KEYS = frozenset({"titles", "renditions", "from", "to"})
_NAME = "warm"
"""Of the resource here, `-item` after it for one of its rows: the guard knows them by it."""


def add_warm_routes(router: web.UrlDispatcher) -> None:
    """Register the routes; the app has a `WARMING`."""
    collection = router.add_resource("/api/warm", name=_NAME)
    collection.add_route(hdrs.METH_POST, _start)
    collection.add_route(hdrs.METH_GET, _list)
    item = router.add_resource("/api/warm/{id}", name=f"{_NAME}-item")
    item.add_route(hdrs.METH_GET, _show)
    item.add_route(hdrs.METH_DELETE, _cancel)


async def _start(request: web.Request) -> web.Response:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY_BYTES} bytes")
    try:
        wanted = parse_request(await request.read())
    except ValueError as error:
        return problem(HTTPStatus.BAD_REQUEST, str(error))
    errand = request.app[WARMING].start(wanted)
    return _row(errand, HTTPStatus.ACCEPTED)


async def _list(request: web.Request) -> web.Response:
    return _json([errand.row() for errand in request.app[WARMING].errands()])


async def _show(request: web.Request) -> web.Response:
    return _row(request.app[WARMING].errand(request.match_info["id"]))


async def _cancel(request: web.Request) -> web.Response:
    return _row(await request.app[WARMING].cancel(request.match_info["id"]))


def _row(errand: Errand, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    row = errand.row()
    response = _json(row, status)
    if status is HTTPStatus.ACCEPTED:
        response.headers[hdrs.LOCATION] = row["url"]
    return response


def _json(document: object, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    response = web.json_response(document, status=status)
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    return response


def parse_request(body: bytes) -> WarmRequest:
    """Read the JSON of a POST.

    Raises:
        ValueError: It is no such document; the message says what was expected.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not document.keys() <= _KEYS:
        raise ValueError(f"expected a JSON object with {', '.join(sorted(_KEYS))}")
    start, end = _seconds(document, "from") or 0.0, _seconds(document, "to")
    if end is not None and end <= start:
        raise ValueError("expected `from` before `to`")
    titles = _texts(document, "titles")
    if not titles:
        raise ValueError("expected `titles`: paths of titles, or patterns such as anime/*")
    return WarmRequest(
        titles=tuple(title.removeprefix("/") for title in titles),
        renditions=_texts(document, "renditions"),
        start_seconds=start,
        end_seconds=end,
    )


def _texts(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = document.get(key, [])
    if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
        raise ValueError(f"expected `{key}` to be a list of texts")
    return tuple(value)


def _seconds(document: Mapping[str, Any], key: str) -> float | None:
    value = document.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise ValueError(f"expected `{key}` in seconds")
    return float(value)
