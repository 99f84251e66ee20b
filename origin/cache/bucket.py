"""The bucket tier: bodies that several origins share. Needs the extra `bucket`."""

import asyncio
import hashlib
import struct
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Literal

from origin.arena import contents
from origin.cache.health import Breaker, Health
from origin.cache.types import CachedObject, TierStats
from origin.errors import ConfigError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_HEAD = struct.Struct("<4s32sQB")  # magic, SHA-256, cost in µs, length of the library's name
_MAGIC = b"UPB1"
_FOLDER = "bodies-1"
_ATTEMPTS = 3
_Call = Coroutine[Any, Any, CachedObject | None]


class _CorruptError(Exception):
    """The object fails its checksum."""


class BucketTier:
    """Put-if-absent in an object store: of all origins, the first commit wins (law 4).

    An object is its checksum and cost, then the body. It is verified when it is read. Every call
    ends within `timeout_seconds`; after some failures in a row the bucket is left alone for a
    while. One event loop owns it.
    """

    def __init__(
        self, store: "ObjectStore", *, timeout_seconds: float = 1.0, breaker: Breaker | None = None
    ) -> None:
        import obstore  # noqa: PLC0415 (an extra)

        self._obstore = obstore
        self._store = store
        self._timeout_seconds = timeout_seconds
        self._breaker = breaker or Breaker(Health("the bucket of the cache"))
        self._hits = self.corrupt = 0

    async def get(self, key: str) -> CachedObject | None:
        """The body; None if there is none, or none can be had in time."""
        return await self._guarded(self._get(key))

    async def commit(self, made: CachedObject) -> CachedObject:
        """Offer a body; returns the one that all origins serve, or `made` if that is not known."""
        return await self._guarded(self._commit(made)) or made

    def stats(self) -> TierStats:
        """What it did."""
        return TierStats(hits=self._hits, works=self._breaker.health.works)

    async def _guarded(self, call: _Call) -> CachedObject | None:
        if not self._breaker.allows():
            call.close()
            return None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                found = await call
        except (TimeoutError, OSError, ValueError, self._obstore.exceptions.BaseError) as error:
            self._breaker.failed(str(error).strip().partition("\n")[0] or "no answer in time")
            return None
        except _CorruptError:
            self.corrupt += 1
            found = None
        self._breaker.worked()
        return found

    async def _get(self, key: str) -> CachedObject | None:
        try:
            result = await self._obstore.get_async(self._store, _path(key))
            data = await result.bytes_async()
        except FileNotFoundError:
            return None
        found = await asyncio.to_thread(_unpack, key, memoryview(data))
        self._hits += 1
        return found

    async def _commit(self, made: CachedObject) -> CachedObject | None:
        packed = await asyncio.to_thread(_pack, made)
        for _ in range(_ATTEMPTS):
            try:
                await self._put(made.key, packed, replace=False)
                return made
            except self._obstore.exceptions.AlreadyExistsError:
                pass
            try:
                if earlier := await self._get(made.key):
                    return earlier
            except _CorruptError:
                self.corrupt += 1
                await self._put(made.key, packed, replace=True)
                return made
        return None

    async def _put(self, key: str, packed: bytes, *, replace: bool) -> None:
        mode: Literal["overwrite", "create"] = "overwrite" if replace else "create"
        await self._obstore.put_async(
            self._store, _path(key), packed, mode=mode, use_multipart=False
        )


def open_bucket(url: str, *, timeout_seconds: float) -> BucketTier:
    """A tier at `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///…`.

    Credentials and endpoints come from the environment, such as `AWS_ACCESS_KEY_ID`.

    Raises:
        ConfigError: The extra is not installed, or the URL is none that it knows.
    """
    try:
        from obstore import exceptions, store  # noqa: PLC0415 (an extra)
    except ImportError:
        detail = "a bucket needs: pip install 'upscale-origin[bucket]'"
        raise ConfigError(detail, source=url) from None
    try:
        opened = store.from_url(url, retry_config={"max_retries": 1})
    except (exceptions.BaseError, ValueError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(f"expected the URL of a bucket: {reason}", source=url) from None
    return BucketTier(opened, timeout_seconds=timeout_seconds)


def _path(key: str) -> str:
    return f"{_FOLDER}/{key}"


def _pack(made: CachedObject) -> bytes:
    library = made.library.encode()
    micros = round(made.cost_seconds * 1e6)
    head = _HEAD.pack(_MAGIC, bytes.fromhex(made.sha256), micros, len(library))
    return b"".join((head, library, contents(made.body)))


def _unpack(key: str, data: memoryview) -> CachedObject:
    try:
        magic, digest, micros, length = _HEAD.unpack_from(data)
        library = bytes(data[_HEAD.size : _HEAD.size + length]).decode()
    except (struct.error, UnicodeDecodeError):
        raise _CorruptError from None
    body = bytes(data[_HEAD.size + length :])
    if magic != _MAGIC or hashlib.sha256(body).digest() != digest:
        raise _CorruptError
    return CachedObject(
        key=key, body=body, sha256=digest.hex(), cost_seconds=micros / 1e6, library=library
    )
