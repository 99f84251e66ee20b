"""Which files of a library are titles. Blocking; called from threads."""

import contextlib
from dataclasses import dataclass
from enum import StrEnum

from manifests.errors import ManifestError
from manifests.parse import parse
from manifests.types import MediaPlaylist
from origin.errors import OriginError, UnsupportedSourceError
from origin.sources import DirectoryLibrary, FileKind, relative_uri


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


def discover(library: DirectoryLibrary) -> list[Candidate]:
    """Return the titles of a library.

    A multivariant playlist is a title; so are a media playlist and a media file that no playlist
    refers to. A playlist that cannot be read is listed too: preparing it will say why.
    """
    listings = list(library.listings())
    playlists = [listing.path for listing in listings if listing.kind is FileKind.PLAYLIST]
    referenced: set[str] = set()
    for path in playlists:
        referenced.update(_references(library, path))
    kinds = {FileKind.PLAYLIST: TitleKind.HLS, FileKind.MEDIA: TitleKind.FILE}
    return [
        Candidate(library=library, path=listing.path, kind=kinds[listing.kind])
        for listing in listings
        if listing.path not in referenced
    ]


def _references(library: DirectoryLibrary, path: str) -> set[str]:
    try:
        playlist = parse(library.read_text(path), name=path)
    except (ManifestError, OriginError):
        return set()
    targets = set()
    for uri in playlist.uris:
        with contextlib.suppress(UnsupportedSourceError):
            targets.add(relative_uri(path, uri))
    targets.discard(path)
    if isinstance(playlist, MediaPlaylist) and playlist.i_frames_only:
        targets.add(path)
    return targets
