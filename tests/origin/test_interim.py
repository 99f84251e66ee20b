import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from origin.interim import with_signs_of_life

END = b"\r\n\r\n"
SIGN = b"HTTP/1.1 102 Processing"


@pytest.fixture
async def server():
    """Its work takes a while, and goes on until it is `released`."""
    every, released = {"seconds": 0.1}, asyncio.Event()

    async def slow() -> str:
        await asyncio.sleep(0.35)
        await released.wait()
        return "made"

    async def handle(request: web.Request) -> web.Response:
        text = await with_signs_of_life(request, slow(), every["seconds"])
        return web.Response(text=text)

    released.set()
    app = web.Application()
    app.router.add_get("/", handle)
    async with TestServer(app) as server:
        server.every, server.released = every, released
        yield server


@asynccontextmanager
async def asked(server: TestServer, version: str) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(f"GET / HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    yield reader
    writer.close()


async def test_a_client_that_waits_hears_of_it_and_gets_a_whole_answer(server):
    server.released.clear()
    async with asked(server, "1.1") as reader:
        for _ in range(3):
            assert await reader.readuntil(END) == SIGN + END
        server.released.set()
        *more, head, body = (await reader.read()).split(END)
    assert set(more) <= {SIGN}
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Length: 4" in head
    assert body == b"made"


async def test_old_clients_hear_nothing_of_it(server):
    async with asked(server, "1.0") as reader:
        assert (await reader.read()).startswith(b"HTTP/1.0 200 OK")


async def test_it_is_off_unless_it_is_asked_for(server):
    server.every["seconds"] = 0
    async with asked(server, "1.1") as reader:
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")


async def test_clients_that_know_them_see_the_answer_only_and_keep_the_connection(server):
    async with ClientSession() as session:
        for _ in range(2):
            async with session.get(server.make_url("/")) as response:
                assert (response.status, await response.text()) == (200, "made")


async def test_work_ends_with_who_waits_for_it(server):
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    class Request:
        version = (1, 1)
        transport = None

    task = asyncio.create_task(with_signs_of_life(Request(), work(), 0.01))
    await asyncio.sleep(0.05)
    task.cancel()
    await ended.wait()
