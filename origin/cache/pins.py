"""Titles that stay in the cache once they are warmed."""

import threading
from collections.abc import Iterable, Mapping

from origin.cache.objects import Cache
from origin.cache.state import StateStore

_PINS = "pins"
_ASKED = "pins-asked"


class Pins:
    """Which groups of bodies are pinned, by title, over restarts. Threads may share it.

    What is noted costs nothing at once; `tend`, which blocks, carries it out and writes it down.
    A group that a user released is not pinned again, until the title changes or the user says so.
    """

    def __init__(self, cache: Cache, state: StateStore) -> None:
        self._cache = cache
        self._state = state
        self._lock = threading.Lock()
        self._groups: dict[str, dict[str, bool]] = state.get(_PINS) or {}
        self._changed = True
        self.tend()

    def note(self, title: str, *, current: Iterable[str], warmed: Iterable[str]) -> None:
        """What is known of a title now.

        Args:
            title: Its path.
            current: The groups of all its variants; pins of others end.
            warmed: Of these, the ones to keep from now on.
        """
        with self._lock:
            before = self._groups.get(title, {})
            after = {group: kept for group, kept in before.items() if group in set(current)}
            for group in warmed:
                after.setdefault(group, True)
            if after != before:
                self._changed = True
                self._groups[title] = after
                if not after:
                    del self._groups[title]

    def titles(self) -> dict[str, list[str]]:
        """Pinned groups by title."""
        with self._lock:
            return _pinned(self._groups)

    def tend(self) -> None:
        """Do what users asked for, tell the cache, and write it down."""
        asked = self._state.get(_ASKED) or {}
        with self._lock:
            for title, keep in asked.items():
                if title in self._groups:
                    self._groups[title] = dict.fromkeys(self._groups[title], bool(keep))
                    self._changed = True
            if not self._changed:
                return
            self._changed = False
            groups = {title: dict(groups) for title, groups in self._groups.items()}
        if asked:
            self._state.put(_ASKED, {})
        self._state.put(_PINS, groups)
        self._cache.pin(group for kept in _pinned(groups).values() for group in kept)


def pinned_titles(state: StateStore) -> dict[str, list[str]]:
    """Pinned groups by title, as an origin last wrote them down."""
    return _pinned(state.get(_PINS) or {})


def ask(state: StateStore, titles: Iterable[str], *, keep: bool) -> None:
    """Have the origin that runs on this state, or will, release or pin titles once warmed."""
    state.put(_ASKED, {**(state.get(_ASKED) or {}), **dict.fromkeys(titles, keep)})


def _pinned(groups: Mapping[str, Mapping[str, bool]]) -> dict[str, list[str]]:
    kept = {title: [group for group, yes in one.items() if yes] for title, one in groups.items()}
    return {title: one for title, one in kept.items() if one}
