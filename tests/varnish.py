"""Varnish as a caching proxy in front of the origin, with its defaults."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.tools import free_port, require, stopping, wait_for_port


@contextmanager
def caching_proxy(folder: Path, upstream: str) -> Iterator[str]:
    """Caches what `upstream`, a base URL, answers; `folder` is scratch space. Yields the URL."""
    port = free_port()
    command = [require("varnishd"), "-F", "-n", str(folder / "varnish")]
    command += ["-a", f"127.0.0.1:{port}", "-b", upstream.removeprefix("http://")]
    command += ["-s", "malloc,256m"]
    if os.geteuid() == 0:
        command += ["-j", "none"]
    process = subprocess.Popen(
        command, text=True, start_new_session=True, stdout=subprocess.DEVNULL
    )
    with stopping(process):
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"
