"""Five hundred clients who want the same fifty cold bodies, through caches with their defaults."""

from functools import partial

import pytest

from tests import nginx, varnish
from tests.e2e import crowd
from tests.e2e.watched_origin import work
from tests.http_client import get, title
from tests.media.synth import Clip, write_hls
from tests.tools import run_origin

KEYS, CLIENTS = 50, 500
PROXIES = {"nginx": partial(nginx.caching_proxy, workers=4), "varnish": varnish.caching_proxy}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """One title of 50 segments of a second, 160x90."""
    library = tmp_path_factory.mktemp("cold") / "library"
    write_hls(library / "t", Clip(frames=25 * KEYS, gop=25), "mpegts", segment_seconds=0.9)
    return library


@pytest.mark.parametrize("front", PROXIES)
def test_each_body_is_made_once(front, library, tmp_path, monkeypatch):
    log = tmp_path / "work.log"
    monkeypatch.setenv("ORIGIN_WORK_LOG", str(log))
    settings = tmp_path / "origin.toml"
    settings.write_text('log_level = "warning"\n')
    options = ("--rendition", "2x:lanczos", "--device", "cpu", "--config", settings)
    arguments = (f"lib={library}", *options, "--cache", tmp_path / "cache")
    with (
        run_origin(*arguments, module="tests.e2e.watched_origin") as base,
        PROXIES[front](tmp_path, base) as url,
    ):
        segments = title(f"{url}/lib/t/index.m3u8").produced_track().segments
        assert len(segments) == KEYS
        answers = crowd.ask(list(segments), clients=CLIENTS)
        assert answers.statuses == {200: KEYS * CLIENTS}
        assert sorted(index for _, _, index in work(log)) == list(range(KEYS))
        assert [len(answers.bodies[segment]) for segment in segments] == [1] * KEYS
        for segment in segments:
            assert get(segment.replace(url, base)).body == get(segment).body
