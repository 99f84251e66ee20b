"""From a path's parts to the job that makes its body. Pure."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace

import sr
from manifests.ladder import IDENTITY, PIPELINE_VERSION
from manifests.urls import SOURCE_TRACK, Extension
from origin.errors import BrokenSourceError, NotFoundError
from origin.media.types import (
    AudioFacts,
    BodyJob,
    BuildInit,
    FileBody,
    HlsBody,
    PackageAudio,
    ProduceSegment,
    RemuxVideo,
    SegmentSource,
)
from origin.service.plans import ENCODER
from origin.service.titles import FileTitle, HlsTitle, Offer, Title, find_offer

MAX_PREROLL = 3
"""Segments that an open GOP may borrow from, at most."""


def track_digest(title: Title, track_id: str) -> str:
    """The digest in the paths of a track.

    Raises:
        NotFoundError: The title has no such track.
    """
    offer = find_offer(title, track_id)
    if offer is not None:
        return offer.digest
    if not isinstance(title, FileTitle) or (
        track_id != SOURCE_TRACK and _audio_index(title, track_id) is None
    ):
        raise NotFoundError(f"{title.title_path} has no variant {track_id}", source=track_id)
    text = f"{title.snapshot.identity}/{track_id}/{PIPELINE_VERSION}/{ENCODER}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def extension(title: Title, track_id: str) -> Extension:
    """How the names of a track's segments end."""
    offer = find_offer(title, track_id)
    return "ts" if offer is not None and offer.plan.container == "mpegts" else "m4s"


def audio_track(title: FileTitle, track_id: str) -> AudioFacts:
    """The audio stream that a track id such as `audio-1` stands for.

    Raises:
        NotFoundError: The file has no such stream.
    """
    index = _audio_index(title, track_id)
    if index is None:
        raise NotFoundError(f"{title.title_path} has no track {track_id}", source=track_id)
    return title.facts.audio[index]


def _audio_index(title: FileTitle, track_id: str) -> int | None:
    number = track_id.removeprefix("audio-")
    if number == track_id or not number.isdecimal():
        return None
    return int(number) if int(number) < len(title.facts.audio) else None


def segment_count(title: Title) -> int:
    """Number of video segments."""
    if isinstance(title, FileTitle):
        return len(title.facts.spans)
    return len(title.source.bodies)


def has_segment(title: Title, track_id: str, index: int) -> bool:
    """Whether a track that there is has a segment `index`."""
    if index >= segment_count(title):
        return False
    if not isinstance(title, FileTitle) or _audio_index(title, track_id) is None:
        return True
    spans = audio_track(title, track_id).spans
    return any(span.index == index and span.packet_count for span in spans)


def segment_job(title: Title, track_id: str, index: int, *, device: str, threads: int) -> BodyJob:
    """The job that makes segment `index` of a track.

    Raises:
        NotFoundError: There is no such track or segment.
        BrokenSourceError: Inspection found the source's segment unusable.
    """
    if index >= segment_count(title):
        count = segment_count(title)
        raise NotFoundError(f"{title.title_path} has {count} segments, none is {index}")
    offer = find_offer(title, track_id)
    if offer is not None:
        return _produce(title, offer, index, device=device, threads=threads)
    if not isinstance(title, FileTitle):
        raise NotFoundError(f"{title.title_path} has no variant {track_id}")
    if track_id == SOURCE_TRACK:
        return RemuxVideo(
            source=file_body(title, index),
            stream_index=title.facts.video.stream_index,
            sequence_number=index + 1,
        )
    return _package_audio(title, track_id, index)


def _package_audio(title: FileTitle, track_id: str, index: int) -> PackageAudio:
    if not has_segment(title, track_id, index):
        raise NotFoundError(f"{title.title_path} has no segment {index} of {track_id}")
    return PackageAudio(
        name=title.source.path,
        path=_file_path(title),
        container=title.facts.container,
        audio=audio_track(title, track_id),
        span_index=index,
        offset_seconds=title.facts.offset_seconds,
        sequence_number=index + 1,
    )


def durations(title: Title) -> tuple[float, ...]:
    """Seconds of each video segment."""
    if isinstance(title, HlsTitle):
        return tuple(float(segment.duration) for segment in title.source.media.segments)
    base = title.facts.video.time_base
    return tuple(float((span.end_pts - span.first_pts) * base) for span in title.facts.spans)


def can_be_made(title: Title, index: int) -> bool:
    """Whether the source's segment was found to be whole."""
    return isinstance(title, FileTitle) or title.facts.segments[index].error is None


def lighter_jobs(job: object, ladder: Mapping[str, str]) -> tuple[ProduceSegment, ...]:
    """The same segment by lighter models, the heaviest first.

    Only the model differs: sizes and encoder settings are the plan's, so that parameter sets are
    those of the init segment and timestamps those of the source.

    Args:
        job: Only segments of upscaled variants have any.
        ladder: Digest by name of the models to choose from.
    """
    if not isinstance(job, ProduceSegment) or job.plan.model == IDENTITY:
        return ()
    costs = {info.name: info.kmac_per_pixel for info in sr.list_models()}
    own = costs.get(job.plan.model, math.inf)
    lighter = sorted((name for name in ladder if costs[name] < own), key=costs.__getitem__)
    return tuple(
        replace(job, plan=replace(job.plan, model=name, model_digest=ladder[name]))
        for name in reversed(lighter)
    )


def init_job(title: FileTitle, track_id: str) -> BuildInit:
    """The job that makes the init segment of the source's own video or of an audio track."""
    audio = None if track_id == SOURCE_TRACK else audio_track(title, track_id)
    return BuildInit(
        name=title.source.path,
        path=_file_path(title),
        container=title.facts.container,
        stream_index=audio.stream_index if audio else title.facts.video.stream_index,
        copied=audio.copied if audio else True,
    )


def _produce(
    title: Title, offer: Offer, index: int, *, device: str, threads: int
) -> ProduceSegment:
    if isinstance(title, HlsTitle):
        source: HlsBody | FileBody = hls_body(title, index)
        seconds = float(title.source.media.segments[index].duration)
    else:
        source = file_body(title, index)
        span = title.facts.spans[index]
        seconds = float((span.end_pts - span.first_pts) * title.facts.video.time_base)
    return ProduceSegment(
        plan=offer.plan,
        source=source,
        prepared=offer.prepared,
        sequence_number=index + 1,
        duration_seconds=seconds,
        device=device,
        threads=threads,
    )


def file_body(title: FileTitle, index: int) -> FileBody:
    """Segment `index` of a media file, with the one before where decoding borrows from it."""
    span = title.facts.spans[index]
    return FileBody(
        name=title.source.path,
        container=title.facts.container,
        path=_file_path(title),
        span=span,
        previous=title.facts.spans[index - 1] if span.leading and index else None,
        offset_seconds=title.facts.offset_seconds,
    )


def hls_body(title: HlsTitle, index: int) -> HlsBody:
    """Segment `index` of an HLS title, with those before that its decoding borrows from.

    Raises:
        BrokenSourceError: Inspection found it unusable.
    """
    facts = title.facts.segments
    body = title.source.bodies[index]
    error = facts[index].error
    if error is not None:
        raise BrokenSourceError(error, source=body.name)
    first = index
    while facts[first].leading and index - first < MAX_PREROLL and _continues(title, first):
        first -= 1
        if facts[first].has_key:
            break
    before = [*_parameter_sets(title, first), *range(first, index)]
    preroll = tuple(title.source.bodies[earlier].body for earlier in before)
    return HlsBody(
        name=body.name,
        container=body.container,
        body=body.body,
        init=body.init,
        preroll=preroll,
    )


def still_source(title: Title, index: int) -> SegmentSource:
    """Segment `index` with no more of those before it than its own keyframes need."""
    if isinstance(title, FileTitle):
        return replace(file_body(title, index), previous=None)
    bodies = title.source.bodies
    preroll = tuple(bodies[earlier].body for earlier in _parameter_sets(title, index))
    return replace(bodies[index], preroll=preroll)


def _parameter_sets(title: HlsTitle, index: int) -> list[int]:
    """The segment to read first, where the one at `index` has no parameter sets of its own."""
    facts = title.facts.segments
    if facts[index].has_parameter_sets:
        return []
    able = (i for i in range(index - 1, -1, -1) if facts[i].has_parameter_sets)
    usable = [i for i in able if facts[i].error is None]
    return usable[:1]


def _continues(title: HlsTitle, index: int) -> bool:
    """Whether decoding can run on from the segment before `index`."""
    return (
        index > 0
        and not title.source.media.segments[index].discontinuity
        and title.source.bodies[index].init == title.source.bodies[index - 1].init
        and title.facts.segments[index - 1].error is None
    )


def _file_path(title: FileTitle) -> str:
    return str(title.source.library.root / title.source.path)
