"""One connection, between its transport and aiohttp's protocol: time, bytes, and a shortcut."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import Protocol, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from origin.arena import Body, Extent, contents
from origin.heads import Head, read_head
from origin.sending import Sending

_UNSENT_BYTES = 128 << 10
"""What the kernel may hold unsent of a connection: more would hide how fast its client reads."""
_KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A peer that vanished is noticed after a minute, also while the origin works for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What one connection, and all of them, may take."""

    connections: int = 10_000
    connections_per_address: int = 2_000
    head_seconds: float = 10.0
    """From the start, or from the first byte of a later request, to the end of a request's head."""
    read_seconds: float = 20.0
    """How far a client may fall behind `read_rate`."""
    read_rate: int = 10_000
    """Bytes per second at which clients have to read; 0: at any."""
    keep_alive_seconds: float = 75.0
    """How long a connection may be without a request between two."""


class Shortcut(Protocol):
    """Answers what needs no waiting, beside aiohttp."""

    def answer(self, head: Head, address: str) -> tuple[bytes, Body] | None:
        """A response's head and body, of a connection that is kept alive; None if aiohttp must."""


class Crowd(Protocol):
    """All connections, as one of them sees them."""

    is_draining: bool
    """No connection is to be kept alive."""
    lent: int
    """Descriptors that connections have beside their own."""

    def admit(self, connection: "Watched") -> bool:
        """Whether a new connection may stay."""

    def renew(self, connection: "Watched") -> None:
        """A connection asks for something."""

    def leave(self, connection: "Watched") -> None:
        """A connection that was admitted has ended."""

    @property
    def can_lend(self) -> bool:
        """Whether a connection may have another descriptor for a while."""


class Watched(asyncio.Protocol):
    """Stands between a transport and aiohttp's protocol, and keeps track of time."""

    def __init__(self, inner: asyncio.Protocol, owner: Crowd, shortcut: Shortcut | None) -> None:
        self._inner = inner
        self._owner = owner
        self._shortcut = shortcut
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._is_admitted = False
        self._requests = 0
        self._awaited = 0
        self._response: web.StreamResponse | None = None
        self._writer: AbstractStreamWriter | None = None
        self._sent = 0
        self._sending: Sending | None = None
        self._held = b""
        self._head_since: float | None = None
        self._has_more = False
        self._busy_at = self._looked_at = 0.0
        self._handed_over = 0
        self._pending = 0
        self._behind_seconds = 0.0
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio calls it, which may be turned away."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else ""
        self._is_admitted = self._owner.admit(self)
        if not self._is_admitted:
            self._transport.abort()
            return
        _tune(transport.get_extra_info("socket"))
        self._head_since = self._looked_at = self._busy_at = self._loop.time()
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio calls it."""
        self._transport = None
        if not self._is_admitted:
            return
        self._inner.connection_lost(exc)
        if exc is not None:
            self.abort()
        if self._sending is None:
            self._owner.leave(self)

    def data_received(self, data: bytes) -> None:
        """Requests, or pieces of them."""
        if self._sending is not None:
            self._hold(data)
            return
        self._busy_at = self._loop.time()
        if self._shortcut is not None and self._was_answered(data, self._shortcut):
            return
        self._has_more = True
        if not self._requests and self._head_since is None:
            self._head_since = self._busy_at
        self._inner.data_received(data)

    def _was_answered(self, data: bytes, shortcut: Shortcut) -> bool:
        """Whether these bytes are a request that did not need aiohttp.

        Once anything else comes than requests as plain as can be, aiohttp alone knows where the
        next one begins.
        """
        head = read_head(data)
        if head is None:
            self._shortcut = None
            return False
        answer = shortcut.answer(head, self.address) if self._is_free() else None
        if answer is None or self._transport is None:
            self._awaited += 1
            return False
        self._send(self._transport, *answer)
        self._head_since = None
        self._owner.renew(self)
        return True

    def _send(self, transport: asyncio.Transport, head: bytes, body: Body) -> None:
        self._sent += len(head) + len(body)
        if isinstance(body, Extent):
            with contextlib.suppress(OSError):
                sock = transport.get_extra_info("socket")
                self._sending = Sending(sock, head, body, self._has_sent)
                self._owner.lent += 1
                return
        transport.writelines((head, contents(body)))

    def _has_sent(self, is_all: bool) -> None:
        if self._sending is not None:
            self._end_sending()
        if self._transport is None:
            self._owner.leave(self)
        elif not is_all:
            self.abort()
        elif self._held and not self._transport.is_closing():
            held, self._held = self._held, b""
            self._transport.resume_reading()
            self.data_received(held)

    def _end_sending(self) -> None:
        self._sending = None
        self._owner.lent -= 1

    def _hold(self, data: bytes) -> None:
        """What comes too early is for later."""
        self._held += data
        if self._transport is not None:
            self._transport.pause_reading()

    def _is_free(self) -> bool:
        """Whether nothing is under way, neither in aiohttp nor on the way to the client."""
        owner = self._owner
        return not owner.is_draining and not self._awaited and self.is_waiting and owner.can_lend

    def eof_received(self) -> bool | None:
        """As asyncio calls it."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """The client lags behind."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._inner.resume_writing()

    def request_began(self, writer: AbstractStreamWriter) -> None:
        """A head is complete."""
        self._requests += 1
        self._awaited = max(0, self._awaited - 1)
        self._head_since = None
        self._has_more = False
        self._sent, self._writer = self._all_sent(), writer
        self._owner.renew(self)

    def request_ended(self, response: web.StreamResponse | None) -> None:
        """Its response is known, if it has one; it may not have been sent yet."""
        self._requests -= 1
        self._response = response
        if response is None:
            self._shortcut = None
        if self._has_more:
            self._head_since = self._loop.time()

    @property
    def is_waiting(self) -> bool:
        """Whether all that came was answered."""
        response = self._response
        is_sent = response is None or (response.prepared and response.task is None)
        return is_sent and not self._requests and not self.unsent_bytes

    @property
    def unsent_bytes(self) -> int:
        """What the client is yet to take, but for what the kernel holds."""
        own = self._sending.unsent_bytes if self._sending is not None else 0
        return own + (self._transport.get_write_buffer_size() if self._transport else 0)

    def abort(self) -> None:
        """End it at once."""
        if self._sending is not None:
            self._sending.stop()
            self._end_sending()
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End it once the client has everything."""
        if self._transport is not None:
            self._transport.close()

    def _all_sent(self) -> int:
        """Bytes that were handed to the transport."""
        return self._sent + (self._writer.output_size if self._writer is not None else 0)

    def is_idle(self, now: float, limits: ConnectionLimits) -> bool:
        """Whether it has been without a request for too long."""
        if not self.is_waiting:
            self._busy_at = now
        return now - self._busy_at > limits.keep_alive_seconds

    def excuse(self, seconds: float) -> None:
        """So long nobody could be heard here: the origin itself stood still."""
        self._busy_at += seconds
        self._looked_at += seconds
        if self._head_since is not None:
            self._head_since += seconds

    def overdue(self, now: float, limits: ConnectionLimits) -> str | None:
        """Why it should be shed, if it should."""
        if self._is_too_slow(now, limits):
            return "read"
        if self._pending or self._requests:
            self._head_since = None if self._head_since is None else now
        since = self._head_since
        return "head" if since is not None and now - since > limits.head_seconds else None

    def _is_too_slow(self, now: float, limits: ConnectionLimits) -> bool:
        handed_over, pending = self._all_sent(), self.unsent_bytes
        sent = handed_over - self._handed_over + self._pending - pending
        seconds = now - self._looked_at
        self._handed_over, self._pending, self._looked_at = handed_over, pending, now
        if not pending or not limits.read_rate:
            self._behind_seconds = 0.0
            return False
        self._behind_seconds = max(0.0, self._behind_seconds + seconds - sent / limits.read_rate)
        return self._behind_seconds > limits.read_seconds


def _tune(sock: socket.socket | None) -> None:
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    options = {**_KEEP_ALIVE, "TCP_NOTSENT_LOWAT": _UNSENT_BYTES}
    for name, value in options.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
