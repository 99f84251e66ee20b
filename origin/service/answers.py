"""What the service answers a request with; `origin.routes` turns it into HTTP."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from origin.arena import Body
from origin.cache import LocatedObject

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"


class CacheResult(StrEnum):
    """How a produced body came to be, as `X-Cache` says it."""

    HIT = "hit"
    MISS = "miss"
    COALESCED = "coalesced"
    DEGRADED = "degraded"
    """A lighter model made it, for now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistAnswer:
    """A playlist's text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducedAnswer:
    """A body whose path says what is in it, for ever."""

    body: Body
    etag: str
    """SHA-256 of the body, hexadecimal."""
    content_type: str
    cache_result: CacheResult
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds by stage, empty for a hit."""
    located: LocatedObject | None = None
    """Where the body lies, for a server in front to send; `body` is empty then."""
    is_stored: bool = False
    """The cache keeps the body now. Says something of one that was just made."""
    next_uri: str | None = None
    """The segment after this one, relative to this one; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAnswer:
    """A file of the library, passed through."""

    path: Path
    content_type: str


Answer = PlaylistAnswer | ProducedAnswer | FileAnswer
