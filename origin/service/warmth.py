"""Which variants are cached completely, and so which of those that wait for it are listed."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from origin.service.jobs import can_be_made, segment_count
from origin.service.production import cache_key
from origin.service.titles import Offer, Title


class NotePins(Protocol):
    """`origin.cache.Pins.note`."""

    def __call__(self, title: str, *, current: Iterable[str], warmed: Iterable[str]) -> None:
        """Keep the bodies of these variants."""


class Warmth:
    """Looks segments up in the cache. One event loop owns it.

    A variant counts as warmed from the moment that all of its segments are in the cache, and as
    long as the origin runs: what players were told stays true for them, and a segment that is
    evicted later is made again. When the origin starts, the cache decides anew. What is listed
    because it is warmed is pinned: it stays in the cache until the title changes.
    """

    def __init__(self, is_cached: Callable[[str], bool], pin: NotePins | None = None) -> None:
        self._is_cached = is_cached
        self._pin = pin
        self._warmed: set[str] = set()
        self._missing: dict[str, str] = {}
        """Digest → key of a segment that was not there; nothing else is looked up before it is."""

    def is_warmed(self, title: Title, offer: Offer) -> bool:
        """Whether every segment is, or once was, in the cache; those that nobody can make apart."""
        digest = offer.digest
        if digest in self._warmed:
            return True
        if digest in self._missing and not self._is_cached(self._missing[digest]):
            return False
        missing = next((key for key in _keys(title, offer) if not self._is_cached(key)), None)
        if missing is None:
            self._warmed.add(digest)
        else:
            self._missing[digest] = missing
        return missing is None

    def listed(self, title: Title) -> Title:
        """The title with those of its offers that a multivariant playlist lists."""
        offers = title.offers
        kept = [offer for offer in offers if not offer.when_warmed or self.is_warmed(title, offer)]
        if self._pin is not None:
            warmed = [offer.digest for offer in kept if offer.when_warmed]
            self._pin(title.title_path, current=[offer.digest for offer in offers], warmed=warmed)
        return title if len(kept) == len(offers) else replace(title, offers=tuple(kept))


def _keys(title: Title, offer: Offer) -> Iterator[str]:
    for index in range(segment_count(title)):
        if can_be_made(title, index):
            yield cache_key(offer.digest, str(index))
