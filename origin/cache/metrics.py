"""The cache's numbers as metrics."""

from origin.cache.objects import Cache
from origin.telemetry import Metrics


def publish(cache: Cache, metrics: Metrics) -> None:
    """Have every scrape of the metrics read the cache."""

    def sizes() -> dict[str, float]:
        stats = cache.stats()
        return {"disk": stats.disk_bytes, "ram": stats.ram_bytes}

    def objects() -> dict[str, float]:
        stats = cache.stats()
        return {"disk": stats.disk_objects, "ram": stats.ram_objects}

    def events() -> dict[str, float]:
        stats = cache.stats()
        return {"evicted": stats.evicted, "uncached": stats.uncached, "corrupt": stats.corrupt}

    metrics.watch("cache_bytes", "Bytes cached, by tier", "tier", sizes)
    metrics.watch("cache_objects", "Objects cached, by tier", "tier", objects)
    metrics.watch("cache_events", "What befell cached objects", "event", events, counter=True)
