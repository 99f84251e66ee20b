"""Connections that cost more than they bring: half-open ones, slow ones, too many of them.

aiohttp has no limit for the time that a request's head may take, nor for how slowly a response may
be read; `watched` keeps track of both, here it is decided who goes.
"""

import asyncio
import contextlib
import logging
import resource
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from origin.telemetry import Metrics
from origin.watched import ConnectionLimits, Shortcut, Watched

SHED = ("head", "read", "crowd")
"""Why connections are shed: no request head in time, a response read too slowly, too many."""

_SPARE_DESCRIPTORS = 256
"""For the cache, workers and sources."""


class Connections:
    """All connections of an origin. One event loop owns it.

    Where there are too many, the one that has waited longest for a request gives way; where none
    waits, the new one is turned away.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        descriptors = _descriptors(2 * limits.connections + _SPARE_DESCRIPTORS)
        self._descriptors = max(1, descriptors - _SPARE_DESCRIPTORS)
        self.lent = 0
        self._open: dict[Watched, None] = {}
        self._none_open = asyncio.Event()
        self._none_open.set()
        self._by_address: Counter[str] = Counter()
        self._shed = dict.fromkeys(SHED, 0)
        self.is_draining = False

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

    async def listen(
        self, runner: web.AppRunner, host: str, port: int, shortcut: Shortcut | None = None
    ) -> None:
        """Accept connections to a runner that is set up, whose own keep-alive should be endless.

        Args:
            runner: Of the application.
            host: An address of this machine.
            port: There.
            shortcut: Asked before aiohttp.

        Raises:
            OSError: The address can't be had.
        """
        await _Site(runner, lambda inner: Watched(inner, self, shortcut), host, port).start()

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
        if not isinstance(protocol, Watched):
            return await handler(request)
        protocol.request_began(request.writer)
        response = None
        try:
            response = await handler(request)
            if self.is_draining:
                response.force_close()
            return response
        finally:
            protocol.request_ended(response)

    def drain(self) -> None:
        """Keep no connection alive after the next response: who holds it opens one elsewhere."""
        self.is_draining = True

    async def ended(self, seconds: float) -> None:
        """Wait for connections that are being closed: for what their clients are yet to take.

        Args:
            seconds: At most.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none_open.wait()

    def admit(self, connection: Watched) -> bool:
        """Whether a new connection may stay; another may have to go for it."""
        limits = self._limits
        if self._by_address[connection.address] >= limits.connections_per_address:
            has_room = self._make_room(connection.address)
        else:
            is_full = len(self._open) >= limits.connections or not self._has_descriptor()
            has_room = not is_full or self._make_room(None)
        if not has_room:
            self._shed["crowd"] += 1
            return False
        self._open[connection] = None
        self._none_open.clear()
        self._by_address[connection.address] += 1
        return True

    def renew(self, connection: Watched) -> None:
        """A connection asks: others go before it where there are too many."""
        if connection in self._open:
            del self._open[connection]
            self._open[connection] = None

    def leave(self, connection: Watched) -> None:
        """A connection that was admitted has ended, or is about to."""
        if connection in self._open:
            del self._open[connection]
            self._by_address[connection.address] -= 1
            if not self._by_address[connection.address]:
                del self._by_address[connection.address]
            if not self._open:
                self._none_open.set()

    @property
    def can_lend(self) -> bool:
        """Whether a connection may have another descriptor for a while: half of the free ones."""
        return 2 * self.lent < self._descriptors - len(self._open)

    def sweep(self, now: float) -> None:
        """Look at all of them. `now` is the loop's time."""
        for connection in list(self._open):
            reason = connection.overdue(now, self._limits)
            if reason is not None:
                self._cut(connection, reason)
            elif connection.is_idle(now, self._limits):
                connection.close()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        interval = min(1.0, self._limits.head_seconds / 4, self._limits.read_seconds / 4)
        while True:
            due = loop.time() + interval
            await asyncio.sleep(interval)
            now = loop.time()
            for connection in self._open:
                connection.excuse(now - due)
            self.sweep(now)

    def _has_descriptor(self) -> bool:
        return len(self._open) + self.lent < self._descriptors

    def _make_room(self, address: str | None) -> bool:
        """Cut the connection that waits for a request since longest: it comes first in `_open`."""
        for connection in self._open:
            if connection.is_waiting and address in (None, connection.address):
                self._cut(connection, "crowd")
                return True
        return False

    def _cut(self, connection: Watched, reason: str) -> None:
        self._shed[reason] += 1
        self.leave(connection)
        connection.abort()


class _Site(web.BaseSite):
    def __init__(
        self,
        runner: web.AppRunner,
        watched: Callable[[asyncio.Protocol], asyncio.Protocol],
        host: str,
        port: int,
    ) -> None:
        super().__init__(runner)
        self._watched = watched
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
            lambda: self._watched(server()),
            *self._address,
            reuse_address=True,
            backlog=1024,
        )


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
