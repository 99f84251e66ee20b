"""Clients that leave, sources that are swapped, names that are odd, options that are wrong."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.http_client import get, title, titles
from tests.media.synth import Clip, write_hls
from tests.tools import ROOT, run_origin

SPEC = ("--rendition", "2x:lanczos", "--device", "cpu")
SLOW = Clip(frames=160, gop=160, width=640, height=360, noise=True)
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def slow_library(tmp_path_factory) -> Path:
    """A title of one segment that takes seconds to make."""
    library = tmp_path_factory.mktemp("slow") / "library"
    write_hls(library / "long", SLOW, "mpegts", segment_seconds=20)
    return library


def metric(base: str, name: str) -> float:
    lines = get(f"{base}/metrics").body.decode().splitlines()
    rows = [line.split() for line in lines if line.startswith(f"upscale_origin_{name}")]
    return sum(float(row[-1]) for row in rows)


def until(condition) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def ask_and_leave(url: str, base: str) -> None:
    """Send a request, wait until a worker is at it, and hang up."""
    parts = urlsplit(url)
    encodes = metric(base, "encodes_total")
    with socket.create_connection((parts.hostname, parts.port)) as client:
        client.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: metric(base, "encodes_total") > encodes)


def test_work_that_was_left_keeps_its_grace_and_is_joined(slow_library, tmp_path):
    with run_origin(f"lib={slow_library}", *SPEC, "--cache", tmp_path) as base:
        url = title(f"{base}/lib/long/index.m3u8").produced_track().segments[0]
        ask_and_leave(url, base)
        assert get(url).headers["X-Cache"] == "coalesced"
        assert metric(base, "encodes_total") == 1
        until(lambda: metric(base, "in_flight") == 1)  # the one that asks


def test_work_that_nobody_came_back_for_is_dropped_after_the_grace(slow_library, tmp_path):
    settings = tmp_path / "origin.toml"
    settings.write_text("orphan_grace_seconds = 0.1\n")
    arguments = (f"lib={slow_library}", *SPEC, "--cache", tmp_path / "c", "--config", settings)
    with run_origin(*arguments) as base:
        url = title(f"{base}/lib/long/index.m3u8").produced_track().segments[0]
        ask_and_leave(url, base)
        until(lambda: metric(base, "orphans_dropped_total") == 1)
        reply = get(url)
        assert (reply.status, reply.headers["X-Cache"]) == (200, "miss")
        assert metric(base, "encodes_total") == 2


def test_a_source_swapped_in_mid_encode_is_never_served_under_the_old_path(slow_library, tmp_path):
    library = tmp_path / "library"
    shutil.copytree(slow_library, library)
    segment = next((library / "long").glob("*.ts"))
    damaged = bytearray(segment.read_bytes())
    damaged[188 * 100 + 20] ^= 1
    with run_origin(f"lib={library}", *SPEC, "--cache", tmp_path / "cache") as base:
        url = title(f"{base}/lib/long/index.m3u8").produced_track().segments[0]
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(get, url)
            until(lambda: metric(base, "encodes_total") == 1)
            (tmp_path / "new.ts").write_bytes(damaged)
            (tmp_path / "new.ts").replace(segment)
            reply = answer.result()
        assert reply.status == 404
        assert "changed" in reply.json["detail"]
        shutil.copytree(slow_library, library, dirs_exist_ok=True)
        until(lambda: get(url).status == 200)


def test_a_segment_swapped_for_a_link_out_is_refused(tmp_path):
    library = tmp_path / "library"
    files = write_hls(library / "t", Clip(frames=48), "mpegts", segment_seconds=0.9)
    secret = tmp_path / "secret.ts"
    secret.write_bytes(files.segments[0].read_bytes())
    with run_origin(f"lib={library}", *SPEC, "--cache", tmp_path / "cache") as base:
        url = title(f"{base}/lib/t/index.m3u8").produced_track().segments[0]
        source = f"{base}/lib/t/{files.segments[0].name}"
        assert get(source).status == 200
        files.segments[0].unlink()
        files.segments[0].symlink_to(secret)
        assert get(source).status == 422
        until(lambda: get(url).status == 422)


def test_any_name_and_any_line_end_will_do(tmp_path):
    library = tmp_path / "library"
    folder = library / "a" / "tïtle #1 100%?" / "film.mkv"
    write_hls(folder, Clip(frames=48), "mpegts", segment_seconds=0.9)
    playlist = folder / "index.m3u8"
    lines = playlist.read_bytes().replace(b".ts", b".ts?x=1").replace(b"\n", b"\r\n")
    playlist.write_bytes(lines)
    (library / os.fsdecode(b"\xff.mkv")).write_bytes(b"x")
    with run_origin(f"lib={library}", *SPEC, "--cache", tmp_path / "cache") as base:
        (row,) = titles(base).values()
        assert row["url"] == "/lib/a/" + quote("tïtle #1 100%?") + "/film.mkv/index.m3u8"
        track = title(base + row["url"]).produced_track()
        assert [get(url).status for url in track.segments] == [200, 200]
        assert [get(url).status for url in title(base + row["url"]).source_track().segments] == [
            200,
            200,
        ]


def refusal(*arguments: str) -> str:
    """The one line that `serve` ends with."""
    command = [sys.executable, "-m", "origin", "serve", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--rendition", "2x:unknown"], "no such model: unknown"),
        (["--device", "cuda:99"], "no device cuda:99"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
        (["--cache", "/dev/null"], "cannot be written"),
    ],
)
def test_what_cannot_work_is_said_in_one_line_at_the_start(tmp_path, arguments, expected):
    common = [f"lib={tmp_path}", "--cache", str(tmp_path / "cache"), "--port", "0"]
    assert expected in refusal(*common, *arguments)


def test_a_port_in_use_is_said_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refusal(f"lib={tmp_path}", "--cache", str(tmp_path / "c"), "--port", str(port))
    assert f"cannot listen on 127.0.0.1 port {port}" in line


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_sigterm_while_it_starts_ends_it_cleanly(slow_library, tmp_path, seconds):
    command = [sys.executable, "-m", "origin", "serve", f"lib={slow_library}", "--port", "0"]
    command += ["--cache", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert "listening" in process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
