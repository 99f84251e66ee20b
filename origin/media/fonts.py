"""Fonts that are attached to a Matroska file: listed, and handed out one by one."""

import re
from collections.abc import Iterator
from pathlib import PurePath

from av.container import InputContainer
from av.stream import AttachmentStream

from origin.errors import BrokenSourceError
from origin.media.demux import open_file
from origin.media.types import ExtractFont, FontFacts, Produced

MAX_FONTS = 200
MAX_FONT_BYTES = 48 * 2**20
"""Fonts of Chinese, Japanese and Korean have tens of megabytes."""
MAX_BYTES = 512 * 2**20
"""Of all of a file together."""

_SUFFIXES = {
    b"\0\1\0\0": ".ttf",
    b"true": ".ttf",
    b"OTTO": ".otf",
    b"ttcf": ".ttc",
}
"""By the first four bytes (OpenType 1.9, "Organization of an OpenType Font")."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def list_fonts(container: InputContainer) -> tuple[list[FontFacts], list[str]]:
    """The fonts among a file's attachments, under names that are safe and unlike, and warnings."""
    fonts: list[FontFacts] = []
    total = too_many = 0
    for stream, suffix in _fonts(container):
        total += len(stream.data or b"")
        if len(stream.data or b"") > MAX_FONT_BYTES or total > MAX_BYTES or len(fonts) >= MAX_FONTS:
            too_many += 1
            continue
        name = _safe_name(stream.name or "", suffix)
        if any(font.name.lower() == name.lower() for font in fonts):
            name = f"{len(fonts)}-{name}"
        fonts.append(FontFacts(stream_index=stream.index, name=name))
    return fonts, [f"{too_many} attached fonts are left out: too large"] if too_many else []


def extract_font(job: ExtractFont) -> Produced:
    """One attached font, byte for byte.

    Raises:
        BrokenSourceError: The file is not what it was when it was inspected.
    """
    with open_file(job.path, job.container, job.name) as container:
        for stream, _ in _fonts(container):
            if stream.index == job.stream_index:
                return Produced(body=stream.data or b"")
    raise BrokenSourceError("has changed since it was inspected", source=job.name)


def _fonts(container: InputContainer) -> Iterator[tuple[AttachmentStream, str]]:
    for stream in container.streams.attachments:
        suffix = _SUFFIXES.get((stream.data or b"")[:4])
        if suffix is not None:
            yield stream, suffix


def _safe_name(name: str, suffix: str) -> str:
    stem = _UNSAFE.sub("-", PurePath(name.replace("\\", "/")).stem).strip("-_")[:60]
    return f"{stem or 'font'}{suffix}"
