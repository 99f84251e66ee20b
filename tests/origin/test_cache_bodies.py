"""Large bodies are sent from the cache's own memory."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from origin.arena import Arena, Extent
from origin.bodies import sendable

LARGE = bytes(range(256)) * 4096


class Writer:
    def __init__(self) -> None:
        self.calls: list[object] = []

    def send_headers(self) -> None:
        self.calls.append("headers")

    async def write(self, chunk: bytes) -> None:
        self.calls.append(chunk)


@pytest.fixture(params=["bytes", "extent"])
def large(request):
    body = LARGE if request.param == "bytes" else Arena().keep(LARGE)
    assert isinstance(body, bytes if request.param == "bytes" else Extent)
    return body


def test_a_large_body_reaches_the_writer_in_pieces(large):
    writer = Writer()
    asyncio.run(sendable(large).write(writer))
    headers, *pieces = writer.calls
    assert headers == "headers"
    assert b"".join(pieces) == LARGE
    assert max(map(len, pieces)) <= 2**17


def test_of_bytes_no_copy_is_made():
    writer = Writer()
    asyncio.run(sendable(LARGE).write(writer))
    assert all(piece.obj is LARGE for piece in writer.calls[1:])
    assert sendable(b"small") == b"small"


@pytest.mark.parametrize("span", [(0, 5), (7, 2**18), (2**20 - 3, 2**20)])
def test_a_part_of_it(large, span):
    part, writer = sendable(large, *span), Writer()
    if not isinstance(part, bytes):
        asyncio.run(part.write(writer))
        part = b"".join(writer.calls[1:])
    assert part == LARGE[slice(*span)]


@pytest.fixture
async def client(large) -> AsyncIterator[TestClient]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=sendable(large), headers={"Content-Type": "video/mp2t"})

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
