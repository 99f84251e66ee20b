from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.codecs import avc1_from_sps
from manifests.color import Color
from manifests.ladder import RenditionPlan
from origin.errors import ProductionError
from origin.media import nal
from origin.media.encode import SubGopEncoder, b_frames_fit, extradata, split_frames
from origin.media.frames import frame_of, planes_of
from tests.media.synth import Clip, draw, luma, read_counter

TICK = 3600
PLAN = RenditionPlan(
    rendition_id="up-180p-lanczos",
    model="lanczos",
    model_digest="m",
    source_digest="s",
    container="mpegts",
    width=320,
    height=180,
    sar=Fraction(32, 27),
    frame_rate=Fraction(25),
    time_base=Fraction(1, 90000),
    source_color=Color(matrix=6),
    color=Color(matrix=1, primaries=1, transfer=1),
    level="2.1",
    maxrate=800_000,
    bandwidth=1_000_000,
    average_bandwidth=500_000,
)


def encode(plan, count, *, crf=20, noise=False, b_frames=False, pts=None):
    clip = Clip(width=plan.width, height=plan.height, noise=noise)
    encoder = SubGopEncoder(plan, count * TICK * plan.time_base, crf, b_frames=b_frames)
    coded = []
    for index in range(count):
        at = pts[index] if pts else index * TICK
        coded += encoder.encode(planes_of(draw(index, clip)), at)
    return coded + list(encoder.finish())


def decode(coded, plan):
    context = av.CodecContext.create("h264", "r")
    context.extradata = extradata(plan)
    frames = []
    for item in coded:
        packet = av.Packet(b"".join(b"\0\0\0\1" + unit for unit in item.units))
        frames += context.decode(packet)
    return frames + context.decode(None)


@given(st.integers(1, 5000), st.floats(0.01, 200))
def test_sub_gops_are_near_equal_and_about_two_seconds(count, seconds):
    parts = split_frames(count, seconds)
    assert [index for part in parts for index in part] == list(range(count))
    sizes = {len(part) for part in parts}
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1
    if count >= seconds:
        assert len(parts) == max(1, round(seconds / 2))


def test_extradata_say_what_the_plan_says():
    data = extradata(PLAN)
    assert [nal.nal_type("h264", unit) for unit in nal.split_annex_b(data)] == [7, 8]
    assert avc1_from_sps(data) == "avc1.640015"
    frame = decode(encode(PLAN, 3), PLAN)[0]
    assert (frame.width, frame.height) == (320, 180)
    assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (
        *(1, 1, 1),
        1,
    )


def test_full_range_and_other_matrices_are_tagged():
    color = Color(matrix=9, primaries=9, transfer=1, full_range=True)
    plan = replace(PLAN, color=color)
    frame = decode(encode(plan, 2), plan)[0]
    assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (
        *(9, 9, 1),
        2,
    )


@pytest.mark.parametrize("b_frames", [0, 2])
def test_parameter_sets_never_drift(b_frames):
    plan = replace(PLAN, b_frames=b_frames)
    expected = extradata(plan)
    for crf, seconds in ((20, Fraction(1, 25)), (38, Fraction(7, 3)), (51, Fraction(4))):
        encoder = SubGopEncoder(plan, seconds, crf, b_frames=b_frames > 0)
        assert encoder._context.extradata == expected


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_sub_gop_is_closed_and_shows_every_frame(b_frames):
    plan = replace(PLAN, b_frames=b_frames)
    coded = encode(plan, 30, b_frames=b_frames > 0)
    assert sorted(item.rank for item in coded) == list(range(30))
    assert [item.is_key for item in coded] == [True] + [False] * 29
    assert (sorted(item.rank for item in coded) == [item.rank for item in coded]) == (not b_frames)
    assert all(max(0, index - 1) <= item.rank for index, item in enumerate(coded))
    assert [read_counter(luma(frame)) for frame in decode(coded, plan)] == list(range(30))


def test_p_frames_only_where_b_frames_do_not_fit():
    plan = replace(PLAN, b_frames=2)
    assert [item.rank for item in encode(plan, 20, b_frames=False)] == list(range(20))


def test_timestamps_that_stall_or_fall_are_survived():
    pts = [0, 3600, 3600, 1800, 14400, 18000]
    assert [item.rank for item in encode(PLAN, 6, pts=pts)] == list(range(6))


@pytest.mark.parametrize("count", [1, 5, 50])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_bytes_stay_within_the_rate(count, b_frames):
    plan = replace(PLAN, b_frames=b_frames)
    coded = encode(plan, count, noise=True, b_frames=b_frames > 0)
    bits = 8 * sum(len(unit) + 4 for item in coded for unit in item.units)
    assert bits <= plan.maxrate * count / 25


@pytest.mark.parametrize("b_frames", [0, 2])
def test_same_frames_same_bytes(b_frames):
    plan = replace(PLAN, b_frames=b_frames)

    def run(_):
        np.random.default_rng().bytes(300_000)  # other memory each time
        return encode(plan, 24, noise=True, b_frames=b_frames > 0)

    with ThreadPoolExecutor(2) as pool:
        first, *others = pool.map(run, range(8))
    assert all(other == first for other in others)


def test_b_frames_need_room_for_every_dts():
    plan = replace(PLAN, b_frames=2)
    pts = [0, 10, 20, 30]
    assert b_frames_fit(plan, pts, [-10, 0, 10, 20])
    assert b_frames_fit(plan, pts, [-20, -10, 0, 10])
    assert not b_frames_fit(plan, pts, [0, 10, 20, 30])
    assert not b_frames_fit(plan, pts, [-10, 0, 10, 21])
    assert not b_frames_fit(plan, pts, [0, 0, 10, 20])
    assert not b_frames_fit(PLAN, pts, [-10, 0, 10, 20])


def test_what_x264_refuses_is_an_error_of_ours():
    with pytest.raises(ProductionError, match="x264 cannot encode 321x180"):
        extradata(replace(PLAN, width=321))


def test_planes_of_the_wrong_size_are_an_error():
    with pytest.raises(ProductionError, match="in a frame of 32x32"):
        frame_of(planes_of(draw(0, Clip(width=34, height=32))), 32, 32)


def test_planes_of_odd_frames_round_up():
    frame = av.VideoFrame(33, 17, "yuv420p")
    assert [plane.shape for plane in planes_of(frame)] == [(17, 33), (9, 17), (9, 17)]
