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
  server {{
    listen 127.0.0.1:{port};
    location / {{
      {location}
    }}
    {server}
  }}
}}
"""


OPEN_FILES = "open_file_cache max=10000 inactive=10s; open_file_cache_valid 1s;"


@contextmanager
def static_server(
    folder: Path, root: Path, *, workers: int = 1, http: str = "", location: str = ""
) -> Iterator[str]:
    """Serves `root`; `folder` is scratch space. Yields the base URL."""
    location = f"root {root}; {location}"
    with _running(folder, workers=workers, http=http, location=location) as url:
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
    with _running(folder, workers=workers, http=http, location=location) as url:
        yield url


REMEMBERING = """\
  proxy_cache_path {folder}/references keys_zone=references:1m inactive=1m;
  map "$http_if_match$http_if_none_match$http_if_range" $found {{
    "" $where;
  }}
  map $found $body {{
    "" /none;
    default $found;
  }}
  upstream origin {{ server {address}; keepalive 32; }}
  {open_files}
"""
SENDING = """\
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header X-Sendfile-Type "";

    location ~ "/[0-9a-f]{{16}}/[0-9]+\\.(ts|m4s)$" {{
      set $asked $uri;
      auth_request /where;
      auth_request_set $where $upstream_http_x_accel_redirect;
      auth_request_set $tag $upstream_http_etag;
      auth_request_set $next $upstream_http_link;
      alias {cache}$body;
      error_page 403 404 405 500 = @origin;
      log_not_found off;
      types {{ video/mp2t ts; video/iso.segment m4s; }}
      max_ranges 1;
      {more}
      etag off;
      add_header Last-Modified "";
      add_header ETag $tag;
      add_header Link $next;
      add_header Cache-Control "public, max-age=31536000, immutable";
      add_header X-Cache hit;
      add_header Cache-Status "upscale-origin; hit";
      add_header X-Content-Type-Options nosniff;
      add_header Access-Control-Allow-Origin *;
      add_header Access-Control-Expose-Headers "{exposed}";
      add_header Cross-Origin-Resource-Policy cross-origin;
      add_header Timing-Allow-Origin *;
    }}
    location = /where {{
      internal;
      proxy_pass http://origin$request_uri;
      proxy_set_header Connection "";
      proxy_set_header X-Sendfile-Type X-Accel-Redirect;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_ignore_headers X-Accel-Redirect;
      proxy_cache references;
      proxy_cache_key $asked;
    }}
    location @origin {{
      proxy_pass http://origin;
    }}"""
"""As README.md has them."""
EXPOSED = (
    "Accept-Ranges, Age, Cache-Status, Content-Length, Content-Range, ETag, Link, Server-Timing, "
    "X-Cache"
)


@contextmanager
def sending_proxy(folder: Path, upstream: str, cache: Path, *, more: str = "") -> Iterator[str]:
    """Sends cached bodies itself, from the cache of `upstream` (a base URL)."""
    address = upstream.removeprefix("http://")
    http = REMEMBERING.format(folder=folder, address=address, open_files=OPEN_FILES)
    server = SENDING.format(cache=cache, more=more, exposed=EXPOSED)
    location = "proxy_pass http://origin;"
    with _running(folder, workers=1, http=http, location=location, server=server) as url:
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
    with _running(folder, workers=1, http=http, location=location) as url:
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
    with _running(folder, workers=1, http="", location="return 404;", server=server) as url:
        yield url


@contextmanager
def _running(
    folder: Path, *, workers: int, http: str, location: str, server: str = ""
) -> Iterator[str]:
    port = free_port()
    file = folder / "nginx.conf"
    file.write_text(
        _CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "",
            workers=workers,
            folder=folder,
            http=http,
            port=port,
            location=location,
            server=server,
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
