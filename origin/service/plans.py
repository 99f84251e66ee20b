"""From an inspected title to the plans of the variants to offer. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import sr
from manifests.ladder import (
    IDENTITY,
    ContainerKind,
    RenditionPlan,
    RenditionSpec,
    nearest_even,
    offered,
    plan_rendition,
    rendition_id,
)
from origin.media.types import Container, VideoFacts
from origin.service.titles import FileTitle, HlsTitle

NOT_PLAYED_IN_HLS = frozenset({"mpeg2video", "vp9"})
"""Source codecs that players cannot take; a same-size H.264 variant stands in for them."""

ENCODER = f"av-{version('av')}"
"""The package that carries FFmpeg and x264, which the origin itself never imports."""

_B_FRAMES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the ladder needs to know of a title."""

    video: VideoFacts
    container: ContainerKind
    source_digest: str
    existing_heights: tuple[int, ...]
    audio_peak_bandwidth: int
    """Of the audio muxed in or played along; 0 where each audio group adds its own."""
    replaces_source: bool
    """Offer the source's own size as well."""


def for_hls(title: HlsTitle) -> Context:
    """The context of an HLS title."""
    source, video = title.source, title.facts.video
    playlist = source.multivariant
    variants = playlist.variants if playlist is not None else ()
    heights = [variant.resolution[1] for variant in variants if variant.resolution]
    muxed = sum(audio.peak_bandwidth for audio in title.facts.audio)
    is_ts = source.bodies[0].container is Container.MPEGTS
    return Context(
        video=video,
        container="mpegts" if is_ts else "fmp4",
        source_digest=title.snapshot.identity,
        existing_heights=tuple(heights),
        audio_peak_bandwidth=muxed + source.audio_bandwidth,
        replaces_source=video.codec in NOT_PLAYED_IN_HLS,
    )


def for_file(title: FileTitle) -> Context:
    """The context of a media file."""
    video = title.facts.video
    return Context(
        video=video,
        container="fmp4",
        source_digest=title.snapshot.identity,
        existing_heights=(),
        audio_peak_bandwidth=0,
        replaces_source=video.codec in NOT_PLAYED_IN_HLS,
    )


def plan_all(context: Context, specs: Sequence[RenditionSpec]) -> tuple[RenditionPlan, ...]:
    """Plan every variant worth offering, the source's own size first.

    Raises:
        ManifestError: The source cannot be upscaled: HDR, or too large for H.264.
    """
    return tuple(_plan(context, *target) for target in _targets(context, specs))


def when_warmed(context: Context, specs: Sequence[RenditionSpec]) -> frozenset[str]:
    """Ids of the variants that are to be listed only once they are warmed."""
    video = context.video
    wanted = offered(specs, video.width, video.height, context.existing_heights, sar=video.sar)
    chosen = ((t.spec.model, t.height) for t in wanted if t.spec.when_warmed)
    return frozenset(rendition_id(*target, sr.model_digest(target[0])) for target in chosen)


def _targets(context: Context, specs: Sequence[RenditionSpec]) -> Iterator[tuple[str, int, int]]:
    video = context.video
    if context.replaces_source:
        yield IDENTITY, nearest_even(video.width), nearest_even(video.height)
    wanted = offered(specs, video.width, video.height, context.existing_heights, sar=video.sar)
    for target in wanted:
        yield target.spec.model, target.width, target.height


def _plan(context: Context, model: str, width: int, height: int) -> RenditionPlan:
    video = context.video
    return plan_rendition(
        model=model,
        model_digest=sr.model_digest(model),
        source_digest=context.source_digest,
        container=context.container,
        width=width,
        height=height,
        source_height=video.height,
        sar=video.sar,
        frame_rate=video.frame_rate,
        time_base=video.time_base,
        source_color=video.color,
        b_frames=_B_FRAMES if video.reorders else 0,
        audio_peak_bandwidth=context.audio_peak_bandwidth,
        encoder=ENCODER,
    )
