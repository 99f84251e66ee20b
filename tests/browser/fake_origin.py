"""An origin in which nothing is upscaled: for tests of the page alone.

It serves the fMP4 title of a demo library as if its taller variant were made on request: that
one is named `up-…`, its segments arrive late with `X-Cache: miss`, and some may be broken. Its list
has titles in every state, and the page comes under the strictest policy that it works with.
"""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sr
from tests.tools import require_made

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
POSTER = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 90">
<rect width="160" height="90" fill="#35506b"/><circle cx="80" cy="52" r="24" fill="#f2c14e"/>
</svg>"""
THUMBNAILS = """WEBVTT

00:00.000 --> 00:20.000
poster.svg#xywh=0,0,80,45

00:20.000 --> 00:40.000
poster.svg#xywh=80,45,80,45
"""
UPSCALED = re.compile(r"/144p/\d+\.m4s$")
_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".js": "text/javascript",
    ".vtt": "text/vtt",
    ".svg": "image/svg+xml",
}


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(
        self,
        *args: Any,
        library: Path,
        wait_seconds: float,
        broken: tuple[str, ...],
        asked: Iterator[int],
        **kwargs: Any,
    ) -> None:
        self.library = library
        self.wait_seconds = wait_seconds
        self.broken = broken
        self.asked = asked
        super().__init__(*args, **kwargs)

    def guess_type(self, path: Any) -> str:
        return _TYPES.get(Path(path).suffix) or super().guess_type(path)

    def translate_path(self, path: str) -> str:
        player = require_made("origin/player/dist")
        clean = urlsplit(path).path
        if clean == "/":
            return str(player / "index.html")
        if clean.startswith("/player/"):
            return str(player / clean.removeprefix("/player/"))
        return str(self.library / clean.removeprefix("/demo/"))

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/api/titles":
            titles = _titles(ready=next(self.asked) >= 2)
            self._answer(200, "application/json", json.dumps(titles).encode())
        elif path.startswith("/api/shaders/"):
            self._answer(200, "text/plain", sr.mpv_shader(Path(path).stem).encode())
        elif path.endswith("/poster.svg"):
            self._answer(200, _TYPES[".svg"], POSTER.encode())
        elif path.endswith("/thumbnails.vtt"):
            self._answer(200, _TYPES[".vtt"], THUMBNAILS.encode())
        elif path == "/demo/bunny-fmp4/master.m3u8":
            self._answer(200, _TYPES[".m3u8"], _offer(self.library).encode())
        elif path.endswith(self.broken):
            problem = {"status": 502, "title": "Broken source", "detail": "003.m4s is truncated"}
            self._answer(502, "application/problem+json", json.dumps(problem).encode())
        else:
            if UPSCALED.search(path):
                time.sleep(self.wait_seconds)
            super().do_GET()

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        if UPSCALED.search(urlsplit(self.path).path):
            self.send_header("X-Cache", "miss")
            self.send_header("Server-Timing", "queue;dur=1, decode;dur=40, upscale;dur=900")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", STRICT)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def _titles(*, ready: bool) -> list[dict[str, Any]]:
    good = {
        "id": "demo/bunny-fmp4",
        "name": "bunny-fmp4",
        "url": "/demo/bunny-fmp4/master.m3u8",
        "status": "ready",
        "duration_seconds": 40.0,
        "start_seconds": 0.0,
        "poster": "/demo/poster.svg",
        "thumbnails": "/demo/thumbnails.vtt",
        "source": {"width": 128, "height": 72, "codec": "h264", "frame_rate": "25"},
        "renditions": [
            {"id": "up-144p", "name": "144p", "width": 256, "height": 144, "model": "anime4k-m"}
        ],
        "error": None,
    }
    gone = {**good, "id": "demo/gone", "name": "gone", "url": "/demo/gone/master.m3u8"}
    reason = {"renditions": [], "error": "003.m4s is truncated"}
    broken = {**good, "id": "demo/broken", "name": "broken", "status": "failed", **reason}
    slow = {**good, "id": "demo/slow", "name": "slow", "status": "ready" if ready else "preparing"}
    others = [{**good, "id": f"demo/other-{n}", "name": f"A title numbered {n}"} for n in range(5)]
    return [good, gone, broken, slow, *others]


def _offer(library: Path) -> str:
    """The multivariant playlist with the source first and the other variant as the upscaled one."""
    text = (library / "bunny-fmp4" / "master.m3u8").read_text()
    head, tall, low = re.split(r"(?=#EXT-X-STREAM-INF)", text)
    named = tall.replace("STREAM-INF:", 'STREAM-INF:STABLE-VARIANT-ID="up-144p-anime4k-m",')
    return head + low + named


@contextmanager
def fake_origin(
    library: Path, *, wait_seconds: float = 0, broken: tuple[str, ...] = ()
) -> Iterator[str]:
    """Serves the `small_library`; `broken` are ends of paths that answer 502."""
    handler = partial(
        _Handler, library=library, wait_seconds=wait_seconds, broken=broken, asked=count()
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
