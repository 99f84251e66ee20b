"""Whether something outside works: said once when it fails and once when it is back."""

import logging
import threading
import time
from collections.abc import Callable

_logger = logging.getLogger(__name__)


class Health:
    """What is known of a disk or a bucket. Threads may share it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self.works = True

    def failed(self, error: object) -> None:
        """It did not do what it should."""
        if self._turn(works=False):
            _logger.warning("%s fails, service goes on without it: %s", self._name, error)

    def worked(self) -> None:
        """It did."""
        if not self.works and self._turn(works=True):
            _logger.warning("%s works again", self._name)

    def _turn(self, *, works: bool) -> bool:
        with self._lock:
            turned = self.works != works
            self.works = works
        return turned


class Breaker:
    """Stops asking what fails `limit` times in a row, but for one try every `rest_seconds`.

    One event loop owns it.
    """

    def __init__(
        self,
        health: Health,
        *,
        limit: int = 3,
        rest_seconds: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.health = health
        self._limit = limit
        self._rest_seconds = rest_seconds
        self._clock = clock
        self._failures = 0
        self._closed_until = 0.0

    def allows(self) -> bool:
        """Whether to ask now; while it rests, the first after each rest may."""
        if self._failures < self._limit:
            return True
        now = self._clock()
        if now < self._closed_until:
            return False
        self._closed_until = now + self._rest_seconds
        return True

    def failed(self, error: object) -> None:
        """It was asked in vain."""
        self._failures += 1
        if self._failures >= self._limit:
            self._closed_until = self._clock() + self._rest_seconds
            self.health.failed(error)

    def worked(self) -> None:
        """It answered."""
        self._failures = 0
        self.health.worked()
