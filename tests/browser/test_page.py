"""The demo page by itself, on an origin that only pretends."""

import pytest

from tests.browser.fake_origin import fake_origin
from tests.browser.harness import drive

pytestmark = pytest.mark.browser

TITLE = "demo/bunny-fmp4"


def test_the_page_shows_what_was_fetched_and_asks_no_other_host(small_library):
    with fake_origin(small_library) as url:
        report = drive(url, TITLE, "watch", name="page", until=6)

    assert report["failure"] is None
    assert report["complaints"] == []
    assert report["errors"] == []
    assert report["variantMenu"] == [
        "Auto (144p · anime4k-m · server)",
        "source 72p",
        "144p · anime4k-m · server",
    ]
    assert report["rows"] == len(report["segments"])
    made = [segment for segment in report["segments"] if segment["cache"] == "miss"]
    assert made[0]["stages"] == {"queue": 1, "decode": 40, "upscale": 900}
    assert made[0]["bytes"] > 10_000


def test_it_begins_with_the_source_and_stays_upscaled_though_each_segment_is_waited_for(
    small_library,
):
    """At 3 s per segment of 4 s, hls.js's own estimate falls below the variant's bandwidth."""
    with fake_origin(small_library, wait_seconds=3) as url:
        report = drive(url, TITLE, "automatic", name="page-slow", segments=5)

    assert report["failure"] is None
    assert report["errors"] == []
    levels = [segment["level"] for segment in report["segments"] if segment["kind"] == "video"]
    source, upscaled = report["source"]["index"], report["upscaled"]["index"]
    assert levels == [source] + [upscaled] * (len(levels) - 1)


def test_a_broken_upscaled_segment_is_explained_and_the_source_plays_on(small_library):
    with fake_origin(small_library, broken="/144p/001.m4s") as url:
        report = drive(url, TITLE, "watch", name="page-broken", until=9)

    assert report["failure"] is None
    assert not any(error["fatal"] for error in report["errors"])
    assert report["message"] == (
        "Segment 1 could not be fetched: 003.m4s is truncated. Trying another variant."
    )


def test_a_title_that_is_gone_is_said_so(small_library):
    with fake_origin(small_library) as url:
        report = drive(url, "demo/gone", "watch", name="page-gone")

    assert report["message"] == "This title is gone. Reload the page to see what there is."
