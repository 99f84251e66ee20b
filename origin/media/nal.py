"""NAL units of H.264 and H.265: Annex B byte streams, and the length-prefixed form of MP4."""

from collections.abc import Iterator

PARAMETER_SETS = {"h264": frozenset({7, 8, 13}), "hevc": frozenset({32, 33, 34})}


def is_annex_b(extradata: bytes | None) -> bool:
    """Whether extradata are start codes and NAL units rather than an avcC or hvcC record."""
    return bool(extradata) and extradata[:3] in (b"\0\0\0", b"\0\0\1")  # type: ignore[index]


def split_annex_b(data: bytes) -> Iterator[bytes]:
    """Yield the NAL units of a byte stream, without start codes and trailing zeros."""
    units = data.split(b"\0\0\1")
    return (unit.rstrip(b"\0") for unit in units[1:] if unit.rstrip(b"\0"))


def nal_type(codec: str, unit: bytes) -> int:
    """Return a unit's `nal_unit_type`; `codec` is h264 or hevc."""
    return unit[0] & 0x1F if codec == "h264" else unit[0] >> 1 & 0x3F


def to_length_prefixed(data: bytes, *, without: frozenset[bytes] = frozenset()) -> bytes:
    """Turn a byte stream into NAL units that each follow their 4-byte length.

    Args:
        data: Annex B bytes of one access unit.
        without: Units to leave out: the parameter sets that the sample entry already holds.
    """
    parts: list[bytes] = []
    for unit in split_annex_b(data):
        if unit not in without:
            parts += (len(unit).to_bytes(4, "big"), unit)
    return b"".join(parts)


def parameter_sets(codec: str, data: bytes) -> list[bytes]:
    """Return the parameter sets of a byte stream, in its order, each once."""
    kinds = PARAMETER_SETS[codec]
    return list(dict.fromkeys(u for u in split_annex_b(data) if nal_type(codec, u) in kinds))


def avcc_units(record: bytes) -> list[bytes]:
    """Return the SPS and PPS of an avcC record (ISO/IEC 14496-15, 5.3.3.1.2), in its order."""
    units: list[bytes] = []
    at = 5
    for mask in (0x1F, 0xFF):
        count, at = record[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            units.append(record[at + 2 : at + 2 + size])
            at += 2 + size
    return units
