"""How the values of the configuration are read: each function takes one, and the folder it is for.

They raise `UnexpectedError`, whose message completes `expected ...`.
"""

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from origin.access import KEY_ID, MD5_KEY

RESERVED_NAMES = frozenset({"api", "healthz", "metrics", "player", "readyz", "static"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B)?", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_LOCATION = re.compile(r"/([A-Za-z0-9._-]+/)+")
_ANCESTOR = re.compile(r"'self'|\*|[a-z][a-z0-9+.-]*:|(https?://)?[a-z0-9*.\[\]:-]+", re.IGNORECASE)
_MIN_SECRET = 16
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def parse_size(text: str) -> int:
    """Bytes of `20GB` (decimal), `512MiB` (binary) or a plain number.

    Raises:
        ValueError: It is none of these.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    number, prefix, binary = match.groups()
    exponent = " KMGT".index(prefix.upper()) if prefix else 0
    return int(float(number) * (1024 if binary else 1000) ** exponent)


class UnexpectedError(Exception):
    """The message completes `expected ...`."""


def read_text(value: object, base: Path) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise UnexpectedError("a text that is not empty")
    return value


def read_choice(*choices: str) -> Callable[[object, Path], str]:
    """One of some words."""

    def parse(value: object, base: Path) -> str:
        if value not in choices:
            raise UnexpectedError(f"one of {', '.join(choices)}")
        return str(value)

    return parse


def read_integer(low: int, high: int) -> Callable[[object, Path], int]:
    """A whole number within bounds."""

    def parse(value: object, base: Path) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise UnexpectedError(f"an integer from {low} to {high}")
        return value

    return parse


def read_seconds(value: object, base: Path) -> float:
    """A length of time above 0."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise UnexpectedError("a number of seconds greater than 0")
    return float(value)


def read_size(value: object, base: Path) -> int:
    """Bytes, see `parse_size`."""
    expected = UnexpectedError("a size such as 20GB or 512MiB, or a number of bytes")
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if not isinstance(value, str):
        raise expected
    try:
        return parse_size(value)
    except ValueError:
        raise expected from None


def read_sizes(value: object, base: Path) -> dict[str, int]:
    """Bytes by library."""
    if not isinstance(value, Mapping):
        raise UnexpectedError("a table of sizes by library")
    return {str(name): read_size(size, base) for name, size in value.items()}


def read_location(value: object, base: Path) -> str:
    """A path of an nginx, with slashes at both ends."""
    if not isinstance(value, str) or not _LOCATION.fullmatch(value):
        raise UnexpectedError("a path such as /upscale-cache/")
    return value


def read_path(value: object, base: Path) -> Path:
    """An absolute path; relative ones are relative to `base`."""
    if not isinstance(value, str | Path) or not str(value):
        raise UnexpectedError("a path")
    return (base / Path(value).expanduser()).absolute()


def read_device(value: object, base: Path) -> str:
    """What nets run on."""
    if not isinstance(value, str) or not _DEVICE.fullmatch(value):
        raise UnexpectedError("auto, cpu, cuda or cuda:N")
    return value


def read_renditions(value: object, base: Path) -> tuple[str, ...]:
    """Rendition specs, as they are written."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise UnexpectedError("a list of rendition specs such as 2x:anime4k-m or auto")
    return tuple(read_text(spec, base) for spec in value)


def read_secret(value: object, base: Path) -> str:
    """A secret, or the word for where it stands (`env:NAME`, `file:PATH`)."""
    expected = "a secret of at least 16 characters, env:NAME of a variable or file:PATH that has it"
    kind, _, place = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind == "env":
        value = os.environ.get(place)
    elif kind == "file":
        try:
            value = (base / place).read_text().strip()
        except (OSError, UnicodeDecodeError):
            value = None
    if not isinstance(value, str) or len(value) < _MIN_SECRET:
        raise UnexpectedError(expected)
    return value


def read_secrets(value: object, base: Path) -> tuple[str, ...]:
    """Several of them."""
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise UnexpectedError("a list of secrets")
    return tuple(read_secret(secret, base) for secret in value)


def read_keys(value: object, base: Path) -> dict[str, str]:
    """Secrets by key id."""
    if not isinstance(value, Mapping):
        raise UnexpectedError("a table of secrets by key id")
    for name in value:
        if not KEY_ID.fullmatch(name) or name == MD5_KEY:
            raise UnexpectedError(f"key ids of up to 32 letters, digits, '-' or '_', not {name!r}")
    return {name: read_secret(secret, base) for name, secret in value.items()}


def read_ancestors(value: object, base: Path) -> tuple[str, ...]:
    """Origins that may show the page in a frame."""
    expected = UnexpectedError("a list of origins such as https://example.org, or 'self'")
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise expected
    sources = tuple(value)
    if not all(isinstance(source, str) and _ANCESTOR.fullmatch(source) for source in sources):
        raise expected
    return sources


def _source(value: object, base: Path) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise UnexpectedError("a directory")
    if match := _SCHEME.match(str(value)):
        raise UnexpectedError(f"a directory ({match[1].lower()}:// sources are not supported yet)")
    path = read_path(value, base)
    if not path.is_dir():
        raise UnexpectedError("a directory that exists")
    return path.resolve()


def _pairs(value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise UnexpectedError("NAME=SOURCE for each library")
    texts = [str(text).partition("=") for text in value]
    if not all(equals for _, equals, _ in texts):
        raise UnexpectedError("NAME=SOURCE for each library")
    return [(name, source) for name, _, source in texts]


def read_libraries(value: object, base: Path) -> dict[str, Path]:
    """Directories by library name, from a table or from `NAME=SOURCE` each."""
    libraries: dict[str, Path] = {}
    for name, source in _pairs(value):
        if not _NAME.fullmatch(name) or name in RESERVED_NAMES:
            raise UnexpectedError(
                f"for the library {name!r} a name of up to 64 letters, digits, '.', '_', '-', "
                f"starting with a letter or digit, none of {', '.join(sorted(RESERVED_NAMES))}"
            )
        if name in libraries:
            raise UnexpectedError(f"each library once; {name!r} stands there twice")
        try:
            libraries[name] = _source(source, base)
        except UnexpectedError as error:
            raise UnexpectedError(f"for the library {name!r} {error}, not {source!r}") from None
    return libraries


def read_models(value: object, base: Path) -> tuple[str, ...]:
    """Names of models."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise UnexpectedError("a list of names of models, or an empty one")
    return tuple(read_text(name, base) for name in value)
