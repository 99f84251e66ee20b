"""What may be wrong with a machine or a configuration, each found in a moment."""

import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import sr
from manifests.errors import ManifestError
from manifests.ladder import RenditionSpec
from origin.arena import has_large_pages
from origin.config import Config
from origin.media import inventory
from origin.reload import access_of
from origin.service.capability import model_digests

_PLAYER = Path(__file__).parents[1] / "player" / "dist" / "index.html"
_MIN_FILES = 4096
_SKEW_SECONDS = 2.0
_BEFORE = 1_735_689_600
"""2025-01-01: a clock that says less was never set."""


class State(StrEnum):
    """How a finding is meant."""

    OK = "ok"
    NOTE = "note"
    """Works, with less than there could be."""
    BAD = "bad"
    """Will not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    detail: str
    """What was found, and what to do about it."""


def examine(config: Config) -> Iterator[Finding]:
    """Look at everything; nothing of it changes anything for good."""
    yield from _device(config)
    yield from _codecs()
    yield from _weights(config)
    yield from _cache(config)
    yield from _clock(config)
    yield from _libraries(config)
    yield from _limits(config)
    yield _access(config)
    yield _page()


def _found(name: str, state: State, detail: str) -> Finding:
    return Finding(name=name, state=state, detail=detail)


def _device(config: Config) -> Iterator[Finding]:
    try:
        device = sr.resolve_device(config.device)
    except sr.UpscalerError as error:
        yield _found("device", State.BAD, str(error))
        return
    workers = f"{config.upscale_workers} workers of {config.threads} threads"
    yield _found("device", State.OK, f"{device}; {workers}")


def _codecs() -> Iterator[Finding]:
    text = ", ".join(f"{name} {version}" for name, version in inventory.versions().items())
    yield _found("FFmpeg", State.OK, text)
    decoders = inventory.missing(inventory.NEEDED_DECODERS, "r")
    encoders = inventory.missing(inventory.NEEDED_ENCODERS, "w")
    for name, lacking in (("decoders", decoders), ("encoders", encoders)):
        if lacking:
            yield _found(name, State.BAD, f"missing: {', '.join(lacking)}; install av from PyPI")
        else:
            yield _found(name, State.OK, "all that are needed")
    lacking = inventory.missing(inventory.OPTIONAL_ENCODERS, "w")
    if lacking:
        yield _found("more encoders", State.NOTE, f"not in this build: {', '.join(lacking)}")


def _weights(config: Config) -> Iterator[Finding]:
    for text in config.renditions:
        name = f"rendition {text}"
        try:
            digests = model_digests([RenditionSpec.parse(text)])
        except (ManifestError, sr.UpscalerError) as error:
            yield _found(name, State.BAD, str(error))
        else:
            known = ", ".join(f"{model} {digest[:12]}" for model, digest in digests.items())
            yield _found(name, State.OK, known)


def _cache(config: Config) -> Iterator[Finding]:
    folder = _existing(config.cache)
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
        usage = shutil.disk_usage(folder)
    except OSError as error:
        reason = f"{config.cache} cannot be written: {error.strerror}"
        yield _found("cache", State.BAD, f"{reason}; nothing would be kept")
        return
    free = f"{config.cache}, {usage.free / 1e9:.1f} GB free"
    budget = f"{config.cache_size / 1e9:g} GB"
    if usage.free < config.cache_size:
        yield _found("cache", State.NOTE, f"{free}, less than cache_size of {budget}")
    else:
        yield _found("cache", State.OK, f"{free}, {budget} of it to be used")


def _existing(path: Path) -> Path:
    """The nearest folder that is there: the cache's own may be made later."""
    return next((p for p in (path, *path.parents) if p.is_dir()), Path("/"))


def _clock(config: Config) -> Iterator[Finding]:
    now = time.time()
    if now < _BEFORE:
        yield _found("clock", State.BAD, "it was never set: signed URLs would not expire in time")
        return
    try:
        with tempfile.NamedTemporaryFile(dir=_existing(config.cache)) as file:
            skew = abs(Path(file.name).stat().st_mtime - time.time())
    except OSError:
        skew = 0.0
    if skew > _SKEW_SECONDS:
        advice = "have both synchronised (NTP)"
        yield _found("clock", State.NOTE, f"the cache's disk is {skew:.0f} s off; {advice}")
    else:
        yield _found("clock", State.OK, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))


def _libraries(config: Config) -> Iterator[Finding]:
    for name, root in config.libraries.items():
        if os.access(root, os.R_OK | os.X_OK):
            yield _found(f"library {name}", State.OK, str(root))
        else:
            yield _found(f"library {name}", State.BAD, f"{root} cannot be read")


def _limits(config: Config) -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(_MIN_FILES, 2 * config.max_connections + 512)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        advice = f"raise it to {wanted} (ulimit -n, LimitNOFILE=) or lower max_connections"
        yield _found("open files", State.NOTE, f"{soft} are allowed; {advice}")
    else:
        yield _found("open files", State.OK, "enough are allowed")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    state = State.NOTE if config.ram_cache_size > memory // 2 else State.OK
    text = f"{memory / 1e9:.1f} GB, {config.ram_cache_size / 1e9:.2g} GB of it for the cache"
    yield _found("memory", state, text)
    if has_large_pages():
        text = "files in memory have large ones (shmem_enabled): bodies are copied to be sent"
        yield _found("pages", State.NOTE, text)


def _access(config: Config) -> Finding:
    if access_of(config).is_open:
        return _found("access", State.OK, f"everything is open to whoever reaches {config.host}")
    if config.admin_keys or config.admin_port:
        return _found("access", State.OK, "titles are protected; administrators have a way in")
    advice = "set admin_keys or admin_port"
    return _found("access", State.NOTE, f"/metrics and /api/warm are refused to all; {advice}")


def _page() -> Finding:
    if _PLAYER.is_file():
        return _found("player page", State.OK, "built")
    return _found("player page", State.NOTE, "not built: run `make install` (needs node and npm)")
