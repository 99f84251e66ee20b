"""An nginx that sends cached bodies itself, and remembers where they lie."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.http_client import get, get_many, titles
from tests.media.synth import Clip, write_hls
from tests.nginx import sending_proxy
from tests.tools import run_origin

SETTINGS = """\
ram_cache_size = 0
lookahead_segments = 0
warm_first_segments = 0
log_level = "error"
x_accel_prefix = "/bodies-2/"
"""
KEPT = (
    "Accept-Ranges",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Cache-Control",
    "Cache-Status",
    "Content-Length",
    "Content-Type",
    "Cross-Origin-Resource-Policy",
    "ETag",
    "Link",
    "Timing-Allow-Origin",
    "X-Cache",
    "X-Content-Type-Options",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    base: str
    front: str
    path: str
    """Of a segment that nobody has asked for."""
    bodies: Path
    references: Path

    def asked(self) -> float:
        """How often the origin was, /metrics left out."""
        rows = [line.split() for line in get(f"{self.base}/metrics").body.decode().splitlines()]
        return sum(
            float(row[-1])
            for row in rows
            if row[0].startswith("upscale_origin_requests_total") and "metrics" not in row[0]
        )


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    library = tmp_path_factory.mktemp("sending") / "library"
    write_hls(library / "t", Clip(frames=48), "mpegts", segment_seconds=0.9)
    return library


@pytest.fixture
def serving(library, tmp_path):
    """Starts an origin with more settings, and its front."""

    @contextmanager
    def start(more: str = "", **headers: str) -> Iterator[Served]:
        settings, cache, folder = tmp_path / "o.toml", tmp_path / "cache", tmp_path / "front"
        settings.write_text(SETTINGS + more)
        folder.mkdir(exist_ok=True)
        options = ("--rendition", "2x:lanczos", "--device", "cpu", "--cache", cache)
        with (
            run_origin(f"lib={library}", *options, "--config", settings) as base,
            sending_proxy(folder, base, cache) as front,
        ):
            yield Served(
                base=base,
                front=front,
                path=segment(base, headers),
                bodies=cache / "bodies-2",
                references=folder / "references",
            )

    return start


def segment(base: str, headers: dict[str, str]) -> str:
    url = f"{base}/lib/t/index.m3u8"
    for playlist in ("up-180p-lanczos/index.m3u8", "0.ts"):
        lines = get(url, **headers).body.decode().splitlines()
        uri = next(line for line in lines if line.endswith(playlist))
        url = f"{url.rpartition('/')[0]}/{uri}"
    return url.removeprefix(base)


def test_a_thousand_hits_cost_the_origin_a_handful_of_requests(serving):
    with serving("x_accel_seconds = 3600") as served:
        url = served.front + served.path
        body = get(served.base + served.path).body
        before = served.asked()
        replies = get_many([f"{url}?CMCD=bl%3D{number}" for number in range(1000)], threads=8)
        assert served.asked() - before <= 8 * 3
        assert {(reply.status, reply.body) for reply in replies} == {(200, body)}
        direct = get(served.base + served.path)
        assert [replies[-1].headers.get_all(name) for name in KEPT] == [
            direct.headers.get_all(name) for name in KEPT
        ]
        assert not {"Last-Modified", "X-Accel-Redirect", "X-Accel-Expires"} & set(
            replies[-1].headers
        )
        assert get(f"{served.front}/upscale-cache/lib/x").status == 404
        file = next(path for path in served.bodies.rglob("*") if path.is_file())
        where = file.relative_to(served.bodies)
        assert get(f"{served.front}/upscale-cache/{where}").status == 404


def test_the_origin_hears_of_it_again_when_the_time_is_up(serving):
    with serving("x_accel_seconds = 4") as served:
        url = served.front + served.path
        assert [get(url).headers["X-Cache"] for _ in range(3)] == ["miss", "hit", "hit"]
        time.sleep(5.1)
        before = served.asked()
        assert [get(url).status for _ in range(2)] == [200, 200]
        assert served.asked() - before == 1


def test_nothing_but_where_bodies_lie_is_remembered(serving):
    with serving() as served:
        body = get(served.front + served.path).body
        assert not [path for path in served.references.rglob("*") if path.is_file()]
        get(f"{served.front}/lib/t/index.m3u8")
        get(f"{served.front}/lib/t/s001.ts")
        get(f"{served.front}{served.path.replace('0.ts', '999.ts')}")
        get(served.front + served.path)
        (reference,) = [path for path in served.references.rglob("*") if path.is_file()]
        assert body[:100] not in reference.read_bytes()


def test_a_body_that_is_evicted_while_it_is_remembered_comes_from_the_origin(serving):
    with serving("x_accel_seconds = 3600") as served:
        url = served.front + served.path
        made = get(url)
        assert get(url, If_None_Match=made.headers["ETag"]).status == 304  # opens no file
        before = served.asked()
        shutil.rmtree(served.bodies)
        assert get(url, Range="bytes=5-9").body == made.body[5:10]
        assert get(url, method="HEAD").headers["Content-Length"] == str(len(made.body))
        replies = [get(url) for _ in range(3)]
        assert {(reply.status, reply.body) for reply in replies} == {(200, made.body)}
        assert served.asked() > before


def test_a_flipped_bit_is_sent_for_no_longer_than_it_is_remembered(serving):
    with serving("x_accel_seconds = 1") as served:
        url = served.front + served.path
        body = get(url).body
        assert get(url).headers["X-Cache"] == "hit"
        (file,) = [path for path in served.bodies.rglob("*") if path.is_file()]
        file.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
        time.sleep(2.1)
        replies = [get(url) for _ in range(3)]
        assert [reply.body for reply in replies] == [body] * 3


def test_what_a_secret_guards_is_never_remembered(serving):
    secret = {"X_Origin_Secret": "a secret of the CDN"}
    with serving(f'cdn_secrets = ["{secret["X_Origin_Secret"]}"]', **secret) as served:
        url = served.front + served.path
        asked = [get(url, **secret) for _ in range(5)]
        assert [reply.headers["X-Cache"] for reply in asked] == ["miss"] + ["hit"] * 4
        refused = get(url)
        assert (refused.status, refused.headers["Content-Type"]) == (
            403,
            "application/problem+json",
        )
        assert not [path for path in served.references.rglob("*") if path.is_file()]


def test_no_header_of_a_client_chooses_the_file(serving):
    with serving() as served:
        assert get(served.front + served.path).status == 200
        (served.bodies.parent / "secret:").write_bytes(b"secret")
        for name in ("If-Range", "If-Match", "If-None-Match"):
            for value in (":/upscale-cache/../secret", "/upscale-cache/../secret:"):
                path = served.path.replace("/0.ts", "/99.ts")
                reply = get(served.front + path, **{name: value})
                assert (reply.status, b"secret" in reply.body) == (404, False)


def test_who_asks_where_has_nothing_made(serving):
    with serving() as served:
        row = titles(served.base)["lib/t/index.m3u8"]
        asked = {"X-Sendfile-Type": "X-Accel-Redirect"}
        for path in (served.path, row["poster"], "/lib/t/index.m3u8"):
            reply = get(served.base + path, **asked)
            assert (reply.status, reply.headers["X-Accel-Expires"]) == (204, "0")
        assert not [path for path in served.bodies.rglob("*") if path.is_file()]
