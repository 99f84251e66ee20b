"""When an origin should get no more players. Pure policy: no I/O, callers pass `now`."""


class Overload:
    """Notices an overload that lasts, and its end. One event loop owns it.

    It begins after players would have had to wait for longer than `limit_seconds` throughout
    `hold_seconds`, and ends after they would have had to wait for less than half of that for as
    long.
    """

    def __init__(self, *, limit_seconds: float, hold_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self.hold_seconds = hold_seconds
        self._is_on = False
        self._since: float | None = None
        """When what would change it began."""

    @property
    def is_on(self) -> bool:
        """Whether there is an overload."""
        return self._is_on

    def note(self, wait_seconds: float, now: float) -> None:
        """Look at it: so long would a player wait for a worker now."""
        is_other = (
            wait_seconds < self._limit_seconds / 2
            if self._is_on
            else (wait_seconds > self._limit_seconds)
        )
        if not is_other:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= self.hold_seconds:
            self._is_on, self._since = not self._is_on, None
