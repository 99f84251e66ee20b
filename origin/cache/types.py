"""Values of the cache."""

from collections.abc import Mapping
from dataclasses import dataclass

from origin.arena import Body


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedObject:
    """A complete body, as it was committed."""

    key: str
    body: Body
    sha256: str
    """Hexadecimal; the ETag."""
    cost_seconds: float = 0.0
    """What it took to make."""
    library: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedObject:
    """A complete body as a file, for a server in front to send."""

    key: str
    path: str
    """Below `Cache.bodies`; made of letters, digits, `.`, `_`, `-` and `/`."""
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TierStats:
    """What one tier holds and did since the cache was opened."""

    objects: int = 0
    size_bytes: int = 0
    pinned_bytes: int = 0
    hits: int = 0
    evicted: int = 0
    works: bool = True
    """False while the disk or the bucket fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """A snapshot, and what went wrong since the cache was opened."""

    tiers: Mapping[str, TierStats]
    """Of `ram`, `disk`, and `bucket` if there is one."""
    misses: int
    uncached: int
    """Bodies that the disk did not take."""
    corrupt: int
    """Copies that failed their checksum and were deleted."""
    scrubbed: int
    """Files that were verified in the background."""
