"""One computation per key, however many ask (law 7)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Role(StrEnum):
    """How a caller came by its answer."""

    LEADER = "leader"
    """It started the work."""
    COALESCED = "coalesced"
    """It joined work that was under way."""


@dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    waiters: int = 0
    orphaned_at: float | None = None


class SingleFlight(Generic[T]):
    """Calls in flight, by key. Belongs to one event loop.

    The work is a task of its own: waiters come and go, none of them takes it down. Whoever runs
    the work may cancel it; those who still wait then start it anew.
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    async def do(self, key: str, make: Callable[[], Awaitable[T]]) -> tuple[T, Role]:
        """Await the result of `make()`, or of the call for the same key that is under way.

        Raises:
            Exception: Whatever `make` raised, the same instance to every waiter.
        """
        role = Role.COALESCED
        while True:
            flight = self._flights.get(key)
            if flight is None or flight.task.done():
                role = Role.LEADER
                flight = self._launch(key, make)
            await self._watch(flight)
            if not flight.task.cancelled():
                return flight.task.result(), role

    def waiters(self, key: str) -> int:
        """How many callers wait for a key; 0 as well when nothing is under way."""
        flight = self._flights.get(key)
        return flight.waiters if flight else 0

    def orphaned_at(self, key: str) -> float | None:
        """When the last waiter left work that is still under way, in the loop's time."""
        flight = self._flights.get(key)
        return flight.orphaned_at if flight else None

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    async def close(self) -> None:
        """Cancel all work and wait until it has ended. Call it once no waiter is left."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _launch(self, key: str, make: Callable[[], Awaitable[T]]) -> _Flight[T]:
        async def work() -> T:
            return await make()

        flight = _Flight(asyncio.create_task(work(), name=f"flight {key}"))
        self._flights[key] = flight
        flight.task.add_done_callback(lambda _: self._land(key, flight))
        return flight

    def _land(self, key: str, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.task.cancelled():
            flight.task.exception()  # retrieved, though nobody may be waiting

    async def _watch(self, flight: _Flight[T]) -> None:
        flight.waiters += 1
        flight.orphaned_at = None
        try:
            await asyncio.wait((flight.task,))
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                flight.orphaned_at = asyncio.get_running_loop().time()
