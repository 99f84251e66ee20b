"""Every kind of body asked for in every way, of the origin and of caches in front of it."""

import gzip
import hashlib
import http.client
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.cdn.conftest import FRONTS
from tests.http_client import Reply, get

PRODUCED = ("segment", "fragment", "init", "packaged", "poster", "thumbnails")
TEXTS = ("multivariant", "playlist", "titles", "shader")
BINARIES = (*PRODUCED, "source")
EVERYTHING = (*BINARIES, *TEXTS)

pytestmark = pytest.mark.parametrize("front", FRONTS)

WHOLE, NOTHING = slice(None), slice(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    status: int
    part: slice = field(default_factory=lambda: WHOLE)
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    """`{etag}` in a value stands for the body's."""
    query: str = ""


def ranged(header: str, part: slice, **more: str) -> Case:
    status = 206 if part != WHOLE else 200
    return Case(status=status, headers={"Range": header, **more}, part=part)


def unchanged(tag: str) -> Case:
    return Case(status=304, headers={"If_None_Match": tag}, part=NOTHING)


ANYWHERE = {
    "get": Case(status=200),
    "again": Case(status=200),
    "head": Case(status=200, method="HEAD", part=NOTHING),
    "cmcd": Case(status=200, query="?CMCD=bl%3D2000%2Cot%3Dv"),
    "same": unchanged("{etag}"),
    "same-weak": unchanged("W/{etag}"),
    "same-among": unchanged('"other", {etag}'),
    "other": Case(status=200, headers={"If_None_Match": '"other"'}),
    "head-same": Case(status=304, method="HEAD", headers={"If_None_Match": "{etag}"}, part=NOTHING),
    "no-gzip": Case(status=200, headers={"Accept_Encoding": "gzip;q=0"}),
    "post": Case(status=405, method="POST"),
    "put": Case(status=405, method="PUT"),
    "delete": Case(status=405, method="DELETE"),
    "options": Case(status=204, method="OPTIONS", part=NOTHING),
}
PARTS = {
    "first": ranged("bytes=0-0", slice(0, 1)),
    "head": ranged("bytes=0-99", slice(0, 100)),
    "middle": ranged("bytes=50-149", slice(50, 150)),
    "tail": ranged("bytes=100-", slice(100, None)),
    "last": ranged("bytes=-50", slice(-50, None)),
    "beyond": ranged("bytes=10-99999999", slice(10, None)),
    "longer": ranged("bytes=-99999999", slice(0, None)),
    "if-same": ranged("bytes=0-9", slice(0, 10), If_Range="{etag}"),
    "if-other": ranged("bytes=0-9", WHOLE, If_Range='"other"'),
    "past": Case(status=416, headers={"Range": "bytes=99999999-"}),
}


UNZIPPED = {("varnish", name) for name in TEXTS}
"""Varnish keeps these gzipped, and unzips them under a weak ETag as it sends them."""


def may_be_whole(front: str, name: str, case: str) -> bool:
    """A cache need not know whether a client has what it must not keep; Varnish reads no lists."""
    is_list = front == "varnish" and case == "same-among"
    return is_list or (front != "direct" and name == "titles")


def ask(base: str, path: str, case: Case, etag: str) -> Reply:
    headers = {
        name: value.replace("{etag}", etag).replace("W/W/", "W/")
        for name, value in case.headers.items()
    }
    return get(base + path + case.query, method=case.method, **headers)


@pytest.mark.parametrize("case", ANYWHERE)
@pytest.mark.parametrize("name", EVERYTHING)
def test_every_kind_of_body(front, name, case, fronts, resources):
    body, wanted = resources[name].body, ANYWHERE[case]
    etag = get(fronts[front] + resources[name].path).headers["ETag"]
    if name != "source" and (front, name) not in UNZIPPED:
        assert etag == f'"{hashlib.sha256(body).hexdigest()}"'
    reply = ask(fronts[front], resources[name].path, wanted, etag)
    if reply.status == 200 and may_be_whole(front, name, case):
        wanted = ANYWHERE[wanted.method.lower()]
    assert reply.status == wanted.status
    if reply.status < 400:
        assert reply.body == body[wanted.part]
    if reply.status in (200, 304):
        assert reply.headers["ETag"] == etag
        assert reply.headers["Cache-Control"]
    if reply.status == 405:
        assert set(reply.headers["Allow"].split(",")) == {"GET", "HEAD", "OPTIONS"}
        assert reply.headers["Content-Type"] == "application/problem+json"
    if reply.status == 200 and (front, name) not in UNZIPPED:
        assert int(reply.headers["Content-Length"]) == len(body)
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("case", PARTS)
@pytest.mark.parametrize("name", BINARIES)
def test_parts(front, name, case, fronts, resources):
    body, wanted = resources[name].body, PARTS[case]
    etag = get(fronts["direct"] + resources[name].path).headers["ETag"]
    reply = ask(fronts[front], resources[name].path, wanted, etag)
    assert reply.status == wanted.status
    if reply.status in (200, 206):
        assert reply.body == body[wanted.part]
    if reply.status == 206:
        start, stop, _ = wanted.part.indices(len(body))
        assert reply.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(body)}"
    if reply.status == 416:
        assert reply.headers["Content-Range"] == f"bytes */{len(body)}"


@pytest.mark.parametrize("name", PRODUCED)
def test_headers_of_what_never_changes(front, name, fronts, resources):
    reply = get(fronts[front] + resources[name].path, Accept_Encoding="gzip, br")
    assert reply.body == resources[name].body
    assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for header in ("Vary", "Content-Encoding", "Set-Cookie", "Last-Modified", "Expires"):
        assert header not in reply.headers
    member = reply.headers["Cache-Status"].split(",")[0]
    assert re.fullmatch(r"upscale-origin; (hit|fwd=uri-miss; (stored|collapsed))", member)
    assert reply.headers["Timing-Allow-Origin"] == "*"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    follows = {"segment": "2.ts", "fragment": "1.m4s", "packaged": "1.m4s"}
    expected = f'<{follows[name]}>; rel="next"' if name in follows else None
    assert reply.headers["Link"] == expected


@pytest.mark.parametrize("name", BINARIES)
def test_caches_keep_it(front, name, fronts, resources):
    url = fronts[front] + resources[name].path
    get(url)
    again = get(url)
    if front == "nginx":
        assert again.headers["X-Proxy-Cache"] == "HIT"
    if front == "varnish":
        assert len(again.headers["X-Varnish"].split()) == 2


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_gzipped_for_those_who_can_read_it(front, name, fronts, resources):
    url = fronts[front] + resources[name].path
    zipped, plain = get(url, Accept_Encoding="gzip"), get(url)
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body == resources[name].body
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["ETag"] != plain.headers["ETag"]
    for reply in (zipped, plain):
        assert "Accept-Encoding" in reply.headers["Vary"]
    again = get(url, Accept_Encoding="gzip", If_None_Match=zipped.headers["ETag"])
    if not may_be_whole(front, name, "same"):
        assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("name", ["segment", "source", "multivariant"])
def test_bodies_end_where_they_say(front, name, fronts, resources):
    """All over one connection: a response with a byte too many would garble the next."""
    connection = http.client.HTTPConnection(urlsplit(fronts[front]).netloc)
    etag = get(fronts[front] + resources[name].path).headers["ETag"]
    asked = [
        ("HEAD", {}, 200),
        ("GET", {}, 200),
        ("GET", {"If-None-Match": etag}, 304),
        ("GET", {"Range": "bytes=7-11"} if name != "multivariant" else {}, None),
        ("HEAD", {"If-None-Match": etag}, 304),
        ("GET", {"Range": "bytes=99999999-"} if name != "multivariant" else {}, None),
        ("GET", {}, 200),
    ]
    for method, headers, status in asked:
        connection.request(method, resources[name].path, headers=headers)
        reply = connection.getresponse()
        body = reply.read()
        assert status in (None, reply.status)
        if (method, reply.status) == ("GET", 200):
            assert body == resources[name].body
    connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/lib/nothing.m3u8",
        "/lib/ts/nothing.ts",
        "/lib/ts/index.m3u8/up-180p-lanczos/0000000000000000/0.ts",
        "/nothing",
    ],
)
def test_what_is_not_there_is_not_there_for_long(front, path, fronts):
    reply = get(fronts[front] + path)
    assert reply.status == 404
    assert reply.headers["Cache-Control"] == "public, max-age=1"
    assert reply.json["status"] == 404
