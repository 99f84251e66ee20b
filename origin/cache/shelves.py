"""Budgets on the disk: one shelf for each library that has its own, one for all others."""

from collections.abc import Iterable, Mapping

from origin.cache.policy import Policy, Resident

_PINNED_SHARE = 0.8


class Entry(Resident):
    """A body on the disk. All that is known of it is in its file's name."""

    __slots__ = ("cost_seconds", "library", "made", "pinned", "sha256", "verified")

    def __init__(
        self, *, key: str, sha256: str, size: int, cost_seconds: float, made: int, library: str
    ) -> None:
        super().__init__(key, size, cost_seconds)
        self.sha256 = sha256
        self.cost_seconds = cost_seconds
        self.made = made
        self.library = library
        self.pinned = False
        self.verified: tuple[int, int, int] | None = None
        """Inode, size and change time of the file when its bytes last passed their checksum."""


def group_of(key: str) -> str:
    """What can be pinned together: keys that agree up to their first `-`."""
    return key.partition("-")[0]


class _Shelf:
    __slots__ = ("budget_bytes", "pinned_bytes", "policy")

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.policy = Policy(budget_bytes)
        self.pinned_bytes = 0

    @property
    def size_bytes(self) -> int:
        return self.policy.size_bytes + self.pinned_bytes


class Shelves:
    """Which bodies are on the disk, and which go when a budget is exceeded. Its owner holds a lock.

    Pinned groups stay, up to four fifths of their shelf: beyond that they compete like all others.
    """

    def __init__(self, budget_bytes: int, libraries: Mapping[str, int]) -> None:
        self._own = {name: _Shelf(size) for name, size in libraries.items()}
        self._common = _Shelf(max(0, budget_bytes - sum(libraries.values())))
        self._entries: dict[str, Entry] = {}
        self._pinned: frozenset[str] = frozenset()
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def get(self, key: str) -> Entry | None:
        """The entry; no hit."""
        return self._entries.get(key)

    def entries(self) -> list[Entry]:
        """All of them."""
        return list(self._entries.values())

    def hit(self, key: str) -> None:
        """Somebody asked for the body."""
        if entry := self._entries.get(key):
            self._shelf(entry).policy.hit(entry)

    def fits(self, size: int, library: str) -> bool:
        """Whether a body is small enough for its shelf at all."""
        return size <= self._own.get(library, self._common).budget_bytes

    def add(self, entry: Entry, *, proven: bool = False) -> list[Entry]:
        """Take in an entry with a new key; returns those that have to go for it."""
        self._entries[entry.key] = entry
        self._place(entry, proven=proven)
        shelf = self._shelf(entry)
        return self._shrink(shelf, shelf.budget_bytes)

    def remove(self, entry: Entry) -> bool:
        """Forget an entry; whether it was there."""
        if self._entries.get(entry.key) is not entry:
            return False
        del self._entries[entry.key]
        self._lift(entry)
        return True

    def make_room(self, size: int) -> list[Entry]:
        """Forget entries of at least `size` bytes, of the fullest shelf; returns them."""
        shelf = max([*self._own.values(), self._common], key=lambda one: one.policy.size_bytes)
        return self._shrink(shelf, max(0, shelf.size_bytes - size))

    def pin(self, groups: Iterable[str]) -> list[Entry]:
        """Pin these groups and no others; returns what has to go because it was let go."""
        before, self._pinned = self._pinned, frozenset(groups)
        changed = before ^ self._pinned
        if changed:
            for entry in self._entries.values():
                if group_of(entry.key) in changed:
                    self._lift(entry)
                    self._place(entry, proven=True)
        shelves = [*self._own.values(), self._common]
        return [gone for shelf in shelves for gone in self._shrink(shelf, shelf.budget_bytes)]

    @property
    def size_bytes(self) -> int:
        """Bytes of all bodies."""
        return sum(shelf.size_bytes for shelf in (*self._own.values(), self._common))

    @property
    def pinned_bytes(self) -> int:
        """Bytes of those that stay."""
        return sum(shelf.pinned_bytes for shelf in (*self._own.values(), self._common))

    def _shelf(self, entry: Entry) -> _Shelf:
        return self._own.get(entry.library, self._common)

    def _place(self, entry: Entry, *, proven: bool) -> None:
        shelf = self._shelf(entry)
        room = shelf.budget_bytes * _PINNED_SHARE - shelf.pinned_bytes
        entry.pinned = group_of(entry.key) in self._pinned and entry.size <= room
        if entry.pinned:
            shelf.pinned_bytes += entry.size
        else:
            shelf.policy.admit(entry, proven=proven)

    def _lift(self, entry: Entry) -> None:
        if entry.pinned:
            self._shelf(entry).pinned_bytes -= entry.size
            entry.pinned = False
        else:
            self._shelf(entry).policy.remove(entry)

    def _shrink(self, shelf: _Shelf, size_bytes: int) -> list[Entry]:
        gone = []
        while shelf.size_bytes > size_bytes and (victim := shelf.policy.victim()):
            gone.append(self._entries.pop(victim.key))
            self.evicted += 1
        return gone
