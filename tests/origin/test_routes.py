import gzip
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from origin import errors
from origin.access import Access
from origin.cache import LocatedObject
from origin.limits import RequestLimits
from origin.routes import GUARD, METRICS, SERVICE, X_ACCEL_PREFIX, X_ACCEL_SECONDS, add_routes
from origin.scheduler import Klass
from origin.service.answers import CacheResult, FileAnswer, PlaylistAnswer, ProducedAnswer
from origin.service.playing import Viewer
from origin.telemetry import Metrics

TEXT = "#EXTM3U\n" + "#EXTINF:4,\nx.ts\n" * 20


class FakeService:
    """Answers by path."""

    def __init__(self, tmp_path: Path) -> None:
        self.reason: str | None = None
        file = tmp_path / "0.ts"
        file.write_bytes(b"0123456789")
        self.answers = {
            "lib/v.m3u8": PlaylistAnswer(text=TEXT),
            "lib/0.ts": FileAnswer(path=file, content_type="video/mp2t"),
            **{
                f"lib/{result}.ts": ProducedAnswer(
                    body=b"0123456789",
                    etag="ab" * 32,
                    content_type="video/mp2t",
                    cache_result=result,
                    stages={} if result is CacheResult.HIT else {"queue": 0.001},
                    is_stored=result is CacheResult.MISS,
                    next_uri="1.ts" if result is CacheResult.HIT else None,
                )
                for result in CacheResult
            },
        }
        self.classes: list[Klass] = []
        self.viewers: list[Viewer] = []
        self.failures = {
            "lib/missing": errors.NotFoundError("none", source="x"),
            "lib/broken": errors.BrokenSourceError("cut off", source="x"),
            "lib/hdr": errors.UnsupportedSourceError("HDR", source="x"),
            "lib/died": errors.ProductionError("died", source="x"),
            "lib/closing": errors.UnavailableError("closing", source="x"),
            "lib/bug": ZeroDivisionError("a bug"),
        }

    async def answer(self, path: str, klass: Klass, *, viewer: Viewer, by_reference: bool):
        self.classes.append(klass)
        self.viewers.append(viewer)
        if path in self.failures:
            raise self.failures[path]
        return self.answers[path]

    def not_ready_reason(self) -> str | None:
        return self.reason


@pytest.fixture
def service(tmp_path):
    return FakeService(tmp_path)


@pytest.fixture
async def client(service, tmp_path):
    app = web.Application()
    app[SERVICE] = service
    app[METRICS] = Metrics()
    add_routes(app, tmp_path / "no-player", limits=RequestLimits(url_length=6000))
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/lib/missing", 404),
        ("/lib/broken", 502),
        ("/lib/hdr", 422),
        ("/lib/died", 500),
        ("/lib/closing", 503),
        ("/lib/bug", 500),
    ],
)
async def test_errors_are_problem_documents_for_any_origin(client, path, status):
    reply = await client.get(path)
    assert reply.status == status
    assert reply.content_type == "application/problem+json"
    problem = await reply.json(content_type=None)
    assert problem["status"] == status
    assert problem["detail"]
    expected = "public, max-age=1" if status == 404 else "no-store"
    assert reply.headers["Cache-Control"] == expected
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["Timing-Allow-Origin"] == "*"
    assert reply.headers["X-Request-ID"]
    assert ("Retry-After" in reply.headers) == (status == 503)


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("x-gzip-like", False),
        ("identity", False),
    ],
)
async def test_playlists_are_gzipped_for_those_who_accept_it(client, accepted, zipped):
    reply = await client.get("/lib/v.m3u8", headers={"Accept-Encoding": accepted})
    body = await reply.read()
    assert (reply.headers.get("Content-Encoding") == "gzip") == zipped
    assert (gzip.decompress(body) if zipped else body) == TEXT.encode()
    assert reply.headers["Vary"] == "Accept-Encoding"
    assert reply.headers["Content-Type"] == "application/vnd.apple.mpegurl"


@pytest.mark.parametrize("path", ["/lib/v.m3u8", "/lib/hit.ts", "/lib/0.ts"])
async def test_not_modified_says_nothing_of_a_body(client, path):
    first = await client.get(path, headers={"Accept-Encoding": "gzip"})
    headers = {"Accept-Encoding": "gzip", "If-None-Match": first.headers["ETag"]}
    reply = await client.get(path, headers=headers)
    assert reply.status == 304
    assert await reply.read() == b""
    for name in ("Content-Type", "Content-Encoding", "Content-Length", "Transfer-Encoding"):
        assert name not in reply.headers
    for name in ("ETag", "Cache-Control", "Vary"):
        assert reply.headers.get(name) == first.headers.get(name)


@pytest.mark.parametrize("path", ["/lib/hit.ts", "/lib/0.ts"])
async def test_ranges_of_produced_and_of_source_segments(client, path):
    part = await client.get(path, headers={"Range": "bytes=2-4"})
    assert (part.status, await part.read()) == (206, b"234")
    assert part.headers["Content-Range"] == "bytes 2-4/10"
    past = await client.get(path, headers={"Range": "bytes=10-"})
    assert past.status == 416
    assert past.headers["Content-Range"] == "bytes */10"
    assert past.headers["Cache-Control"] == "no-store"
    head = await client.head(path)
    assert head.headers["Content-Length"] == "10"


@pytest.mark.parametrize("path", ["/lib/hit.ts", "/lib/0.ts"])
@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "bytes=5-2", "lines=1-2", "bytes=-"])
async def test_ranges_that_are_several_or_none_are_ignored(client, path, header):
    reply = await client.get(path, headers={"Range": header})
    assert (reply.status, await reply.read()) == (200, b"0123456789")
    assert "Content-Range" not in reply.headers


@pytest.mark.parametrize("path", ["/lib/hit.ts", "/lib/0.ts"])
async def test_parts_of_another_body_are_not_mixed_in(client, path):
    headers = {"Range": "bytes=2-4", "If-Range": '"of what was there before"'}
    reply = await client.get(path, headers=headers)
    assert (reply.status, await reply.read()) == (200, b"0123456789")


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("hit", "upscale-origin; hit"),
        ("miss", "upscale-origin; fwd=uri-miss; stored"),
        ("coalesced", "upscale-origin; fwd=uri-miss; collapsed"),
        ("degraded", "upscale-origin; fwd=uri-miss; detail=degraded"),
    ],
)
async def test_how_a_segment_came_to_be_is_said(client, result, status):
    reply = await client.get(f"/lib/{result}.ts")
    assert reply.headers["X-Cache"] == result
    assert reply.headers["Cache-Status"] == status
    assert reply.headers.get("Server-Timing") == (None if result == "hit" else "queue;dur=1.0")


async def test_the_next_segment_is_told_to_those_who_fetch_ahead(client):
    reply = await client.get("/lib/hit.ts")
    assert reply.headers["Link"] == '<1.ts>; rel="next"'
    assert "CDN-Origin-Assist-Prefetch-Path" not in reply.headers
    akamai = await client.get("/lib/hit.ts", headers={"CDN-Origin-Assist-Prefetch-Enabled": "1"})
    assert akamai.headers["CDN-Origin-Assist-Prefetch-Path"] == "1.ts"
    assert "Link" not in (await client.get("/lib/miss.ts")).headers


@pytest.mark.parametrize("path", ["/lib/v.m3u8", "/lib/hit.ts"])
async def test_what_is_expected_and_not_there_is_not_sent(client, path):
    etag = (await client.get(path)).headers["ETag"]
    for expected, status in ((etag, 200), ("*", 200), (f'"x", {etag}', 200), ('"x"', 412)):
        assert (await client.get(path, headers={"If-Match": expected})).status == status
    weak = await client.get(path, headers={"If-Match": f"W/{etag}"})
    assert weak.status == 412


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("/lib/hit.ts", {}, b"x", 413),
        ("/lib/hit.ts", {"Transfer-Encoding": "chunked"}, None, 400),
        ("/lib/hit.ts", {"Content-Length": "0"}, None, 200),
        ("/lib/hit.ts?" + "q" * 5000, {}, None, 414),
        ("/lib/" + "p" * 6000, {}, None, 414),
        ("/lib/hit.ts", {f"X-{number}": "1" for number in range(101)}, None, 431),
        ("/lib/hit.ts", {f"X-{number}": "v" * 6000 for number in range(3)}, None, 431),
    ],
)
async def test_requests_have_limits(client, path, headers, body, status):
    reply = await client.get(path, headers=headers, data=body)
    assert reply.status == status
    if status >= 400:
        assert reply.headers["Connection"] == "close"
        assert reply.headers["Cache-Control"] == "no-store"
        assert (await reply.json(content_type=None))["status"] == status


async def test_preflights_and_other_methods(client):
    reply = await client.options("/lib/anything")
    assert reply.status == 204
    assert "Range" in reply.headers["Access-Control-Allow-Headers"]
    refused = await client.post("/lib/v.m3u8")
    assert refused.status == 405
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in refused.headers["Allow"]


async def test_readiness_says_why_not(client, service):
    assert (await client.get("/readyz")).status == 200
    service.reason = "no worker is running for: upscale"
    reply = await client.get("/readyz")
    assert reply.status == 503
    assert "no worker" in (await reply.json(content_type=None))["detail"]
    assert (await client.get("/healthz")).status == 200


async def test_logs_carry_request_ids_and_no_queries(client, caplog):
    with caplog.at_level(logging.INFO):
        reply = await client.get("/lib/hit.ts?token=secret", headers={"X-Request-ID": "abc-1"})
        forged = await client.get("/lib/hit.ts", headers={"X-Request-ID": "a b"})
    assert reply.headers["X-Request-ID"] == "abc-1"
    assert forged.headers["X-Request-ID"] != "a b"
    ours = [record for record in caplog.records if record.name.startswith("origin")]
    assert len(ours) == 2
    assert "secret" not in "".join(str(vars(record)) for record in ours)


async def test_labels_are_names_and_never_paths(client):
    for path in ("/lib/v.m3u8", "/lib/hit.ts", "/lib/missing", "/healthz", "/favicon.ico"):
        await client.get(path)
    text = await (await client.get("/metrics")).text()
    assert 'route="media",status="404"' in text
    assert 'route="playlist",status="200"' in text
    assert "lib/" not in text
    assert "favicon" not in text


async def test_a_request_in_the_background_says_so(client, service):
    for priority in (None, "u=3", "u=7", "u=7, i", "i, u = 7", "u=70"):
        headers = {"Priority": priority} if priority else {}
        await client.get("/lib/hit.ts", headers=headers)
    waits, warm = Klass.BLOCKING, Klass.WARM
    assert service.classes == [waits, waits, warm, warm, warm, waits]


async def test_a_degraded_body_is_kept_for_moments_under_an_etag_of_its_own(client):
    response = await client.get("/lib/degraded.ts")
    assert response.headers["X-Cache"] == "degraded"
    assert response.headers["Cache-Control"] == "public, max-age=5"
    assert response.headers["Cache-Status"] == "upscale-origin; fwd=uri-miss; detail=degraded"
    assert "immutable" in (await client.get("/lib/miss.ts")).headers["Cache-Control"]


async def test_a_refusal_says_when_to_come_again(client, service):
    service.failures["lib/full"] = errors.UnavailableError("overloaded", retry_after_seconds=7)
    response = await client.get("/lib/full")
    assert (response.status, response.headers["Retry-After"]) == (503, "7")
    assert response.headers["Cache-Control"] == "no-store"


async def test_cmcd_is_read_from_query_and_headers_and_is_no_part_of_the_path(client, service):
    await client.get(
        "/lib/hit.ts?CMCD=bl%3D2000%2Csid%3D%22a%22", headers={"CMCD-Request": "dl=900"}
    )
    said = service.viewers[-1].cmcd
    assert (said.buffer_seconds, said.session, said.deadline_seconds) == (2.0, "a", 0.9)


async def test_who_fetches_parts_gets_parts_of_the_one_full_body(client, service):
    await client.get("/lib/hit.ts", headers={"Range": "bytes=0-1"})
    await client.get("/lib/hit.ts")
    assert [viewer.takes_any for viewer in service.viewers] == [False, True]


@pytest.mark.parametrize(
    ("path", "headers", "where", "expires"),
    [
        ("/lib/located.ts", {}, "/bodies/lib/k", "7"),
        ("/lib/located.ts", {"X-Origin-Secret": "s"}, "/bodies/lib/k", "0"),
        ("/lib/hit.ts", {}, None, "0"),
        ("/lib/v.m3u8", {}, None, "0"),
        ("/lib/0.ts", {}, None, "0"),
        ("/lib/missing", {}, None, "0"),
        ("/lib/full", {}, None, "0"),
    ],
)
async def test_a_front_is_told_where_a_body_lies_and_may_remember_nothing_else(
    located_client, path, headers, where, expires
):
    """An answer that is remembered skips the look at secrets, so it must not be."""
    secrets = tuple(headers.values())
    located_client.app[GUARD].access = Access(cdn_secrets=secrets)
    asked = headers | {"X-Sendfile-Type": "X-Accel-Redirect"}
    response = await located_client.get(path, headers=asked)
    assert (response.status, response.headers["X-Accel-Expires"]) == (204, expires)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers.get("X-Accel-Redirect") == where
    assert not {"Date", "Server", "Access-Control-Allow-Origin"} & set(response.headers)
    assert await response.read() == b""


@pytest.fixture
async def located_client(service, tmp_path):
    located = LocatedObject(key="k", path="lib/k", sha256="ab" * 32, size=10)
    service.answers["lib/located.ts"] = replace(service.answers["lib/hit.ts"], located=located)
    service.failures["lib/full"] = errors.UnavailableError("overloaded")
    app = web.Application()
    app[SERVICE], app[METRICS] = service, Metrics()
    app[X_ACCEL_PREFIX], app[X_ACCEL_SECONDS] = "/bodies/", 7
    add_routes(app, tmp_path / "no-player")
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_nobody_else_is_told(located_client):
    response = await located_client.get("/lib/located.ts")
    assert "X-Accel-Redirect" not in response.headers
    assert "X-Accel-Expires" not in response.headers
