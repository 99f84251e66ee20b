"""MPEG-TS: a source segment's transport packets with its video replaced (ISO/IEC 13818-1).

Every packet that is not video goes through untouched and in place: audio, timed ID3, tables,
continuity counters and all. Our pictures take the places and the clock references (PCR) of the
source's, and fill as many packets modulo 16 as those did, so that counters continue from segment
to segment, whether the neighbour is ours or the source's.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from origin.errors import BrokenSourceError, UnsupportedSourceError

PACKET = 188
_SYNC = 0x47
_NULL_PID = 0x1FFF
_H264 = 0x1B
_PCR, _RANDOM_ACCESS, _DISCONTINUITY = 0x10, 0x40, 0x80


class AccessUnit(NamedTuple):
    """One coded picture: Annex B bytes that begin with a delimiter; 90 kHz timestamps."""

    data: bytes
    pts: int
    dts: int
    is_key: bool


class _Place(NamedTuple):
    """Where one of our pictures goes, with the clock and the break that the source had there."""

    unit: AccessUnit
    pcr: bytes
    discontinuity: bool


class _VideoRun(NamedTuple):
    """The source's video: its first counter, packets with payload, pictures, stream ID."""

    counter: int
    packets: int
    pictures: int
    stream_id: int


def replace_video(body: bytes, video_pid: int, units: Sequence[AccessUnit], name: str) -> bytes:
    """Put `units` in the place of the video of a segment.

    Args:
        body: The source's segment.
        video_pid: PID of its video.
        units: In decode order; timestamps are taken modulo 2**33.
        name: How to name the source in errors.

    Raises:
        BrokenSourceError: `body` is no sequence of transport packets, or has no program map.
        UnsupportedSourceError: It is scrambled.
    """
    packets = list(_packets(body, name))
    pmt_pid = _find_program_map(packets, video_pid, name)
    run = _video_run(packets, video_pid)
    layout = list(_layout(_declare_h264(packets, pmt_pid, video_pid), video_pid, units, run))
    needed = sum(_packet_count(item, run.stream_id) for item in layout if isinstance(item, _Place))
    padding = (run.packets - needed) % 16
    counter = run.counter
    out = bytearray()
    for item in layout:
        if isinstance(item, bytes):
            out += item
            continue
        count = _packet_count(item, run.stream_id) + padding
        out += b"".join(_write(item, video_pid, run.stream_id, counter, count))
        counter, padding = counter + count, 0
    return bytes(out)


def _packets(body: bytes, name: str) -> Iterator[bytes]:
    if len(body) % PACKET:
        raise BrokenSourceError("ends within a transport packet", source=name)
    for at in range(0, len(body), PACKET):
        packet = body[at : at + PACKET]
        if packet[0] != _SYNC:
            raise BrokenSourceError(f"loses its transport packets at byte {at}", source=name)
        if packet[3] & 0xC0:
            raise UnsupportedSourceError("is scrambled", source=name)
        yield packet


def _pid(packet: bytes) -> int:
    return (packet[1] & 0x1F) << 8 | packet[2]


def _payload_start(packet: bytes) -> int:
    """Where the payload begins: `PACKET` where there is none."""
    if not packet[3] & 0x10:
        return PACKET
    return min(PACKET, 5 + packet[4]) if packet[3] & 0x20 else 4


def _video_run(packets: Sequence[bytes], pid: int) -> _VideoRun:
    own = [p for p in packets if _pid(p) == pid and p[3] & 0x10]
    starts = [p for p in own if p[1] & 0x40]
    counter = own[0][3] & 0x0F if own else 0
    stream_id = 0xE0
    if starts and (begin := _payload_start(starts[0])) + 4 <= PACKET:
        stream_id = starts[0][begin + 3]
    return _VideoRun(counter, len(own), len(starts), stream_id)


def _layout(
    packets: Sequence[bytes], pid: int, units: Sequence[AccessUnit], run: _VideoRun
) -> Iterator[bytes | _Place]:
    """Packets to keep, and our pictures where the source's begin, in step with them."""
    done = pictures = 0
    pcr, discontinuity = b"", False
    for packet in packets:
        if _pid(packet) == _NULL_PID:
            continue
        if _pid(packet) != pid:
            yield packet
            continue
        if packet[3] & 0x20 and packet[4]:
            discontinuity = discontinuity or bool(packet[5] & _DISCONTINUITY)
            pcr = packet[6:12] if packet[5] & _PCR else pcr
        if not packet[1] & 0x40:
            continue
        pictures += 1
        while done < -(-len(units) * pictures // run.pictures):
            yield _Place(units[done], pcr, discontinuity)
            done, pcr, discontinuity = done + 1, b"", False
    for unit in units[done:]:
        yield _Place(unit, b"", False)


def _adaptation(place: _Place) -> bytes:
    """Flags and PCR of the adaptation field that a picture begins with; empty for none."""
    flags = _RANDOM_ACCESS * place.unit.is_key | _PCR * bool(place.pcr)
    flags |= _DISCONTINUITY * place.discontinuity
    return bytes((flags,)) + place.pcr if flags else b""


def _pes(unit: AccessUnit, stream_id: int) -> bytes:
    """A PES packet of unbounded length, as video may have (2.4.3.7)."""
    stamps = _timestamp(0x20, unit.pts)
    if unit.pts == unit.dts:
        return b"\0\0\1" + bytes((stream_id, 0, 0, 0x84, 0x80, 5)) + stamps + unit.data
    stamps = _timestamp(0x30, unit.pts) + _timestamp(0x10, unit.dts)
    return b"\0\0\1" + bytes((stream_id, 0, 0, 0x84, 0xC0, 10)) + stamps + unit.data


def _timestamp(prefix: int, value: int) -> bytes:
    value %= 2**33
    high, middle, low = value >> 30, value >> 15 & 0x7FFF, value & 0x7FFF
    first = prefix | high << 1 | 1
    return (
        bytes((first,)) + (middle << 1 | 1).to_bytes(2, "big") + (low << 1 | 1).to_bytes(2, "big")
    )


def _packet_count(place: _Place, stream_id: int) -> int:
    adaptation = _adaptation(place)
    size = len(_pes(place.unit, stream_id)) + (len(adaptation) + 1 if adaptation else 0)
    return -(-size // (PACKET - 4))


def _write(place: _Place, pid: int, stream_id: int, counter: int, count: int) -> Iterator[bytes]:
    """Yield a picture's `count` transport packets; what is too many carries a byte each."""
    pes = _pes(place.unit, stream_id)
    adaptation = _adaptation(place)
    for index in range(count):
        room = PACKET - 4 - (len(adaptation) + 1 if adaptation else 0)
        part, pes = _take(pes, min(room, len(pes) - (count - index - 1)))
        header = (_SYNC, (0x40 if index == 0 else 0) | pid >> 8, pid & 0xFF)
        field = _stuffed(adaptation, PACKET - 4 - len(part))
        control = (0x30 if field else 0x10) | (counter + index) & 0x0F
        yield bytes((*header, control)) + field + part
        adaptation = b""


def _take(data: bytes, size: int) -> tuple[bytes, bytes]:
    return data[:size], data[size:]


def _stuffed(adaptation: bytes, size: int) -> bytes:
    """An adaptation field of `size` bytes, its length byte included."""
    if size == 0:
        return b""
    content = adaptation or b"\0"[: size - 1]
    return bytes((size - 1,)) + content.ljust(size - 1, b"\xff")


def _find_program_map(packets: Sequence[bytes], video_pid: int, name: str) -> int:
    """PID of the program map that lists the video."""
    candidates: list[int] = []
    for packet in packets:
        pid = _pid(packet)
        if pid == 0 and (table := _section([packet])):
            entries = table[8:-4]
            rows = [entries[at : at + 4] for at in range(0, len(entries) - 3, 4)]
            candidates += [_pid(b"\0" + row[2:4]) for row in rows if row[:2] != b"\0\0"]
        elif pid in candidates and packet[1] & 0x40:
            table = _section([p for p in packets if _pid(p) == pid])
            if video_pid in (entry_pid for _, entry_pid, _ in _streams(table)):
                return pid
    raise BrokenSourceError("has no program map for its video", source=name)


def _section(packets: Sequence[bytes]) -> bytes:
    """The first table section that the payloads of one PID hold; empty where cut off."""
    starts = (index for index, packet in enumerate(packets) if packet[1] & 0x40)
    first = next(starts, len(packets))
    data = b"".join(packet[_payload_start(packet) :] for packet in packets[first:])
    begin = 1 + data[0] if data else 0
    size = int.from_bytes(data[begin + 1 : begin + 3], "big") & 0x0FFF
    section = data[begin : begin + 3 + size]
    return section if len(section) == 3 + size and size >= 9 else b""


def _streams(table: bytes) -> Iterator[tuple[int, int, int]]:
    """Offset, PID and length of each elementary stream's entry in a program map."""
    at = 12 + (int.from_bytes(table[10:12], "big") & 0x0FFF)
    while at + 5 <= len(table) - 4:
        size = 5 + (int.from_bytes(table[at + 3 : at + 5], "big") & 0x0FFF)
        yield at, int.from_bytes(table[at + 1 : at + 3], "big") & 0x1FFF, size
        at += size


def _declare_h264(packets: Sequence[bytes], pmt_pid: int, video_pid: int) -> list[bytes]:
    """Make every program map say H.264, without descriptors of the source's codec."""
    out = list(packets)
    places = [index for index, packet in enumerate(packets) if _pid(packet) == pmt_pid]
    for first, index in enumerate(places):
        if not packets[index][1] & 0x40:
            continue
        rest = [packets[place] for place in places[first:]]
        table = _section(rest)
        changed = _with_h264(table, video_pid)
        if changed == table:
            continue
        room = 1 + len(table)
        content = b"\0" + changed.ljust(len(table), b"\xff")
        for place in places[first:]:
            start = _payload_start(packets[place])
            size = min(room, PACKET - start)
            part, content = _take(content, size)
            out[place] = packets[place][:start] + part.ljust(PACKET - start, b"\xff")
            room -= size
            if room == 0:
                break
    return out


def _with_h264(table: bytes, video_pid: int) -> bytes:
    for at, pid, size in _streams(table):
        if pid == video_pid:
            entry = bytes((_H264, *table[at + 1 : at + 3], 0xF0, 0))
            if table[at : at + size] == entry:
                return table
            content = table[3:at] + entry + table[at + size : -4]
            length = 0xB000 | len(content) + 4
            section = table[:1] + length.to_bytes(2, "big") + content
            return section + _crc32(section).to_bytes(4, "big")
    return table


def _crc32(data: bytes) -> int:
    """CRC of 13818-1 annex A: polynomial 0x04C11DB7, most significant bit first, all ones."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc
