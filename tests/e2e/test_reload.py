"""SIGHUP: keys, libraries and the log change in a running origin."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from origin.access import sign
from tests.http_client import get
from tests.media.synth import Clip, write_hls
from tests.tools import ROOT, free_port, stopping, wait_for_port

OLD, NEW, ADMIN = ("sixteen letters " + name for name in ("old", "new", "admin"))


def settings(path: Path, libraries: dict[str, Path], keys: dict[str, str], more: str = "") -> None:
    lines = [f"cache = {str(path.parent / 'cache')!r}", 'renditions = ["2x:lanczos"]', more]
    lines += [f"admin_keys = [{ADMIN!r}]", "[libraries]"]
    lines += [f"{name} = {str(folder)!r}" for name, folder in libraries.items()]
    lines += ["[signing_keys]", *(f"{name} = {secret!r}" for name, secret in keys.items())]
    path.write_text("\n".join(lines))


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start(config: Path) -> tuple[subprocess.Popen[str], str]:
    """An origin and its base URL; stop it by `stopping`."""
    port = free_port()
    serve = [sys.executable, "-m", "origin", "serve", "--config", str(config), "--port", str(port)]
    process = subprocess.Popen(serve, cwd=ROOT, start_new_session=True, text=True)
    wait_for_port(port, process)
    return process, f"http://127.0.0.1:{port}"


def test_keys_rotate_and_libraries_come_and_go_without_a_restart(tmp_path: Path, capfd) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for root in (one, two):
        write_hls(root / "ts", Clip(frames=24), "mpegts", segment_seconds=0.9)
    config = tmp_path / "origin.toml"
    settings(config, {"one": one}, {"a": OLD})
    process, base = start(config)

    def status(library: str, key: str, secret: str) -> int:
        path = f"/{library}/ts/index.m3u8"
        expires = int(time.time()) + 60
        return get(base + sign(path, key=key, secret=secret, expires=expires, depth=2)).status

    def hang_up() -> None:
        os.kill(process.pid, signal.SIGHUP)

    with stopping(process):
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
        eventually(lambda: "stays as it was" in capfd.readouterr().err)
        assert status("two", "b", NEW) == 200


def test_a_mistake_and_what_needs_a_restart_are_told(tmp_path: Path, capfd) -> None:
    config = tmp_path / "origin.toml"
    settings(config, {"one": tmp_path}, {"a": OLD})
    process, _ = start(config)
    with stopping(process):
        capfd.readouterr()
        settings(
            config, {"one": tmp_path}, {"a": OLD}, "lookahead_segments = 7\nlog_level = 'debug'"
        )
        os.kill(process.pid, signal.SIGHUP)
        said = []
        eventually(lambda: said.append(capfd.readouterr().err) or "reloaded" in "".join(said))
        log = "".join(said)
        assert "only a restart will change lookahead_segments" in log
        assert "reloaded: log_level" in log
