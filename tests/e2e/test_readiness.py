"""When an origin tells its balancer to send players elsewhere."""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.http_client import get, title
from tests.media.synth import Clip, write_hls
from tests.tools import run_origin

PATIENCE_SECONDS = 300
SETTINGS = """\
player_patience_seconds = 1
overload_seconds = 1
upscale_workers = 1
lookahead_segments = 0
threads = 1
"""


def readiness(base: str, *, until: int) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (reply := get(f"{base}/readyz")).status != until:
        assert time.monotonic() < deadline, reply.body
        time.sleep(0.1)
    return str(reply.json.get("detail", ""))


def not_ready(base: str, reason: str) -> float:
    name = f'upscale_origin_not_ready{{reason="{reason}"}}'
    lines = get(f"{base}/metrics").body.decode().splitlines()
    (row,) = [line for line in lines if line.startswith(name)]
    return float(row.split()[-1])


def test_an_overloaded_origin_is_not_ready_and_answers_all_the_same(tmp_path, monkeypatch):
    """Each segment takes half a second on any machine, and none ends before it was looked at."""
    library, held = tmp_path / "library", tmp_path / "held"
    monkeypatch.setenv("ORIGIN_SLOW_lanczos", "0.5")
    monkeypatch.setenv("ORIGIN_HELD_lanczos", str(held))
    clip = Clip(frames=168, gop=12)
    write_hls(library / "long", clip, "mpegts", segment_seconds=0.4)
    (settings := tmp_path / "origin.toml").write_text(SETTINGS)
    arguments = (f"lib={library}", "--rendition", "2x:lanczos", "--device", "cpu")
    places = ("--cache", tmp_path / "cache", "--config", settings)
    with run_origin(*arguments, *places, module="tests.e2e.watched_origin") as base:
        urls = title(f"{base}/lib/long/index.m3u8").produced_track().segments
        for url in urls[:4]:  # until every process knows its pace
            assert get(url).status == 200
        readiness(base, until=200)
        assert not_ready(base, "overload") == 0
        held.touch()
        with ThreadPoolExecutor(len(urls)) as pool:
            replies = [pool.submit(get, url) for url in urls[4:]]
            assert "overloaded" in readiness(base, until=503)
            assert not_ready(base, "overload") == 1
            assert get(f"{base}/healthz").status == 200
            held.unlink()
            assert {reply.result().status for reply in replies} <= {200, 503}
        readiness(base, until=200)
