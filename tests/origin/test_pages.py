"""The built player over HTTP, without a browser."""

import gzip
import hashlib

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

import sr
from origin.config import load_config
from origin.errors import ConfigError, NotFoundError
from origin.headers import choose_coding
from origin.routes import METRICS, SERVICE, add_routes
from origin.telemetry import Metrics

SCRIPT = b"export const answer = 42;\n" * 40
ANCESTORS = ("'self'", "https://example.org")


class NoTitles:
    """What is no part of the player is asked for here."""

    async def answer(self, path: str, klass: object, **_: object) -> None:
        raise NotFoundError(f"nothing is served at {path}")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>player</title>")
    for name in ("upscale-player.js", "assets/index-CSjVlut8.js", "assets/plain.js"):
        (folder / name).write_bytes(SCRIPT)
    packed = folder / "assets/index-CSjVlut8.js"
    packed.with_name(packed.name + ".gz").write_bytes(gzip.compress(SCRIPT))
    packed.with_name(packed.name + ".br").write_bytes(b"brotli, not really")
    for name in ("draw-a1B2c3D4.wasm", "font-_b-3c4Dx.woff2", "style-ey16mS0P.css"):
        (folder / "assets" / name).write_bytes(b"x")
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / "secret.py").write_text("no part of the player")
    (tmp_path / "beside.js").write_text("not below the folder")
    return folder


@pytest.fixture
async def client(folder):
    app = web.Application()
    app[SERVICE] = NoTitles()
    app[METRICS] = Metrics()
    add_routes(app, folder, ANCESTORS)
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        yield client


async def test_the_page_comes_with_a_policy_that_lets_nothing_else_in(client):
    reply = await client.get("/")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-cache"
    directives = dict(
        directive.split(" ", 1)
        for directive in reply.headers["Content-Security-Policy"].split("; ")
    )
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert directives["connect-src"] == directives["style-src"] == "'self'"
    assert directives["frame-ancestors"] == "'self' https://example.org"
    assert not any("unsafe-inline" in value or "http:" in value for value in directives.values())
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert reply.headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "kind", "cached"),
    [
        ("upscale-player.js", "text/javascript; charset=utf-8", False),
        ("assets/index-CSjVlut8.js", "text/javascript; charset=utf-8", True),
        ("assets/plain.js", "text/javascript; charset=utf-8", False),
        ("assets/draw-a1B2c3D4.wasm", "application/wasm", True),
        ("assets/font-_b-3c4Dx.woff2", "font/woff2", True),
        ("assets/style-ey16mS0P.css", "text/css; charset=utf-8", True),
        ("favicon.svg", "image/svg+xml", False),
    ],
)
async def test_parts_are_kept_where_their_name_tells_their_content(client, path, kind, cached):
    reply = await client.get(f"/player/{path}")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == kind
    assert ("immutable" in reply.headers["Cache-Control"]) == cached
    assert (reply.headers["Cache-Control"] == "no-cache") != cached
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("accepted", "coding", "body"),
    [
        ("gzip, deflate, br", "br", b"brotli, not really"),
        ("gzip;q=1.0, br;q=0.5", "gzip", gzip.compress(SCRIPT)),
        ("gzip", "gzip", gzip.compress(SCRIPT)),
        ("br;q=0", None, SCRIPT),
        ("*", "br", b"brotli, not really"),
        ("identity", None, SCRIPT),
        (None, None, SCRIPT),
    ],
)
async def test_what_was_compressed_by_the_build_is_chosen(client, accepted, coding, body):
    headers = {"Accept-Encoding": accepted} if accepted else {}
    reply = await client.get(
        "/player/assets/index-CSjVlut8.js", headers=headers, skip_auto_headers=["Accept-Encoding"]
    )
    assert reply.headers.get("Content-Encoding") == coding
    received = await reply.read()
    unzipped = gzip.decompress(received) if coding == "gzip" else received
    assert unzipped == (SCRIPT if coding == "gzip" else body)
    assert reply.headers["ETag"] == f'"{hashlib.sha256(received).hexdigest()}"'
    assert reply.headers["Content-Length"] == str(len(received))
    assert reply.headers["Vary"] == "Accept-Encoding"


async def test_conditions_ranges_and_heads(client):
    path = "/player/upscale-player.js"
    tag = (await client.get(path)).headers["ETag"]
    unchanged = await client.get(path, headers={"If-None-Match": tag})
    assert (unchanged.status, await unchanged.read()) == (304, b"")
    assert unchanged.headers["ETag"] == tag
    part = await client.get(path, headers={"Range": "bytes=0-5", "If-Range": tag})
    assert (part.status, await part.read()) == (206, SCRIPT[:6])
    whole = await client.get(path, headers={"Range": "bytes=0-5", "If-Range": '"other"'})
    assert (whole.status, await whole.read()) == (200, SCRIPT)
    head = await client.head(path)
    assert (head.headers["Content-Length"], await head.read()) == (str(len(SCRIPT)), b"")
    assert (await client.head("/")).headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "missing.js",
        "secret.py",
        "assets",
        "../beside.js",
        "..%2Fbeside.js",
        "assets/%2e%2e/%2e%2e/beside.js",
        "%2Fetc/passwd.txt",
        "a%00.js",
        "assets/index-CSjVlut8.js.br",
        "..%5Cbeside.js",
    ],
)
async def test_nothing_else_is_served(client, path):
    url = URL(f"{client.make_url('/player/')}{path}", encoded=True)  # not tidied by the client
    reply = await client.session.get(url)
    assert reply.status == 404
    assert reply.content_type == "application/problem+json"


async def test_a_player_that_is_not_built_says_how_to(tmp_path):
    app = web.Application()
    app[SERVICE], app[METRICS] = NoTitles(), Metrics()
    add_routes(app, tmp_path / "none")
    async with TestClient(TestServer(app)) as client:
        reply = await client.get("/")
        assert reply.status == 501
        assert "make install" in await reply.text()
        assert (await client.get("/player/upscale-player.js")).status == 404


async def test_shaders_come_from_the_models_own_package(client):
    reply = await client.get("/api/shaders/anime4k-m.glsl", headers={"Accept-Encoding": "gzip"})
    assert reply.status == 200
    assert gzip.decompress(await reply.read()).decode() == sr.mpv_shader("anime4k-m")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reply.headers["Cache-Control"] == "public, max-age=3600"
    assert reply.headers["Vary"] == "Accept-Encoding"
    tag = {"If-None-Match": reply.headers["ETag"], "Accept-Encoding": "gzip"}
    assert (await client.get("/api/shaders/anime4k-m.glsl", headers=tag)).status == 304
    for name in ("lanczos", "none", "..%2F..%2Fsecret"):
        missing = await client.get(f"/api/shaders/{name}.glsl")
        assert missing.status == 404
        assert missing.content_type == "application/problem+json"
        assert "anime4k-vl" in (await missing.json(content_type=None))["detail"]


@pytest.mark.parametrize(
    ("header", "available", "expected"),
    [
        ("br, gzip", (), None),
        ("gzip;q=0.8, br;q=0.8", ("br", "gzip"), "br"),
        ("*;q=0.1, gzip;q=0", ("gzip",), None),
        ("*;q=0.1, gzip;q=0", ("br", "gzip"), "br"),
        ("gzip; q=0.001", ("gzip",), "gzip"),
        ("GZIP;Q=1", ("gzip",), "gzip"),
    ],
)
def test_codings_are_chosen_by_preference(header, available, expected):
    assert choose_coding(header, available) == expected


@pytest.mark.parametrize("value", ["https://a.example", ["a b"], ["x; script-src *"], [1], None])
def test_whom_frames_are_allowed_to_is_checked(tmp_path, value):
    path = tmp_path / "origin.toml"
    text = {None: "1"}.get(value) if value is None else repr(value).replace("'", '"')
    path.write_text(f"frame_ancestors = {text}\n")
    with pytest.raises(ConfigError, match=r"https://example\.org"):
        load_config(path, {})


def test_whom_frames_are_allowed_to(tmp_path):
    path = tmp_path / "origin.toml"
    path.write_text("frame_ancestors = [\"'self'\", 'https://*.example.org:8443']\n")
    config = load_config(path, {})
    assert config.frame_ancestors == ("'self'", "https://*.example.org:8443")
