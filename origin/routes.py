"""HTTP in, service calls out. Thin: no decision about media is made here."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

from aiohttp import hdrs, web

import sr
from origin import cmcd, errors
from origin.access import Access, without_token
from origin.guard import Guard, admitted_path
from origin.headers import is_background
from origin.interim import with_signs_of_life
from origin.limits import RequestLimits
from origin.pages import add_pages
from origin.produced import EVERYWHERE, produced_headers
from origin.responses import FileOnDisk, body_response, problem, text_response
from origin.scheduler import Klass
from origin.service import Service
from origin.service.answers import (
    PLAYLIST_TYPE,
    Answer,
    FileAnswer,
    PlaylistAnswer,
    ProducedAnswer,
)
from origin.service.playing import Viewer
from origin.telemetry import CONTENT_TYPE, Metrics, accept_request_id, log, request_id
from origin.tracing import STAGES
from origin.warm_api import add_warm_routes

SERVICE: web.AppKey[Service] = web.AppKey("service", Service)
METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)
INTERIM_SECONDS: web.AppKey[float] = web.AppKey("interim_seconds", float)
GUARD: web.AppKey[Guard] = web.AppKey("guard", Guard)
X_ACCEL_PREFIX: web.AppKey[str] = web.AppKey("x_accel_prefix", str)
X_ACCEL_SECONDS: web.AppKey[int] = web.AppKey("x_accel_seconds", int)
_RESULT: web.RequestKey[str] = web.RequestKey("result", str)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PLAYLIST_CACHE = "public, max-age=5"
_FILE_CACHE = "public, max-age=3600"
_SHADER_TYPE = "text/plain; charset=utf-8"
_STATUS: dict[type[errors.OriginError], HTTPStatus] = {
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.ForbiddenError: HTTPStatus.FORBIDDEN,
    errors.BrokenSourceError: HTTPStatus.BAD_GATEWAY,
    errors.UnsupportedSourceError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ProductionError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_log = logging.getLogger(__name__)


def add_routes(
    app: web.Application,
    player: Path,
    frame_ancestors: Sequence[str] = ("'self'",),
    guard: Guard | None = None,
    limits: RequestLimits | None = None,
) -> None:
    """Register every route.

    Args:
        app: Where.
        player: As for `pages.add_pages`.
        frame_ancestors: The same.
        guard: Turns requests away; nobody is turned away without it.
        limits: What a request may be.
    """
    limits = limits or RequestLimits()
    app[GUARD] = guard = guard or Guard(Access())
    app.middlewares.extend([_observe, limits.middleware(), _problems, guard.middleware()])
    app.on_response_prepare.append(_finish)
    app.router.add_get("/healthz", _health, name="healthz")
    app.router.add_get("/readyz", _ready, name="readyz")
    app.router.add_get("/metrics", _metrics, name="metrics")
    app.router.add_get("/api/titles", _titles, name="titles")
    app.router.add_get("/api/shaders/{model}.glsl", _shader, name="shaders")
    add_pages(app.router, player, frame_ancestors)
    add_warm_routes(app.router)
    app.router.add_get("/{path:.+}", _media, name="media")
    app.router.add_options("/{path:.*}", _preflight)


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _ready(request: web.Request) -> web.Response:
    reason = request.app[SERVICE].not_ready_reason()
    if reason is not None:
        raise errors.UnavailableError(reason)
    return web.json_response({"status": "ready"})


async def _metrics(request: web.Request) -> web.Response:
    body = request.app[METRICS].render()
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE})


async def _titles(request: web.Request) -> web.Response:
    titles = await request.app[SERVICE].titles()
    text = json.dumps(titles, indent=1)
    return text_response(request, text, content_type="application/json", cache="no-cache")


async def _shader(request: web.Request) -> web.Response:
    model = request.match_info["model"]
    try:
        text = await asyncio.to_thread(sr.mpv_shader, model)
    except sr.UpscalerError as error:
        raise errors.NotFoundError(str(error), source=model) from error
    return text_response(request, text, content_type=_SHADER_TYPE, cache=_FILE_CACHE)


async def _preflight(_: web.Request) -> web.Response:
    headers = {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, HEAD, OPTIONS",
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: (
            "Range, If-Range, If-None-Match, CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session"
        ),
        hdrs.ACCESS_CONTROL_MAX_AGE: "86400",
    }
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)


async def _media(request: web.Request) -> web.StreamResponse:
    if _front_asks_where(request):
        return await _where(request)
    work = _ask(request)
    answer = await with_signs_of_life(request, work, request.app.get(INTERIM_SECONDS, 0.0))
    request[_RESULT] = _result(answer)
    if isinstance(answer, ProducedAnswer):
        request[STAGES] = answer.stages
    match answer:
        case PlaylistAnswer():
            return text_response(
                request, answer.text, content_type=PLAYLIST_TYPE, cache=_PLAYLIST_CACHE
            )
        case ProducedAnswer():
            return _produced_response(request, answer)
        case FileAnswer():
            headers = {
                hdrs.CONTENT_TYPE: answer.content_type,
                hdrs.CACHE_CONTROL: _FILE_CACHE,
            }
            return FileOnDisk(answer.path, headers=headers)


async def _ask(request: web.Request, *, by_reference: bool = False) -> Answer:
    headers = request.headers
    said = [headers[name] for name in cmcd.HEADERS if name in headers]
    asked = request.query.get("CMCD") if request.query_string else None
    viewer = Viewer(
        address=request.remote or "",
        cmcd=cmcd.parse(asked, said),
        takes_any=hdrs.RANGE not in headers,
    )
    return await request.app[SERVICE].answer(
        admitted_path(request).removeprefix("/"),
        Klass.WARM if is_background(headers.get("Priority")) else Klass.BLOCKING,
        viewer=viewer,
        by_reference=by_reference,
    )


def _front_asks_where(request: web.Request) -> bool:
    """Whether it is an nginx that sends bodies itself."""
    return (
        request.app.get(X_ACCEL_PREFIX, "") != ""
        and request.headers.get("X-Sendfile-Type") == "X-Accel-Redirect"
    )


class _Reference(web.Response):
    """Where a body lies, for an nginx: it reads each header again whenever it sends the body."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(status=HTTPStatus.NO_CONTENT, headers=headers)


async def _where(request: web.Request) -> web.Response:
    """Where a body lies on the disk, and how long that may be remembered; else nothing.

    Not remembered where tokens or secrets are demanded: they would not be looked at meanwhile.
    """
    headers = {"X-Accel-Expires": "0", hdrs.CACHE_CONTROL: "no-store"}
    try:
        answer = await _ask(request, by_reference=True)
    except errors.OriginError:
        return _Reference(headers)
    if not isinstance(answer, ProducedAnswer) or answer.located is None:
        return _Reference(headers)
    request[_RESULT] = _result(answer)
    if request.app[GUARD].access.is_open:
        headers["X-Accel-Expires"] = str(request.app.get(X_ACCEL_SECONDS, 0))
    headers["X-Accel-Redirect"] = request.app[X_ACCEL_PREFIX] + answer.located.path
    headers[hdrs.ETAG] = f'"{answer.etag}"'
    if answer.next_uri is not None:
        headers[hdrs.LINK] = f'<{answer.next_uri}>; rel="next"'
    return _Reference(headers)


def _result(answer: Answer) -> str:
    if isinstance(answer, ProducedAnswer):
        return answer.cache_result.value
    return "playlist" if isinstance(answer, PlaylistAnswer) else "file"


def _produced_response(request: web.Request, answer: ProducedAnswer) -> web.Response:
    headers = produced_headers(answer)
    wants_next = request.headers.get("CDN-Origin-Assist-Prefetch-Enabled") == "1"
    if answer.next_uri is not None and wants_next:
        headers["CDN-Origin-Assist-Prefetch-Path"] = answer.next_uri
    return body_response(request, answer.body, headers)


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except errors.OriginError as error:
        status = _STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
        response = problem(status, error.detail, source=error.source)
        if isinstance(error, errors.UnavailableError):
            response.headers[hdrs.RETRY_AFTER] = str(error.retry_after_seconds)
        return response
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        response = problem(HTTPStatus(error.status), error.reason)
        if hdrs.ALLOW in error.headers:
            response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        return response
    except Exception:
        _log.exception("unexpected error answering %s", without_token(request.path))
        return problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected error; the origin's log has the details"
        )


async def _finish(request: web.Request, response: web.StreamResponse) -> None:
    """Headers that every response has, errors and those that aiohttp decides on included."""
    if isinstance(response, _Reference):
        for name in (hdrs.DATE, hdrs.SERVER):
            response.headers.popall(name, None)
        return
    response.headers.update(EVERYWHERE)
    response.headers["X-Request-ID"] = request_id.get()
    _count_bytes(request, response)
    if response.status == HTTPStatus.NOT_MODIFIED:
        response.headers.popall(hdrs.CONTENT_TYPE, None)
        response.headers.popall(hdrs.CONTENT_ENCODING, None)
    if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        response.headers[hdrs.CACHE_CONTROL] = "no-store"


def _count_bytes(request: web.Request, response: web.StreamResponse) -> None:
    if request.method != hdrs.METH_HEAD and response.status != HTTPStatus.NOT_MODIFIED:
        request.app[METRICS].body(_kind(request), response.content_length or 0)


def _kind(request: web.Request) -> str:
    """What was asked for, in one of a few words."""
    kind: str = request.get(_RESULT) or request.match_info.route.name or "other"
    return kind


@web.middleware
async def _observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    metrics = request.app[METRICS]
    request_id.set(accept_request_id(request.headers.get("X-Request-ID")))
    metrics.request_started()
    started = time.monotonic()
    status = 499
    try:
        response = await handler(request)
        status = response.status
    finally:
        seconds = time.monotonic() - started
        route = _kind(request)
        metrics.request_ended(route, status, seconds)
        if _log.isEnabledFor(logging.INFO):
            path = without_token(request.path)
            log(_log, request.method, path=path, status=status, kind=route, seconds=seconds)
    return response
