"""Tells a media file's container by its first bytes, and whether all of it is there."""

from pathlib import Path
from typing import BinaryIO

from origin.errors import BrokenSourceError, UnsupportedSourceError
from origin.media.types import Container

_SYNC_BYTE = 0x47
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".m2ts")


def detect_container(path: str, name: str) -> Container:
    """Tell a file's container by its first bytes.

    Raises:
        BrokenSourceError: Missing, empty, truncated, or not what its suffix says.
        UnsupportedSourceError: None that we know.
    """
    try:
        size = Path(path).stat().st_size
        with Path(path).open("rb") as file:
            container = _by_content(file.read(1024))
            promised = _promised_size(file, container, size)
    except OSError as error:
        raise BrokenSourceError(f"cannot be read: {error.strerror}", source=name) from error
    if size == 0:
        raise BrokenSourceError("is empty", source=name)
    if container is None:
        suffix = Path(path).suffix.lower()
        if suffix in _SUFFIXES:
            raise BrokenSourceError(f"does not begin as a {suffix} file does", source=name)
        raise UnsupportedSourceError("is no MP4, Matroska, WebM or MPEG-TS file", source=name)
    if promised > size:
        raise BrokenSourceError(f"is truncated: {size} of {promised} bytes are there", source=name)
    return container


def _by_content(head: bytes) -> Container | None:
    if head[4:8] in _FIRST_BOXES:
        return Container.MP4
    if head[:4] == _EBML:
        return Container.MATROSKA
    for packet_size, start in ((188, 0), (192, 4)):
        if len(head) > packet_size and set(head[start::packet_size]) == {_SYNC_BYTE}:
            return Container.MPEGTS
    return None


def _promised_size(file: BinaryIO, container: Container | None, size: int) -> int:
    """Where the file ends by its own account; 0 where it does not say."""
    if container is Container.MP4:
        return _end_of_boxes(file, size)
    if container is Container.MATROSKA:
        return _end_of_segment(file)
    return 0


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """End of the last top-level box (ISO/IEC 14496-12, 4.2)."""
    at = 0
    while at < size:
        file.seek(at)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:  # 0: the box goes on to the end of the file, however long that is
            break
        at += length
    return at


def _end_of_segment(file: BinaryIO) -> int:
    """End of the Segment element (RFC 8794, 4 and RFC 9559, 5.1)."""
    file.seek(4)
    length, header = _element_size(file.read(8))
    at = 4 + header + length
    file.seek(at)
    head = file.read(12)
    length, header = _element_size(head[4:])
    unknown = length == (1 << 7 * header) - 1
    return 0 if head[:4] != _SEGMENT or unknown else at + 4 + header + length


def _element_size(data: bytes) -> tuple[int, int]:
    """An EBML size, and its width: one byte more than the first has leading zero bits."""
    width = 9 - data[0].bit_length() if data and data[0] else 8
    return int.from_bytes(data[:width], "big") & (1 << 7 * width) - 1, width
