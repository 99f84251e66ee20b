"""nginx, as a static server to compare with or as a caching proxy in front of the origin."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import Message
from pathlib import Path

from tests.tools import free_port, require, stopping, wait_for_port

_CONFIGURATION = """\
{user}
daemon off;
pcre_jit on;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  default_type application/octet-stream;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {http}
}}
"""
_LISTEN = "listen 80;"
_SENDING = Path(__file__).parents[1] / "docker" / "nginx-sending.conf"


OPEN_FILES = "open_file_cache max=10000 inactive=10s; open_file_cache_valid 1s;"


@contextmanager
def static_server(
    folder: Path, root: Path, *, workers: int = 1, http: str = "", location: str = ""
) -> Iterator[str]:
    """Serves `root`; `folder` is scratch space. Yields the base URL."""
    site = _site(f"root {root}; {location}")
    with _running(folder, http + site, workers=workers) as url:
        yield url


def same_head(headers: Message) -> str:
    """Directives for a location of files to answer with the headers of another answer."""
    nginx_own = {"server", "date", "content-type", "content-length", "connection", "accept-ranges"}
    added = [
        f"add_header {name} '{value}';"
        for name, value in headers.items()
        if name.lower() not in nginx_own
    ]
    kind = f"types {{ }} default_type {headers['Content-Type']};"
    return " ".join([kind, "etag off; add_header Last-Modified '';", *added])


@contextmanager
def caching_proxy(folder: Path, upstream: str, *, workers: int = 1) -> Iterator[str]:
    """Caches what `upstream` (a base URL) answers, with nginx's defaults. Yields the base URL."""
    http = f"proxy_cache_path {folder}/cache keys_zone=segments:1m;"
    location = f"""proxy_pass {upstream};
      proxy_cache segments;
      proxy_http_version 1.1;
      add_header X-Proxy-Cache $upstream_cache_status;"""
    with _running(folder, http + _site(location), workers=workers) as url:
        yield url


@contextmanager
def sending_proxy(folder: Path, upstream: str, cache: Path, *, more: str = "") -> Iterator[str]:
    """Sends what is in the cache of `upstream` (a base URL) itself, as docker/ has it."""
    http = _SENDING.read_text()
    for ours, theirs in {
        "127.0.0.1:8080": upstream.removeprefix("http://"),
        "/var/cache/nginx/references": str(folder / "references"),
        "/var/cache/upscale-origin": str(cache),
        "max_ranges 1;": f"max_ranges 1; {more}",
    }.items():
        assert http.count(ours) == 1, ours
        http = http.replace(ours, theirs)
    with _running(folder, http) as url:
        yield url


@contextmanager
def balancer(folder: Path, upstreams: Sequence[str]) -> Iterator[str]:
    """Spreads requests over base URLs, and asks another one if one goes away. Caches nothing.

    With `max_fails=0` none is thought to be gone for longer than one request.
    """
    servers = " ".join(f"server {url.removeprefix('http://')} max_fails=0;" for url in upstreams)
    location = """proxy_pass http://origins;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_next_upstream error timeout;"""
    http = f"upstream origins {{ {servers} keepalive 16; }}"
    with _running(folder, http + _site(location)) as url:
        yield url


@contextmanager
def checking_proxy(folder: Path, upstream: str, secret: str) -> Iterator[str]:
    """Passes on what its secure_link module finds signed, two parts deep. Yields the base URL."""
    token = r"^/~md5\.(?<expires>\d+)\.2\.(?<hash>[\w-]+)(?<prefix>/[^/]+/[^/]+)/"
    server = f"""location ~ "{token}" {{
      secure_link $hash,$expires;
      secure_link_md5 "$expires$prefix {secret}";
      if ($secure_link = "") {{ return 403; }}
      if ($secure_link = "0") {{ return 403; }}
      proxy_pass {upstream};
    }}"""
    with _running(folder, _site("return 404;", server=server)) as url:
        yield url


def _site(location: str, *, server: str = "") -> str:
    return f"server {{ {_LISTEN} location / {{ {location} }} {server} }}"


@contextmanager
def _running(folder: Path, http: str, *, workers: int = 1) -> Iterator[str]:
    port = free_port()
    file = folder / "nginx.conf"
    assert http.count(_LISTEN) == 1
    file.write_text(
        _CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "",
            workers=workers,
            folder=folder,
            http=http.replace(_LISTEN, f"listen 127.0.0.1:{port};"),
        )
    )
    process = subprocess.Popen(
        [require("nginx"), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(file)],
        text=True,
        start_new_session=True,
    )
    with stopping(process):
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"
