"""Paths of a library, bent and broken in the ways that have led out of other servers' roots."""

import random
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

CLIMBS = (
    "../", "..%2f", "%2e%2e/", "%2e%2e%2f", ".%2e/", "%252e%252e%252f", "..%252f", "..\\", "..%5c",
    "%2e%2e%5c", "..;/", "....//", "..../", "%c0%ae%c0%ae/", "%c0%ae%c0%ae%c0%af", "..%c0%af",
    "%uff0e%uff0e/", "%ef%bc%8e%ef%bc%8e/", "..%ef%bc%8f", "%e2%80%a5/", "..%00/", "../%00",
    "..%0d%0a/", "..%09/", "/../", "/..%2f", "/./", "//", "%2f", "%2f%2f", "./", "%2e/", "%5c",
)  # fmt: skip
INSERTS = (
    "%00", "%00.ts", "%0a", "%0d%0aX: y", "%20", "+", ";", ";.ts", "?", "?path=../", "%3f", "%23",
    "%", "%2", "%zz", "%ff", "%80", "%ed%a0%80", "%f0%9f%8e%ac", "~", "~root", "$HOME", "*", "|",
    ":", "file://", "file:///", "http://127.0.0.1/", "//127.0.0.1/", "@", "'", "%22", "{}", "\x7f",
)  # fmt: skip


class Mutations:
    """Endless, and the same for the same seed."""

    def __init__(self, paths: Sequence[str], targets: Sequence[str], seed: int) -> None:
        """Set up.

        Args:
            paths: That are served, percent-encoded.
            targets: What must not be: absolute paths, and names beside the library.
            seed: Of all chances.
        """
        self._paths = paths
        self._targets = targets
        self._random = random.Random(seed)
        self._ways: list[Callable[[str], str]] = [
            self._climb,
            self._climb,
            self._reach,
            self._reach,
            self._insert,
            self._drop,
            self._swap,
            self._encode,
            self._change_case,
            self._change_byte,
        ]

    def __iter__(self) -> Iterator[str]:
        while True:
            path = self._random.choice(self._paths)
            for _ in range(self._random.randint(1, 4)):
                path = self._random.choice(self._ways)(path)
            yield path if path.startswith("/") else f"/{path}"

    def _at(self, path: str) -> int:
        """Somewhere in it; more often where a part begins."""
        slashes = [index + 1 for index, letter in enumerate(path) if letter == "/"]
        if slashes and self._random.random() < 0.7:
            return self._random.choice(slashes)
        return self._random.randint(0, len(path))

    def _climb(self, path: str) -> str:
        at = self._at(path)
        climb = self._random.choice(CLIMBS) * self._random.choice((1, 1, 2, 3, 8))
        return path[:at] + climb + path[at:]

    def _reach(self, path: str) -> str:
        """For a target, from somewhere in the path."""
        climb = self._random.choice(CLIMBS) * self._random.randint(0, 6)
        target = self._random.choice(self._targets)
        if self._random.random() < 0.3:
            target = quote(target, safe="")
        return path[: self._at(path)] + climb + target

    def _insert(self, path: str) -> str:
        at = self._at(path)
        return path[:at] + self._random.choice(INSERTS) + path[at:]

    def _drop(self, path: str) -> str:
        at = self._at(path)
        return path[:at] + path[at + self._random.randint(1, 5) :]

    def _swap(self, path: str) -> str:
        parts = path.split("/")
        self._random.shuffle(parts)
        return "/".join(parts)

    def _encode(self, path: str) -> str:
        """One letter, once or twice."""
        if not path:
            return path
        at = self._random.randrange(len(path))
        code = "".join(f"%{byte:02x}" for byte in path[at].encode())
        if self._random.random() < 0.3:
            code = code.replace("%", "%25")
        return path[:at] + code + path[at + 1 :]

    def _change_case(self, path: str) -> str:
        return path.swapcase()

    def _change_byte(self, path: str) -> str:
        at = self._random.randint(0, max(0, len(path) - 1))
        return path[:at] + chr(self._random.randint(33, 126)) + path[at + 1 :]
