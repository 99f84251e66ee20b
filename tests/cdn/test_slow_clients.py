"""Clients that hold connections without using them are shed, while others are served."""

import asyncio
import os
import re
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from tests.http_client import get
from tests.soak.processes import children
from tests.tools import run_origin

HALF_OPEN, SLOW_HEADS, SLOW_READS = 500, 350, 150
LIMIT_SECONDS = 3
"""Far more than an honest client needs on a busy machine."""
PATIENCE_SECONDS = 120
SETTINGS = f"""\
log_level = "warning"
head_seconds = {LIMIT_SECONDS}
read_seconds = {LIMIT_SECONDS}
keep_alive_seconds = 4
"""
CROWDED = """\
log_level = "warning"
max_connections = 200
max_connections_per_address = 150
head_seconds = 600
"""
BIG = os.urandom(4 << 20)


@pytest.fixture(scope="module", autouse=True)
def _many_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


@contextmanager
def serving(folder, settings: str) -> Iterator[str]:
    """An origin with one big file at `/lib/big.ts`."""
    (folder / "library").mkdir()
    (folder / "library" / "big.ts").write_bytes(BIG)
    (folder / "origin.toml").write_text(settings)
    options = ("--rendition", "2x:lanczos", "--device", "cpu", "--config", folder / "origin.toml")
    with run_origin(f"lib={folder / 'library'}", *options, "--cache", folder / "cache") as base:
        yield base


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("slow"), SETTINGS) as base:
        yield base


def connect(base: str, address: str = "127.0.0.1") -> socket.socket:
    port = int(base.rpartition(":")[2])
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.bind((address, 0))
    connection.connect(("127.0.0.1", port))
    return connection


def figure(base: str, name: str, label: str) -> int:
    text = get(f"{base}/metrics").body.decode()
    found = re.search(rf'^upscale_origin_{name}{{\w+="{label}"}} (\S+)$', text, re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def trickle(connections: list[socket.socket], stop: threading.Event) -> None:
    """A byte of a request's head each, now and then."""
    while not stop.wait(0.3):
        for connection in connections:
            try:
                connection.send(b"a")
            except OSError:
                continue


def healthy(base: str, stop: threading.Event) -> int:
    """Somebody who asks all the while; returns how often."""
    count = 0
    while not stop.is_set():
        reply = get(f"{base}/lib/big.ts", Range="bytes=0-99999")
        assert (reply.status, reply.body) == (206, BIG[:100_000])
        count += 1
        time.sleep(0.02)
    return count


def test_a_thousand_slow_ones_are_shed_while_others_are_served(base):
    stop = threading.Event()
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        served = pool.submit(healthy, base, stop)
        stack.callback(stop.set)

        def opened(count: int, first: bytes) -> list[socket.socket]:
            connections = [stack.enter_context(connect(base)) for _ in range(count)]
            for connection in connections:
                connection.sendall(first)
            return connections

        reads = opened(SLOW_READS, b"GET /lib/big.ts HTTP/1.1\r\nHost: x\r\n\r\n")
        opened(HALF_OPEN, b"")
        heads = opened(SLOW_HEADS, b"GET /lib/big.ts HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        pool.submit(trickle, heads, stop)
        until(lambda: figure(base, "connections_shed_total", "head") >= HALF_OPEN + SLOW_HEADS)
        until(lambda: figure(base, "connections_shed_total", "read") >= SLOW_READS)
        until(lambda: figure(base, "connections", "open") < 10)
        assert figure(base, "connections_shed_total", "head") == HALF_OPEN + SLOW_HEADS
        assert figure(base, "connections_shed_total", "read") == SLOW_READS
        assert figure(base, "connections_shed_total", "crowd") == 0
        assert not all(_is_whole(connection) for connection in reads)
        stop.set()
        assert served.result() > 10


def _is_whole(connection: socket.socket) -> bool:
    connection.settimeout(5)
    got = 0
    try:
        while data := connection.recv(1 << 20):
            got += len(data)
    except OSError:
        return False
    return got > len(BIG)


def test_a_standstill_of_the_origin_is_not_counted_against_a_client(tmp_path):
    """What is sent meanwhile is read only after the look at who is too slow."""
    others = set(children(os.getpid()))
    with serving(tmp_path, SETTINGS) as base, connect(base) as connection:
        (pid,) = set(children(os.getpid())) - others
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        get(f"{base}/healthz")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(2 * LIMIT_SECONDS)
        connection.sendall(b"Host: a\r\n\r\n")
        os.kill(pid, signal.SIGCONT)
        connection.settimeout(PATIENCE_SECONDS)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        until(lambda: figure(base, "connections_shed_total", "head") == 1)


def test_who_reads_at_the_least_rate_is_never_shed(base):
    """Slow, but not too slow: for twice as long as one may fall behind."""
    before = figure(base, "connections_shed_total", "read")
    with connect(base) as connection:
        connection.sendall(b"GET /lib/big.ts HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.settimeout(PATIENCE_SECONDS)
        got = 0
        for _ in range(2 * LIMIT_SECONDS * 20):
            got += len(connection.recv(5000))
            time.sleep(0.05)
        assert figure(base, "connections_shed_total", "read") == before
        while got < len(BIG):
            got += len(connection.recv(1 << 20))
    assert figure(base, "connections_shed_total", "read") == before


def test_a_second_request_has_a_limit_too_and_an_idle_connection_ends(base):
    with connect(base) as slow, connect(base) as idle:
        for connection in (slow, idle):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        before = figure(base, "connections_shed_total", "head")
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        until(lambda: figure(base, "connections_shed_total", "head") == before + 1)
        idle.settimeout(PATIENCE_SECONDS)
        assert idle.recv(1) == b""
    assert figure(base, "connections_shed_total", "head") == before + 1


async def _pipelined(base: str) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(base.rpartition(":")[2]))
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    writer.write(one * 5 + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answers = (await reader.read()).split(b"HTTP/1.1 ")[1:]
    writer.close()
    return answers


def test_requests_in_a_row_are_all_answered(base):
    answers = asyncio.run(_pipelined(base))
    assert [answer[:3] for answer in answers] == [b"200"] * 6


def test_where_there_are_too_many_those_who_wait_longest_give_way(tmp_path):
    with serving(tmp_path, CROWDED) as base, ExitStack() as stack:
        for number in range(150):
            stack.enter_context(connect(base, f"127.0.0.{2 + number % 100}"))
        assert figure(base, "connections_shed_total", "crowd") == 0
        for number in range(100):
            stack.enter_context(connect(base, f"127.0.0.{2 + number % 100}"))
        assert get(f"{base}/healthz").status == 200
        until(lambda: figure(base, "connections_shed_total", "crowd") >= 50)
        assert figure(base, "connections", "open") <= 200
        for _ in range(200):
            stack.enter_context(connect(base, "127.0.0.200"))
        assert get(f"{base}/healthz").status == 200
        assert figure(base, "connections", "open") <= 200
