"""Numbers and log lines. Everything belongs to the app that creates it; labels are bounded."""

import json
import logging
import random
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import cache
from typing import TextIO

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
RESULTS = frozenset({"hit", "miss", "coalesced", "degraded"})
STAGES = frozenset({"queue", "fetch", "decode", "upscale", "encode", "mux", "check"})
LANES = frozenset({"upscale", "package", "prepare"})
DEADLINES = frozenset({"met", "missed", "refused"})
MAX_ROUTES = 64
MAX_MODELS = 16
_OTHER = "other"
_STAGE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_NEWEST = 0.2

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""Of the request that the current task serves; log lines carry it."""


class Metrics:
    """All metrics of one origin, on a registry of its own. Threads may share it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._routes: set[str] = set()
        requests = self._counter("requests", "HTTP responses", "route", "status")
        self._requests = cache(requests.labels)
        segments = self._counter("segments", "Segments served, by X-Cache", "result")
        self._segments = cache(segments.labels)
        self._encodes = self._counter("encodes", "Segments that a worker began to encode")
        sent = self._counter("bytes", "Bytes of the bodies of responses", "route")
        self._bytes = cache(sent.labels)
        self._video = self._counter("video_seconds", "Seconds of video made", "model")
        self._work = self._counter("work_seconds", "Seconds that workers took for it", "model")
        self._factors: dict[str, float] = {}
        self.watch(
            "real_time_factor",
            "Seconds of video that one worker makes per second, the latest segments counting most",
            "model",
            lambda: dict(self._factors),
        )
        self._restarts = self._counter("worker_restarts", "Workers started anew", "lane")
        self._orphans = self._counter("orphans_dropped", "Jobs dropped as nobody waited for them")
        self._preempted = self._counter("preempted", "Jobs paused for what a player waits for")
        self._models: set[str] = set()
        self._degraded = self._counter("degraded", "Bodies made by a lighter model", "model")
        self._deadlines = self._counter("deadlines", "Segments by a player's deadline", "outcome")
        answered = Histogram(
            "upscale_origin_request_seconds",
            "Seconds until a response is ready to be sent",
            ("route",),
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self._answered = cache(answered.labels)
        self._in_flight = Gauge(
            "upscale_origin_in_flight", "Requests being answered", registry=self.registry
        )
        self._stages = Histogram(
            "upscale_origin_stage_seconds",
            "Seconds per segment by stage",
            ("stage",),
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )

    def request_started(self) -> None:
        """A request came in."""
        self._in_flight.inc()

    def request_ended(self, route: str, status: int, seconds: float = 0.0) -> None:
        """A request was answered. `route` is the name of a route, never a path."""
        self._in_flight.dec()
        self.answered(route, status, seconds)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """The same of a request that was answered as it came in."""
        route = _one_of(self._routes, route, MAX_ROUTES)
        label = str(status) if 100 <= status <= 599 else _OTHER
        self._requests(route, label).inc()
        self._answered(route).observe(seconds)

    def body(self, route: str, size: int) -> None:
        """A body of so many bytes is about to be sent."""
        self._bytes(_one_of(self._routes, route, MAX_ROUTES)).inc(size)

    def made(self, model: str, video_seconds: float, work_seconds: float) -> None:
        """A worker has made a segment."""
        if work_seconds <= 0:
            return
        model = _one_of(self._models, model, MAX_MODELS)
        self._video.labels(model).inc(video_seconds)
        self._work.labels(model).inc(work_seconds)
        factor = video_seconds / work_seconds
        before = self._factors.get(model, factor)
        self._factors[model] = before + _NEWEST * (factor - before)

    def segment(self, result: str) -> None:
        """A segment was served with this X-Cache value."""
        self._segments(_bounded(result, RESULTS)).inc()

    def stages(self, seconds: Mapping[str, float]) -> None:
        """A segment was made; seconds by stage."""
        for stage, value in seconds.items():
            self._stages.labels(_bounded(stage, STAGES)).observe(value)

    def encode(self) -> None:
        """A worker began to encode a segment."""
        self._encodes.inc()

    def worker_restart(self, lane: str) -> None:
        """A worker was started in place of one that died."""
        self._restarts.labels(_bounded(lane, LANES)).inc()

    def orphan_dropped(self) -> None:
        """A job was dropped because nobody waited for it."""
        self._orphans.inc()

    def preempted(self) -> None:
        """A job was paused for one that a player waits for."""
        self._preempted.inc()

    def degraded(self, model: str) -> None:
        """A body was made by a lighter model in place of its own."""
        self._degraded.labels(_one_of(self._models, model, MAX_MODELS)).inc()

    def deadline(self, outcome: str) -> None:
        """A player with a deadline was answered: `met`, `missed` or `refused`."""
        self._deadlines.labels(_bounded(outcome, DEADLINES)).inc()

    def watch(
        self,
        name: str,
        documentation: str,
        label: str,
        read: Callable[[], Mapping[str, float]],
        *,
        counter: bool = False,
    ) -> None:
        """Publish numbers that somebody else keeps, one per label value, read at each scrape."""
        self.registry.register(
            _Watch(f"upscale_origin_{name}", documentation, label, read, counter)
        )

    def value(self, name: str, **labels: str) -> float:
        """One sample by its full name, such as `upscale_origin_encodes_total`; 0 if unseen."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def render(self) -> bytes:
        """Prometheus text format; to be served as `CONTENT_TYPE`."""
        return generate_latest(self.registry)

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"upscale_origin_{name}", documentation, labels, registry=self.registry)


class _Watch(Collector):
    def __init__(
        self,
        name: str,
        documentation: str,
        label: str,
        read: Callable[[], Mapping[str, float]],
        counter: bool,
    ) -> None:
        self._arguments = (name, documentation)
        self._label = label
        self._read = read
        self._kind = CounterMetricFamily if counter else GaugeMetricFamily

    def collect(self) -> Iterable[Metric]:
        family = self._kind(*self._arguments, labels=[self._label])
        for label, value in self._read().items():
            family.add_metric([label], value)
        yield family


def _one_of(known: set[str], value: str, most: int) -> str:
    """The value if it is known or there is room for it."""
    if value in known:
        return value
    if len(known) >= most:
        value = _OTHER
    known.add(value)
    return value


def _bounded(value: str, allowed: frozenset[str]) -> str:
    return value if value in allowed else _OTHER


def accept_request_id(header: str | None) -> str:
    """The caller's X-Request-ID if it is harmless, else a new one."""
    if header and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", header):
        return header
    return f"{random.getrandbits(64):016x}"


def log(logger: logging.Logger, event: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Write one structured line: what happened, and the values that belong to it."""
    logger.log(level, event, extra={"fields": fields})


class _Formatter(logging.Formatter):
    """One line per record; an exception's traceback follows it, or is a field of the JSON."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "request": request_id.get(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        if self._as_json:
            return json.dumps(entry | ({"trace": trace} if trace else {}), default=str)
        line = " ".join(f"{key}={_quoted(value)}" for key, value in entry.items())
        return f"{line}\n{trace}" if trace else line


def _quoted(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if re.fullmatch(r"[^\s\"=\\\x00-\x1f\x7f]+", text) else json.dumps(text)


def setup_logging(
    format_name: str = "text", level: str = "info", stream: TextIO | None = None
) -> None:
    """Send all log records to `stream` (stderr) as `key=value` or JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter(as_json=format_name == "json"))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
