import io
import json
import logging
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from origin.telemetry import (
    MAX_MODELS,
    MAX_ROUTES,
    Metrics,
    accept_request_id,
    log,
    request_id,
    setup_logging,
)

logger = logging.getLogger("origin.test")


def test_what_happened_is_rendered_as_prometheus_reads_it() -> None:
    metrics = Metrics()
    metrics.request_started()
    metrics.request_started()
    metrics.request_ended("segment", 200, 0.3)
    metrics.body("segment", 1000)
    metrics.made("lanczos", 4.0, 2.0)
    metrics.segment("coalesced")
    metrics.stages({"decode": 0.2, "upscale": 3.0})
    metrics.encode()
    metrics.worker_restart("upscale")
    metrics.orphan_dropped()
    metrics.watch("queue_depth", "Jobs", "class", lambda: {"blocking": 3})
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }
    prefix = "upscale_origin"
    assert samples[f"{prefix}_requests_total", "segment", "200"] == 1
    assert samples[f"{prefix}_request_seconds_bucket", "0.25", "segment"] == 0
    assert samples[f"{prefix}_request_seconds_bucket", "0.5", "segment"] == 1
    assert samples[f"{prefix}_bytes_total", "segment"] == 1000
    assert samples[f"{prefix}_video_seconds_total", "lanczos"] == 4
    assert samples[f"{prefix}_work_seconds_total", "lanczos"] == 2
    assert samples[f"{prefix}_real_time_factor", "lanczos"] == 2
    assert samples[f"{prefix}_in_flight",] == 1
    assert samples[f"{prefix}_segments_total", "coalesced"] == 1
    assert samples[f"{prefix}_stage_seconds_sum", "upscale"] == 3
    assert samples[f"{prefix}_stage_seconds_bucket", "0.25", "decode"] == 1
    assert samples[f"{prefix}_encodes_total",] == 1
    assert samples[f"{prefix}_worker_restarts_total", "upscale"] == 1
    assert samples[f"{prefix}_orphans_dropped_total",] == 1
    assert samples[f"{prefix}_queue_depth", "blocking"] == 3
    assert samples["process_resident_memory_bytes",] > 0


def test_origins_share_nothing() -> None:
    first, second = Metrics(), Metrics()
    first.encode()
    assert first.value("upscale_origin_encodes_total") == 1
    assert second.value("upscale_origin_encodes_total") == 0


def test_the_real_time_factor_follows_the_latest_segments() -> None:
    metrics = Metrics()
    metrics.made("a", 4.0, 1.0)
    metrics.made("a", 4.0, 0.0)
    for _ in range(50):
        metrics.made("a", 4.0, 8.0)
    assert metrics.value("upscale_origin_real_time_factor", model="a") == pytest.approx(0.5, 0.01)


def test_labels_are_bounded() -> None:
    metrics = Metrics()
    for number in range(1000):
        metrics.request_started()
        metrics.request_ended(f"/path/{number}", number)
        metrics.segment(f"result {number}")
        metrics.stages({f"stage {number}": 1.0})
        metrics.worker_restart(f"lane {number}")
        metrics.made(f"model {number}", 1.0, 1.0)
        metrics.body(f"/path/{number}", 1)
    families = {family.name: family for family in metrics.registry.collect()}
    routes = {sample.labels["route"] for sample in families["upscale_origin_requests"].samples}
    assert len(routes) == MAX_ROUTES + 1
    assert len(families["upscale_origin_real_time_factor"].samples) == MAX_MODELS + 1
    assert len(families["upscale_origin_bytes"].samples) == 2 * (MAX_ROUTES + 1)
    for name, label in (("segments", "result"), ("worker_restarts", "lane")):
        samples = families[f"upscale_origin_{name}"].samples
        assert {sample.labels[label] for sample in samples} == {"other"}
    assert metrics.value("upscale_origin_stage_seconds_count", stage="other") == 1000


@pytest.mark.parametrize("header", [None, "", "a b", "x" * 65, 'a"b', "a\nb", "ü"])
def test_a_harmful_request_id_is_replaced(header: str | None) -> None:
    made = accept_request_id(header)
    assert made != header
    assert accept_request_id(made) == made


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("restored_logging")
def test_a_line_of_text_cannot_be_forged() -> None:
    stream = io.StringIO()
    setup_logging("text", "info", stream)
    token = request_id.set("r1")
    log(logger, "segment served", path="/a b\nlevel=error", status=200, seconds=0.123456)
    request_id.reset(token)
    logger.debug("not this")
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("time=20")
    assert line.endswith(
        r'level=info logger=origin.test request=r1 event="segment served" '
        r'path="/a b\nlevel=error" status=200 seconds=0.1235'
    )


@pytest.mark.usefixtures("restored_logging")
def test_json_lines_carry_fields_and_traces() -> None:
    stream = io.StringIO()
    setup_logging("json", "debug", stream)
    log(logger, "made", level=logging.DEBUG, frames=96)
    try:
        raise LookupError("gone")
    except LookupError:
        logger.exception("failed")
    made, failed = map(json.loads, stream.getvalue().splitlines())
    assert (made["event"], made["level"], made["frames"]) == ("made", "debug", 96)
    assert failed["trace"].endswith("LookupError: gone")
