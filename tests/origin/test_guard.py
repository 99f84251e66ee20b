"""Who gets what administrators get, through the routes as they are."""

from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from origin.access import Access, sign
from origin.guard import Guard
from origin.routes import METRICS, SERVICE, add_routes
from origin.service.answers import PlaylistAnswer
from origin.telemetry import Metrics
from origin.warm_api import WARMING
from tests.tools import free_port

KEY, CDN, ADMIN = ("sixteen letters " + name for name in ("key", "cdn", "admin"))
SIGNED = Access(signing_keys={"k1": KEY})
MD5 = Access(secure_link_secret=KEY)
CDN_ONLY = Access(cdn_secrets=(CDN,))
KEYED = Access(signing_keys={"k1": KEY}, cdn_secrets=(CDN,), admin_keys=(ADMIN,))
FORWARDED = {"X-Origin-Secret": CDN}
BEARER = {"Authorization": f"Bearer {ADMIN}"}
ADMIN_PATHS = ("/metrics", "/api/warm", "/api/warm/1")


class Service:
    async def titles(self) -> list[object]:
        return []

    async def answer(self, path: str, klass: object, **_: object) -> PlaylistAnswer:
        return PlaylistAnswer(text="#EXTM3U\n")


def server(tmp_path, guard: Guard, port: int | None = None) -> TestClient:
    app = web.Application()
    app[SERVICE], app[METRICS] = Service(), Metrics()
    errand = SimpleNamespace(row=lambda: {})
    app[WARMING] = SimpleNamespace(errands=lambda: [errand], errand=lambda _: errand)
    add_routes(app, tmp_path, guard=guard)
    return TestClient(TestServer(app, port=port))


async def statuses(client: TestClient, paths, headers=None) -> set[int]:
    return {(await client.get(path, headers=headers)).status for path in paths}


@pytest.mark.parametrize("access", [SIGNED, MD5, CDN_ONLY])
async def test_where_anything_is_demanded_nobody_is_an_administrator_by_default(tmp_path, access):
    async with server(tmp_path, Guard(access)) as client:  # from 127.0.0.1, as a proxy beside it
        for headers in ({}, FORWARDED, BEARER):
            assert await statuses(client, ADMIN_PATHS, headers) == {403}
        reply = await client.post("/api/warm", json={"titles": ["*"]})
        assert reply.status == 403
        problem = await reply.json(content_type=None)
        assert "set admin_keys or admin_port" in problem["detail"]
        assert await statuses(client, ["/healthz"]) == {200}


@pytest.mark.parametrize(
    ("access", "headers", "status"),
    [
        (Access(), {}, 200),
        (SIGNED, {}, 403),
        (SIGNED, BEARER, 403),
        (MD5, {}, 403),
        (CDN_ONLY, {}, 403),
        (CDN_ONLY, FORWARDED, 200),
        (KEYED, FORWARDED, 403),
        (KEYED, FORWARDED | BEARER, 200),
    ],
)
async def test_who_may_list_the_titles(tmp_path, access, headers, status):
    async with server(tmp_path, Guard(access)) as client:
        assert await statuses(client, ["/api/titles"], headers) == {status}


async def test_out_of_the_box_all_is_open(tmp_path):
    async with server(tmp_path, Guard(Access())) as client:
        assert await statuses(client, ("/lib/v.m3u8", *ADMIN_PATHS)) == {200}


@pytest.mark.parametrize("access", [KEYED, Access(admin_keys=(ADMIN,))])
async def test_a_key_makes_an_administrator(tmp_path, access):
    async with server(tmp_path, Guard(access)) as client:
        assert await statuses(client, ADMIN_PATHS) == {403}
        assert await statuses(client, ADMIN_PATHS, {"Authorization": "Bearer wrong"}) == {403}
        assert await statuses(client, ADMIN_PATHS, BEARER) == {200}


async def test_a_port_makes_an_administrator(tmp_path):
    port = free_port()
    async with server(tmp_path, Guard(SIGNED, port), port) as client:
        assert await statuses(client, (*ADMIN_PATHS, "/api/titles")) == {200}
        assert await statuses(client, ("/", "/lib/v.m3u8")) == {404}
    async with server(tmp_path, Guard(KEYED, port), port) as client:
        assert await statuses(client, (*ADMIN_PATHS, "/api/titles")) == {403}
        assert await statuses(client, (*ADMIN_PATHS, "/api/titles"), BEARER) == {200}
    async with server(tmp_path, Guard(SIGNED, port)) as client:
        assert await statuses(client, ADMIN_PATHS) == {404}
        assert await statuses(client, ["/api/titles"]) == {403}


async def test_what_is_demanded_changes_while_it_runs(tmp_path):
    guard = Guard(Access())
    path = sign("/lib/v.m3u8", key="k1", secret=KEY, expires=2**34, depth=1)
    async with server(tmp_path, guard) as client:
        guard.access = SIGNED
        assert await statuses(client, [path]) == {200}
        assert await statuses(client, ("/lib/v.m3u8", "/api/titles", *ADMIN_PATHS)) == {403}
        guard.access = KEYED
        assert await statuses(client, ("/api/titles", *ADMIN_PATHS), FORWARDED | BEARER) == {200}
        guard.access = Access()
        assert await statuses(client, ("/lib/v.m3u8", "/api/titles", *ADMIN_PATHS)) == {200}
