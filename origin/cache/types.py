"""Values of the cache."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedObject:
    """A complete body, as it was committed."""

    key: str
    body: bytes
    sha256: str
    """Hexadecimal; the ETag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """What the cache holds, and what went wrong since it was opened."""

    disk_bytes: int
    disk_objects: int
    ram_bytes: int
    ram_objects: int
    evicted: int
    uncached: int
    """Objects that the disk did not take."""
    corrupt: int
    """Files that failed their checksum and were deleted."""
