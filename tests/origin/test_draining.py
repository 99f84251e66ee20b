import aiohttp
import pytest
from aiohttp import web

from origin.connections import Connections
from origin.telemetry import Metrics
from origin.watched import ConnectionLimits
from tests.origin.made_up import until


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


@pytest.fixture
async def served():
    """Connections that are watched, and where to reach them."""
    app = web.Application()
    app.router.add_get("/", hello)
    connections = Connections(ConnectionLimits())
    connections.attach(app, Metrics())
    runner = web.AppRunner(app)
    await runner.setup()
    await connections.listen(runner, "127.0.0.1", 0)
    host, port = runner.addresses[0][:2]
    yield connections, f"http://{host}:{port}/"
    await runner.cleanup()


async def test_a_draining_origin_answers_and_keeps_no_connection(served):
    connections, url = served
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as reply:
            assert await reply.text() == "hello"
            assert "Connection" not in reply.headers
        assert len(connections) == 1
        connections.drain()
        for _ in range(2):
            async with session.get(url) as reply:
                assert await reply.text() == "hello"
                assert reply.headers["Connection"] == "close"
    await until(lambda: len(connections) == 0)
