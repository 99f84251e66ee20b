"""The shortcut beside aiohttp: whichever answers, a connection is one conversation, in order."""

import asyncio
import gc
import inspect
import random
import socket
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop
from aiohttp import web

from origin.arena import Arena
from origin.connections import Connections
from origin.telemetry import Metrics
from origin.watched import ConnectionLimits
from tests.origin.made_up import until

BIG = bytes(range(256)) * (64 << 10)
STORED = Arena().keep(BIG)
BODIES = {"/fast/big": BIG, "/fast/stored": STORED}
LIMITS = ConnectionLimits(keep_alive_seconds=50.0, read_seconds=20.0, read_rate=10_000)


class Fast:
    """Answers what lies below /fast."""

    def __init__(self) -> None:
        self.answered = 0

    def answer(self, head, address):
        if not head.path.startswith("/fast/"):
            return None
        self.answered += 1
        body = BODIES.get(head.path, head.path.encode())
        return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode(), body


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(random.Random(request.path).random() / 500)
    return web.Response(text=request.path)


async def stored(_: web.Request) -> web.Response:
    return web.Response(body=BIG)


async def piecemeal(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(request.path))})
    await response.prepare(request)
    for letter in request.path:
        await response.write(letter.encode())
        await asyncio.sleep(0)
    return response


@asynccontextmanager
async def serving(tmp_path):
    """Connections, what takes the shortcut, the runner, and the port."""
    (tmp_path / "file").write_text("/file")

    async def file(_: web.Request) -> web.FileResponse:
        return web.FileResponse(tmp_path / "file")

    app = web.Application()
    app.router.add_get("/slow/{number}", slow)
    app.router.add_get("/pieces/{number}", piecemeal)
    app.router.add_get("/fast/stored", stored)
    app.router.add_get("/fast/{number}", slow)
    app.router.add_get("/file", file)
    connections, fast = Connections(LIMITS), Fast()
    connections.attach(app, Metrics())
    runner = web.AppRunner(app, keepalive_timeout=1e9)
    await runner.setup()
    await connections.listen(runner, "127.0.0.1", 0, fast)
    yield connections, fast, runner, runner.addresses[0][1]
    await runner.cleanup()


def on_uvloop(test):
    """The loop of the origin; pytest's own would be asyncio's."""

    def run(tmp_path, **parameters):
        async def scenario():
            async with serving(tmp_path) as served:
                await test(served, **parameters)

        uvloop.run(scenario())

    others = list(inspect.signature(test).parameters.values())[1:]
    folder = inspect.Parameter("tmp_path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = inspect.Signature([folder, *others])
    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@asynccontextmanager
async def talking(port: int, *, buffer_bytes: int = 0):
    connection = socket.socket()
    if buffer_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    connection.connect(("127.0.0.1", port))
    connection.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=connection, limit=2**16)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def request(path: str, *more: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *more, "", ""]).encode()


async def reply(reader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].split()[0])
    return int(head.split()[1]), await reader.readexactly(length)


@pytest.mark.parametrize("seed", range(60))
@on_uvloop
async def test_requests_are_answered_in_their_order_however_they_arrive(served, seed):
    """Whole, in pieces, several at once, and while others are being answered."""
    _, _, _, port = served
    rng = random.Random(seed)
    kinds = ["/fast/{}", "/fast/stored", "/slow/{}", "/pieces/{}", "/file", "/nothing/{}"]
    paths = [rng.choice(kinds).format(number) for number in range(12)]
    wire = [request(path) for path in paths]
    if seed % 3 == 1:
        wire = [b"".join(wire[:4]), *wire[4:]]
    if seed % 3 == 2:
        whole = b"".join(wire)
        cuts = sorted(rng.randrange(len(whole)) for _ in range(20))
        wire = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    async with talking(port) as (reader, writer):
        asked = asyncio.create_task(say(writer, wire, rng))
        for path in paths:
            status, body = await reply(reader)
            wanted = BIG if path == "/fast/stored" else path.encode()
            assert (status, body) == ((404, body) if "nothing" in path else (200, wanted))
        await asked


@pytest.mark.parametrize("first", ["/slow/1", "/pieces/1", "/file"])
@pytest.mark.parametrize("turns", range(40))
@on_uvloop
async def test_a_request_that_comes_at_any_moment_of_another_waits_for_it(served, first, turns):
    connections, _, _, port = served
    async with talking(port) as (reader, _):
        await until(lambda: len(connections) == 1)
        (connection,) = connections._open
        connection.data_received(request(first))
        for _ in range(turns):
            await asyncio.sleep(0)
        connection.data_received(request("/fast/1"))
        assert await reply(reader) == (200, first.encode())
        assert await reply(reader) == (200, b"/fast/1")


async def say(writer, wire, rng) -> None:
    for piece in wire:
        writer.write(piece)
        await asyncio.sleep(rng.choice([0, 0, 0.001, 0.003]))


@on_uvloop
async def test_the_shortcut_is_taken_again_after_aiohttp_has_answered(served):
    _, fast, _, port = served
    async with talking(port) as (reader, writer):
        for path in ("/fast/1", "/slow/1", "/fast/2", "/file", "/fast/3", "/pieces/1", "/fast/4"):
            writer.write(request(path))
            assert await reply(reader) == (200, path.encode())
    assert fast.answered == 4


@on_uvloop
async def test_after_anything_but_a_plain_request_aiohttp_answers_all(served):
    """Only it knows where a request begins then: the bytes of a body are never taken for one."""
    _, fast, _, port = served
    inner = request("/fast/inner")
    async with talking(port) as (reader, writer):
        writer.write(request("/slow/1", f"Content-Length: {len(inner)}"))
        assert await reply(reader) == (200, b"/slow/1")
        writer.write(inner)
        writer.write(request("/slow/2"))
        assert await reply(reader) == (200, b"/slow/2")
    assert fast.answered == 0


@pytest.mark.parametrize("path", BODIES)
@on_uvloop
async def test_a_client_that_does_not_read_is_shed(served, path):
    connections, _, _, port = served
    now = asyncio.get_running_loop().time()
    async with talking(port, buffer_bytes=4096) as (_, writer):
        writer.write(request(path))
        await until(lambda: any(c.unsent_bytes for c in connections._open))
        connections.sweep(now + 1)
        connections.sweep(now + 15)
        assert len(connections) == 1
        connections.sweep(now + 3000)
        assert connections.shed["read"] == 1
        await until(lambda: not len(connections))


@on_uvloop
async def test_a_connection_is_closed_when_no_request_comes(served):
    connections, _, _, port = served
    async with talking(port) as (reader, writer):
        clock = asyncio.get_running_loop().time
        for path in ("/slow/1", "/fast/1"):
            asked = clock()
            writer.write(request(path))
            await reply(reader)
            connections.sweep(asked + LIMITS.keep_alive_seconds)
            assert len(connections) == 1
        connections.sweep(clock() + LIMITS.keep_alive_seconds + 1)
        assert await reader.read() == b""
    assert not any(connections.shed.values())


@pytest.mark.parametrize("path", BODIES)
@on_uvloop
async def test_who_still_reads_at_the_end_gets_everything(served, path):
    connections, _, runner, port = served
    async with talking(port, buffer_bytes=4096) as (reader, writer):
        writer.write(request(path))
        await until(lambda: any(c.unsent_bytes for c in connections._open))
        connections.drain()
        await runner.cleanup()
        ended = asyncio.create_task(connections.ended(60))
        assert await reply(reader) == (200, BIG)
        await ended
    assert len(connections) == 0


@pytest.mark.parametrize("path", BODIES)
@on_uvloop
async def test_who_hangs_up_is_forgotten(served, path):
    connections, _, _, port = served
    async with talking(port, buffer_bytes=4096) as (reader, writer):
        writer.write(request(path))
        await reader.readexactly(1000)
    await until(lambda: not len(connections))


@pytest.mark.parametrize("path", BODIES)
@on_uvloop
async def test_who_says_nothing_more_still_gets_everything(served, path):
    connections, _, _, port = served
    async with talking(port, buffer_bytes=4096) as (reader, writer):
        writer.write(request(path))
        writer.write_eof()
        assert await reply(reader) == (200, BIG)
    await until(lambda: not len(connections))


@on_uvloop
async def test_where_descriptors_are_scarce_aiohttp_answers(served):
    connections, fast, _, port = served
    connections._descriptors = 1
    async with talking(port) as (reader, writer):
        await until(lambda: len(connections) == 1)
        gc.collect()
        before = descriptors()
        writer.write(request("/fast/stored"))
        await until(lambda: any(c.unsent_bytes for c in connections._open))
        assert (descriptors(), fast.answered) == (before, 0)
        assert await reply(reader) == (200, BIG)
    connections._descriptors = 9
    async with talking(port) as (reader, writer):
        writer.write(request("/fast/stored"))
        await until(lambda: connections.lent == 1)
        assert await reply(reader) == (200, BIG)
        await until(lambda: connections.lent == 0)


def test_where_a_descriptor_cannot_be_had_the_body_is_copied(tmp_path, monkeypatch):
    @on_uvloop
    async def ask(served):
        connections, fast, _, port = served
        async with talking(port) as (reader, writer):
            for _ in range(2):
                writer.write(request("/fast/stored"))
                assert await reply(reader) == (200, BIG)
        assert (fast.answered, connections.lent) == (2, 0)

    def fail(_: int) -> int:
        raise OSError(24, "too many open files")

    monkeypatch.setattr("origin.sending.os.dup", fail)
    ask(tmp_path)


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@on_uvloop
async def test_descriptors_are_closed(served):
    _, _, _, port = served
    async with talking(port) as (reader, writer):
        writer.write(request("/fast/stored"))
        await reply(reader)
        before = descriptors()
        for _ in range(20):
            writer.write(request("/fast/stored"))
            await reply(reader)
        assert descriptors() <= before


@on_uvloop
async def test_while_it_drains_aiohttp_answers_and_closes(served):
    connections, fast, _, port = served
    async with talking(port) as (reader, writer):
        connections.drain()
        writer.write(request("/fast/1"))
        assert await reply(reader) == (200, b"/fast/1")
        assert await reader.read() == b""
    assert fast.answered == 0
