"""Bytes kept on disk and in memory, and small documents beside them."""

from origin.cache.metrics import publish
from origin.cache.objects import Cache
from origin.cache.state import StateStore
from origin.cache.types import CachedObject, CacheStats

__all__ = ["Cache", "CacheStats", "CachedObject", "StateStore", "publish"]
