"""`upscale-origin sign`: a URL that is good for one title, and for a while."""

import argparse
import re
import sys
import time
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from manifests.urls import is_media_file
from origin.access import MD5_KEY, sign
from origin.config import Config, load_config
from origin.errors import ConfigError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add `sign` to the command line."""
    parser = commands.add_parser("sign", help="sign the URL of a title")
    parser.add_argument("url", metavar="URL", help="of a playlist, or its path alone")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE.toml")
    parser.add_argument("--key", metavar="ID", help=f"key id, or {MD5_KEY} (the first of the file)")
    parser.add_argument("--valid", default="6h", metavar="TIME", help="such as 90m, 6h or 7d (6h)")
    parser.add_argument(
        "--depth",
        type=int,
        help="how many parts of the path the token is good for (the title's folder or file)",
    )
    parser.set_defaults(command=_sign)


def _sign(options: argparse.Namespace) -> int:
    config = load_config(options.config, {})
    parts = urlsplit(options.url)
    key, secret = _key(config, options.key)
    depth = _depth(parts.path) if options.depth is None else options.depth
    expires = int(time.time()) + _seconds(options.valid)
    try:
        path = sign(parts.path, key=key, secret=secret, expires=expires, depth=depth)
    except ValueError as error:
        raise ConfigError(str(error), source=options.url) from error
    sys.stdout.write(urlunsplit(parts._replace(path=path)) + "\n")
    return 0


def _key(config: Config, key: str | None) -> tuple[str, str]:
    secrets = dict(config.signing_keys)
    if config.secure_link_secret:
        secrets[MD5_KEY] = config.secure_link_secret
    if not secrets:
        raise ConfigError("the file has no signing_keys: add `signing_keys = {ID = SECRET}`")
    key = key or next(iter(secrets))
    if key not in secrets:
        raise ConfigError(f"no such key: {key}; there are: {', '.join(secrets)}", source=key)
    return key, secrets[key]


def _depth(path: str) -> int:
    """Of the media file in a path, else of the folder of the playlist."""
    parts = path.strip("/").split("/")
    files = [index for index, part in enumerate(parts) if is_media_file(part)]
    return files[0] + 1 if files else max(len(PurePosixPath(path).parts) - 2, 1)


def _seconds(text: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", text)
    if found is None:
        raise ConfigError(f"--valid: expected a time such as 90m, 6h or 7d, got {text}")
    return int(found[1]) * _UNITS[found[2]]
