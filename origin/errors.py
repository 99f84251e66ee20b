"""The one tree of errors. Only `origin.routes` maps it to HTTP, only `origin.cli` to exit codes."""


class OriginError(Exception):
    """Something a user must be told.

    Attributes:
        detail: What was wrong, where, and what to do.
        source: The file, playlist or option that it is about, as the user named it.
    """

    def __init__(self, detail: str, *, source: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.source = source

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders."""
        return (_rebuild, (type(self), self.detail, self.source))


def _rebuild(kind: type[OriginError], detail: str, source: str | None) -> OriginError:
    return kind(detail, source=source)


class ConfigError(OriginError):
    """A CLI option or a configuration key is wrong."""


class NotFoundError(OriginError):
    """No such title, variant, segment or file; or the digest in the path is outdated."""


class ForbiddenError(OriginError):
    """A token, a secret or a key is missing, wrong or expired."""


class BrokenSourceError(OriginError):
    """The source is corrupt, truncated, empty or changed under us; mending it mends the title."""


class UnsupportedSourceError(OriginError):
    """The source is something that we will never support, or refuse for safety."""


class ProductionError(OriginError):
    """The segment could not be made although its source is fine.

    A worker died twice, or the produced bytes failed their check.
    """


class UnavailableError(OriginError):
    """Not now: draining, or overloaded."""

    def __init__(
        self, detail: str, *, source: str | None = None, retry_after_seconds: int = 2
    ) -> None:
        super().__init__(detail, source=source)
        self.retry_after_seconds = retry_after_seconds
