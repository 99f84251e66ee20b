"""Bodies on their way to clients."""

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

_LARGE_BYTES = 128 * 2**10


class _SharedBody(Payload):
    """Bytes that are sent from where they are.

    aiohttp joins headers and body, so that each slow client holds a copy of the body until it has
    it all; with this, all clients share the cache's.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._size = len(body)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it, as fast as the client takes it."""
        writer.send_headers()
        await writer.write(self._value)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """As a text."""
        return bytes(self._value).decode(encoding, errors)


def shared(body: bytes) -> bytes | Payload:
    """A body as `web.Response` should get it: large ones are not copied."""
    return _SharedBody(body) if len(body) >= _LARGE_BYTES else body
