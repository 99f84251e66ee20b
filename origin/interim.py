"""Signs of life before the headers, for players that give up when none come.

The headers of a segment need its length, so they can't go out before it is made. What HTTP has for
the time until then are interim responses (RFC 9110 section 15.2). Servers that do not know them
take one for the answer: nginx before 1.29, for example, and Python's http.client.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import HttpVersion11, web

_T = TypeVar("_T")
_PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


async def with_signs_of_life(
    request: web.BaseRequest, work: Coroutine[Any, Any, _T], every_seconds: float
) -> _T:
    """Await work, and write `102 Processing` whenever so many seconds have passed.

    Args:
        request: Nothing has been answered to it yet.
        work: What makes the answer; cancelled if this is.
        every_seconds: 0 for never.
    """
    if every_seconds <= 0 or request.version < HttpVersion11:
        return await work
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait((task,), timeout=every_seconds))[0]:
            if request.transport is not None:
                request.transport.write(_PROCESSING)
        return task.result()
    finally:
        task.cancel()
