import socket
import sys

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from origin.access import Access, sign
from origin.errors import ConfigError, NotFoundError
from origin.guard import Guard
from origin.routes import METRICS, SERVICE, add_routes
from origin.service.answers import CacheResult, ProducedAnswer
from origin.telemetry import Metrics
from origin.tracing import ENDPOINT_VARIABLE, Tracing, tracing

sdk = pytest.importorskip("opentelemetry.sdk.trace")
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

SECRET = "a secret of an operator"
STAGES = {"queue": 0.5, "decode": 0.25, "upscale": 2.0}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Segments:
    async def answer(self, path: str, klass: object, **_: object) -> ProducedAnswer:
        if not path.endswith(".ts"):
            raise NotFoundError("no such thing")
        return ProducedAnswer(
            body=b"body",
            etag="0" * 64,
            content_type="video/mp2t",
            cache_result=CacheResult.MISS,
            stages=STAGES,
        )


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
async def client(spans, tmp_path):
    provider = sdk.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    app = web.Application()
    app[SERVICE] = Segments()
    app[METRICS] = Metrics()
    add_routes(app, tmp_path, guard=Guard(Access(signing_keys={"k": SECRET})))
    Tracing(provider).attach(app)
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_request_is_a_span_with_a_child_for_each_stage(client, spans):
    signed = sign("/lib/a/1.ts", key="k", secret=SECRET, expires=2**34, depth=2)
    headers = {"traceparent": PARENT, "X-Request-ID": "r1"}
    reply = await client.get(signed, headers=headers)
    assert reply.status == 200
    *children, span = spans.get_finished_spans()
    assert format(span.context.trace_id, "032x") == PARENT.split("-")[1]
    assert format(span.parent.span_id, "016x") == PARENT.split("-")[2]
    assert span.name == "GET media"
    assert span.attributes["upscale_origin.request_id"] == "r1"
    assert span.attributes["url.path"] == "/~*/lib/a/1.ts"
    assert span.attributes["http.response.status_code"] == 200
    assert signed.split("/")[1] not in "".join(one.to_json() for one in [*children, span])
    assert [child.name for child in children] == list(STAGES)
    assert {child.parent.span_id for child in children} == {span.context.span_id}
    seconds = [(child.end_time - child.start_time) / 1e9 for child in children]
    assert seconds == pytest.approx(list(STAGES.values()))
    assert [child.end_time for child in children[:-1]] == [
        child.start_time for child in children[1:]
    ]
    assert children[-1].end_time == span.end_time


@pytest.mark.parametrize(
    "traceparent", ["", "00-zz-1-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"]
)
async def test_without_a_valid_parent_a_trace_begins(client, spans, traceparent):
    reply = await client.get("/healthz", headers={"traceparent": traceparent})
    assert reply.status == 200
    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert span.attributes["http.route"] == "healthz"


async def test_refusals_are_spans_too(client, spans):
    assert (await client.get("/lib/a/1.ts")).status == 403
    assert (await client.get("/lib/a")).status == 403
    assert [
        span.attributes["http.response.status_code"] for span in spans.get_finished_spans()
    ] == [
        403,
        403,
    ]


async def test_they_are_off_by_default(monkeypatch):
    monkeypatch.delenv(ENDPOINT_VARIABLE, raising=False)
    async with tracing("") as made:
        assert made is None


async def test_without_the_packages_an_operator_is_told(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"upscale-origin\[otel\]"):
        async with tracing("http://127.0.0.1:9"):
            pass
    monkeypatch.setenv(ENDPOINT_VARIABLE, "http://127.0.0.1:9")
    async with tracing("") as made:
        assert made is None
    assert "upscale-origin[otel]" in caplog.text


@pytest.fixture
async def collector():
    """Takes what exporters post."""
    posts = []

    async def take(request: web.Request) -> web.Response:
        posts.append((request.path, await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    async with TestServer(app) as server:
        yield str(server.make_url("/")), posts


async def test_spans_are_sent_to_the_collector_at_the_latest_at_the_end(
    collector, tmp_path, monkeypatch
):
    monkeypatch.setattr("origin.tracing._FLUSH_SECONDS", 60.0)
    url, posts = collector
    app = web.Application()
    app[SERVICE], app[METRICS] = Segments(), Metrics()
    add_routes(app, tmp_path)
    async with tracing(url) as made:
        made.attach(app)
        async with TestClient(TestServer(app)) as client:
            await client.get("/lib/a/1.ts")
    ((path, body),) = posts
    assert path == "/v1/traces"
    assert b"GET media" in body
    assert b"upscale-origin" in body


async def test_a_collector_that_hangs_does_not_hold_up_the_end(caplog, tmp_path, monkeypatch):
    monkeypatch.setattr("origin.tracing._FLUSH_SECONDS", 0.1)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    app = web.Application()
    app[SERVICE], app[METRICS] = Segments(), Metrics()
    add_routes(app, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as never_accepts:
        port = never_accepts.getsockname()[1]
        async with tracing(f"http://127.0.0.1:{port}") as made:
            made.attach(app)
            async with TestClient(TestServer(app)) as client:
                assert (await client.get("/healthz")).status == 200
        assert "could not be sent" in caplog.text
