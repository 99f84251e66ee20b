"""Which files of a library are titles. Blocking; called from threads."""

import contextlib
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from manifests.errors import ManifestError
from manifests.parse import parse
from manifests.urls import is_addressable
from origin.errors import OriginError, UnsupportedSourceError
from origin.sources import DirectoryLibrary, FileKind, relative_uri

_URI = re.compile(r'^([^#\s](?:.*\S)?)|URI="([^"]+)"', re.MULTILINE)
_log = logging.getLogger(__name__)


class TitleKind(StrEnum):
    """How a title is stored."""

    HLS = "hls"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file of a library that is a title."""

    library: DirectoryLibrary
    path: str
    kind: TitleKind

    @property
    def title_path(self) -> str:
        """The library's name and the path within it."""
        return f"{self.library.name}/{self.path}"


class Discovery:
    """Finds the titles of a library. Remembers what playlists refer to; one thread at a time."""

    def __init__(self, library: DirectoryLibrary) -> None:
        self._library = library
        self._seen: dict[str, tuple[str, frozenset[str]]] = {}
        self._warned: set[str] = set()

    def candidates(self) -> list[Candidate]:
        """The titles that there are now.

        A multivariant playlist is a title; so are a media playlist and a media file that no
        playlist refers to. A playlist that cannot be read is listed too: preparing it says why.
        """
        listings = [row for row in self._library.listings() if self._has_url(row.path)]
        paths = [listing.path for listing in listings if listing.kind is FileKind.PLAYLIST]
        self._seen = {path: self._look(path) for path in paths}
        referenced = frozenset[str]().union(*(targets for _, targets in self._seen.values()))
        kinds = {FileKind.PLAYLIST: TitleKind.HLS, FileKind.MEDIA: TitleKind.FILE}
        return [
            Candidate(library=self._library, path=listing.path, kind=kinds[listing.kind])
            for listing in listings
            if listing.path not in referenced
        ]

    def _look(self, path: str) -> tuple[str, frozenset[str]]:
        signature = self._library.signature((path,))
        seen = self._seen.get(path)
        return seen if seen and seen[0] == signature else (signature, self._references(path))

    def _references(self, path: str) -> frozenset[str]:
        try:
            text = self._library.read_text(path)
        except OriginError:
            return frozenset()
        targets = set()
        for uri in _uris(text, path):
            with contextlib.suppress(UnsupportedSourceError):
                targets.add(relative_uri(path, uri))
        is_title = "#EXT-X-I-FRAMES-ONLY" not in text
        return frozenset(targets - {path} if is_title else targets | {path})

    def _has_url(self, path: str) -> bool:
        if is_addressable(path):
            return True
        if path not in self._warned:
            self._warned.add(path)
            _log.warning("%s: %a is left out, no URL can name it", self._library.name, path)
        return False


def _uris(text: str, path: str) -> Iterable[str]:
    """Those of a playlist; of one that breaks the rules, those that can be made out all the same.

    Else each segment of a broken title would count as a title.
    """
    try:
        return parse(text, name=path).uris
    except ManifestError:
        return [found[1] or found[2] for found in _URI.finditer(text)]
