"""What SIGHUP changes in a running origin: keys, libraries, the log. The rest needs a restart."""

import dataclasses
import logging
from collections.abc import Callable

from origin.access import Access
from origin.config import Config
from origin.errors import OriginError
from origin.guard import Guard
from origin.service import Service
from origin.telemetry import setup_logging

_ACCESS = frozenset(
    {"signing_keys", "secure_link_secret", "cdn_secret_header", "cdn_secrets", "admin_keys"}
)
_LOG = frozenset({"log_format", "log_level"})
RELOADABLE = _ACCESS | _LOG | {"libraries"}
"""Fields of `Config`."""
_log = logging.getLogger(__name__)


def access_of(config: Config) -> Access:
    """What a configuration demands of requests."""
    return Access(
        signing_keys=config.signing_keys,
        secure_link_secret=config.secure_link_secret,
        cdn_header=config.cdn_secret_header,
        cdn_secrets=config.cdn_secrets,
        admin_keys=config.admin_keys,
    )


class Reloader:
    """Reads the configuration again and applies what it can.

    Args:
        config: The one that is in force.
        read: Reads it again.
        guard: Gets the new keys.
        service: Gets the new libraries.
    """

    def __init__(
        self, config: Config, read: Callable[[], Config], guard: Guard, service: Service
    ) -> None:
        self._config = config
        self._read = read
        self._guard = guard
        self._service = service

    def reload(self) -> None:
        """Do it. With a mistake in the file everything stays as it was."""
        try:
            new = self._read()
        except OriginError as error:
            _log.error("the configuration stays as it was: %s", error.detail)
            return
        changed = _changed(self._config, new)
        if changed & _ACCESS:
            self._guard.access = access_of(new)
        if changed & _LOG:
            setup_logging(new.log_format, new.log_level)
        if "libraries" in changed:
            self._service.replace_libraries(new.libraries)
        later = sorted(changed - RELOADABLE)
        if later:
            _log.warning("only a restart will change %s", ", ".join(later))
        _log.info("reloaded: %s", ", ".join(sorted(changed & RELOADABLE)) or "nothing new")
        kept = {name: getattr(self._config, name) for name in later}
        self._config = dataclasses.replace(new, **kept)


def _changed(old: Config, new: Config) -> set[str]:
    fields = (field.name for field in dataclasses.fields(Config))
    return {name for name in fields if getattr(old, name) != getattr(new, name)}
