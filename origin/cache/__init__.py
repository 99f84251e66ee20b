"""Bytes kept in memory, on disk and in a bucket, and small documents beside them."""

from origin.cache.bucket import BucketTier, open_bucket
from origin.cache.metrics import publish
from origin.cache.objects import Cache
from origin.cache.state import StateStore
from origin.cache.types import CachedObject, CacheStats, LocatedObject, TierStats

__all__ = [
    "BucketTier",
    "Cache",
    "CacheStats",
    "CachedObject",
    "LocatedObject",
    "StateStore",
    "TierStats",
    "open_bucket",
    "publish",
]
