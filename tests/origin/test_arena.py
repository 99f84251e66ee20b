"""Bodies in a file in memory."""

import os
import random
import socket
import threading

import pytest

from origin.arena import Arena, Extent, contents, has_large_pages
from origin.cache import Cache

BODY = random.Random(1).randbytes(300_000)


def held_bytes(arena: Arena) -> int:
    return os.fstat(arena.descriptor).st_blocks * 512


def test_what_is_kept_can_be_read():
    extent = Arena().keep(BODY)
    assert isinstance(extent, Extent)
    assert len(extent) == len(BODY)
    assert contents(extent) == extent.read() == BODY
    assert extent.read(5, 9) == BODY[5:9]
    assert extent.read(299_999) == BODY[-1:]


def test_memory_is_given_back_when_nobody_refers_to_it():
    arena = Arena()
    extents = [arena.keep(BODY + bytes([number])) for number in range(8)]
    assert held_bytes(arena) >= 8 * len(BODY)
    last = extents[-1]
    extents.clear()
    assert len(BODY) < held_bytes(arena) < 2 * len(BODY)
    assert last.read() == BODY + bytes([7])


def test_an_extent_outlives_its_arena():
    extent = Arena().keep(BODY)
    assert extent.read() == BODY


def test_the_kernel_sends_it():
    extent = Arena().keep(BODY)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        sent = extent.send(ours.fileno(), 1000)
        ours.close()
        received = b"".join(iter(lambda: theirs.recv(2**20), b""))
    assert 0 < sent == len(received)
    assert received == BODY[1000 : 1000 + sent]


def test_threads_share_it():
    arena, bodies = Arena(), {}

    def keep(number: int) -> None:
        for turn in range(20):
            body = bytes([number, turn]) * 70_000
            bodies[number, turn] = body, arena.keep(body)

    threads = [threading.Thread(target=keep, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 80
    assert all(contents(extent) == body for body, extent in bodies.values())


def test_where_there_is_no_room_the_body_stays_as_it_is(monkeypatch):
    arena, write = Arena(), os.pwrite

    def fill_half(descriptor: int, data: memoryview, offset: int) -> int:
        if offset:
            raise OSError(28, "no space")
        return write(descriptor, data[:200_000], offset)

    monkeypatch.setattr(os, "pwrite", fill_half)
    assert arena.keep(BODY) is BODY
    assert held_bytes(arena) == 0


def test_where_there_are_no_such_files_the_body_stays_as_it_is(monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    assert Arena().keep(BODY) is BODY


def test_nothing_takes_no_place():
    arena = Arena()
    kept = arena.keep(BODY)
    assert arena.keep(b"") == b""
    assert contents(kept) == BODY


def test_what_could_not_be_given_back_is_with_the_next(monkeypatch):
    arena = Arena()
    first, second, kept = (arena.keep(BODY) for _ in range(3))

    def fail(*_: object, **__: object) -> None:
        raise OSError(24, "too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("origin.arena.mmap.mmap", fail)
        del first
    assert held_bytes(arena) > 3 * 290_000
    del second
    assert len(BODY) < held_bytes(arena) < 2 * len(BODY)
    assert contents(kept) == BODY


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ("always within_size advise [never] deny force", False),
        ("always within_size [advise] never deny force", False),
        ("[always] within_size advise never deny force", True),
        ("always [within_size] advise never deny force", True),
    ],
)
def test_pages_that_several_bodies_share_are_noticed(tmp_path, chosen, found):
    (tmp_path / "hugepages-64kB").mkdir()
    (tmp_path / "shmem_enabled").write_text("always within_size advise [never] deny force\n")
    (tmp_path / "hugepages-64kB" / "shmem_enabled").write_text(f"{chosen}\n")
    assert has_large_pages(tmp_path) is found


def test_without_such_settings_there_are_none(tmp_path):
    assert not has_large_pages(tmp_path)


def test_a_cache_takes_no_more_memory_than_its_budget(tmp_path):
    cache = Cache(tmp_path, budget_bytes=10**8, ram_bytes=2 * 2**20)
    try:
        for number in range(20):
            cache.put(f"k{number}", BODY + bytes([number]), cost_seconds=number)
        found = [cache.peek(f"k{number}") for number in range(20)]
        held = [item for item in found if item is not None]
        assert 4 <= len(held) <= 6
        assert all(isinstance(item.body, Extent) for item in held)
        assert held_bytes(cache._arena) <= 2 * 2**20
        for number in range(20):
            again = cache.get(f"k{number}")
            assert again is not None
            assert contents(again.body) == BODY + bytes([number])
    finally:
        cache.close()
