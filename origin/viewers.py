"""When each viewer will need what it asks for. Pure: no I/O, callers pass `now`.

A player that speaks CMCD says it. Of the others a clock is kept that runs as their playback can at
most: it starts with the first body they got, and never faster than real time. Who has asked at
that pace, though it could have asked sooner, is a player; others may just be downloading, and then
the deadline only orders.
"""

import math
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from origin.cmcd import Cmcd

_PACED_ASKS, _MOST_PACED_ASKS = 2, 6
"""Waits between an answer and the next request that make a player, and how many are counted. A
jump takes two back: a player jumps now and then, a crowd behind one address all the time."""
_PACED_SHARE = 0.3
"""Of a segment's duration: who waits that long before it asks again was not in a hurry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """What is assumed of players that say nothing."""

    startup_seconds: float = 3.0
    """From a request while nothing is shown until a viewer minds."""
    most_seconds: float = 8.0
    """After which players give up and ask again, however much they have buffered."""
    idle_seconds: float = 300.0
    """A viewer that was silent for so long is forgotten."""
    viewers: int = 10_000
    """So many are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A segment as a viewer asks for it."""

    index: int
    start_seconds: float
    """On the title's timeline."""
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What is known of one request."""

    deadline: float
    """In the caller's clock."""
    is_firm: bool
    """A player has said it, or shown it by its pace."""
    has_sought: bool
    """The viewer is elsewhere now: what was made ahead of it is of no use."""


@dataclass(slots=True, kw_only=True)
class _Viewer:
    index: int | None = None
    asked: float = -math.inf
    answered: float = math.inf
    """When the last body was ready; `math.inf` while it is not."""
    zero: float | None = None
    """When the title's time 0 was shown, or would have been."""
    paced: int = 0


class Viewers:
    """Remembers a bounded number of viewers. One event loop owns it."""

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._viewers: OrderedDict[Hashable, _Viewer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._viewers)

    def ask(self, who: Hashable, part: Part, cmcd: Cmcd, now: float) -> Need:
        """A viewer asks for a segment.

        Args:
            who: Tells viewers apart: a session, or whatever comes nearest.
            part: What it asks for.
            cmcd: What it says.
            now: The time.
        """
        viewer = self._viewer(who, now)
        last, viewer.index = viewer.index, part.index
        follows = last is not None and last <= part.index <= last + 1
        self._keep_pace(viewer, part, follows, now)
        viewer.asked, viewer.answered = now, math.inf
        said = self._said(cmcd, now)
        deadline = self._expected(viewer, part, now) if said is None else said
        return Need(
            deadline=deadline,
            is_firm=said is not None or viewer.paced >= _PACED_ASKS,
            has_sought=last is not None and not follows,
        )

    def answered(self, who: Hashable, part: Part, now: float) -> None:
        """A viewer got a segment: from now on it can be shown."""
        viewer = self._viewers.get(who)
        if viewer is None or viewer.index != part.index:
            return
        viewer.answered = now
        if viewer.zero is None:
            viewer.zero = now - part.start_seconds

    def _viewer(self, who: Hashable, now: float) -> _Viewer:
        viewer = self._viewers.pop(who, None)
        if viewer is None or now - viewer.asked > self._patience.idle_seconds:
            viewer = _Viewer()
        self._viewers[who] = viewer
        while len(self._viewers) > self._patience.viewers:
            self._viewers.popitem(last=False)
        return viewer

    def _keep_pace(self, viewer: _Viewer, part: Part, follows: bool, now: float) -> None:
        """Stop the clock for as long as the viewer waited of its own accord."""
        if not follows:
            viewer.zero = None
            viewer.paced = max(0, viewer.paced - _PACED_ASKS)
            return
        waited = now - viewer.answered
        if waited > _PACED_SHARE * part.duration_seconds:
            viewer.paced = min(viewer.paced + 1, _MOST_PACED_ASKS)
        if viewer.zero is not None:
            viewer.zero += max(0.0, waited - part.duration_seconds)

    def _said(self, cmcd: Cmcd, now: float) -> float | None:
        left = cmcd.deadline_seconds
        if left is None and cmcd.buffer_seconds is not None:
            left = cmcd.buffer_seconds / (cmcd.playback_rate or 1.0)
        if cmcd.is_starved:
            return now + min(left or 0.0, self._patience.most_seconds)
        if left == 0.0 or cmcd.is_starting:
            left = max(left or 0.0, self._patience.startup_seconds)
        return None if left is None else now + min(left, self._patience.most_seconds)

    def _expected(self, viewer: _Viewer, part: Part, now: float) -> float:
        if viewer.zero is not None:
            return min(viewer.zero + part.start_seconds, now + self._patience.most_seconds)
        is_player = viewer.paced >= _PACED_ASKS
        patience = self._patience
        return now + (patience.startup_seconds if is_player else patience.most_seconds)


def lookahead_depth(most: int, cost: float, duration_seconds: float, load_seconds: float) -> int:
    """How many segments to make ahead of a viewer.

    As many as it takes that the next is ready when it is asked for, and one more; fewer the more
    work players already wait for.

    Args:
        most: The upper bound.
        cost: Seconds that one takes; 0 where unknown.
        duration_seconds: Of a segment.
        load_seconds: Work that players wait for.
    """
    if duration_seconds <= 0:
        return most
    needed = 1 + math.ceil(cost / duration_seconds)
    room = 1 - load_seconds / (2 * duration_seconds)
    return max(0, min(most, needed if cost else most, math.ceil(most * room)))
