"""OpenTelemetry spans: one per request, and below it one per stage of what was made for it.

Off unless an endpoint is set; the packages come with the extra `otel` and are imported then.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Handler

from origin.access import without_token
from origin.errors import ConfigError
from origin.telemetry import request_id

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

STAGES: web.RequestKey[Mapping[str, float]] = web.RequestKey("stages", Mapping)
"""Seconds by stage of what was made for a request, in order; routes put it there."""
ENDPOINT_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
SERVICE_NAME = "upscale-origin"
_CANCELLED = 499
_SERVER_ERROR = 500
_FLUSH_SECONDS = 3.0
_log = logging.getLogger(__name__)


class Tracing:
    """Makes spans. `provider` is OpenTelemetry's; its processors may be threads."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 (an extra)
            TraceContextTextMapPropagator,
        )

        self._tracer = provider.get_tracer(SERVICE_NAME)
        self._propagator = TraceContextTextMapPropagator()

    def attach(self, app: web.Application) -> None:
        """Have the requests of an application traced, all of its other middlewares included."""
        app.middlewares.insert(0, self._trace)

    @web.middleware
    async def _trace(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        span = self._begin(request)
        status = _CANCELLED
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            self._end(request, span, status)

    def _begin(self, request: web.Request) -> "Span":
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 (an extra)

        carrier = {name.lower(): value for name, value in request.headers.items()}
        route = request.match_info.route.name or "other"
        return self._tracer.start_span(
            f"{request.method} {route}",
            context=self._propagator.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": request.method,
                "http.route": route,
                "url.path": without_token(request.path),
            },
        )

    def _end(self, request: web.Request, span: "Span", status: int) -> None:
        from opentelemetry.trace import StatusCode  # noqa: PLC0415 (an extra)

        now = time.time_ns()
        self._add_stages(span, request.get(STAGES, {}), now)
        span.set_attribute("http.response.status_code", status)
        span.set_attribute("upscale_origin.request_id", request_id.get())
        if status >= _SERVER_ERROR:
            span.set_status(StatusCode.ERROR)
        span.end(now)

    def _add_stages(self, span: "Span", stages: Mapping[str, float], end: int) -> None:
        """Children in order, the last of which ends now; what others had begun, began earlier."""
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415 (an extra)

        context = set_span_in_context(span)
        lengths = {name: round(seconds * 1e9) for name, seconds in stages.items()}
        start = end - sum(lengths.values())
        for name, length in lengths.items():
            child = self._tracer.start_span(name, context=context, start_time=start)
            start += length
            child.end(start)


@asynccontextmanager
async def tracing(endpoint: str) -> AsyncIterator[Tracing | None]:
    """Yield what makes spans, None where they are off; on leaving, send those that are left.

    Args:
        endpoint: Base URL of an OTLP collector over HTTP; empty: what OTEL_EXPORTER_OTLP_ENDPOINT
            says. The other OTEL_ variables of OpenTelemetry's SDK hold, too.

    Raises:
        ConfigError: An endpoint is given, and the packages are missing.
    """
    if not endpoint and not os.environ.get(ENDPOINT_VARIABLE):
        yield None
        return
    try:
        provider = _provider(endpoint)
    except ImportError as error:
        missing = "spans need more packages: install upscale-origin[otel]"
        if endpoint:
            raise ConfigError(missing, source="otel_endpoint") from error
        _log.warning("%s", missing)
        yield None
        return
    try:
        yield Tracing(provider)
    finally:
        await _close(provider)


def _provider(endpoint: str) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    name = os.environ.get("OTEL_SERVICE_NAME", SERVICE_NAME)
    provider = TracerProvider(
        resource=Resource.create({"service.name": name}), shutdown_on_exit=False
    )
    url = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    return provider


async def _close(provider: "TracerProvider") -> None:
    """Flush, but not for long: a collector that is away must not hold up a drain."""
    closing = threading.Thread(target=provider.shutdown, daemon=True)
    closing.start()
    await asyncio.to_thread(closing.join, _FLUSH_SECONDS)
    if closing.is_alive():
        _log.warning("the last spans could not be sent within %.0f s", _FLUSH_SECONDS)
