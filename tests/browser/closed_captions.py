"""Writes CEA-608 captions into an H.264 stream, as ATSC A/53 Part 4 has it."""

import re
from collections.abc import Iterator

LOAD, ERASE_HIDDEN, SHOW, CLEAR = 0x1420, 0x142E, 0x142F, 0x142C
LAST_ROW = 0x1470
_NOTHING = 0x0000


def caption(text: str, *, shown_at: int, until: int, frames: int) -> list[int]:
    """The pairs of bytes of field 1, one per frame: a pop-on caption in the last row."""
    letters = text.encode().ljust(len(text) + len(text) % 2)
    words = [int.from_bytes(letters[at : at + 2]) for at in range(0, len(letters), 2)]
    pairs = [_NOTHING] * frames
    loading = [LOAD, ERASE_HIDDEN, LAST_ROW, *words]
    pairs[shown_at - len(loading) : shown_at + 1] = [*loading, SHOW]
    pairs[until] = CLEAR
    return pairs


def with_captions(stream: bytes, pairs: list[int]) -> bytes:
    """An Annex B stream of one slice per frame and no B-frames, with a pair before each frame."""
    waiting = iter(pairs)
    units = re.split(rb"\x00\x00\x00?\x01", stream)[1:]
    return b"".join(b"\0\0\0\1" + unit for unit in _units(units, waiting))


def _units(units: list[bytes], waiting: Iterator[int]) -> Iterator[bytes]:
    for unit in units:
        if unit[0] & 31 in (1, 5):
            yield _sei(next(waiting))
        yield unit


def _sei(pair: int) -> bytes:
    """T.35 user data: ATSC, `GA94`, one construct of field 1. Parity bits keep it free of zeros."""
    data = b"\xb5\x00\x31GA94\x03\xc1\xff\xfc" + bytes(_odd(byte) for byte in divmod(pair, 256))
    data += b"\xff"
    return bytes([6, 4, len(data)]) + data + b"\x80"


def _odd(byte: int) -> int:
    return byte if byte.bit_count() % 2 else byte | 0x80
