"""A TrueType font made here, in which every letter is a full square: what it draws can be measured.

Ascent is one em and descent none, so a line of font size N is a row of squares N high.
"""

import struct

EM = 1000


def block_font(family: str) -> bytes:
    """A font file with squares for U+0020 to U+007E; the space is empty."""
    tables = {
        b"OS/2": _os2(),
        b"cmap": _cmap(),
        b"glyf": _square(),
        b"head": _head(),
        b"hhea": struct.pack(">IhhhHhhhhhhhhhhhH", 0x10000, EM, *[0] * 14, 3),
        b"hmtx": struct.pack(">HhHhHh", EM, 0, EM, 0, EM, 0),
        # The missing glyph, the space, the square.
        b"loca": struct.pack(">4I", 0, 0, 0, len(_square())),
        b"maxp": struct.pack(">IH13H", 0x10000, 3, 4, 1, 0, 0, 1, *[0] * 8),
        b"name": _name(family),
        b"post": struct.pack(">IIhhIIIII", 0x30000, 0, -100, 50, 0, 0, 0, 0, 0),
    }
    offset = 12 + 16 * len(tables)
    directory = struct.pack(">IHHHH", 0x10000, len(tables), 128, 3, 32)
    body = b""
    for tag, table in tables.items():
        padded = table + bytes(-len(table) % 4)
        checksum = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        directory += tag + struct.pack(">III", checksum, offset + len(body), len(table))
        body += padded
    return directory + body


def _square() -> bytes:
    outline = struct.pack(">hhhhh", 1, 0, 0, EM, EM)  # one contour and its bounds
    outline += struct.pack(">HH", 3, 0)  # last point, no instructions
    outline += bytes([1] * 4)  # on the curve, with 16-bit deltas
    return outline + struct.pack(">4h", 0, 0, EM, 0) + struct.pack(">4h", 0, EM, 0, -EM)


def _head() -> bytes:
    return struct.pack(
        ">IIIIHHqqhhhhHHhhh",
        *(0x10000, 0x10000, 0, 0x5F0F3CF5, 3, EM, 0, 0, 0, 0, EM, EM, 0, 8, 2, 1, 0),
    )


def _cmap() -> bytes:
    """Format 4: the space, then one segment in which all letters are the glyph 2."""
    first, last = 0x21, 0x7E
    glyphs = struct.pack(f">{last - first + 1}H", *[2] * (last - first + 1))
    segments = struct.pack(">3H", 0x20, last, 0xFFFF) + struct.pack(">H", 0)
    segments += struct.pack(">3H", 0x20, first, 0xFFFF)
    segments += struct.pack(">3h", 1 - 0x20, 0, 1)
    segments += struct.pack(">3H", 0, 4, 0)
    length = 14 + len(segments) + len(glyphs)
    table = struct.pack(">7H", 4, length, 0, 6, 4, 1, 2) + segments + glyphs
    return struct.pack(">HHHHI", 0, 1, 3, 1, 12) + table


def _name(family: str) -> bytes:
    texts = {1: family, 2: "Regular", 3: family, 4: family, 6: family.replace(" ", "")}
    records, strings = b"", b""
    for name, text in texts.items():
        encoded = text.encode("utf-16-be")
        records += struct.pack(">6H", 3, 1, 0x409, name, len(encoded), len(strings))
        strings += encoded
    return struct.pack(">HHH", 0, len(texts), 6 + len(records)) + records + strings


def _os2() -> bytes:
    """Version 4: weight 400, width 5, installable, regular."""
    table = struct.pack(">HhHHH", 4, EM, 400, 5, 0) + bytes(20) + bytes(2) + bytes(10) + bytes(16)
    table += (
        b"none" + struct.pack(">HHH", 0x40, 0x20, 0x7E) + struct.pack(">hhhHH", EM, 0, 0, EM, 0)
    )
    return table + bytes(8) + struct.pack(">hhHHH", 500, 700, 0, 0x20, 1)
