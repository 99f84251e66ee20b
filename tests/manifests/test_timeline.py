"""Timelines: every packet in exactly one span, in order, without gaps."""

import math
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from manifests.errors import ManifestError
from manifests.timeline import (
    Packet,
    SegmentFacts,
    SegmentSpan,
    TrackSpan,
    audio_spans,
    extinf_deviation,
    segment_spans,
    target_duration,
)

MS = Fraction(1, 1000)


def packets(*groups: list[int], duration: int = 0) -> list[Packet]:
    """Groups of PTS in decode order, each begun by a keyframe; DTS are the sorted PTS."""
    pts = [at for group in groups for at in group]
    keys = {group[0] for group in groups}
    return [
        Packet(pts=at, dts=dts, duration=duration, is_key=at in keys)
        for at, dts in zip(pts, sorted(pts), strict=True)
    ]


def steady(start: int, count: int, step: int = 500) -> list[int]:
    return [start + n * step for n in range(count)]


@st.composite
def tracks(draw: st.DrawFn) -> list[Packet]:
    """GOPs of irregular length and frame rate, some open, some with B-frames."""
    groups: list[list[int]] = []
    at = draw(st.integers(-5_000, 10_000))
    for _ in range(draw(st.integers(1, 12))):
        steps = draw(st.lists(st.integers(1, 900), min_size=1, max_size=12))
        shown = [at := at + step for step in steps]
        leading = draw(st.integers(0, min(2, len(shown) - 1)))
        tail = shown[leading + 1 :]
        if draw(st.booleans()):
            tail = tail[1::2] + tail[::2]
        groups.append([shown[leading], *shown[:leading], *tail])
    return packets(*groups, duration=draw(st.sampled_from([0, 40])))


@given(st.lists(st.integers(0, 50)), tracks())
def test_every_packet_is_in_exactly_one_span(early: list[int], track: list[Packet]) -> None:
    undecodable = [Packet(pts=at, dts=at, duration=1, is_key=False) for at in early]
    spans = segment_spans([*undecodable, *track], time_base=MS, max_seconds=100)
    assert sum(span.packet_count for span in spans) == len(track)
    first = 0
    for index, span in enumerate(spans):
        own = track[first : first + span.packet_count]
        first += span.packet_count
        assert span.index == index
        assert own[0].is_key
        assert (span.key_pts, span.key_dts) == (own[0].pts, own[0].dts)
        assert all(span.first_pts <= packet.pts < span.end_pts for packet in own)
        assert span.first_pts == min(packet.pts for packet in own)
        assert span.leading == (span.first_pts < span.key_pts)
    for one, other in pairwise(spans):
        assert one.end_pts == other.first_pts
        assert other.key_pts - one.key_pts >= 4000


@given(tracks())
def test_a_segment_starts_on_the_first_keyframe_that_may(track: list[Packet]) -> None:
    spans = segment_spans(track, time_base=MS, max_seconds=100)
    starts = {span.key_pts for span in spans}
    last = track[0].pts
    for packet in track:
        if packet.is_key:
            assert (packet.pts in starts) == (packet.pts == last or packet.pts - last >= 4000)
            last = packet.pts if packet.pts in starts else last


def test_open_gop_pictures_belong_to_the_key_that_they_follow() -> None:
    one, two = segment_spans(
        packets(steady(0, 8), [5000, 4000, 4500, 5500], duration=500), time_base=MS
    )
    assert (one.first_pts, one.end_pts, one.packet_count, one.leading) == (0, 4000, 8, False)
    assert (two.key_pts, two.first_pts, two.end_pts) == (5000, 4000, 6000)
    assert (two.packet_count, two.leading) == (4, True)


def test_missing_last_duration_is_that_of_the_frame_before() -> None:
    assert segment_spans(packets([0, 80, 40]), time_base=MS)[0].end_pts == 120
    assert segment_spans(packets([0, 80, 40], duration=25), time_base=MS)[0].end_pts == 105
    assert segment_spans(packets([7]), time_base=MS)[0].end_pts == 8


def test_cut_is_exact_in_awkward_time_bases() -> None:
    time_base = Fraction(1001, 24000)
    frames = [Packet(pts=n, dts=n, duration=1, is_key=n % 12 == 0) for n in range(240)]
    spans = segment_spans(frames, time_base=time_base)
    assert [span.packet_count for span in spans] == [96, 96, 48]


@pytest.mark.parametrize(
    ("track", "reason"),
    [
        ([], "no keyframe"),
        ([Packet(pts=0, dts=0, duration=1, is_key=False)], "no keyframe"),
        (packets(steady(0, 9), steady(20_001, 3)), "segment 0 at 0.000 s would be 20.001 s long"),
        (packets(steady(0, 42)), "21.000 s long, more than 20 s: keyframes lie too far apart"),
        ([*packets([0, 40]), Packet(pts=40, dts=80, duration=40, is_key=False)], "two video pack"),
        (packets([0, 9000, 500], steady(4000, 3)), "packet at 9.000 s belongs after the next key"),
        (packets([0, 4000, 500], [4500, 3000]), "packet at 4.000 s belongs after the next key"),
    ],
)
def test_what_cannot_be_cut_is_refused(track: list[Packet], reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        segment_spans(track, time_base=MS)


def test_twenty_seconds_are_allowed() -> None:
    assert len(segment_spans(packets(steady(0, 40)), time_base=MS)) == 1


@given(
    tracks(),
    st.lists(st.integers(0, 60_000), min_size=1, max_size=60).map(sorted),
    st.sampled_from([Fraction(1, 1000), Fraction(1, 48_000), Fraction(1, 44_100)]),
)
def test_every_audio_packet_is_in_exactly_one_span(
    track: list[Packet], times: list[int], time_base: Fraction
) -> None:
    video = segment_spans(track, time_base=MS, max_seconds=100)
    starts = [round(at * MS / time_base) for at in times]
    spans = audio_spans([(at, 10) for at in starts], video, MS, time_base)
    assert [span.index for span in spans] == [span.index for span in video]
    assert sum(span.packet_count for span in spans) == len(starts)
    first = 0
    for index, (span, shown) in enumerate(zip(spans, video, strict=True)):
        own = starts[first : first + span.packet_count]
        first += span.packet_count
        for at in own:
            assert index == 0 or at * time_base >= shown.first_pts * MS
            assert index == len(video) - 1 or at * time_base < shown.end_pts * MS
        assert not own or own[0] == span.first_pts
    assert spans[0].first_pts == starts[0]
    assert spans[-1].end_pts == starts[-1] + 10
    for one, other in pairwise(spans):
        assert one.end_pts == other.first_pts


def test_audio_shorter_than_the_video_leaves_empty_spans() -> None:
    video = segment_spans(packets(steady(0, 8), steady(4000, 8), steady(8000, 8)), time_base=MS)
    spans = audio_spans([(4100, 50), (4150, 50)], video, MS, MS)
    assert spans == (
        TrackSpan(index=0, first_pts=4100, packet_count=0, end_pts=4100),
        TrackSpan(index=1, first_pts=4100, packet_count=2, end_pts=4200),
        TrackSpan(index=2, first_pts=4200, packet_count=0, end_pts=4200),
    )


def test_audio_that_goes_backwards_or_is_missing_is_refused() -> None:
    video = segment_spans(packets(steady(0, 8)), time_base=MS)
    with pytest.raises(ManifestError, match=r"backwards at 0\.100 s"):
        audio_spans([(200, 1), (100, 1)], video, MS, MS)
    with pytest.raises(ManifestError, match="no packets"):
        audio_spans([], video, MS, MS)


@given(st.lists(st.fractions(0, 100), min_size=1))
def test_target_duration_covers_every_rounded_extinf(durations: list[Fraction]) -> None:
    target = target_duration(durations)
    assert target >= 1
    assert all(math.floor(duration + Fraction(1, 2)) <= target for duration in durations)
    assume(max(durations) > Fraction(1, 2))
    assert target - max(durations) <= Fraction(1, 2)


def test_target_duration_rounds_half_up() -> None:
    assert target_duration([Decimal("4.5"), 2.5]) == 5
    assert target_duration([Decimal("4.499999")]) == 4
    assert target_duration([]) == 1


def facts(first: int, end: int, error: str | None = None) -> SegmentFacts:
    return SegmentFacts(
        first_pts=first,
        end_pts=end,
        frames=1,
        has_key=True,
        leading=False,
        video_bytes=0,
        audio_bytes=0,
        error=error,
    )


def test_extinf_deviation_is_the_largest_of_each_and_of_their_sum() -> None:
    rows = [facts(0, 4000), facts(4000, 8000), facts(0, 0, "broken"), facts(8000, 12_000)]
    exact = [Decimal(4), Decimal(4), Decimal(9), Decimal(4)]
    assert extinf_deviation(exact, rows, MS) == 0
    assert extinf_deviation([Decimal(4), Decimal(6), Decimal(9), Decimal(2)], rows, MS) == 2
    drifting = [Decimal("4.1"), Decimal("4.1"), Decimal(9), Decimal("4.1")]
    assert extinf_deviation(drifting, rows, MS) == pytest.approx(0.3)


def test_spans_are_values() -> None:
    span = segment_spans(packets(steady(0, 8)), time_base=MS)[0]
    assert isinstance(span, SegmentSpan)
    assert hash(span) == hash(segment_spans(packets(steady(0, 8)), time_base=MS)[0])
