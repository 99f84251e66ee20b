"""Connections that cost more than they bring: half-open ones, slow ones, too many of them.

aiohttp has no limit for the time that a request's head may take, nor for how slowly a response may
be read. Here every connection is watched from between its transport and aiohttp's protocol.
"""

import asyncio
import contextlib
import logging
import resource
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from origin.telemetry import Metrics

SHED = ("head", "read", "crowd")
"""Why connections are shed: no request head in time, a response read too slowly, too many."""

_UNSENT_BYTES = 128 << 10
"""What the kernel may hold unsent of a connection: more would hide how fast its client reads."""
_SPARE_DESCRIPTORS = 256
"""For the cache, workers and sources."""
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


class Connections:
    """All connections of an origin. One event loop owns it.

    Where there are too many, the one that has waited longest for a request gives way; where none
    waits, the new one is turned away.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        descriptors = _descriptors(limits.connections + _SPARE_DESCRIPTORS)
        self._most = max(1, min(limits.connections, descriptors - _SPARE_DESCRIPTORS))
        self._open: dict[_Watched, None] = {}
        self._by_address: Counter[str] = Counter()
        self._shed = dict.fromkeys(SHED, 0)
        self._is_draining = False

    @property
    def shed(self) -> Mapping[str, int]:
        """How many were shed so far, by why."""
        return MappingProxyType(self._shed)

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Shed what is too slow, while the context is open."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()

    async def listen(self, runner: web.AppRunner, host: str, port: int) -> None:
        """Accept connections to a runner that is set up.

        Raises:
            OSError: The address can't be had.
        """
        await _Site(runner, self, host, port).start()

    def attach(self, app: web.Application, metrics: Metrics) -> None:
        """Watch the connections of an application's listeners, and publish how many there are."""
        app.middlewares.insert(0, self._note)
        states = "Connections that are open"
        metrics.watch("connections", states, "state", lambda: {"open": len(self)})
        shed = "Connections that were shed"
        metrics.watch("connections_shed", shed, "reason", lambda: self.shed, counter=True)

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The head of a request is complete."""
        protocol = request.transport.get_protocol() if request.transport else None
        if not isinstance(protocol, _Watched):
            return await handler(request)
        protocol.request_began(request.writer)
        try:
            response = await handler(request)
            if self._is_draining:
                response.force_close()
            return response
        finally:
            protocol.request_ended()

    def drain(self) -> None:
        """Keep no connection alive after the next response: who holds it opens one elsewhere."""
        self._is_draining = True

    def admit(self, connection: "_Watched") -> bool:
        """Whether a new connection may stay; another may have to go for it."""
        limits = self._limits
        if self._by_address[connection.address] >= limits.connections_per_address:
            has_room = self._make_room(connection.address)
        else:
            has_room = len(self._open) < self._most or self._make_room(None)
        if not has_room:
            self._shed["crowd"] += 1
            return False
        self._open[connection] = None
        self._by_address[connection.address] += 1
        return True

    def renew(self, connection: "_Watched") -> None:
        """A connection asks: others go before it where there are too many."""
        if connection in self._open:
            del self._open[connection]
            self._open[connection] = None

    def leave(self, connection: "_Watched") -> None:
        """A connection that was admitted has ended, or is about to."""
        if connection in self._open:
            del self._open[connection]
            self._by_address[connection.address] -= 1
            if not self._by_address[connection.address]:
                del self._by_address[connection.address]

    def sweep(self, now: float) -> None:
        """Look at all of them. `now` is the loop's time."""
        for connection in list(self._open):
            reason = connection.overdue(now, self._limits)
            if reason is not None:
                self._cut(connection, reason)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        interval = min(1.0, self._limits.head_seconds / 4, self._limits.read_seconds / 4)
        while True:
            await asyncio.sleep(interval)
            self.sweep(loop.time())

    def _make_room(self, address: str | None) -> bool:
        """Cut the connection that waits for a request since longest: it comes first in `_open`."""
        for connection in self._open:
            if connection.is_waiting and address in (None, connection.address):
                self._cut(connection, "crowd")
                return True
        return False

    def _cut(self, connection: "_Watched", reason: str) -> None:
        self._shed[reason] += 1
        self.leave(connection)
        connection.abort()


class _Watched(asyncio.Protocol):
    """Stands between a transport and aiohttp's protocol, and keeps track of time."""

    def __init__(self, inner: asyncio.Protocol, owner: Connections) -> None:
        self._inner = inner
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._is_admitted = False
        self._requests = 0
        self._writer: AbstractStreamWriter | None = None
        self._head_since: float | None = None
        self._has_more = False
        self._looked_at = 0.0
        self._handed_over = 0
        self._pending = 0
        self._behind_seconds = 0.0
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else ""
        self._is_admitted = self._owner.admit(self)
        if not self._is_admitted:
            self._transport.abort()
            return
        _tune(transport.get_extra_info("socket"))
        self._head_since = self._looked_at = self._loop.time()
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._is_admitted:
            self._owner.leave(self)
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._has_more = True
        if not self._requests and self._head_since is None:
            self._head_since = self._loop.time()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def request_began(self, writer: AbstractStreamWriter) -> None:
        """A head is complete."""
        self._requests += 1
        self._head_since = None
        self._has_more = False
        self._writer = writer
        self._handed_over = 0
        self._owner.renew(self)

    def request_ended(self) -> None:
        """Its response is known; it may not have been sent yet."""
        self._requests -= 1
        if self._has_more:
            self._head_since = self._loop.time()

    @property
    def is_waiting(self) -> bool:
        """Whether all that came was answered."""
        return not self._requests and not self._unsent()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def overdue(self, now: float, limits: ConnectionLimits) -> str | None:
        """Why it should be shed, if it should."""
        if self._is_too_slow(now, limits):
            return "read"
        if self._pending or self._requests:
            self._head_since = None if self._head_since is None else now
        since = self._head_since
        return "head" if since is not None and now - since > limits.head_seconds else None

    def _is_too_slow(self, now: float, limits: ConnectionLimits) -> bool:
        handed_over = self._writer.output_size if self._writer is not None else 0
        pending = self._unsent()
        sent = handed_over - self._handed_over + self._pending - pending
        seconds = now - self._looked_at
        self._handed_over, self._pending, self._looked_at = handed_over, pending, now
        if not pending or not limits.read_rate:
            self._behind_seconds = 0.0
            return False
        self._behind_seconds = max(0.0, self._behind_seconds + seconds - sent / limits.read_rate)
        return self._behind_seconds > limits.read_seconds

    def _unsent(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0


class _Site(web.BaseSite):
    def __init__(self, runner: web.AppRunner, owner: Connections, host: str, port: int) -> None:
        super().__init__(runner)
        self._owner = owner
        self._address = (host, port)

    @property
    def name(self) -> str:
        host, port = self._address
        return f"http://{host}:{port}"

    async def start(self) -> None:
        await super().start()
        server = self._runner.server
        assert server is not None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Watched(server(), self._owner),
            *self._address,
            reuse_address=True,
            backlog=1024,
        )


def _tune(sock: socket.socket | None) -> None:
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    options = {**_KEEP_ALIVE, "TCP_NOTSENT_LOWAT": _UNSENT_BYTES}
    for name, value in options.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _descriptors(wanted: int) -> int:
    """How many files this process may have open, once it has asked for more where need be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    more = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if more > soft:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def be_brief_about_bad_requests() -> None:
    """What strangers send is no reason for a traceback in the log."""
    logging.getLogger("aiohttp.server").addFilter(_without_traceback)


def _without_traceback(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.exc_info = None
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg, record.args = "malformed request: %s", (type(error).__name__,)
    return True
