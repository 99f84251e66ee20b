"""The cache's numbers as metrics."""

from collections.abc import Callable

from origin.cache.objects import Cache
from origin.cache.types import TierStats
from origin.telemetry import Metrics


def publish(cache: Cache, metrics: Metrics) -> None:
    """Have every scrape of the metrics read the cache."""

    def each(read: Callable[[TierStats], float]) -> Callable[[], dict[str, float]]:
        return lambda: {name: read(tier) for name, tier in cache.stats().tiers.items()}

    def events() -> dict[str, float]:
        stats = cache.stats()
        return {
            "miss": stats.misses,
            "uncached": stats.uncached,
            "corrupt": stats.corrupt,
            "scrubbed": stats.scrubbed,
        }

    def counter(name: str, text: str, read: Callable[[TierStats], float]) -> None:
        metrics.watch(name, text, "tier", each(read), counter=True)

    def gauge(name: str, text: str, read: Callable[[TierStats], float]) -> None:
        metrics.watch(name, text, "tier", each(read))

    gauge("cache_bytes", "Bytes cached, by tier", lambda tier: tier.size_bytes)
    gauge("cache_objects", "Objects cached, by tier", lambda tier: tier.objects)
    gauge("cache_pinned_bytes", "Bytes of pinned objects, by tier", lambda tier: tier.pinned_bytes)
    gauge("cache_works", "0 while a tier fails, by tier", lambda tier: tier.works)
    counter("cache_hits", "Objects found, by tier", lambda tier: tier.hits)
    counter("cache_evictions", "Objects that made room, by tier", lambda tier: tier.evicted)
    metrics.watch("cache_events", "What befell cached objects", "event", events, counter=True)
