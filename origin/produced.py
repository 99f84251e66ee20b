"""What a produced body says of itself in HTTP, whoever writes it to the client."""

from aiohttp import hdrs

from origin.headers import cache_status, server_timing
from origin.service.answers import CacheResult, ProducedAnswer

_IMMUTABLE = "public, max-age=31536000, immutable"
_DEGRADED = "public, max-age=5"
_EXPOSED = (
    "Accept-Ranges, Age, Cache-Status, Content-Length, Content-Range, ETag, Link, Server-Timing, "
    "X-Cache"
)
EVERYWHERE = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: _EXPOSED,
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Timing-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
    hdrs.SERVER: "upscale-origin",
}
"""Headers of every response."""


def produced_headers(answer: ProducedAnswer) -> dict[str, str]:
    """Of a 200 with the whole body."""
    result = answer.cache_result
    headers = {
        hdrs.CONTENT_TYPE: answer.content_type,
        hdrs.CACHE_CONTROL: _DEGRADED if result is CacheResult.DEGRADED else _IMMUTABLE,
        hdrs.ETAG: f'"{answer.etag}"',
        "X-Cache": result.value,
        "Cache-Status": cache_status(result.value, is_stored=answer.is_stored),
    }
    if answer.next_uri is not None:
        headers[hdrs.LINK] = f'<{answer.next_uri}>; rel="next"'
    if answer.stages:
        headers["Server-Timing"] = server_timing(answer.stages)
    return headers
