"""Which titles there are, each prepared once, and anew when its files change."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manifests.urls import title_url
from origin.errors import NotFoundError, OriginError, ProductionError
from origin.service import stills, subtitles
from origin.service.discovery import Candidate, Discovery
from origin.service.prepare import Preparer
from origin.service.titles import (
    FailedTitle,
    FileTitle,
    HlsTitle,
    Title,
    incomplete_summary,
    summary,
)
from origin.service.warmth import Warmth
from origin.singleflight import SingleFlight
from origin.sources import DirectoryLibrary

_FRESH_SECONDS = 2.0
"""How long a look at the files counts as current."""
_RETRY_SECONDS = 15.0
"""How long a failure stands before the title is tried again."""
_LISTING_PATIENCE_SECONDS = 0.2
"""How long /api/titles waits before it lists titles as being prepared."""
_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Entry:
    title: Title | FailedTitle
    paths: tuple[str, ...]
    signature: str
    prepared_at: float
    looked_at: float

    def is_due(self, now: float) -> bool:
        """Failures are tried again: what was missing may have come, and workers recover."""
        return isinstance(self.title, FailedTitle) and now - self.prepared_at > _RETRY_SECONDS


class Catalogue:
    """The titles of all libraries. One event loop owns it."""

    def __init__(
        self, libraries: Sequence[DirectoryLibrary], preparer: Preparer, warmth: Warmth
    ) -> None:
        self._libraries = {library.name: library for library in libraries}
        self._discoveries = [Discovery(library) for library in libraries]
        self._preparer = preparer
        self._warmth = warmth
        self._candidates: dict[str, Candidate] = {}
        self._discovered_at = -math.inf
        self._discovering = asyncio.Lock()
        self._entries: dict[str, _Entry] = {}
        self._flights: SingleFlight[Title | FailedTitle] = SingleFlight()

    def replace_libraries(self, libraries: Sequence[DirectoryLibrary]) -> None:
        """Look for titles in these from now on; what is known of unchanged ones stays."""
        new = {library.name: library for library in libraries}
        for name, library in self._libraries.items():
            if name not in new or new[name].root != library.root:
                self._forget(name)
        self._libraries = new
        self._discoveries = [Discovery(library) for library in libraries]
        self._discovered_at = -math.inf

    def _forget(self, name: str) -> None:
        for known in (self._candidates, self._entries):
            for title_path in [path for path in known if path.startswith(f"{name}/")]:
                del known[title_path]

    def library(self, name: str) -> DirectoryLibrary:
        """The library of that name.

        Raises:
            NotFoundError: There is none.
        """
        library = self._libraries.get(name)
        if library is None:
            raise NotFoundError(f"there is no library {name!r}", source=name)
        return library

    async def candidate(self, title_path: str) -> Candidate | None:
        """The title of that path, prepared or not; None if there is none."""
        found = self._candidates.get(title_path)
        if found is None:
            found = (await self._discover()).get(title_path)
        return found

    async def title(self, title_path: str) -> Title:
        """The prepared title.

        Raises:
            NotFoundError: There is no such title.
            OriginError: It cannot be upscaled; the message says why.
        """
        candidate = await self.candidate(title_path)
        if candidate is None:
            raise NotFoundError(f"there is no title {title_path}", source=title_path)
        prepared = await self._prepared(candidate)
        if isinstance(prepared, FailedTitle):
            raise prepared.error
        return prepared

    def at_hand(self, title_path: str) -> Title | None:
        """The prepared title, if its files were looked at a moment ago."""
        entry = self._entries.get(title_path)
        if entry is None or isinstance(entry.title, FailedTitle):
            return None
        now = asyncio.get_running_loop().time()
        return entry.title if now - entry.looked_at < _FRESH_SECONDS else None

    async def title_or_none(self, candidate: Candidate) -> Title | None:
        """The prepared title, None if it cannot be upscaled."""
        prepared = await self._prepared(candidate)
        return None if isinstance(prepared, FailedTitle) else prepared

    async def titles_where(self, is_meant: Callable[[str], bool]) -> list[Title]:
        """Those whose title path is meant, prepared; those that cannot be upscaled are left out."""
        candidates = [c for path, c in (await self._discover()).items() if is_meant(path)]
        found = [await self.title_or_none(candidate) for candidate in candidates]
        return [title for title in found if title is not None]

    async def prepare_all(self) -> None:
        """Prepare every title, one after the other; those that fail stay listed with the reason."""
        for candidate in list((await self._discover()).values()):
            await self._prepared(candidate)

    async def summaries(self) -> list[Mapping[str, Any]]:
        """Rows of /api/titles; waits a moment for titles that are being prepared."""
        candidates = await self._discover()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LISTING_PATIENCE_SECONDS):
                for candidate in candidates.values():
                    await self._prepared(candidate)
        return [self._row(title_path) for title_path in candidates]

    async def close(self) -> None:
        """Stop preparing."""
        await self._flights.close()
        await self._preparer.close()

    def _row(self, title_path: str) -> Mapping[str, Any]:
        url = title_url(title_path)
        entry = self._entries.get(title_path)
        if entry is None:
            return incomplete_summary(url, title_path, status="preparing", error=None)
        if isinstance(entry.title, FailedTitle):
            reason = entry.title.error.detail
            return incomplete_summary(url, title_path, status="failed", error=reason)
        return summary(
            url,
            entry.title,
            self._warmth.is_warmed,
            stills.urls(entry.title),
            subtitles.listing(entry.title),
        )

    async def _discover(self) -> Mapping[str, Candidate]:
        async with self._discovering:
            now = asyncio.get_running_loop().time()
            if now - self._discovered_at >= _FRESH_SECONDS:
                found: dict[str, Candidate] = {}
                for discovery in self._discoveries:
                    for candidate in await asyncio.to_thread(discovery.candidates):
                        found[candidate.title_path] = candidate
                self._candidates = found
                for gone in self._entries.keys() - found.keys():
                    del self._entries[gone]
                self._discovered_at = asyncio.get_running_loop().time()
            return self._candidates

    async def _prepared(self, candidate: Candidate) -> Title | FailedTitle:
        path = candidate.title_path
        now = asyncio.get_running_loop().time()
        entry = self._entries.get(path)
        if entry is not None and now - entry.looked_at < _FRESH_SECONDS:
            return entry.title
        prepared, _ = await self._flights.do(path, lambda: self._look(candidate))
        return prepared

    async def _look(self, candidate: Candidate) -> Title | FailedTitle:
        path = candidate.title_path
        entry = self._entries.get(path)
        now = asyncio.get_running_loop().time()
        paths = entry.paths if entry else (candidate.path,)
        signature = await asyncio.to_thread(candidate.library.signature, paths)
        if entry and entry.signature == signature and not entry.is_due(now):
            entry.looked_at = now
            return entry.title
        title = await self._prepare(candidate)
        if isinstance(title, HlsTitle | FileTitle):
            paths, signature = title.snapshot.paths, title.snapshot.signature
        now = asyncio.get_running_loop().time()
        self._entries[path] = _Entry(
            title=title, paths=paths, signature=signature, prepared_at=now, looked_at=now
        )
        return title

    async def _prepare(self, candidate: Candidate) -> Title | FailedTitle:
        try:
            return await self._preparer.prepare(candidate)
        except OriginError as error:
            _log.warning("%s cannot be upscaled: %s", candidate.title_path, error.detail)
            return FailedTitle(title_path=candidate.title_path, error=error)
        except Exception as error:
            _log.exception("%s cannot be prepared", candidate.title_path)
            reason = ProductionError(f"{candidate.path}: {error!r}", source=candidate.path)
            return FailedTitle(title_path=candidate.title_path, error=reason)
