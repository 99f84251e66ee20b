"""Who may ask for what: signed path prefixes, a CDN's secret header, keys of administrators.

Pure: no clock, no HTTP. A signed URL carries its token as the first part of its path, so that the
relative URIs of every playlist below inherit it:

    /~<key id>.<expires>.<depth>.<signature>/NAME/show/master.m3u8

`expires` is in Unix seconds, `depth` the number of path parts that the token is good for (2:
everything below `/NAME/show`), and the signature, in base64url without padding,

    HMAC-SHA-256(secret, "<key id>.<expires>.NAME/show")

over the decoded path in UTF-8. The MD5 variant has the hash that nginx's secure_link module
computes for `secure_link_md5 "<expires>/NAME/show <secret>"`:

    /~md5.<expires>.<depth>.<hash>/NAME/show/master.m3u8
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from manifests.urls import decode_path
from origin.errors import ForbiddenError

MARK = "/~"
"""How a path with a token begins."""
MD5_KEY = "md5"
"""The key id of tokens as secure_link has them; no other key may be called so."""
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_TOKEN = re.compile(
    r"/~(?P<key>[A-Za-z0-9_-]{1,32})\.(?P<expires>0|[1-9][0-9]{0,11})\.(?P<depth>0|[1-9][0-9]?)"
    r"\.(?P<signature>[A-Za-z0-9_-]{22,43})(?P<path>/.*)",
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What is demanded of requests; of nobody anything by default. Secrets stay out of its repr."""

    signing_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secret by key id. Several are valid at once, so that keys can be rotated."""
    secure_link_secret: str = field(default="", repr=False)
    """Tokens of the MD5 variant are taken if it is set."""
    cdn_header: str = "X-Origin-Secret"
    cdn_secrets: tuple[str, ...] = field(default=(), repr=False)
    """What the CDN sends in `cdn_header`; several are valid at once."""
    admin_keys: tuple[str, ...] = field(default=(), repr=False)
    """Bearer tokens of administrators."""

    @property
    def is_open(self) -> bool:
        """Whether anybody who reaches the origin may have any title."""
        return not self.demands_token and not self.cdn_secrets

    @property
    def demands_token(self) -> bool:
        """Whether titles are served under signed paths only."""
        return bool(self.signing_keys or self.secure_link_secret)

    def admit(self, raw_path: str, now_seconds: float) -> str:
        """The path below its token.

        Args:
            raw_path: Percent-encoded, without query.
            now_seconds: Unix time.

        Raises:
            ForbiddenError: A token is demanded and there is none, or it is wrong, expired, or
                good for another path.
        """
        if not self.demands_token and not raw_path.startswith(MARK):
            return raw_path
        found = _TOKEN.fullmatch(raw_path)
        if not self.demands_token:
            return found["path"] if found else raw_path
        if found is None:
            raise ForbiddenError("this origin serves signed URLs only; this one has no valid token")
        prefix = _prefix(found["path"], int(found["depth"]))
        if prefix is None or not self._is_signed(found, prefix):
            raise ForbiddenError("the token of this URL is not valid for its path")
        if int(found["expires"]) <= now_seconds:
            raise ForbiddenError("the token of this URL has expired; ask for a new one")
        return found["path"]

    def _is_signed(self, found: "re.Match[str]", prefix: str) -> bool:
        key, expires = found["key"], int(found["expires"])
        if key == MD5_KEY:
            if not self.secure_link_secret:
                return False
            expected = secure_link_hash(self.secure_link_secret, expires, prefix)
        else:
            secret = self.signing_keys.get(key)
            expected = signature(secret or "none", key, expires, prefix)
            if secret is None:
                return False
        return hmac.compare_digest(expected.encode(), found["signature"].encode())

    def is_from_cdn(self, header: str | None) -> bool:
        """Whether the header of the CDN, if one is demanded, holds one of its secrets."""
        return not self.cdn_secrets or _is_one_of(header, self.cdn_secrets)

    def is_admin(self, authorization: str | None) -> bool:
        """Whether an Authorization header, if one is demanded, bears a key of an administrator."""
        scheme, _, key = (authorization or "").partition(" ")
        return not self.admin_keys or (
            scheme.lower() == "bearer" and _is_one_of(key.strip(), self.admin_keys)
        )


def sign(path: str, *, key: str, secret: str, expires: int, depth: int) -> str:
    """A signed path.

    Args:
        path: Percent-encoded, absolute.
        key: The id of the secret; `md5` makes a token as secure_link has it.
        secret: What only the origin and the signer know.
        expires: Unix seconds from which on the path is refused.
        depth: How many parts of the path the token is good for; 0: all paths.

    Raises:
        ValueError: The path has fewer parts, or names nothing that could be served.
    """
    prefix = _prefix(path, depth)
    if prefix is None:
        raise ValueError(f"{path} does not have {depth} parts that could be served")
    if key == MD5_KEY:
        signed = secure_link_hash(secret, expires, prefix)
    else:
        signed = signature(secret, key, expires, prefix)
    return f"{MARK}{key}.{expires}.{depth}.{signed}{path}"


def signature(secret: str, key: str, expires: int, prefix: str) -> str:
    """HMAC-SHA-256 of a token, in base64url without padding (43 characters)."""
    message = f"{key}.{expires}.{prefix}".encode()
    return _base64url(hmac.digest(secret.encode(), message, hashlib.sha256))


def secure_link_hash(secret: str, expires: int, prefix: str) -> str:
    """The MD5 of nginx's ngx_http_secure_link_module, as it writes it (22 characters)."""
    message = f"{expires}/{prefix} {secret}".encode()
    return _base64url(hashlib.md5(message, usedforsecurity=False).digest())


def without_token(path: str) -> str:
    """A path that may be logged."""
    return f"{MARK}*/{path.removeprefix(MARK).partition('/')[2]}" if path.startswith(MARK) else path


def _prefix(raw_path: str, depth: int) -> str | None:
    if depth == 0:
        return ""
    parts = raw_path.removeprefix("/").split("/")
    return decode_path("/".join(parts[:depth])) if len(parts) >= depth else None


def _is_one_of(value: str | None, secrets: Iterable[str]) -> bool:
    given = (value or "").encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(given, secret.encode()) for secret in secrets]
    return any(matches)


def _base64url(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
