import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.cmcd import MAX_LENGTH, NOTHING, Cmcd, parse

HLS_JS = (
    'bl=12300,br=4000,cid="demo/bunny",d=4004,dl=12300,mtp=25400,nor="..%2Fab%2F7.ts",ot=v,pr=1.5,'
    'sf=h,sid="6e2fb550-c457-11e9-bb97-0800200c9a66",st=v,su,tb=6000'
)


def test_all_that_hls_js_says_is_read() -> None:
    assert parse(HLS_JS) == Cmcd(
        bitrate_kbps=4000,
        buffer_seconds=12.3,
        deadline_seconds=12.3,
        duration_seconds=4.004,
        object_type="v",
        top_bitrate_kbps=6000,
        throughput_kbps=25400,
        playback_rate=1.5,
        streaming_format="h",
        stream_type="v",
        session="6e2fb550-c457-11e9-bb97-0800200c9a66",
        content="demo/bunny",
        next_object="..%2Fab%2F7.ts",
        is_starting=True,
    )


def test_headers_say_the_same_and_win_over_the_query() -> None:
    headers = ["bl=2000,dl=1000,bs", "br=800,d=4000,ot=av", 'nrr="0-99",rtp=900', 'sid="a,b\\"c"']
    read = parse("bl=9000,su", headers)
    assert (read.buffer_seconds, read.deadline_seconds, read.requested_kbps) == (2.0, 1.0, 900)
    assert (read.is_starved, read.is_starting) == (True, True)
    assert (read.session, read.next_range, read.object_type) == ('a,b"c', "0-99", "av")


def test_version_2_puts_values_into_lists() -> None:
    read = parse('bl=(2000),br=(800;v 300),nor=("3.ts" "4.ts"),v=2')
    assert (read.buffer_seconds, read.bitrate_kbps, read.next_object) == (2.0, 800, "3.ts")


def test_parameters_of_values_are_passed_over() -> None:
    read = parse('br=800;v=300,bl=2000 ;a="b",ot=v;x,su;y,cid="a;b";c')
    assert (read.bitrate_kbps, read.buffer_seconds, read.object_type) == (800, 2.0, "v")
    assert (read.is_starting, read.content) == (True, "a;b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",,,",
        "bl=",
        "bl=-1",
        "bl=nan",
        "dl=inf",
        "bl=1e999",
        'sid="',
        "sid=" + "x" * 65,
        "ot=QQ",
    ],
)
def test_what_cannot_be_read_is_left_out(text: str) -> None:
    assert parse(text) == NOTHING


def test_the_rest_is_still_read() -> None:
    assert parse('bl="x,=,)(,dl=400, su ').deadline_seconds == 0.4
    assert parse("su=false,bs=?0") == NOTHING


@given(st.text() | st.text(alphabet='abdlsuinor=,"\\();0123456789.- '))
def test_nothing_that_a_stranger_sends_breaks_it(text: str) -> None:
    read = parse(text, [text])
    for name in (field.name for field in fields(Cmcd)):
        value = getattr(read, name)
        if isinstance(value, float):
            assert 0 <= value < math.inf
        if isinstance(value, str):
            assert len(value) <= 1024


def test_endless_input_is_cut() -> None:
    assert parse("," * MAX_LENGTH + "bl=1000") == NOTHING
    assert parse('"' * 10**6 + "\\" * 10**6) == NOTHING
    assert parse("a=(," * 10**6) == NOTHING


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", ['bl={}"', "bl={}(", 'sid="{}', 'sid="x"{}(', "bl{}(", "{}("])
@pytest.mark.parametrize("filler", [" ", ";", "\\", " ;"])
def test_what_is_long_takes_no_longer_by_the_letter(text: str, filler: str) -> None:
    hostile = text.format(filler * (4000 // len(filler)))
    for _ in range(2000):  # minutes, if letters were looked at again and again
        assert parse(hostile).buffer_seconds is None
