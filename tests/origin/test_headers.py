import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.headers import (
    ByteSpan,
    UnsatisfiableRangeError,
    cache_status,
    etag_matches,
    select_range,
    server_timing,
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-9", ByteSpan(start=0, stop=10)),
        ("bytes=90-", ByteSpan(start=90, stop=100)),
        ("bytes=90-1000", ByteSpan(start=90, stop=100)),
        ("bytes=-5", ByteSpan(start=95, stop=100)),
        ("bytes=-500", ByteSpan(start=0, stop=100)),
        ("Bytes = 1-1", ByteSpan(start=1, stop=2)),
        ("bytes=9-1", None),
        ("bytes=0-1,5-6", None),
        ("bytes=-", None),
        ("items=0-1", None),
        ("bytes=٣-", None),
        ("bytes=" + "9" * 400 + "-", UnsatisfiableRangeError),
        ("bytes=100-", UnsatisfiableRangeError),
        ("bytes=-0", UnsatisfiableRangeError),
    ],
)
def test_ranges(header, expected):
    if expected is UnsatisfiableRangeError:
        with pytest.raises(UnsatisfiableRangeError):
            select_range(header, 100)
    else:
        assert select_range(header, 100) == expected


@given(st.text(max_size=40), st.integers(1, 1000))
def test_no_header_text_breaks_range_selection(text, size):
    try:
        span = select_range("bytes=" + text, size)
    except UnsatisfiableRangeError:
        return
    assert span is None or 0 <= span.start < span.stop <= size


@pytest.mark.parametrize(
    ("header", "weak", "expected"),
    [
        (None, True, False),
        ('"a"', True, True),
        ('W/"a"', True, True),
        ('W/"a"', False, False),
        ('"b", "a"', True, True),
        ("*", True, True),
        ("*", False, False),
        ('"b"', False, False),
    ],
)
def test_entity_tags(header, weak, expected):
    assert etag_matches(header, '"a"', weak=weak) is expected


def test_server_timing_is_in_milliseconds():
    assert server_timing({"queue": 0.0014, "encode": 2}) == "queue;dur=1.4, encode;dur=2000.0"


def test_cache_status_words_are_those_of_rfc_9211():
    assert cache_status("hit") == "upscale-origin; hit"
    assert cache_status("miss") == "upscale-origin; fwd=uri-miss"
    assert cache_status("coalesced") == "upscale-origin; fwd=uri-miss; collapsed"
