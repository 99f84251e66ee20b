"""Where titles come from: directories.

Everything here blocks on the file system and is called from threads. Paths inside a library are
POSIX strings relative to its root, never starting with `/`.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from manifests.urls import is_media_file, is_playlist
from origin.errors import BrokenSourceError, NotFoundError, UnsupportedSourceError

SERVED_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m3u": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".m2ts": "video/mp2t",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".m4s": "video/iso.segment",
    ".cmfv": "video/mp4",
    ".cmfa": "audio/mp4",
    ".cmft": "application/mp4",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".mp3": "audio/mpeg",
    ".ac3": "audio/ac3",
    ".ec3": "audio/eac3",
    ".vtt": "text/vtt",
    ".webvtt": "text/vtt",
    ".jpg": "image/jpeg",
    ".png": "image/png",
}
"""Suffixes of library files that are served as they are, and their media types."""

_MAX_PLAYLIST_BYTES = 8 << 20
_READ_BYTES = 1 << 20


class FileKind(StrEnum):
    """What a library file can be to us."""

    PLAYLIST = "playlist"
    MEDIA = "media"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One file of a library that may be a title."""

    path: str
    kind: FileKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The files that a title is made of, as they were once."""

    library: "DirectoryLibrary"
    paths: tuple[str, ...]
    signature: str
    identity: str

    def is_current(self) -> bool:
        """Whether the files still have that content. Blocks; reads them only if touched since."""
        unchanged = self.library.signature(self.paths) == self.signature
        return unchanged or self.library.identity(self.paths) == self.identity


class DirectoryLibrary:
    """A directory of HLS titles and media files. Immutable; threads may share it."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root.resolve()

    def listings(self) -> Iterator[Listing]:
        """Yield every playlist and media file below the root, sorted, hidden files left out."""
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                kind = _kind_of(name)
                if kind is None or name.startswith("."):
                    continue
                path = (Path(folder) / name).relative_to(self.root).as_posix()
                yield Listing(path=path, kind=kind)

    def resolve(self, path: str) -> Path:
        """Return the regular file that `path` names.

        Raises:
            NotFoundError: There is none.
            UnsupportedSourceError: It lies outside the library, by `..` or by a symbolic link.
        """
        parts = PurePosixPath(path).parts
        if not parts or "\x00" in path or "\\" in path or parts[0] == "/":
            raise NotFoundError(f"{path!r} names no file of this library", source=path)
        if ".." in parts:
            raise UnsupportedSourceError(f"{path} leads out of the library; refused", source=path)
        try:
            real = self.root.joinpath(*parts).resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise NotFoundError(f"{self.name} has no file {path}", source=path) from error
        if not real.is_relative_to(self.root):
            raise UnsupportedSourceError(
                f"{path} is a link that leads out of the library; refused", source=path
            )
        if not real.is_file():
            raise NotFoundError(f"{self.name} has no file {path}", source=path)
        return real

    def read_text(self, path: str) -> str:
        """Return a playlist's text.

        Raises:
            BrokenSourceError: It cannot be read, is no UTF-8 or is larger than any playlist.
        """
        real = self.resolve(path)
        try:
            with real.open("rb") as file:
                data = file.read(_MAX_PLAYLIST_BYTES + 1)
            text = data.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise BrokenSourceError(f"{path} cannot be read: {error}", source=path) from error
        if len(data) > _MAX_PLAYLIST_BYTES:
            raise UnsupportedSourceError(
                f"{path} is larger than {_MAX_PLAYLIST_BYTES >> 20} MiB, no playlist is",
                source=path,
            )
        return text

    def snapshot(
        self, paths: Iterable[str], known: Callable[[str], str | None] = lambda _: None
    ) -> Snapshot:
        """The files as they are now; the signature is taken first, so that it never flatters.

        Args:
            paths: Within the library.
            known: The identity of an earlier snapshot with that signature, which is not read again.
        """
        names = tuple(paths)
        signature = self.signature(names)
        return Snapshot(
            library=self,
            paths=names,
            signature=signature,
            identity=known(signature) or self.identity(names),
        )

    def signature(self, paths: Iterable[str]) -> str:
        """Digest of size and times of files: cheap, and only good for 'nothing has changed'.

        The change time counts, which nobody can set back.
        """
        digest = hashlib.sha256()
        for path in paths:
            try:
                info = self.root.joinpath(path).stat()
                row = f"{path}\0{info.st_dev}\0{info.st_size}\0{info.st_ctime_ns}\0{info.st_ino}\n"
            except OSError:
                row = f"{path}\0missing\n"
            digest.update(row.encode())
        return digest.hexdigest()

    def identity(self, paths: Iterable[str]) -> str:
        """Digest of the content of files, every byte of them.

        Names and times do not count, so a copy of a library elsewhere has the same identity
        (law 3). Samples would not do: a repair changes a few bytes and no size.
        """
        digest = hashlib.sha256()
        for path in paths:
            _digest_file(digest, self.root.joinpath(path))
        return digest.hexdigest()


def relative_uri(base: str, uri: str) -> str:
    """Resolve a playlist's URI to a path inside the library.

    Args:
        base: Path of the playlist within the library.
        uri: As the playlist has it.

    Raises:
        UnsupportedSourceError: It names another host, another scheme or a place outside.
    """
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise _refused(base, uri, "is not a URI") from error
    if parts.scheme or parts.netloc:
        raise _refused(base, uri, "does not lie in this library")
    path = unquote(parts.path)
    if not path or path.startswith("/") or "\\" in path or "\x00" in path:
        raise _refused(base, uri, "is not a path relative to the playlist")
    joined: list[str] = list(PurePosixPath(base).parent.parts)
    for part in path.split("/"):
        if part == "..":
            if not joined:
                raise _refused(base, uri, "leads out of the library")
            joined.pop()
        elif part not in ("", "."):
            joined.append(part)
    return "/".join(joined)


def _refused(base: str, uri: str, why: str) -> UnsupportedSourceError:
    return UnsupportedSourceError(f"{base} refers to {uri!r}, which {why}; refused", source=base)


def _kind_of(name: str) -> FileKind | None:
    if is_playlist(name):
        return FileKind.PLAYLIST
    return FileKind.MEDIA if is_media_file(name) else None


def _digest_file(digest: "hashlib._Hash", path: Path) -> None:
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise BrokenSourceError(f"{path.name} is no regular file", source=path.name)
            digest.update(f"{info.st_size}\n".encode())
            while part := file.read(_READ_BYTES):
                digest.update(part)
    except OSError:
        digest.update(b"missing\n")


def _open_at_once(path: str, flags: int) -> int:
    """A pipe would let us wait for its writer."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
