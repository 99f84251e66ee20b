import io
from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from origin.errors import BrokenSourceError, UnsupportedSourceError
from origin.media.ts import PACKET, AccessUnit, replace_video
from tests.media.making import make_all, plan_for, write_bodies
from tests.media.synth import Clip, Sound

VIDEO_PID = 0x100


def packets(body: bytes) -> list[bytes]:
    return [body[at : at + PACKET] for at in range(0, len(body), PACKET)]


def pid(packet: bytes) -> int:
    return int.from_bytes(packet[1:3], "big") & 0x1FFF


def counters(body: bytes) -> dict[int, list[int]]:
    rows = defaultdict(list)
    for packet in packets(body):
        if packet[3] & 0x10:
            rows[pid(packet)].append(packet[3] & 0x0F)
    return rows


def clocks(body: bytes) -> list[int]:
    """PCR in 90 kHz ticks, in order."""
    return [
        int.from_bytes(packet[6:11], "big") >> 7
        for packet in packets(body)
        if packet[3] & 0x20 and packet[4] >= 7 and packet[5] & 0x10
    ]


def source_body(source) -> bytes:
    return Path(source.body.path).read_bytes()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    clip = Clip(
        b_frames=2, frames=72, start_seconds=Fraction(10), sounds=(Sound(), Sound(codec="ac3"))
    )
    sources = write_bodies(tmp_path_factory.mktemp("ts"), "mpegts", clip)
    return make_all(sources, plan_for(sources[0], clip))


def test_everything_but_video_goes_through_untouched(made):
    for source, produced in zip(made.sources, made.bodies, strict=True):
        ours, theirs = (
            [packet for packet in packets(body) if pid(packet) != VIDEO_PID]
            for body in (produced.body, source_body(source))
        )
        assert ours == theirs
        assert len({pid(packet) for packet in ours}) >= 4


def test_counters_continue_across_segments_whoever_made_them(made):
    ours = [produced.body for produced in made.bodies]
    theirs = [source_body(source) for source in made.sources]
    for played in (ours, theirs, [ours[0], theirs[1], ours[2]], [theirs[0], ours[1], theirs[2]]):
        for row in counters(b"".join(played)).values():
            assert all(b == (a + 1) % 16 for a, b in pairwise(row))


def test_the_clock_is_the_sources_and_never_late(made):
    for source, produced in zip(made.sources, made.bodies, strict=True):
        ours = clocks(produced.body)
        assert ours == sorted(ours)
        assert set(ours) <= set(clocks(source_body(source)))
        assert len(ours) == produced.frames
        with av.open(io.BytesIO(produced.body), format="mpegts") as container:
            dts = [packet.dts for packet in container.demux(video=0) if packet.size]
        assert all(clock <= at for clock, at in zip(ours, dts, strict=True))


@pytest.mark.parametrize("codec", ["libx265", "mpeg2video"])
def test_the_program_map_says_h264(tmp_path: Path, codec):
    clip = Clip(codec=codec, sounds=(Sound(language="deu"),))
    sources = write_bodies(tmp_path, "mpegts", clip)
    made = make_all(sources, plan_for(sources[0], clip))
    for produced in made.bodies:
        with av.open(io.BytesIO(produced.body), format="mpegts") as container:
            video, audio = container.streams
            assert video.codec_context.codec.canonical_name == "h264"
            assert video.id == VIDEO_PID
            assert audio.codec_context.name == "aac"
            assert audio.language == "deu"
            assert sum(packet.size > 0 for packet in container.demux(video)) == 24


def _pat_and_pmt(descriptors: bytes, packets_of_map: int) -> bytes:
    """A program map of several transport packets, by hand: H.264 in 0x100 with descriptors."""
    from origin.media.ts import _crc32  # noqa: PLC0415

    def section(content: bytes) -> bytes:
        body = content[:1] + (0xB000 | len(content) + 1).to_bytes(2, "big") + content[3:]
        return body + _crc32(body).to_bytes(4, "big")

    pat = section(bytes((0, 0, 0, 0, 1, 0xC1, 0, 0, 0, 1, 0xF0, 0x00)))
    entry = bytes((0x24, 0xE1, 0x00)) + (0xF000 | len(descriptors)).to_bytes(2, "big")
    pmt = section(bytes((2, 0, 0, 0, 1, 0xC1, 0, 0, 0xE1, 0x00, 0xF0, 0)) + entry + descriptors)
    out = b"\x47\x40\x00\x10" + (b"\0" + pat).ljust(184, b"\xff")
    payload = b"\0" + pmt
    for index in range(packets_of_map):
        part = payload[184 * index : 184 * index + 184].ljust(184, b"\xff")
        out += bytes((0x47, 0x50 if index == 0 else 0x10, 0x00, 0x10 | index)) + part
    return out


def test_a_program_map_of_several_packets_is_rewritten(tmp_path: Path):
    registration = b"\x05\x04HEVC"
    body = _pat_and_pmt(registration * 60, 3)
    body += b"\x47\x41\x00\x30" + bytes((183 - 14, 0)) + b"\xff" * (182 - 14)
    body += b"\0\0\1\xe0\0\0\x80\x80\x05\x21\0\1\0\1"
    unit = AccessUnit(b"\0\0\0\1\x09\xf0" + bytes(range(1, 250)), 0, 0, True)
    out = replace_video(body, VIDEO_PID, [unit], "x.ts")
    maps = [packet for packet in packets(out) if pid(packet) == 0x1000]
    assert len(maps) == 3
    section = b"".join(packet[4:] for packet in maps)[1:]
    assert section[12:17] == bytes((0x1B, 0xE1, 0x00, 0xF0, 0))
    length = int.from_bytes(section[1:3], "big") & 0xFFF
    assert section[3 + length :].strip(b"\xff") == b""
    from origin.media.ts import _crc32  # noqa: PLC0415

    assert _crc32(section[: 3 + length]) == 0


def _unit(size: int = 500) -> AccessUnit:
    return AccessUnit(b"\0\0\0\1\x09\xf0" + b"\x21" * size, 2**33 + 7, -5, True)


def test_timestamps_wrap_at_33_bits(tmp_path: Path):
    body = source_body(write_bodies(tmp_path, "mpegts", Clip())[0])
    out = replace_video(body, VIDEO_PID, [_unit()], "x.ts")
    pes = next(p for p in packets(out) if pid(p) == VIDEO_PID and p[1] & 0x40)
    begin = pes.index(b"\0\0\1\xe0") + 9
    stamps = [pes[begin + 5 * index : begin + 5 * index + 5] for index in range(2)]
    values = [
        (s[0] >> 1 & 7) << 30 | (s[1] << 7 | s[2] >> 1) << 15 | s[3] << 7 | s[4] >> 1
        for s in stamps
    ]
    assert values == [7, 2**33 - 5]


@pytest.mark.parametrize("size", [*range(160, 190), 340, 341, 342, 343, 344, 345, 360])
def test_every_picture_fills_whole_packets(tmp_path_factory, size):
    body = _pat_and_pmt(b"", 1)
    body += b"\x47\x41\x00\x30" + bytes((183 - 14, 0)) + b"\xff" * (182 - 14)
    body += b"\0\0\1\xe0\0\0\x80\x80\x05\x21\0\1\0\1"
    unit = AccessUnit(bytes(index % 255 + 1 for index in range(size)), 5, 5, False)
    own = [p for p in packets(replace_video(body, VIDEO_PID, [unit], "x")) if pid(p) == VIDEO_PID]
    payload = b"".join(p[5 + p[4] :] if p[3] & 0x20 else p[4:] for p in own if p[3] & 0x10)
    assert payload[14:] == unit.data
    assert [p[3] & 0x0F for p in own] == [index % 16 for index in range(len(own))]
    assert len(own) % 16 == 1, "as many as the source's, modulo 16"


def test_damaged_transport_streams_are_refused(tmp_path: Path):
    body = source_body(write_bodies(tmp_path, "mpegts", Clip())[0])
    with pytest.raises(BrokenSourceError, match="ends within a transport packet"):
        replace_video(body[:-1], VIDEO_PID, [_unit()], "x.ts")
    with pytest.raises(BrokenSourceError, match="loses its transport packets at byte 376"):
        replace_video(body[:376] + bytes(188) + body[376:], VIDEO_PID, [_unit()], "x.ts")
    with pytest.raises(BrokenSourceError, match="no program map"):
        replace_video(body, 0x1FF0, [_unit()], "x.ts")
    scrambled = body[:191] + bytes((body[191] | 0x80,)) + body[192:]
    with pytest.raises(UnsupportedSourceError, match="scrambled"):
        replace_video(scrambled, VIDEO_PID, [_unit()], "x.ts")


def test_several_pictures_in_one_pes_packet_keep_their_places(tmp_path: Path):
    """Sources may put a GOP into one PES packet: the places are shared out in step."""
    body = source_body(write_bodies(tmp_path, "mpegts", Clip(sounds=(Sound(),)))[0])
    many = [AccessUnit(b"\0\0\0\1\x09\xf0" + b"\x21" * 900, n, n, n == 0) for n in range(48)]
    for units in (many, many[:7]):
        out = replace_video(body, VIDEO_PID, units, "x.ts")
        own = [p for p in packets(out) if pid(p) == VIDEO_PID and p[1] & 0x40]
        assert len(own) == len(units)
        before, after = ([pid(p) for p in packets(data)] for data in (body, out))
        assert after.index(VIDEO_PID) == before.index(VIDEO_PID)
        assert after[::-1].index(0x101) <= before[::-1].index(0x101) + 20
