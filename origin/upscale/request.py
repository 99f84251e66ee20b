"""What a user asks of `upscale-origin upscale`, checked. Values only."""

from dataclasses import dataclass
from pathlib import Path

from manifests.ladder import RenditionSpec
from origin.errors import ConfigError
from origin.media.types import OutputFormat

FORMATS: dict[str, OutputFormat] = {".mkv": "matroska", ".mp4": "mp4", ".m4v": "mp4"}
"""Containers by the suffix of OUT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A file to upscale."""

    source: Path
    output: Path
    spec: RenditionSpec
    crf: int
    preset: str
    device: str
    workers: int
    """Segments made at a time."""
    threads: int
    """Of one of them."""
    start_seconds: float | None = None
    end_seconds: float | None = None
    drop_unsupported: bool = False
    overwrite: bool = False

    @property
    def output_format(self) -> OutputFormat:
        """By the suffix of `output`."""
        return FORMATS[self.output.suffix.lower()]

    def check(self) -> None:
        """Look at everything that can be wrong before work begins.

        Raises:
            ConfigError: One line that says what was expected.
        """
        source, output = self.source, self.output
        if not source.is_file():
            raise ConfigError(f"{source}: there is no such file", source=str(source))
        if output.suffix.lower() not in FORMATS:
            raise ConfigError(f"{output}: expected a name that ends in {', '.join(FORMATS)}")
        if not output.parent.is_dir():
            raise ConfigError(f"{output.parent}: there is no such directory")
        if output.exists() and output.samefile(source):
            raise ConfigError(f"{output} is the source: expected another name")
        if output.exists() and not (self.overwrite and output.is_file()):
            raise ConfigError(f"{output} is there already: delete it, or give --overwrite")
        if self.spec.when_warmed:
            raise ConfigError("expected a model without when=warmed: a file is made at once")
        start, end = self.start_seconds, self.end_seconds
        if start is not None and end is not None and not start < end:
            raise ConfigError(f"expected --start before --end, not {start:g} and {end:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a run did."""

    made: int
    """Segments."""
    reused: int
    frames: int
    dropped: tuple[str, ...]
