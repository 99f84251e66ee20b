"""The face of the service: a path in, an answer out."""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from manifests.ladder import RenditionSpec
from manifests.urls import (
    THUMBNAILS,
    Route,
    decode_path,
    is_playlist,
    lone_playlist_path,
    match,
)
from origin.cache import Cache, Pins, StateStore
from origin.config import Config
from origin.errors import NotFoundError
from origin.overload import Overload
from origin.scheduler import Klass
from origin.service import hls, jobs, playlists, stills, subtitles
from origin.service.answers import (
    Answer,
    CacheResult,
    FileAnswer,
    PlaylistAnswer,
    ProducedAnswer,
)
from origin.service.capability import Capability
from origin.service.catalogue import Catalogue
from origin.service.items import item_of
from origin.service.playing import Playing, Viewer, next_index
from origin.service.prepare import Preparer
from origin.service.production import Call, Production
from origin.service.streams import Streams
from origin.service.titles import FileTitle, Offer, Title, find_offer
from origin.service.warmth import Warmth
from origin.sources import SERVED_TYPES, DirectoryLibrary
from origin.telemetry import Metrics
from origin.viewers import Patience, Viewers
from origin.worker.lanes import Lane
from origin.worker.pool import WorkerPool

_INIT_TYPE = "video/mp4"
_NOBODY = Viewer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How something produced is asked for."""

    raw_path: str
    klass: Klass
    viewer: Viewer
    by_reference: bool


_LOOK_SECONDS = 0.5
_READ_AGAIN_SECONDS = 10.0
"""What it costs, roughly, to read a film again for its subtitles, which a cache thus keeps."""


class Service:
    """Answers paths. An async context: entering starts to prepare titles, leaving stops."""

    def __init__(
        self,
        *,
        config: Config,
        device: str,
        specs: Sequence[RenditionSpec],
        ladder: Mapping[str, str],
        cache: Cache,
        state: StateStore,
        pins: Pins,
        pool: WorkerPool,
        metrics: Metrics,
    ) -> None:
        self._pool = pool
        self._warm_first = config.warm_first_segments
        self._production = Production(
            cache=cache,
            pool=pool,
            metrics=metrics,
            patience_seconds=config.player_patience_seconds,
        )
        patience = Patience(
            startup_seconds=config.startup_patience_seconds,
            most_seconds=config.player_patience_seconds,
        )
        self._playing = Playing(
            production=self._production,
            pool=pool,
            viewers=Viewers(patience),
            most_ahead=config.lookahead_segments,
        )
        capability = Capability(pool=pool, state=state, device=device, threads=config.threads)
        preparer = Preparer(
            specs=specs,
            pool=pool,
            state=state,
            capability=capability,
            device=device,
            keep=partial(cache.aput, cost_seconds=_READ_AGAIN_SECONDS),
        )
        self._warmth = Warmth(cache.contains, pins.note)
        self._catalogue = Catalogue(_opened(config.libraries), preparer, self._warmth)
        self._streams = Streams(device=device, threads=config.threads, ladder=ladder)
        self._preparing: asyncio.Task[None] | None = None
        self._draining = False
        self._overload = Overload(
            limit_seconds=config.player_patience_seconds / 2, hold_seconds=config.overload_seconds
        )
        self._watching: asyncio.Task[None] | None = None
        metrics.watch("not_ready", "1 while /readyz says no", "reason", self._hindrances)

    async def __aenter__(self) -> "Service":
        """Begin to prepare every title."""
        self._preparing = asyncio.create_task(self._catalogue.prepare_all())
        if self._overload.hold_seconds:
            self._watching = asyncio.create_task(self._watch_load())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop what is under way."""
        for task in (self._preparing, self._watching):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        self._playing.close()
        await self._production.close()
        await self._catalogue.close()

    def replace_libraries(self, libraries: Mapping[str, Path]) -> None:
        """Serve these from now on."""
        self._catalogue.replace_libraries(_opened(libraries))

    def drain(self) -> None:
        """Report not ready from now on; what is asked is still answered."""
        self._draining = True

    def not_ready_reason(self) -> str | None:
        """Why no new requests should come here; None if they may."""
        if self._draining:
            return "the origin is draining"
        if self._overload.is_on:
            return "overloaded: players wait for workers for too long"
        return self._pool.unready_reason()

    async def titles(self) -> list[Mapping[str, Any]]:
        """Rows of /api/titles."""
        return await self._catalogue.summaries()

    async def find_titles(self, is_meant: Callable[[str], bool]) -> list[Title]:
        """Titles by their title paths; those that cannot be upscaled are left out."""
        return await self._catalogue.titles_where(is_meant)

    async def answer(
        self,
        raw_path: str,
        klass: Klass = Klass.BLOCKING,
        *,
        viewer: Viewer = _NOBODY,
        by_reference: bool = False,
    ) -> Answer:
        """What a path stands for.

        Args:
            raw_path: Percent-encoded, without query.
            klass: How urgent it is, if it has to be made.
            viewer: Who asks.
            by_reference: Where a segment lies on the disk is all that is asked for; an error if it
                does not.

        Raises:
            OriginError: There is no such thing, or it cannot be made.
        """
        route = match(raw_path)
        if route is not None and await self._catalogue.candidate(route.title_path) is not None:
            asking = Asking(
                raw_path=raw_path, klass=klass, viewer=viewer, by_reference=by_reference
            )
            return await self._produced(route, asking)
        path = decode_path(raw_path)
        name, _, inside = (path or "").partition("/")
        if not inside:
            raise NotFoundError(f"nothing is served at {raw_path}")
        return await self._library_path(name, inside)

    def at_hand(self, raw_path: str, viewer: Viewer) -> ProducedAnswer | None:
        """What `answer` says to a player, if nobody has to wait for it: a segment in memory."""
        route = match(raw_path)
        if route is None or route.index is None:
            return None
        title = self._catalogue.at_hand(route.title_path)
        stream = self._streams.at_hand(title, route) if title is not None else None
        if stream is None:
            return None
        following = next_index(route, raw_path, viewer.cmcd)
        return self._playing.at_hand(stream, route.index, viewer, next_index=following)

    async def _produced(self, route: Route, asking: Asking) -> Answer:
        klass = asking.klass
        if asking.by_reference and (route.kind != "segment" or subtitles.is_ours(route)):
            raise NotFoundError("nothing but segments is referred to")
        title = await self._catalogue.title(route.title_path)
        if route.kind == "multivariant":
            return PlaylistAnswer(text=playlists.multivariant(self._warmth.listed(title)))
        if route.kind == "still":
            return await self._still(title, route, klass)
        if subtitles.is_ours(route):
            return await self._subtitles(title, route, klass)
        assert route.track_id is not None
        digest = jobs.track_digest(title, route.track_id)
        if route.kind == "playlist":
            if find_offer(title, route.track_id) is not None:
                self._playing.warm(self._streams.get(title, route.track_id), self._warm_first)
            return PlaylistAnswer(text=playlists.media(title, route.track_id, digest))
        _check_digest(route, digest)
        if route.kind == "init":
            return await self._init(title, route.track_id, digest)
        return await self._segment(title, route, asking)

    async def _still(self, title: Title, route: Route, klass: Klass) -> ProducedAnswer:
        digest = stills.digest(title)
        _check_digest(route, digest)
        name = route.name or ""
        if name == THUMBNAILS:
            return _known(stills.thumbnails(title).encode(), "text/vtt; charset=utf-8")
        item = item_of(
            title,
            digest=digest,
            name=name,
            content_type="image/jpeg",
            job=lambda: stills.job(title, name),
        )
        return await self._production.get(item, Call(klass=max(klass, Klass.LOOKAHEAD)))

    async def _subtitles(self, title: Title, route: Route, klass: Klass) -> Answer:
        digest = subtitles.digest(title, route.track_id or "")
        if route.kind == "playlist" and isinstance(title, FileTitle):
            return PlaylistAnswer(text=playlists.subtitles_media(title, digest))
        _check_digest(route, digest)
        answer = await self._production.get(subtitles.item(title, route), Call(klass=klass))
        return subtitles.part(answer, route)

    async def _init(self, title: Title, track_id: str, digest: str) -> ProducedAnswer:
        offer = find_offer(title, track_id)
        if offer is not None:
            return _known_init(offer)
        if not isinstance(title, FileTitle):
            raise NotFoundError(f"{title.title_path} has no variant {track_id}")
        item = item_of(
            title,
            digest=digest,
            name="init",
            content_type=_INIT_TYPE,
            job=lambda: jobs.init_job(title, track_id),
        )
        return await self._production.get(item)

    async def _segment(self, title: Title, route: Route, asking: Asking) -> ProducedAnswer:
        assert route.track_id is not None
        assert route.index is not None
        if route.extension != jobs.extension(title, route.track_id):
            raise NotFoundError(f"the segments of {route.track_id} do not end in {route.extension}")
        stream = self._streams.get(title, route.track_id)
        if asking.klass is not Klass.BLOCKING:
            call = Call(klass=asking.klass, by_reference=asking.by_reference)
            return await self._production.get(stream.item(route.index), call)
        return await self._playing.get(
            stream,
            route.index,
            asking.viewer,
            next_index=next_index(route, asking.raw_path, asking.viewer.cmcd),
            by_reference=asking.by_reference,
        )

    async def _watch_load(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._overload.note(self._pool.wait_seconds(Lane.UPSCALE), loop.time())
            await asyncio.sleep(_LOOK_SECONDS)

    def _hindrances(self) -> Mapping[str, float]:
        return {
            "drain": self._draining,
            "overload": self._overload.is_on,
            "workers": self._pool.unready_reason() is not None,
        }

    async def _library_path(self, name: str, path: str) -> Answer:
        library = self._catalogue.library(name)
        if is_playlist(path):
            return await self._playlist(library, path)
        suffix = PurePosixPath(path).suffix.lower()
        if suffix not in SERVED_TYPES:
            raise NotFoundError(f"{name}/{path} is nothing that is served", source=path)
        real = await asyncio.to_thread(library.resolve, path)
        return FileAnswer(path=real, content_type=SERVED_TYPES[suffix])

    async def _playlist(self, library: DirectoryLibrary, path: str) -> PlaylistAnswer:
        """A playlist of the library: verbatim, unless it is a title of its own.

        A title that cannot be upscaled is passed through: its source variants still play.
        """
        lone = lone_playlist_path(path)
        if lone is not None and await self._catalogue.candidate(f"{library.name}/{lone}"):
            path = lone
            candidate = None
        else:
            candidate = await self._catalogue.candidate(f"{library.name}/{path}")
        playlist = await asyncio.to_thread(hls.read_playlist, library, path)
        title = await self._catalogue.title_or_none(candidate) if candidate else None
        if title is None:
            return PlaylistAnswer(text=playlist.text)
        return PlaylistAnswer(text=playlists.multivariant(self._warmth.listed(title)))


def _opened(libraries: Mapping[str, Path]) -> list[DirectoryLibrary]:
    return [DirectoryLibrary(name, path) for name, path in libraries.items()]


def _known_init(offer: Offer) -> ProducedAnswer:
    body = offer.prepared.init
    if body is None:
        raise NotFoundError(f"{offer.plan.rendition_id} has no init segment")
    return _known(body, _INIT_TYPE)


def _known(body: bytes, content_type: str) -> ProducedAnswer:
    """A body that takes no work."""
    return ProducedAnswer(
        body=body,
        etag=hashlib.sha256(body).hexdigest(),
        content_type=content_type,
        cache_result=CacheResult.HIT,
    )


def _check_digest(route: Route, digest: str) -> None:
    if route.digest != digest:
        raise NotFoundError(
            f"{route.title_path} has changed: fetch its playlists again", source=route.digest
        )
