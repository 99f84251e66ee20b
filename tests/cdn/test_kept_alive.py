"""On connections that are kept alive most hits go past aiohttp: nobody can tell from the answer."""

import socket
from http.client import HTTPResponse
from typing import Any

import pytest

from tests.http_client import get

VARYING = {"date", "x-request-id"}


class Conversation:
    """One connection; requests are sent as they are given, responses read one after the other."""

    def __init__(self, base: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", int(base.rpartition(":")[2])))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def say(self, path: str, *headers: str, method: str = "GET") -> None:
        data = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: a", *headers, "", ""]).encode()
        self._socket.sendall(data)

    def hear(self) -> tuple[int, list[tuple[str, str]], bytes]:
        response = HTTPResponse(_Source(self._file))  # type: ignore[arg-type]
        response.begin()
        names = [(name.lower(), value) for name, value in response.getheaders()]
        return response.status, names, response.read()


class _Source:
    """What HTTPResponse wants of a socket; it closes its file after each response."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def makefile(self, _: str) -> Any:
        return _Open(self._file)


class _Open:
    def __init__(self, file: Any) -> None:
        self.readline, self.read, self.readinto = file.readline, file.read, file.readinto

    def close(self) -> None:
        """The connection goes on."""

    def flush(self) -> None:
        """Nothing is written."""


def constant(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(item for item in headers if item[0] not in VARYING)


def order(headers: list[tuple[str, str]]) -> list[str]:
    return [name for name, _ in headers]


@pytest.mark.parametrize("name", ["segment", "fragment", "packaged"])
def test_both_ways_give_the_same_answer(origin, resources, name):
    """What follows a POST is aiohttp's; the order of the headers tells that the other is not."""
    resource = resources[name]
    get(origin.base + resource.path)
    with Conversation(origin.base) as plain, Conversation(origin.base) as other:
        other.say(resource.path, method="POST")
        assert other.hear()[0] == 405
        other.say(resource.path)
        by_aiohttp = other.hear()
        plain.say(resource.path)
        by_shortcut = plain.hear()
    assert by_shortcut[0] == by_aiohttp[0] == 200
    assert constant(by_shortcut[1]) == constant(by_aiohttp[1])
    assert by_shortcut[2] == by_aiohttp[2] == resource.body
    assert order(by_shortcut[1]) != order(by_aiohttp[1])


def test_everything_there_is_in_one_conversation(origin, resources):
    with Conversation(origin.base) as talk:
        for _ in range(3):
            for resource in resources.values():
                talk.say(resource.path)
                status, _, body = talk.hear()
                assert (status, body) == (200, resource.body)
            talk.say(resources["segment"].path, "Range: bytes=1-3")
            status, _, body = talk.hear()
            assert (status, body) == (206, resources["segment"].body[1:4])


def test_a_path_under_the_wrong_track_or_name_is_not_found_in_memory_either(origin, resources):
    """The digest of one track, in memory, does not answer for another, nor for another ending."""
    path = resources["segment"].path
    *above, track, digest, file = path.split("/")
    other = "/".join([*above, f"{track}x", digest, file])
    with Conversation(origin.base) as talk:
        for asked in (path, other, path.replace(".ts", ".m4s"), path.replace("/1.ts", "/99.ts")):
            talk.say(asked)
            assert talk.hear()[0] == (200 if asked == path else 404)
