"""SIGHUP: keys, libraries and the log change in a running origin."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from origin.access import sign
from tests.http_client import get
from tests.media.synth import Clip, write_hls
from tests.tools import ROOT, stopping

OLD, NEW, ADMIN = ("sixteen letters " + name for name in ("old", "new", "admin"))


def settings(path: Path, libraries: dict[str, Path], keys: dict[str, str], more: str = "") -> None:
    lines = [f"cache = {str(path.parent / 'cache')!r}", 'renditions = ["2x:lanczos"]', more]
    lines += [f"admin_keys = [{ADMIN!r}]", "[libraries]"]
    lines += [f"{name} = {str(folder)!r}" for name, folder in libraries.items()]
    lines += ["[signing_keys]", *(f"{name} = {secret!r}" for name, secret in keys.items())]
    path.write_text("\n".join(lines))


def eventually(holds: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def started(config: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """An origin, its base URL and its log."""
    log = config.with_suffix(".log")
    serve = [sys.executable, "-m", "origin", "serve", "--config", str(config), "--port", "0"]
    with log.open("w") as file:
        process = subprocess.Popen(
            serve, cwd=ROOT, stdout=file, stderr=file, start_new_session=True, text=True
        )
    with stopping(process):
        eventually(lambda: process.poll() is not None or "listening on http" in log.read_text())
        yield process, log.read_text().split("listening on ")[1].split()[0].rstrip("/"), log


def test_keys_rotate_and_libraries_come_and_go_without_a_restart(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for root in (one, two):
        write_hls(root / "ts", Clip(frames=24), "mpegts", segment_seconds=0.9)
    config = tmp_path / "origin.toml"
    settings(config, {"one": one}, {"a": OLD})

    def status(library: str, key: str, secret: str) -> int:
        path = f"/{library}/ts/index.m3u8"
        expires = int(time.time()) + 60
        return get(base + sign(path, key=key, secret=secret, expires=expires, depth=2)).status

    def hang_up() -> None:
        os.kill(process.pid, signal.SIGHUP)

    with started(config) as (process, base, log):
        assert status("one", "a", OLD) == 200
        assert status("one", "b", NEW) == 403
        assert status("two", "a", OLD) == 404

        settings(config, {"one": one, "two": two}, {"a": OLD, "b": NEW})
        hang_up()
        eventually(lambda: status("two", "b", NEW) == 200)
        assert status("one", "a", OLD) == 200

        settings(config, {"two": two}, {"b": NEW}, "port = 1")
        hang_up()
        eventually(lambda: status("one", "b", NEW) == 404)
        assert status("two", "b", NEW) == 200
        assert status("two", "a", OLD) == 403

        config.write_text("nonsense")
        hang_up()
        eventually(lambda: "stays as it was" in log.read_text())
        assert status("two", "b", NEW) == 200


def test_a_mistake_and_what_needs_a_restart_are_told(tmp_path: Path) -> None:
    config = tmp_path / "origin.toml"
    settings(config, {"one": tmp_path}, {"a": OLD})
    with started(config) as (process, _, file):
        settings(
            config, {"one": tmp_path}, {"a": OLD}, "lookahead_segments = 7\nlog_level = 'debug'"
        )
        os.kill(process.pid, signal.SIGHUP)
        eventually(lambda: "reloaded" in file.read_text())
        log = file.read_text()
        assert "only a restart will change lookahead_segments" in log
        assert "reloaded: log_level" in log
