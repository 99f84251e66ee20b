"""`upscale-origin scrub` and `upscale-origin pins`: for a cache directory, in use or not."""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from origin.cache.disk import bodies_below, body_paths
from origin.cache.files import remove
from origin.cache.pins import ask, pinned_titles
from origin.cache.state import StateStore
from origin.config import default_cache_dir
from origin.errors import ConfigError


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add both to the command line."""
    scrub = commands.add_parser("scrub", help="verify every checksum of a cache")
    scrub.set_defaults(command=_scrub)
    pins = commands.add_parser("pins", help="list and release titles that stay in a cache")
    pins.add_argument("--release", action="append", default=[], metavar="TITLE")
    pins.add_argument("--keep", action="append", default=[], metavar="TITLE")
    pins.set_defaults(command=_pins)
    for parser in (scrub, pins):
        parser.add_argument("--cache", type=Path, default=default_cache_dir(), metavar="DIR")
        parser.add_argument("--json", action="store_true", help="as JSON")


def _scrub(options: argparse.Namespace) -> int:
    sound, size, corrupt = 0, 0, []
    for path, entry in body_paths(bodies_below(_existing(options.cache))):
        try:
            body = Path(path).read_bytes()
        except FileNotFoundError:
            continue  # evicted meanwhile
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
        if hashlib.sha256(body).hexdigest() == entry.sha256:
            sound += 1
            size += len(body)
        else:
            remove(Path(path))
            corrupt.append(entry.key)
    if options.json:
        report = {"sound": sound, "bytes": size, "corrupt": corrupt}
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    else:
        sys.stdout.write(f"{sound} bodies ({size} bytes) are sound; ")
        sys.stdout.write(f"{len(corrupt)} failed their checksum and were deleted\n")
    return 1 if corrupt else 0


def _pins(options: argparse.Namespace) -> int:
    state = StateStore(_existing(options.cache) / "state")
    for titles, keep in ((options.release, False), (options.keep, True)):
        if titles:
            ask(state, titles, keep=keep)
    pinned = pinned_titles(state)
    if options.json:
        sys.stdout.write(json.dumps(pinned, indent=1) + "\n")
    elif options.release or options.keep:
        sys.stdout.write("noted: a running origin does it within seconds, others when they start\n")
    else:
        sys.stdout.writelines(f"{title}\n" for title in sorted(pinned))
    return 0


def _existing(cache: Path) -> Path:
    if not cache.is_dir():
        raise ConfigError(f"there is no cache at {cache}", source=str(cache))
    return cache
