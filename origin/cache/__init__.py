"""Bytes kept in memory, on disk and in a bucket, and small documents beside them."""

from origin.cache.bucket import BucketTier, open_bucket
from origin.cache.commands import add_commands
from origin.cache.metrics import publish
from origin.cache.objects import Cache
from origin.cache.pins import Pins
from origin.cache.state import StateStore
from origin.cache.types import CachedObject, CacheStats, LocatedObject, TierStats
from origin.cache.upkeep import upkeep

__all__ = [
    "BucketTier",
    "Cache",
    "CacheStats",
    "CachedObject",
    "LocatedObject",
    "Pins",
    "StateStore",
    "TierStats",
    "add_commands",
    "open_bucket",
    "publish",
    "upkeep",
]
