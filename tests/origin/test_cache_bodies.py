"""Large bodies are sent from the cache's own memory."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from origin.bodies import shared

LARGE = bytes(range(256)) * 4096


class Writer:
    def __init__(self) -> None:
        self.calls: list[object] = []

    def send_headers(self) -> None:
        self.calls.append("headers")

    async def write(self, chunk: bytes) -> None:
        self.calls.append(chunk)


def test_a_large_body_reaches_the_writer_uncopied():
    body, writer = shared(LARGE), Writer()
    asyncio.run(body.write(writer))
    assert writer.calls[0] == "headers"
    assert writer.calls[1] is LARGE
    assert shared(b"small") == b"small"


@pytest.fixture
async def client() -> AsyncIterator[TestClient]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=shared(LARGE), headers={"Content-Type": "video/mp2t"})

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_it_is_an_ordinary_response(client):
    for _ in range(3):
        reply = await client.get("/")
        assert await reply.read() == LARGE
        assert reply.headers["Content-Length"] == str(len(LARGE))
        assert reply.headers["Content-Type"] == "video/mp2t"
    head = await client.head("/")
    assert head.headers["Content-Length"] == str(len(LARGE))
    assert await head.read() == b""
