"""A player as hls.js is one, as far as an origin can tell.

It loads one segment after the other, begins with the low variant, which costs the origin nothing,
and stops loading while it has enough. What it buffered it keeps. `test_model.py` holds it to
recorded sessions.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from origin.cmcd import Cmcd

Fetch = Callable[[str, int, Cmcd], Awaitable[None]]
"""Level, index and what is said; returns when the segment is there, or raises `RefusedError`."""

LOW, HIGH = "low", "high"


class RefusedError(Exception):
    """Answered with 503; asked again after `retry_seconds`."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__()
        self.retry_seconds = retry_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What differs between players and viewers."""

    buffer_seconds: float = 30.0
    """Loading stops here: hls.js's least, which it keeps to at 16 Mbit/s and more."""
    handling_seconds: float = 0.06
    """From a segment's arrival until the next is asked for."""
    seek_seconds: float = 0.25
    """From a seek until something is asked for."""
    low_first: int = 1
    """Segments that are taken from the low variant at the start."""
    speaks: bool = True
    """Says CMCD."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request."""

    at: float
    level: str
    index: int
    said: Cmcd
    answered: float | None = None


@dataclass(slots=True, kw_only=True)
class Player:
    """One session. `play` runs it until the end of the title, or until it is cancelled."""

    fetch: Fetch
    count: int
    segment_seconds: float
    name: str = "player"
    habits: Habits = field(default_factory=Habits)
    level: str = HIGH
    """What its bandwidth allows; others may change it."""
    start_seconds: float = 0.0
    requests: list[Asked] = field(default_factory=list)
    stalls: list[tuple[float, float]] = field(default_factory=list)
    """From when to when nothing was shown, the first wait and those after seeks left out."""
    position: float = 0.0
    shown_seconds: float = 0.0
    _buffered: set[int] = field(default_factory=set)
    _at: float = 0.0
    _shows: bool = False
    _excused: bool = True
    _stalled_since: float | None = None
    _seek: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self) -> None:
        """Load and show."""
        self.position = self.start_seconds
        self._at = _now()
        low = self.habits.low_first
        while True:
            index = self._next()
            if index is None:
                if not await self._pause(self._ahead()):
                    return
                await asyncio.sleep(self.habits.seek_seconds)
                continue
            if (wait := self._ahead() - self.habits.buffer_seconds) > 1e-6:
                if await self._pause(wait):
                    await asyncio.sleep(self.habits.seek_seconds)
                continue
            level = LOW if low > 0 else self.level
            low -= 1
            if await self._load(level, index):
                await asyncio.sleep(self.habits.handling_seconds)
                self._append(index)
            else:
                await asyncio.sleep(self.habits.seek_seconds)

    def seek(self, to: float) -> None:
        """Show another place as soon as there is something to show."""
        self._advance()
        self.position = to
        self._excused = True
        if self._stalled_since is not None:
            self._end_stall()
        self._shows = self._ahead() > 0
        self._seek.set()

    def close(self) -> None:
        """Leave: what stands still just now was a stall as well."""
        self._advance()
        if self._stalled_since is not None:
            self._end_stall()

    def stalled_seconds(self) -> float:
        return sum(end - start for start, end in self.stalls)

    async def _load(self, level: str, index: int) -> bool:
        """False if a seek came in between."""
        self._seek.clear()
        self._advance()
        asked = Asked(at=_now(), level=level, index=index, said=self._says())
        self.requests.append(asked)
        loading = asyncio.ensure_future(self.fetch(level, index, asked.said))
        seeking = asyncio.ensure_future(self._seek.wait())
        try:
            await asyncio.wait((loading, seeking), return_when=asyncio.FIRST_COMPLETED)
            if not loading.done():
                return False
            loading.result()
        except RefusedError as refusal:
            await asyncio.sleep(refusal.retry_seconds)
            return False
        finally:
            loading.cancel()
            seeking.cancel()
        asked.answered = _now()
        return True

    async def _pause(self, seconds: float) -> bool:
        """Whether a seek ended it."""
        self._seek.clear()
        try:
            await asyncio.wait_for(self._seek.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self._advance()
        return True

    def _says(self) -> Cmcd:
        if not self.habits.speaks:
            return Cmcd()
        ahead = round(self._ahead(), 1)
        starved = self._stalled_since is not None
        return Cmcd(
            session=self.name,
            buffer_seconds=ahead,
            deadline_seconds=ahead,
            is_starting=not self._shows,
            is_starved=starved,
        )

    def _append(self, index: int) -> None:
        self._advance()
        self._buffered.add(index)
        if not self._shows and self._ahead() > 0:
            self._shows = True
            self._excused = False
            if self._stalled_since is not None:
                self._end_stall()

    def _advance(self) -> None:
        """Bring the position up to date."""
        now = _now()
        passed, self._at = now - self._at, now
        if not self._shows:
            return
        shown = min(passed, self._ahead())
        self.position += shown
        self.shown_seconds += shown
        at_end = self.position >= self.count * self.segment_seconds - 1e-6
        if shown < passed - 1e-9 and not at_end:
            self._shows = False
            self._stalled_since = now - (passed - shown)

    def _end_stall(self) -> None:
        assert self._stalled_since is not None
        self.stalls.append((self._stalled_since, _now()))
        self._stalled_since = None

    def _ahead(self) -> float:
        """Seconds that are buffered from the position on."""
        return max(0.0, self._end() * self.segment_seconds - self.position)

    def _next(self) -> int | None:
        """The first segment from the position on that is missing."""
        self._advance()
        return end if (end := self._end()) < self.count else None

    def _end(self) -> int:
        index = self._index()
        while index in self._buffered:
            index += 1
        return index

    def _index(self) -> int:
        return int((self.position + 1e-6) // self.segment_seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()
