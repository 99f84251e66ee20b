"""WebVTT segments, read back block by block."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests import webvtt
from manifests.errors import ManifestError
from manifests.timeline import SegmentSpan
from manifests.webvtt import Cue, escape, segment_starts, segments, tidy, timestamp

TIMING = re.compile(r"(\d+):(\d\d):(\d\d)\.(\d{3}) --> (\d+):(\d\d):(\d\d)\.(\d{3})(.*)")
CUES = st.lists(
    st.builds(
        Cue,
        start=st.integers(0, 40_000),
        end=st.integers(0, 60_000),
        text=st.sampled_from(["one", "two\nlines", "<i>three</i>"]),
        settings=st.sampled_from(["", "line:0"]),
    ),
    max_size=20,
)
STARTS = st.lists(st.integers(0, 50_000), min_size=1, max_size=8, unique=True).map(sorted)


def _milliseconds(hours: str, minutes: str, seconds: str, fraction: str) -> int:
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(fraction)


def read(text: str) -> list[tuple[str, Cue]]:
    """Identifier and cue of each block after the header."""
    head, *blocks = re.split(r"\n\n+", text.strip("\n"))
    assert head == "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0"
    cues = []
    for block in blocks:
        identifier, timing, *lines = block.split("\n")
        found = TIMING.fullmatch(timing)
        assert found is not None
        cue = Cue(
            start=_milliseconds(*found.groups()[:4]),
            end=_milliseconds(*found.groups()[4:8]),
            text="\n".join(lines),
            settings=found[9].strip(),
        )
        cues.append((identifier, cue))
    return cues


@given(CUES, STARTS)
def test_each_cue_stands_whole_in_every_segment_that_it_touches(cues, starts):
    read_back = [read(text) for text in segments(cues, starts)]
    ends = [*starts[1:], 10**9]
    shown = [cue for cue in cues if cue.start < cue.end]
    for index, (start, end) in enumerate(zip([-1, *starts[1:]], ends, strict=True)):
        expected = [cue for cue in shown if cue.start < end and cue.end > start]
        own = [cue for _, cue in read_back[index]]
        assert sorted(own, key=repr) == sorted(expected, key=repr)
        assert [cue.start for cue in own] == sorted(cue.start for cue in own)


@given(CUES, STARTS)
def test_an_identifier_is_one_cue_in_all_segments(cues, starts):
    by_identifier: dict[str, Cue] = {}
    for text in segments(cues, starts):
        for identifier, cue in read(text):
            assert by_identifier.setdefault(identifier, cue) == cue
    assert len(by_identifier) == sum(cue.start < cue.end for cue in cues)


def test_segments_without_cues_are_there_too():
    assert segments([], [0, 4000]) == [f"{webvtt._HEAD}\n"] * 2


def test_cues_that_fill_too_much_are_refused(monkeypatch):
    monkeypatch.setattr(webvtt, "MAX_BYTES", 100_000)
    hours = Cue(start=0, end=10**7, text="x" * 1000)
    with pytest.raises(ManifestError, match="their cues take more than"):
        segments([hours], range(0, 10**7, 4000))


@given(st.text())
def test_tidied_text_is_one_block_and_no_timing(text):
    tidied = tidy(escape(text))
    assert "-->" not in tidied
    assert "\n\n" not in f"\n{tidied}\n" or not tidied
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\ufeff]", tidied.replace("\t", ""))
    (block,) = read(segments([Cue(start=0, end=1, text=tidied or "x")], [0])[0])
    assert block[1].text == (tidied or "x")


def test_text_of_webvtt_is_kept_but_for_what_would_end_it():
    assert (
        tidy("<v Bob>a\r\n\r\n<i>b</i> --> &amp;\n\n") == "<v Bob>a\n\u00a0\n<i>b</i> --&gt; &amp;"
    )


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(-5, "00:00:00.000"), (3_723_004, "01:02:03.004"), (360_000_000, "100:00:00.000")],
)
def test_timestamps(milliseconds, text):
    assert timestamp(milliseconds) == text


def test_segments_start_where_the_shifted_video_does():
    spans = [
        SegmentSpan(
            index=index,
            key_pts=pts,
            key_dts=pts,
            packet_count=1,
            first_pts=pts,
            end_pts=pts + 1,
            leading=False,
        )
        for index, pts in enumerate((-3003, 357_357))
    ]
    assert segment_starts(spans, Fraction(1, 90_000), 1) == (967, 4971)
