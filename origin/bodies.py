"""Bodies on their way to clients that aiohttp answers."""

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from origin.arena import LARGE_BYTES, Body, Extent


class _Piecewise(Payload):
    """Part of a body, sent piece by piece from where it is.

    aiohttp joins headers and body, so that each slow client holds a copy of the body until it has
    it all; with this, it holds one piece.
    """

    def __init__(self, body: Body, start: int, stop: int) -> None:
        super().__init__(body)
        self._size = stop - start
        self._start, self._stop = start, stop

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it, as fast as the client takes it."""
        writer.send_headers()
        for start in range(self._start, self._stop, LARGE_BYTES):
            await writer.write(_part(self._value, start, min(start + LARGE_BYTES, self._stop)))

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """As a text."""
        return bytes(_part(self._value, self._start, self._stop)).decode(encoding, errors)


def sendable(body: Body, start: int = 0, stop: int | None = None) -> bytes | Payload:
    """Part of a body as `web.Response` should get it: of a large one no copy is made."""
    stop = len(body) if stop is None else stop
    if stop - start >= LARGE_BYTES:
        return _Piecewise(body, start, stop)
    return body.read(start, stop) if isinstance(body, Extent) else body[start:stop]


def _part(body: Body, start: int, stop: int) -> bytes | memoryview:
    return body.read(start, stop) if isinstance(body, Extent) else memoryview(body)[start:stop]
