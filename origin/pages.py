"""The web player: the page at `/`, and its parts below `/player/`, for other pages to use too."""

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path, PurePosixPath

from aiohttp import hdrs, web

from origin.errors import NotFoundError
from origin.headers import choose_coding
from origin.responses import body_response, strong_etag

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".otf": "font/otf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
_CODINGS = {"br": ".br", "gzip": ".gz"}
"""Content codings that the build may have made beside a file, the better one first."""
_HASHED = re.compile(r"assets/(?:.*/)?[^/]+-[\w-]{8}\.\w+", re.ASCII)
_IMMUTABLE = "public, max-age=31536000, immutable"
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self' 'wasm-unsafe-eval'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "worker-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
}


def add_pages(router: web.UrlDispatcher, folder: Path, frame_ancestors: Sequence[str]) -> None:
    """Register the page and its parts.

    Args:
        router: Of the application.
        folder: Of the built player; looked at anew for each request.
        frame_ancestors: Who may show the page in a frame, as Content-Security-Policy has it.
    """
    ancestors = " ".join(frame_ancestors) or "'none'"
    directives = {**_POLICY, "frame-ancestors": ancestors}.items()
    page_headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in directives),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
    }

    async def page(request: web.Request) -> web.Response:
        if not (folder / "index.html").is_file():
            text = "The player page is not built: run `make install` (it needs node and npm).\n"
            return web.Response(text=text, status=HTTPStatus.NOT_IMPLEMENTED)
        return await _file(request, folder, "index.html", page_headers)

    async def part(request: web.Request) -> web.Response:
        return await _file(request, folder, request.match_info["path"], {})

    router.add_get("/", page, name="page")
    router.add_get("/player/{path:.+}", part, name="player")


async def _file(
    request: web.Request, folder: Path, path: str, headers: dict[str, str]
) -> web.Response:
    file = await asyncio.to_thread(_find, folder, path)
    there = await asyncio.to_thread(_codings, file)
    coding = choose_coding(request.headers.get(hdrs.ACCEPT_ENCODING), there)
    body = await asyncio.to_thread(Path(f"{file}{_CODINGS[coding] if coding else ''}").read_bytes)
    headers = headers | {
        hdrs.CONTENT_TYPE: _TYPES[file.suffix.lower()],
        hdrs.CACHE_CONTROL: _IMMUTABLE if _HASHED.fullmatch(path) else "no-cache",
        hdrs.ETAG: strong_etag(body),
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
    }
    if coding:
        headers[hdrs.CONTENT_ENCODING] = coding
    return body_response(request, body, headers)


def _find(folder: Path, path: str) -> Path:
    parts = PurePosixPath(path).parts
    unsafe = "\0" in path or "\\" in path or ".." in parts or parts[0] == "/"
    file = folder.joinpath(*parts)
    if unsafe or file.suffix.lower() not in _TYPES or not file.is_file():
        raise NotFoundError(f"the player has no file {path}", source=path)
    return file


def _codings(file: Path) -> list[str]:
    return [coding for coding, end in _CODINGS.items() if Path(f"{file}{end}").is_file()]
