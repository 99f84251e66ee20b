"""Turns away requests that may not be made: `access` says who may, this says what is asked for."""

import time

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from origin.access import Access
from origin.errors import ForbiddenError, NotFoundError

ADMIN_ROUTES = frozenset({"metrics", "warm", "warm-item"})
"""Names of the routes that are for administrators."""
_ALWAYS_OPEN = frozenset({"healthz", "readyz"})
_ADMITTED: web.RequestKey[str] = web.RequestKey("admitted_path", str)


class Guard:
    """The middleware. `access` may be replaced while it runs.

    Args:
        access: What is demanded.
        admin_port: Port of the listener that administrators use; None if there is only one.
    """

    def __init__(self, access: Access, admin_port: int | None = None) -> None:
        self.access = access
        self._admin_port = admin_port

    def middleware(self) -> Middleware:
        """As aiohttp wants it."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.method != hdrs.METH_OPTIONS:
                self._check(request)
            return await handler(request)

        return guard

    def _check(self, request: web.Request) -> None:
        resource = request.match_info.route.resource
        name = None if resource is None else resource.name
        if name in _ALWAYS_OPEN:
            return
        if name in ADMIN_ROUTES or self._is_admin_listener(request):
            self._check_admin(request, name)
            return
        secret = request.headers.get(self.access.cdn_header)
        if name == "media":
            request[_ADMITTED] = self.admit(request.rel_url.raw_path, secret)
            return
        self._check_cdn(secret)
        if name == "titles" and self.access.demands_token:
            self._check_key(request)

    def admit(self, raw_path: str, secret: str | None) -> str:
        """The path of a request for media, its token taken off.

        Args:
            raw_path: Percent-encoded, without query.
            secret: What came in the CDN's header, if anything did.

        Raises:
            ForbiddenError: It may not be asked for so.
        """
        self._check_cdn(secret)
        return self.access.admit(raw_path, time.time())

    def _check_cdn(self, secret: str | None) -> None:
        if not self.access.is_from_cdn(secret):
            raise ForbiddenError(f"{self.access.cdn_header} is missing or wrong; ask the CDN")

    def _check_admin(self, request: web.Request, name: str | None) -> None:
        here = self._is_admin_listener(request)
        if self._admin_port is not None and not (here and name in ADMIN_ROUTES | {"titles"}):
            raise NotFoundError("nothing is served here")
        self._check_key(request)

    def _check_key(self, request: web.Request) -> None:
        keyless = self.access.is_open or self._is_admin_listener(request)
        if not self.access.admin_keys and not keyless:
            raise ForbiddenError("no one is an administrator here: set admin_keys or admin_port")
        if not self.access.is_admin(request.headers.get(hdrs.AUTHORIZATION)):
            raise ForbiddenError("Authorization: Bearer with a key of an administrator is needed")

    def _is_admin_listener(self, request: web.Request) -> bool:
        if self._admin_port is None or request.transport is None:
            return False
        name = request.transport.get_extra_info("sockname")
        return isinstance(name, tuple) and name[1] == self._admin_port


def admitted_path(request: web.Request) -> str:
    """The path of a request for media, its token taken off."""
    path: str = request.get(_ADMITTED, request.rel_url.raw_path)
    return path
