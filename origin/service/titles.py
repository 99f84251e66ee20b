"""What the service knows of a title once it is prepared. Values only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from manifests.ladder import RenditionPlan
from manifests.types import MediaPlaylist, MultivariantPlaylist, Variant
from manifests.urls import Route, build
from origin.errors import OriginError
from origin.media.types import FileFacts, HlsBody, HlsFacts, Prepared, VideoFacts
from origin.sources import DirectoryLibrary, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One produced variant of a title: decided once, and kept."""

    plan: RenditionPlan
    prepared: Prepared
    digest: str
    """The plan's, part of every path."""
    when_warmed: bool = False
    """Listed only once every segment is cached (see `warmth`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsSource:
    """An HLS title as its playlists describe it."""

    library: DirectoryLibrary
    path: str
    """Of the playlist, within the library."""
    multivariant: MultivariantPlaylist | None
    """None for a lone media playlist."""
    variant: Variant | None
    """The one that is upscaled."""
    media: MediaPlaylist
    """That variant's media playlist."""
    bodies: tuple[HlsBody, ...]
    """One per segment of `media`."""
    audio_bandwidth: int
    """Peak of the audio renditions that are not in the segments, bits per second."""
    files: tuple[str, ...]
    """Every library file whose content the produced variants depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """A media file."""

    library: DirectoryLibrary
    path: str

    @property
    def files(self) -> tuple[str, ...]:
        """Every library file whose content the produced variants depend on."""
        return (self.path,)


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsTitle:
    """A prepared HLS title."""

    title_path: str
    source: HlsSource
    snapshot: Snapshot
    facts: HlsFacts
    offers: tuple[Offer, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTitle:
    """A prepared media file."""

    title_path: str
    source: FileSource
    snapshot: Snapshot
    facts: FileFacts
    offers: tuple[Offer, ...]
    warnings: tuple[str, ...] = ()


Title = HlsTitle | FileTitle


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTitle:
    """A title that stays listed with the reason why it cannot be upscaled."""

    title_path: str
    error: OriginError


def find_offer(title: Title, rendition_id: str) -> Offer | None:
    """The offer of that id, None if the title has none."""
    matches = (offer for offer in title.offers if offer.plan.rendition_id == rendition_id)
    return next(matches, None)


def duration_seconds(title: Title) -> float:
    """Length of the title: the playlist's word for HLS, the timeline's for files."""
    if isinstance(title, FileTitle):
        return title.facts.duration_seconds
    return float(sum(segment.duration for segment in title.source.media.segments))


def start_seconds(title: Title) -> float:
    """PTS of the first frame as it stands in the segments: what a player counts its frames from."""
    time_base = title.facts.video.time_base
    if isinstance(title, FileTitle):
        return float(title.facts.spans[0].first_pts * time_base + title.facts.offset_seconds)
    usable = (row.first_pts for row in title.facts.segments if row.error is None)
    return float(next(usable, 0) * time_base)


def summary(
    url: str,
    title: Title,
    is_warmed: Callable[[Title, Offer], bool],
    pictures: tuple[str | None, str | None],
    subtitles: Mapping[str, Any],
) -> Mapping[str, Any]:
    """One row of /api/titles.

    Args:
        url: Of its playlist.
        title: Whose.
        is_warmed: Whether all segments of an offer are cached.
        pictures: The URLs of its poster and its thumbnails.
        subtitles: What it says of them.
    """
    poster, thumbnails = pictures
    return {
        "id": title.title_path,
        "name": _name(title.title_path),
        "url": url,
        "status": "ready",
        "duration_seconds": round(duration_seconds(title), 3),
        "start_seconds": round(start_seconds(title), 6),
        "poster": poster,
        "thumbnails": thumbnails,
        "source": _source_row(title.facts.video),
        "renditions": [
            _rendition_row(title, offer, is_warmed(title, offer)) for offer in title.offers
        ],
        **subtitles,
        "warnings": list(title.warnings),
        "error": None,
    }


def incomplete_summary(
    url: str, title_path: str, *, status: str, error: str | None
) -> Mapping[str, Any]:
    """A row of /api/titles for a title that failed or is not prepared yet."""
    return {
        "id": title_path,
        "name": _name(title_path),
        "url": url,
        "status": status,
        "duration_seconds": None,
        "start_seconds": None,
        "poster": None,
        "thumbnails": None,
        "source": None,
        "renditions": [],
        "subtitles": [],
        "warnings": [],
        "error": error,
    }


def _name(title_path: str) -> str:
    parts = title_path.split("/")
    is_playlist = title_path.lower().endswith((".m3u8", ".m3u"))
    return parts[-2] if is_playlist and len(parts) > 2 else parts[-1]


def _source_row(video: VideoFacts) -> Mapping[str, Any]:
    return {
        "width": video.width,
        "height": video.height,
        "codec": video.codec,
        "frame_rate": str(video.frame_rate),
        "interlaced": video.interlaced,
    }


def _rendition_row(title: Title, offer: Offer, warmed: bool) -> Mapping[str, Any]:
    plan = offer.plan
    route = Route(kind="playlist", title_path=title.title_path, track_id=plan.rendition_id)
    return {
        "id": plan.rendition_id,
        "url": build(route),
        "warmed": warmed,
        "listed": warmed or not offer.when_warmed,
        "name": f"{plan.height}p · {plan.model_name}",
        "model": plan.model_name,
        "width": plan.width,
        "height": plan.height,
        "codecs": offer.prepared.codecs,
        "bandwidth": plan.bandwidth,
        "digest": offer.digest,
    }
