"""The composition root: builds every part from a Config, runs it, and drains it."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from aiohttp import web

import sr
from manifests.errors import ManifestError
from manifests.ladder import IDENTITY, RenditionSpec
from origin.cache import Cache, Pins, StateStore, open_bucket, publish, upkeep
from origin.config import Config
from origin.connections import Connections, be_brief_about_bad_requests
from origin.errors import ConfigError
from origin.guard import Guard
from origin.limits import RequestLimits
from origin.reload import Reloader, access_of
from origin.routes import (
    GUARD,
    INTERIM_SECONDS,
    METRICS,
    SERVICE,
    X_ACCEL_PREFIX,
    X_ACCEL_SECONDS,
    add_routes,
)
from origin.service import Service
from origin.service.capability import model_digests
from origin.service.warming import Warming
from origin.shortcut import Shortcut
from origin.telemetry import Metrics
from origin.tracing import tracing
from origin.warm_api import WARMING
from origin.watched import ConnectionLimits
from origin.worker.pool import WorkerPool
from origin.worker.process import WorkerSettings

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MAX_LINE_BYTES = 16 << 10
_LINGERING_SECONDS = 2.0
_ENDLESS_SECONDS = 1e9
_log = logging.getLogger(__name__)


@asynccontextmanager
async def build(config: Config) -> AsyncIterator[web.Application]:
    """Yield an application with its workers running; on leaving, nothing of it is left behind."""
    specs, device = _usable(config)
    ladder = _ladder(config.lighter_models)
    metrics = Metrics()
    cache = await asyncio.to_thread(_open_cache, config)
    state = StateStore(config.cache / "state")
    pins = await asyncio.to_thread(Pins, cache, state)
    publish(cache, metrics)
    pool = _worker_pool(config, metrics)
    service = Service(
        config=config,
        device=device,
        specs=specs,
        ladder=ladder,
        cache=cache,
        state=state,
        pins=pins,
        pool=pool,
        metrics=metrics,
    )
    app = web.Application()
    app[SERVICE] = service
    app[METRICS] = metrics
    app[X_ACCEL_PREFIX] = config.x_accel_prefix
    app[X_ACCEL_SECONDS] = config.x_accel_seconds
    app[INTERIM_SECONDS] = float(config.interim_seconds)
    guard = Guard(access_of(config), config.admin_port or None)
    app[WARMING] = warming = Warming(service, concurrency=config.upscale_workers + 1)
    metrics.watch("warm_errands", "Errands of /api/warm, by state", "state", warming.states)
    metrics.watch("warm_segments", "Segments of these errands", "state", warming.segments)
    player = Path(__file__).parent / "player" / "dist"
    add_routes(app, player, config.frame_ancestors, guard, _request_limits(config))
    try:
        await pool.start()
        rate = config.cache_scrub_rate
        async with upkeep(cache, pins, scrub_bytes_per_second=rate), service, aclosing(warming):
            yield app
    finally:
        await pool.close()
        await asyncio.to_thread(cache.close)


def _request_limits(config: Config) -> RequestLimits:
    return RequestLimits(
        url_length=config.max_url_length,
        query_length=config.max_query_length,
        header_count=config.max_header_count,
        headers_length=config.max_headers_length,
    )


def _connection_limits(config: Config) -> ConnectionLimits:
    return ConnectionLimits(
        connections=config.max_connections,
        connections_per_address=config.max_connections_per_address,
        head_seconds=config.head_seconds,
        read_seconds=config.read_seconds,
        read_rate=config.min_read_rate,
        keep_alive_seconds=config.keep_alive_seconds,
    )


def _open_cache(config: Config) -> Cache:
    bucket = None
    if config.cache_bucket:
        bucket = open_bucket(config.cache_bucket, timeout_seconds=config.cache_bucket_seconds)
    return Cache(
        config.cache,
        budget_bytes=config.cache_size,
        ram_bytes=config.ram_cache_size,
        libraries=config.library_cache_sizes,
        bucket=bucket,
    )


def _worker_pool(config: Config, metrics: Metrics) -> WorkerPool:
    settings = WorkerSettings(
        hang_seconds=config.hang_seconds,
        startup_seconds=config.startup_seconds,
        log_format=config.log_format,
        log_level=config.log_level,
    )
    return WorkerPool(
        settings,
        metrics,
        upscale_workers=config.upscale_workers,
        package_workers=config.package_workers,
        express_workers=config.express_workers,
        margin_seconds=config.deadline_margin_seconds,
        grace_seconds=config.orphan_grace_seconds,
    )


def _usable(config: Config) -> tuple[list[RenditionSpec], str]:
    """Renditions and device as they are used; what cannot be is refused before anything starts."""
    specs = [_spec(text) for text in config.renditions]
    try:
        model_digests(specs)
        return specs, sr.resolve_device(config.device)
    except sr.UpscalerError as error:
        raise ConfigError(str(error)) from error


def _ladder(models: Sequence[str]) -> dict[str, str]:
    """Digest by name of the models that may stand in for others."""
    known = {info.name for info in sr.list_models()} - {IDENTITY}
    for name in models:
        if name not in known:
            raise ConfigError(f"lighter_models: no such model: {name}", source="lighter_models")
    try:
        return {name: sr.model_digest(name) for name in models}
    except sr.UpscalerError as error:
        raise ConfigError(f"lighter_models: {error}", source="lighter_models") from error


def _spec(text: str) -> RenditionSpec:
    try:
        return RenditionSpec.parse(text)
    except ManifestError as error:
        raise ConfigError(str(error), source=text) from error


def _say(line: str) -> None:
    """Print a line at once, and as one: the log may go to the same place."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def serve(
    config: Config,
    *,
    announce: Callable[[str], None] = _say,
    read_again: Callable[[], Config] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    The origin says for `drain_notice_seconds` that it is not ready, and answers all the same; then
    requests in flight get `drain_seconds` to end.

    Args:
        config: What to serve.
        announce: Called once with a line for the user when requests are answered.
        read_again: Reads the configuration once more, at SIGHUP.
    """
    be_brief_about_bad_requests()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    connections = Connections(_connection_limits(config))
    async with (
        tracing(config.otel_endpoint) as spans,
        build(config) as app,
        connections.watching(),
    ):
        connections.attach(app, app[METRICS])
        if spans is not None:
            spans.attach(app)
        reloader = Reloader(config, read_again or (lambda: config), app[GUARD], app[SERVICE])
        loop.add_signal_handler(signal.SIGHUP, reloader.reload)
        runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=config.drain_seconds,
            keepalive_timeout=_ENDLESS_SECONDS,  # `connections` see to it
            lingering_time=_LINGERING_SECONDS,
            max_line_size=_MAX_LINE_BYTES,
            max_field_size=_MAX_LINE_BYTES,
        )
        await runner.setup()
        try:
            shortcut = _shortcut(config, app) if spans is None else None
            await _listen(connections, runner, config.host, config.port, shortcut)
            if config.admin_port:
                await _listen(connections, runner, config.admin_host, config.admin_port)
            _warn_of_openness(config)
            announce(f"listening on {_url(runner, config)}")
            await stop.wait()
            _log.info("draining: up to %.0f s for requests in flight", config.drain_seconds)
            app[SERVICE].drain()
            connections.drain()
            await asyncio.sleep(config.drain_notice_seconds)
        finally:
            deadline = loop.time() + config.drain_seconds
            await runner.cleanup()
            await connections.ended(deadline - loop.time())


def _warn_of_openness(config: Config) -> None:
    """Everything is open by default, which is right on loopback only."""
    if config.host in _LOOPBACK or not access_of(config).is_open:
        return
    _log.warning(
        "anyone who reaches %s may have any title and make this machine work: "
        "set signing_keys or cdn_secrets",
        config.host,
    )
    if not config.admin_keys and not config.admin_port:
        _log.warning(
            "anyone who reaches %s may read /metrics and use /api/warm: "
            "set admin_keys or admin_port",
            config.host,
        )


def _shortcut(config: Config, app: web.Application) -> Shortcut:
    return Shortcut(
        service=app[SERVICE],
        guard=app[GUARD],
        limits=_request_limits(config),
        metrics=app[METRICS],
    )


async def _listen(
    connections: Connections,
    runner: web.AppRunner,
    host: str,
    port: int,
    shortcut: Shortcut | None = None,
) -> None:
    try:
        await connections.listen(runner, host, port, shortcut)
    except OSError as error:
        reason = f"cannot listen on {host} port {port}: {error.strerror}"
        raise ConfigError(reason, source=host) from error


def _url(runner: web.AppRunner, config: Config) -> str:
    port = runner.addresses[0][1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{port}"
