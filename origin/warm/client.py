"""An HTTP client that is in no hurry: it asks at the lowest priority and tries again."""

import asyncio
import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import aiohttp

from origin.errors import NotFoundError, OriginError, UnavailableError

_HEADERS = {
    "Priority": "u=7",  # RFC 9218: background
    "User-Agent": "upscale-origin warm",
}
_STAGE = re.compile(r"([\w-]+);dur=([0-9.]+)")
_CONNECT_SECONDS = 10.0
_ATTEMPTS = 4
_MAX_BYTES = 64 << 20
_AGAIN = frozenset({429, 500, 503, 504})
"""Statuses that may pass. The origin's 502 is about a broken source, which stays broken."""


class Client:
    """Gets things from an origin, or from a CDN before it. An async context; for one event loop."""

    def __init__(
        self,
        *,
        connections: int,
        pause_seconds: float = 1.0,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._connections = connections
        self._headers = {**_HEADERS, **headers}
        self._pause_seconds = pause_seconds

    async def __aenter__(self) -> "Client":
        """Open the session."""
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            connector=aiohttp.TCPConnector(limit=self._connections),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self._session.close()

    async def touch(self, url: str) -> float | None:
        """Have a segment made and throw it away.

        Returns:
            Seconds of work that it took, None if it was there already.

        Raises:
            OriginError: It cannot be had; the message says why.
        """
        headers, _ = await self._get(url, keep=False)
        return None if headers.get("X-Cache") == "hit" else work_seconds(headers)

    async def text(self, url: str) -> str:
        """Fetch a playlist.

        Raises:
            OriginError: It cannot be had, or is no text.
        """
        _, body = await self._get(url, keep=True)
        try:
            return body.decode()
        except UnicodeDecodeError as error:
            raise OriginError(f"{url}: expected a playlist", source=url) from error

    async def document(self, url: str) -> Any:
        """Fetch JSON; None where there is none.

        Raises:
            OriginError: The server cannot be reached.
        """
        try:
            _, body = await self._get(url, keep=True)
            return json.loads(body)
        except UnavailableError:
            raise
        except (OriginError, ValueError):
            return None

    async def _get(self, url: str, *, keep: bool) -> tuple[dict[str, str], bytes]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._attempt(url, keep)
            except UnavailableError:
                if attempt == _ATTEMPTS:
                    raise
            await asyncio.sleep(self._pause_seconds * 2 ** (attempt - 1))
        raise AssertionError

    async def _attempt(self, url: str, keep: bool) -> tuple[dict[str, str], bytes]:
        try:
            async with self._session.get(url) as response:
                if response.status != 200:
                    raise _error(url, response.status, await response.content.read(_MAX_BYTES))
                body = b""
                async for piece in response.content.iter_any():
                    body += piece if keep else b""
                    if len(body) > _MAX_BYTES:
                        raise OriginError(f"{url}: larger than any playlist", source=url)
                return dict(response.headers), body
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise UnavailableError(f"{url}: {reason}", source=url) from error


def work_seconds(headers: Mapping[str, str]) -> float:
    """The sum of the stages that a Server-Timing header tells of, waiting in a queue left out."""
    stages = _STAGE.findall(headers.get("Server-Timing", ""))
    return sum(float(milliseconds) for name, milliseconds in stages if name != "queue") / 1000


def _error(url: str, status: int, body: bytes) -> OriginError:
    try:
        problem = json.loads(body)  # RFC 9457
        detail, source = problem["detail"], problem.get("source")
        detail = detail if source is None or source in detail else f"{source} {detail}"
    except (ValueError, TypeError, KeyError, AttributeError):
        detail = f"HTTP {status}"
    kinds = {404: NotFoundError} | dict.fromkeys(_AGAIN, UnavailableError)
    return kinds.get(status, OriginError)(f"{url}: {detail}", source=url)
