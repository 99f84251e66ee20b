"""What an operator can set: TOML file below, command line above, defaults at the bottom."""

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from origin import config_values
from origin.errors import ConfigError

_HIDDEN = frozenset({"signing_keys", "secure_link_secret", "cdn_secrets", "admin_keys"})


def _available_threads() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _upscale_workers() -> int:
    """One for every four threads: a segment of a few seconds has too few sub-GOPs for more."""
    return max(1, _available_threads() // 4)


def _threads_per_worker() -> int:
    return max(1, _available_threads() // _upscale_workers())


def _lookahead_segments() -> int:
    return max(2, _upscale_workers())


def default_cache_dir() -> Path:
    """`upscale-origin` in the user's cache home (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    return base / "upscale-origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Checked settings. Field names are the keys of the TOML file and of `load_config`."""

    libraries: Mapping[str, Path] = field(default_factory=dict)
    """Absolute directories by library name."""
    host: str = "127.0.0.1"
    port: int = 8080
    """0: any that is free."""
    cache: Path = field(default_factory=default_cache_dir)
    cache_size: int = 20 * 10**9
    """Bytes."""
    library_cache_sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of `cache_size` that belong to one library alone, and all that it gets."""
    ram_cache_size: int = 128 * 2**20
    """Bytes, all that the cache keeps in memory included."""
    cache_bucket: str = ""
    """URL of a bucket that origins share, such as s3://bucket/prefix."""
    cache_bucket_seconds: float = 1.0
    """What takes longer counts as a failure of the bucket."""
    cache_scrub_rate: int = 10**7
    """Bytes verified per second in the background; 0: none."""
    x_accel_prefix: str = ""
    """Stands before where a body lies, as an nginx in front is told that sends bodies itself, such
    as /upscale-cache/; empty: nobody is told."""
    x_accel_seconds: int = 10
    """How long that nginx may remember where a body lies; 0: it always asks."""
    device: str = "auto"
    renditions: tuple[str, ...] = ("auto",)
    """Rendition specs as written."""
    threads: int = field(default_factory=_threads_per_worker)
    """Budget of one upscale worker, for decoding, nets and encoders together."""
    upscale_workers: int = field(default_factory=_upscale_workers)
    package_workers: int = 1
    lookahead_segments: int = field(default_factory=_lookahead_segments)
    """How many segments after the one asked for are made ahead."""
    warm_first_segments: int = 0
    """How many of a variant are made as soon as its playlist is asked for."""
    express_workers: int = 1
    """Spare processes for segments that players wait for; others are paused meanwhile."""
    lighter_models: tuple[str, ...] = ("anime4k-m", "lanczos")
    """What may stand in for a model when a player's deadline can't be met; none: nothing may."""
    deadline_margin_seconds: float = 0.5
    """How long before a player's deadline a body should be ready."""
    startup_patience_seconds: float = 3.0
    """How long a player that shows nothing yet may wait for the model that it asked for."""
    player_patience_seconds: float = 8.0
    """When players give up: what even the lightest model can't make by then is refused."""
    orphan_grace_seconds: float = 30.0
    hang_seconds: float = 60.0
    """A worker that reports nothing for this long is killed."""
    startup_seconds: float = 300.0
    """The same while it starts, does its first job (which may compile kernels), or inspects."""
    drain_seconds: float = 20.0
    drain_notice_seconds: int = 0
    """How long /readyz says no before the origin stops to listen, for balancers to notice."""
    max_connections: int = 10_000
    max_connections_per_address: int = 2_000
    """Where there are too many, those that have waited longest for a request give way."""
    head_seconds: float = 10.0
    """How long a request's head may take; a connection without any ends after it."""
    min_read_rate: int = 10_000
    """Bytes per second at which responses must be read; 0: at any."""
    read_seconds: float = 20.0
    """How far a client may fall behind that."""
    keep_alive_seconds: float = 75.0
    """How long a connection may wait for its next request: longer than the CDN keeps it."""
    max_url_length: int = 8192
    """Bytes as they are sent, percent-encoded; so are the others."""
    max_query_length: int = 4096
    max_header_count: int = 100
    max_headers_length: int = 16_384
    frame_ancestors: tuple[str, ...] = ("'self'",)
    """Who may show the page in a frame, as Content-Security-Policy writes it."""
    signing_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secret by key id; with any, titles are served under signed paths only (see `access`)."""
    secure_link_secret: str = field(default="", repr=False)
    """Of tokens as nginx's secure_link module has them, MD5 that is; empty: none are taken."""
    cdn_secret_header: str = "X-Origin-Secret"
    cdn_secrets: tuple[str, ...] = field(default=(), repr=False)
    """What a CDN must send in that header; with two, secrets can be rotated."""
    admin_keys: tuple[str, ...] = field(default=(), repr=False)
    """Bearer tokens for /metrics and /api/warm."""
    admin_port: int = 0
    """Port of a listener of their own for these; 0: none."""
    admin_host: str = "127.0.0.1"
    otel_endpoint: str = ""
    """Base URL of an OTLP collector for spans; OTEL_EXPORTER_OTLP_ENDPOINT will do as well."""
    interim_seconds: int = 0
    """How often a player that waits is sent an interim response (102); 0: never."""
    overload_seconds: int = 5
    """After so long of players having to wait for a worker for half of their patience, or so long
    of their having to for less than a quarter, /readyz changes its mind; 0: never."""
    log_format: str = "text"
    log_level: str = "info"


_PARSERS: Mapping[str, Callable[[object, Path], object]] = {
    "libraries": config_values.read_libraries,
    "host": config_values.read_text,
    "port": config_values.read_integer(0, 65535),
    "cache": config_values.read_path,
    "cache_size": config_values.read_size,
    "library_cache_sizes": config_values.read_sizes,
    "ram_cache_size": config_values.read_size,
    "cache_bucket": config_values.read_text,
    "cache_bucket_seconds": config_values.read_seconds,
    "cache_scrub_rate": config_values.read_size,
    "x_accel_prefix": config_values.read_location,
    "x_accel_seconds": config_values.read_integer(0, 3600),
    "device": config_values.read_device,
    "renditions": config_values.read_renditions,
    "threads": config_values.read_integer(1, 1024),
    "upscale_workers": config_values.read_integer(1, 64),
    "package_workers": config_values.read_integer(1, 64),
    "lookahead_segments": config_values.read_integer(0, 100),
    "warm_first_segments": config_values.read_integer(0, 100),
    "express_workers": config_values.read_integer(0, 64),
    "lighter_models": config_values.read_models,
    "deadline_margin_seconds": config_values.read_seconds,
    "startup_patience_seconds": config_values.read_seconds,
    "player_patience_seconds": config_values.read_seconds,
    "orphan_grace_seconds": config_values.read_seconds,
    "hang_seconds": config_values.read_seconds,
    "startup_seconds": config_values.read_seconds,
    "drain_seconds": config_values.read_seconds,
    "drain_notice_seconds": config_values.read_integer(0, 600),
    "max_connections": config_values.read_integer(1, 1_000_000),
    "max_connections_per_address": config_values.read_integer(1, 1_000_000),
    "head_seconds": config_values.read_seconds,
    "min_read_rate": config_values.read_size,
    "read_seconds": config_values.read_seconds,
    "keep_alive_seconds": config_values.read_seconds,
    "max_url_length": config_values.read_integer(64, 16_000),
    "max_query_length": config_values.read_integer(0, 16_000),
    "max_header_count": config_values.read_integer(8, 120),
    "max_headers_length": config_values.read_integer(256, 1_000_000),
    "frame_ancestors": config_values.read_ancestors,
    "signing_keys": config_values.read_keys,
    "secure_link_secret": config_values.read_secret,
    "cdn_secret_header": config_values.read_text,
    "cdn_secrets": config_values.read_secrets,
    "admin_keys": config_values.read_secrets,
    "admin_port": config_values.read_integer(0, 65535),
    "admin_host": config_values.read_text,
    "otel_endpoint": config_values.read_text,
    "interim_seconds": config_values.read_integer(0, 600),
    "overload_seconds": config_values.read_integer(0, 600),
    "log_format": config_values.read_choice("text", "json"),
    "log_level": config_values.read_choice("debug", "info", "warning", "error"),
}


def load_config(path: Path | None, overrides: Mapping[str, object]) -> Config:
    """Merge defaults, a TOML file and command line values, in rising precedence.

    Args:
        path: The TOML file. Relative paths in it are relative to its folder.
        overrides: By field name of `Config`; None means not given. Libraries may be a mapping or
            a list of `NAME=SOURCE`, and add to those of the file.

    Raises:
        ConfigError: One line that names the key and says what was expected.
    """
    values = {} if path is None else _parse(_read(path), path.parent, str(path))
    given = {key: value for key, value in overrides.items() if value is not None}
    above = _parse(given, Path.cwd(), "command line")
    libraries = {**values.get("libraries", {}), **above.get("libraries", {})}
    return _checked(Config(**{**values, **above, "libraries": libraries}))


def _checked(config: Config) -> Config:
    sizes = config.library_cache_sizes
    unknown = sorted(sizes.keys() - config.libraries.keys())
    if unknown:
        reason = f"expected names of libraries, got {unknown[0]!r}"
    elif sum(sizes.values()) > config.cache_size:
        reason = f"expected no more than cache_size in all, {config.cache_size} bytes"
    else:
        return config
    raise ConfigError(f"library_cache_sizes: {reason}", source="library_cache_sizes")


def _read(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        reason = f"expected a TOML file: {error.strerror}"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reason = f"expected TOML: {error}"
    raise ConfigError(f"{path}: {reason}", source=str(path))


def _parse(values: Mapping[str, object], base: Path, where: str) -> dict[str, Any]:
    parsed = {}
    for key, value in values.items():
        if key not in _PARSERS:
            near = difflib.get_close_matches(key, _PARSERS, n=1) or [", ".join(_PARSERS)]
            raise ConfigError(f"{where}: unknown key {key!r}, expected {near[0]}", source=key)
        try:
            parsed[key] = _PARSERS[key](value, base)
        except config_values.UnexpectedError as error:
            raise ConfigError(_complaint(where, key, str(error), value), source=key) from None
    return parsed


def _complaint(where: str, key: str, expected: str, value: object) -> str:
    is_told = key not in _HIDDEN and (key != "libraries" or "=" in expected)
    got = f", got {value!r:.80}" if is_told else ""
    return f"{where}: {key}: expected {expected}{got}"
