"""Transfers that break off, on either side of a cache: what it keeps is whole."""

import random
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests import nginx, varnish
from tests.cdn.conftest import Resource
from tests.cdn.cutting import cutting_relay
from tests.http_client import get

ABORTS = 1000
PROXIES = {"nginx": nginx.caching_proxy, "varnish": varnish.caching_proxy}
HANG_UP = struct.pack("ii", 1, 0)
"""SO_LINGER so that closing resets the connection."""


def leave_after(url: str, count: int) -> bytes:
    """Ask for a URL, and go once `count` bytes have come."""
    parts = urlsplit(url)
    got = b""
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.settimeout(30)
        request = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        connection.sendall(f"{request}Connection: close\r\n\r\n".encode())
        while len(got) < count and (data := connection.recv(min(4096, count - len(got)))):
            got += data
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HANG_UP)
    return got


def abort(base: str, resource: Resource, number: int) -> tuple[str, bool]:
    """Break one transfer off: the client does where `number` is odd, else the connection behind.

    The query makes it a body that the cache has not got yet. Returns the URL, and whether less
    than all of it came.
    """
    offset = random.Random(number).randrange(len(resource.body) + 400)
    if number % 2:
        url = f"{base}{resource.path}?n={number}"
        got = leave_after(url, offset)
    else:
        url = f"{base}{resource.path}?n={number}&cut={offset}"
        got = leave_after(url, len(resource.body) + 2000)
    return url, not got.endswith(resource.body)


def is_kept(front: str, url: str) -> bool:
    headers = get(url, method="HEAD").headers
    if front == "nginx":
        return bool(headers["X-Proxy-Cache"] == "HIT")
    return len(headers["X-Varnish"].split()) == 2


@pytest.mark.parametrize("front", PROXIES)
def test_no_cache_keeps_part_of_a_body(front, origin, resources, tmp_path):
    asked = [resources[name] for name in ("segment", "fragment", "source", "packaged")]

    def one(number: int) -> tuple[bool, bool]:
        resource = asked[number % len(asked)]
        url, is_broken = abort(base, resource, number)
        for _ in range(2):
            reply = get(url)
            assert (reply.status, reply.body) == (200, resource.body), url
        return is_kept(front, url), is_broken

    with (
        cutting_relay(origin.base) as upstream,
        PROXIES[front](tmp_path, upstream) as base,
        ThreadPoolExecutor(8) as pool,
    ):
        kept, broken = zip(*pool.map(one, range(ABORTS)), strict=True)
    assert all(kept), "asked for again, it was whole, and then kept"
    assert sum(broken) > 0.9 * ABORTS
