"""Programs that tests run but that pip does not install, and the origin as a process.

A missing program skips the test and says what to install; where `CI=true`, `conftest` makes that a
failure.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

_INSTALL = {
    "chromium": "the chromium package of your distribution",
    "nginx": "the nginx package of your distribution",
    "node": "node.js 20 or newer, with npm",
    "varnishd": "the varnish package of your distribution",
}


def require(tool: str) -> str:
    """Path of `chromium`, `nginx`, `node` or `varnishd`; skips the test where it is missing."""
    found = shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{tool} is missing: install {_INSTALL[tool]}")
    return found


def require_made(path: str) -> Path:
    """A path in the checkout that `make install` makes, such as `origin/player/dist`."""
    made = ROOT / path
    if not made.exists():
        pytest.skip(f"{path} is missing: run `make install`")
    return made


def ffmpeg() -> str:
    """A full FFmpeg, with libvmaf and libplacebo."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def artefacts() -> Path:
    """Where screenshots and reports of the tests go."""
    directory = ROOT / "test-artefacts"
    directory.mkdir(exist_ok=True)
    return directory


def write_later(path: Path, data: bytes) -> None:
    """Write over a file, at another time by the file system's clock, which may be coarse."""
    before = path.stat().st_ctime_ns
    path.write_bytes(data)
    while path.stat().st_ctime_ns == before:
        os.utime(path)


def free_port() -> int:
    """None that the system itself hands out: it might, before a server has started to listen."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_for_port(port: int, process: subprocess.Popen[str], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port} (exit code {process.poll()})")


@contextmanager
def stopping(process: subprocess.Popen[str], grace_seconds: float = 25) -> Iterator[None]:
    """Terminates the process at the end, and kills it and its group if it does not go."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def run_origin(*arguments: str | Path, module: str = "origin") -> Iterator[str]:
    """`upscale-origin serve ARGUMENTS --port 0` as a process of its own; yields its base URL.

    `module` stands in for the command: `tests.e2e.watched_origin` is one that can be watched.

    Its log goes to this process's stderr, where pytest shows it if the test fails.
    """
    command = [sys.executable, "-m", module, "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as output, stopping(process):
        url = _listening_url(output)
        threading.Thread(target=_relay, args=(output,), daemon=True).start()
        yield url


def _listening_url(output: Iterator[str]) -> str:
    lines = []
    for line in output:
        lines.append(line)
        if "listening on http://" in line:
            return line.split("listening on ")[1].split()[0].rstrip("/")
    raise RuntimeError("the origin ended before it listened:\n" + "".join(lines))


def _relay(output: Iterator[str]) -> None:
    try:
        for line in output:
            sys.stderr.write(line)
    except ValueError:
        pass  # closed: the test is over
