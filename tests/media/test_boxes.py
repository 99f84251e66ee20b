import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.media import boxes
from origin.media.boxes import BoxError, box, full_box


def test_boxes_are_walked_side_by_side_with_large_and_open_sizes():
    large = struct.pack(">I4sQ", 1, b"mdat", 19) + b"abc"
    data = box(b"free", b"12") + large + struct.pack(">I4s", 0, b"last") + b"rest"
    found = [(item.kind, data[item.body : item.end]) for item in boxes.walk(data)]
    assert found == [(b"free", b"12"), (b"mdat", b"abc"), (b"last", b"rest")]


def test_children_and_find_descend_a_path():
    traks = [box(b"trak", box(b"tkhd", bytes([n]))) for n in (1, 2)]
    data = box(b"ftyp") + box(b"moov", box(b"mvhd"), *traks)
    assert [data[t.start : t.end] for t in boxes.children(data, b"moov", b"trak")] == traks
    assert boxes.find(data, b"moov", b"trak", b"tkhd") == box(b"tkhd", b"\1")
    assert boxes.find(data, b"moov", b"udta") is None
    assert boxes.find(data, b"moof", b"traf") is None


def test_rewriting_fixes_the_sizes_of_all_parents_and_leaves_the_rest():
    data = box(b"ftyp") + box(b"moov", box(b"trak", box(b"tkhd", b"old"), box(b"mdia"))) + b""
    grown = boxes.rewrite(data, (b"moov", b"trak", b"tkhd"), lambda old: old + box(b"edts", b"xy"))
    expected = box(b"trak", box(b"tkhd", b"old"), box(b"edts", b"xy"), box(b"mdia"))
    assert grown == box(b"ftyp") + box(b"moov", expected)
    with pytest.raises(BoxError, match="tref"):
        boxes.rewrite(data, (b"moov", b"tref"), lambda old: old)


def test_a_full_box_carries_version_and_flags():
    assert full_box(b"tfdt", 1, 0x020304, b"x") == b"\0\0\0\x0dtfdt\1\2\3\4x"


@given(st.binary(max_size=64))
def test_any_bytes_are_boxes_or_an_error(data: bytes):
    try:
        found = list(boxes.walk(data))
    except BoxError:
        return
    ends = [item.end for item in found]
    assert [item.start for item in found] == [0, *ends][: len(found)]
    assert not found or ends[-1] == len(data)
