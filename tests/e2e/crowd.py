"""Many clients at once."""

import asyncio
import hashlib
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import aiohttp


@dataclass(slots=True)
class Crowd:
    """What so many clients were answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    bodies: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """SHA-256 of the bodies of each URL."""
    caches: Counter[str] = field(default_factory=Counter)
    """By the X-Cache of the nearest server that has one."""


def ask(urls: list[str], *, clients: int, seed: int = 1) -> Crowd:
    """Each client asks for all URLs, in an order of its own, over a connection of its own."""
    return asyncio.run(_ask(urls, clients, seed))


async def _ask(urls: list[str], clients: int, seed: int) -> Crowd:
    crowd = Crowd()
    timeout = aiohttp.ClientTimeout(total=None, sock_read=300)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def client(number: int) -> None:
            order = random.Random(seed * clients + number).sample(urls, len(urls))
            for url in order:
                async with session.get(url) as response:
                    body = await response.read()
                crowd.statuses[response.status] += 1
                crowd.bodies[url].add(hashlib.sha256(body).hexdigest())
                crowd.caches[response.headers.get("X-Cache", "")] += 1

        await asyncio.gather(*map(client, range(clients)))
    return crowd
