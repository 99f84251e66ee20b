"""Many clients at once."""

import asyncio
import hashlib
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import uvloop


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
    return uvloop.run(_ask(urls, clients, seed))


async def _ask(urls: list[str], clients: int, seed: int) -> Crowd:
    crowd = Crowd()
    orders = (random.Random(seed * clients + n).sample(urls, len(urls)) for n in range(clients))
    await asyncio.gather(*(_client(order, crowd) for order in orders))
    return crowd


async def _client(urls: list[str], crowd: Crowd) -> None:
    """A client of few words: some of the time is the origin's, too."""
    host = urlsplit(urls[0]).netloc
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    for url in urls:
        writer.write(f"GET {urlsplit(url).path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {key.lower(): value for key, _, value in (ln.partition(": ") for ln in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        crowd.statuses[int(status.split()[1])] += 1
        crowd.bodies[url].add(hashlib.sha256(body).hexdigest())
        crowd.caches[headers.get("x-cache", "")] += 1
    writer.close()
    await writer.wait_closed()
