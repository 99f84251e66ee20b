"""Turns a candidate into a title: inspects its packets, decides what to offer, and remembers it."""

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from manifests.errors import ManifestError
from manifests.ladder import PIPELINE_VERSION, RenditionPlan, RenditionSpec
from manifests.timeline import extinf_deviation
from origin.cache import StateStore
from origin.errors import BrokenSourceError, UnsupportedSourceError
from origin.media.types import (
    FileFacts,
    HlsFacts,
    InspectFile,
    InspectHls,
    PrepareRendition,
    SegmentSource,
    SubtitleTexts,
    VideoFacts,
)
from origin.service import hls, jobs, plans, subtitles
from origin.service.capability import Capability, model_digests
from origin.service.discovery import Candidate, TitleKind
from origin.service.titles import FileSource, FileTitle, HlsSource, HlsTitle, Offer, Title
from origin.singleflight import SingleFlight
from origin.sources import Snapshot
from origin.worker.pool import WorkerPool

Facts = TypeVar("Facts", HlsFacts, FileFacts)
_T = TypeVar("_T")

_VERSIONS = (PIPELINE_VERSION, plans.ENCODER, "facts-2")
"""The last is raised whenever inspection finds more."""
_DEVIATION_SECONDS = 0.1
"""An EXTINF further than this from its segment's packets is reported on the title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Generic[Facts]):
    """What is kept on disk of a title: its inspection, and what its playlist offers."""

    facts: Facts
    offers: tuple[Offer, ...]


class Keep(Protocol):
    """Puts a body that is at hand anyway into the cache."""

    async def __call__(self, key: str, body: bytes, *, library: str) -> object:
        """Do it, on the library's account."""


class Preparer:
    """Prepares titles. One event loop owns it."""

    def __init__(
        self,
        *,
        specs: Sequence[RenditionSpec],
        pool: WorkerPool,
        state: StateStore,
        capability: Capability,
        device: str,
        keep: Keep | None = None,
    ) -> None:
        self._specs = tuple(specs)
        self._pool = pool
        self._state = state
        self._capability = capability
        self._device = device.partition(":")[0]
        self._keep = keep
        self._deciding: SingleFlight[Any] = SingleFlight()

    async def close(self) -> None:
        """Stop what is under way."""
        await self._deciding.close()

    async def prepare(self, candidate: Candidate) -> Title:
        """Read, inspect and decide; what was decided before is taken from disk.

        Raises:
            OriginError: The title cannot be upscaled; the message says why.
        """
        if candidate.kind is TitleKind.FILE:
            return await self._prepare_file(candidate)
        return await self._prepare_hls(candidate)

    async def _prepare_hls(self, candidate: Candidate) -> HlsTitle:
        library = candidate.library
        source, snapshot = await asyncio.to_thread(hls.load, library, candidate.path, self._known)

        async def decide(key: str) -> Decision[HlsFacts]:
            inspect = InspectHls(name=candidate.path, segments=source.bodies)
            facts = await self._pool.run(inspect, key=key)
            title = _hls_title(candidate, source, snapshot, facts, ())
            offers = await self._offers(plans.for_hls(title), title)
            return Decision(facts=facts, offers=offers)

        decision = await self._decided(snapshot, Decision[HlsFacts], decide)
        return _hls_title(candidate, source, snapshot, decision.facts, decision.offers)

    async def _prepare_file(self, candidate: Candidate) -> FileTitle:
        library = candidate.library
        real = await asyncio.to_thread(library.resolve, candidate.path)
        source = FileSource(library=library, path=candidate.path)
        snapshot = await asyncio.to_thread(library.snapshot, (candidate.path,), self._known)
        texts: tuple[SubtitleTexts, ...] = ()

        async def decide(key: str) -> Decision[FileFacts]:
            nonlocal texts
            inspect = InspectFile(name=candidate.path, path=str(real))
            found = await self._pool.run(inspect, key=key)
            facts, texts = replace(found, texts=()), found.texts
            title = _file_title(candidate, source, snapshot, facts, ())
            offers = await self._offers(plans.for_file(title), title)
            return Decision(facts=facts, offers=offers)

        decision = await self._decided(snapshot, Decision[FileFacts], decide)
        title = _file_title(candidate, source, snapshot, decision.facts, decision.offers)
        if texts and self._keep is not None:
            for body_key, body in subtitles.bodies(title, texts):
                await self._keep(body_key, body, library=library.name)
        return title

    async def _decided(
        self, snapshot: Snapshot, kind: type[_T], decide: Callable[[str], Awaitable[_T]]
    ) -> _T:
        """What was decided about this content before, else now: once, though it lie there twice."""
        key = self._key(snapshot.identity)

        async def work() -> _T:
            kept = await self._load(key, kind)
            if kept is not None:
                return kept
            decision = await decide(key)
            if not await asyncio.to_thread(snapshot.is_current):
                name = snapshot.paths[0]
                raise BrokenSourceError(f"{name} changed while it was inspected", source=name)
            await self._store(key, decision)
            return decision

        name = f"identity-{snapshot.signature}"
        await asyncio.to_thread(self._state.decide, name, snapshot.identity)
        decision: _T
        decision, _ = await self._deciding.do(key, work)
        return decision

    async def _offers(self, context: plans.Context, title: Title) -> tuple[Offer, ...]:
        specs = await self._resolved_specs(context.video, longest_frames(title))
        try:
            wanted = plans.plan_all(context, specs)
        except ManifestError as error:
            raise UnsupportedSourceError(str(error), source=title.title_path) from error
        first = _first_readable(title)
        patient = plans.when_warmed(context, specs)
        return tuple(
            [await self._offer(plan, first, plan.rendition_id in patient) for plan in wanted]
        )

    async def _offer(self, plan: RenditionPlan, first: SegmentSource, when_warmed: bool) -> Offer:
        job = PrepareRendition(plan=plan, source=first)
        digest = plan.digest()
        prepared = await self._pool.run(job, key=f"prepare-{digest}")
        return Offer(plan=plan, prepared=prepared, digest=digest, when_warmed=when_warmed)

    async def _resolved_specs(
        self, video: VideoFacts, longest_frames: int
    ) -> tuple[RenditionSpec, ...]:
        resolved: list[RenditionSpec] = []
        for spec in self._specs:
            if spec.is_auto:
                resolved.extend(await self._capability.choose(video, longest_frames))
            else:
                resolved.append(spec)
        return tuple(dict.fromkeys(resolved))

    def _known(self, signature: str) -> str | None:
        identity = self._state.get(f"identity-{signature}")
        return identity if isinstance(identity, str) else None

    def _key(self, identity: str) -> str:
        models = model_digests(self._specs)
        text = repr((identity, self._specs, models, self._device, *_VERSIONS))
        return "title-" + hashlib.sha256(text.encode()).hexdigest()

    async def _load(self, key: str, kind: type[_T]) -> _T | None:
        document = await asyncio.to_thread(self._state.get, key)
        if document is None:
            return None
        try:
            return msgspec.convert(document, kind, dec_hook=_decode)
        except msgspec.ValidationError:
            return None

    async def _store(self, key: str, value: object) -> None:
        document = msgspec.to_builtins(value, enc_hook=str)
        await asyncio.to_thread(self._state.put, key, document)


def _decode(kind: type[Any], value: Any) -> Any:
    return Fraction(value) if kind is Fraction else value


def longest_frames(title: Title) -> int:
    """Frames of the longest segment, which decides how long a cold one can take."""
    if isinstance(title, FileTitle):
        return max(span.packet_count for span in title.facts.spans)
    return max(facts.frames for facts in title.facts.segments)


def _first_readable(title: Title) -> SegmentSource:
    if isinstance(title, FileTitle):
        return jobs.file_body(title, 0)
    readable = (i for i, facts in enumerate(title.facts.segments) if facts.error is None)
    return jobs.hls_body(title, next(readable, 0))


def _hls_title(
    candidate: Candidate,
    source: HlsSource,
    snapshot: Snapshot,
    facts: HlsFacts,
    offers: tuple[Offer, ...],
) -> HlsTitle:
    return HlsTitle(
        title_path=candidate.title_path,
        source=source,
        snapshot=snapshot,
        facts=facts,
        offers=offers,
        warnings=tuple(_hls_warnings(source, facts)),
    )


def _file_title(
    candidate: Candidate,
    source: FileSource,
    snapshot: Snapshot,
    facts: FileFacts,
    offers: tuple[Offer, ...],
) -> FileTitle:
    warnings = (*([_INTERLACED] if facts.video.interlaced else []), *facts.warnings)
    return FileTitle(
        title_path=candidate.title_path,
        source=source,
        snapshot=snapshot,
        facts=facts,
        offers=offers,
        warnings=warnings,
    )


_INTERLACED = "the source is interlaced; its frames are upscaled as they are"


def _hls_warnings(source: HlsSource, facts: HlsFacts) -> list[str]:
    rows = zip(source.bodies, facts.segments, strict=True)
    warnings = [f"{body.name}: {row.error}" for body, row in rows if row.error is not None]
    if facts.video.interlaced:
        warnings.append(_INTERLACED)
    durations = [segment.duration for segment in source.media.segments]
    deviation = extinf_deviation(durations, facts.segments, facts.video.time_base)
    if deviation > _DEVIATION_SECONDS and math.isfinite(deviation):
        warnings.append(
            f"EXTINF deviates from the packets by up to {deviation:.3f} s; it is copied as it is"
        )
    return warnings
