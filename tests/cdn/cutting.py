"""A relay between a cache and the origin that cuts responses off."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_HEAD_END = b"\r\n\r\n"
_CUT = re.compile(rb"^GET \S*[?&]cut=(\d+)")


class _Relay:
    """What is asked for with `?cut=N` ends after N bytes of the response, the first time."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._cut: set[bytes] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the cache; it asks for one thing at a time."""
        upstream, to_upstream = await asyncio.open_connection(*self._address)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(_HEAD_END)
                to_upstream.write(head)
                allowed = self._allowed(head)
                response = await _response(upstream, is_head=head.startswith(b"HEAD"))
                writer.write(response[:allowed])
                await writer.drain()
                if allowed is not None and allowed < len(response):
                    break
        for end in (writer, to_upstream):
            end.close()

    def _allowed(self, head: bytes) -> int | None:
        found = _CUT.match(head)
        if found is None or found[0] in self._cut:
            return None
        self._cut.add(found[0])
        return int(found[1])


async def _response(reader: asyncio.StreamReader, *, is_head: bool) -> bytes:
    head = await reader.readuntil(_HEAD_END)
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    assert length is not None
    return head if is_head else head + await reader.readexactly(int(length[1]))


@contextmanager
def cutting_relay(upstream: str) -> Iterator[str]:
    """Stands in front of `upstream`, a base URL. Yields its own base URL."""
    host, _, port = upstream.removeprefix("http://").partition(":")
    relay = _Relay(host, int(port))
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(relay.serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
