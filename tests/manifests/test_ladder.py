"""What is offered, how large, and what its plan promises."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.color import BT470BG, BT709, SMPTE170M, TRANSFER_PQ, Color, output_color
from manifests.errors import ManifestError
from manifests.ladder import (
    IDENTITY,
    RenditionPlan,
    RenditionSpec,
    container_bandwidth,
    nearest_even,
    offered,
    pick_source,
    plan_rendition,
    siblings,
    target_size,
    video_maxrate,
)
from manifests.types import Variant
from manifests.urls import Route, build, match

SPEC = RenditionSpec.parse


def test_specs_are_read() -> None:
    assert SPEC("2x:anime4k-m") == RenditionSpec(scale=Fraction(2), model="anime4k-m")
    assert SPEC("1.5x:lanczos") == RenditionSpec(scale=Fraction(3, 2), model="lanczos")
    assert SPEC("1080p:lanczos") == RenditionSpec(height=1080, model="lanczos")
    noise = SPEC("1080p:waifu2x-upconv7:noise=1")
    assert noise == RenditionSpec(height=1080, model="waifu2x-upconv7-noise1")
    assert not noise.when_warmed
    for text in ("1080p:m:noise=1:when=warmed", "1080p:m:when=warmed:noise=1"):
        assert SPEC(text) == RenditionSpec(height=1080, model="m-noise1", when_warmed=True)
    assert SPEC("auto").is_auto
    assert not noise.is_auto
    assert len({SPEC("auto"), SPEC("auto"), noise}) == 2


@pytest.mark.parametrize(
    "path", ["my.safetensors", "a/My Model.v2.pth", "/srv/m/x.param", "../x.BIN", "ü/日本.bin"]
)
def test_a_model_may_be_a_file(path: str) -> None:
    assert SPEC(f"2x:{path}") == RenditionSpec(scale=Fraction(2), model=path)
    assert SPEC(f"720p:{path}:when=warmed").when_warmed
    with pytest.raises(ManifestError, match="expected no noise option with a model file"):
        SPEC(f"2x:{path}:noise=1")


def test_a_file_is_called_by_its_name_and_its_digest() -> None:
    made = plan(model="/srv/models/My Series.safetensors", model_digest="0123456789abcdef")
    assert (made.rendition_id, made.model_name) == ("up-720p-my-series-01234567", "My Series")
    moved = replace(made, model="elsewhere/My Series.safetensors")
    assert moved.digest() == made.digest() != replace(made, model_digest="1").digest()
    long = plan(model=f"{'x' * 300}.pth", model_digest="0123456789")
    assert len(long.rendition_id) < 70
    for name in (made.rendition_id, long.rendition_id):
        route = Route(kind="playlist", title_path="a/b.m3u8", track_id=name)
        assert match(build(route)) == route


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected auto, or TARGET:MODEL"),
        ("2x", "expected auto, or TARGET:MODEL"),
        ("2x:", "expected auto, or TARGET:MODEL"),
        ("x2:lanczos", "expected auto, or TARGET:MODEL"),
        ("720:lanczos", "expected auto, or TARGET:MODEL"),
        ("2x:../etc", "expected auto, or TARGET:MODEL"),
        ("2x:lanczos:noise=4", "expected auto, or TARGET:MODEL"),
        ("2x:lanczos:noise=1:noise=1", "expected auto, or TARGET:MODEL"),
        ("2x:lanczos:colour=red", "expected auto, or TARGET:MODEL"),
        ("auto:lanczos", "expected auto, or TARGET:MODEL"),
        ("1x:lanczos", "expected a scale above 1x and up to 8x"),
        ("9x:lanczos", "expected a scale above 1x and up to 8x"),
        ("721p:lanczos", "expected an even height"),
        ("9000p:lanczos", "expected an even height"),
        ("2160p:anime4k-vl:codec=hevc", "codec=hevc is not supported yet"),
        ("2x:anime4k-vl:when=never", "expected auto, or TARGET:MODEL"),
        ("2x:anime4k-vl:when=warmed:when=warmed", "expected auto, or TARGET:MODEL"),
    ],
)
def test_bad_specs_are_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(ManifestError) as caught:
        SPEC(text)
    assert str(caught.value).startswith(f"rendition {text!r}: {reason}")
    assert "\n" not in str(caught.value)


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    try:
        SPEC(text)
    except ManifestError as error:
        assert "expected" in str(error)  # noqa: PT017


@given(st.integers(16, 4096), st.integers(16, 2304), st.sampled_from([2, 3, 4, Fraction(3, 2)]))
def test_sizes_are_even_and_keep_the_shape(width: int, height: int, scale: Fraction) -> None:
    by_scale = target_size(RenditionSpec(scale=Fraction(scale), model="m"), width, height)
    by_height = target_size(RenditionSpec(height=by_scale[1], model="m"), width, height)
    for new_width, new_height in (by_scale, by_height):
        assert new_width % 2 == new_height % 2 == 0
        assert abs(new_width - Fraction(new_height, height) * width) <= 1 + Fraction(width, height)
    assert by_height[1] == by_scale[1]


def test_sizes_of_known_sources() -> None:
    assert target_size(SPEC("2x:m"), 640, 360) == (1280, 720)
    assert target_size(SPEC("2x:m"), 853, 480) == (1706, 960)
    assert target_size(SPEC("1080p:m"), 720, 480, Fraction(32, 27)) == (1620, 1080)
    assert target_size(SPEC("720p:m"), 640, 272) == (1694, 720)
    assert target_size(SPEC("2x:m"), 161, 91) == (322, 182)
    assert [nearest_even(n) for n in (1, 2, 3, 160, 161)] == [2, 2, 2, 160, 160]
    with pytest.raises(ManifestError):
        target_size(SPEC("auto"), 640, 360)


def test_only_new_heights_are_offered() -> None:
    specs = [SPEC(text) for text in ("2x:a", "720p:a", "3x:b", "360p:b", "1080p:c", "8x:d")]
    targets = offered(specs, 640, 360)
    assert [(target.spec.model, target.height) for target in targets] == [
        *(("a", 720), ("b", 1080), ("c", 1080), ("d", 2880))
    ]
    assert [t.height for t in offered(specs, 640, 360, [144, 720])] == [1080, 1080, 2880]
    assert [t.height for t in offered(specs, 640, 360, [1080])] == [2880]
    assert offered([SPEC("8x:a")], 1920, 1080) == ()


def variant(**changes: Any) -> Variant:
    return Variant(**{"uri": "a", "bandwidth": 1000, "line": 0} | changes)


def test_the_tallest_sdr_variant_is_the_source() -> None:
    low, high = variant(resolution=(640, 360)), variant(resolution=(854, 480))
    hdr = variant(resolution=(1920, 1080), video_range="PQ")
    audio = variant(codecs="mp4a.40.2", bandwidth=10**9)
    assert pick_source([low, audio, high, hdr]) is high
    rich = variant(resolution=(854, 480), bandwidth=2000)
    assert pick_source([low, high, rich]) is rich
    assert pick_source([variant(), rich]) is rich
    one, other = variant(bandwidth=1), variant(bandwidth=2, codecs="mp4a.40.2,avc1.64001e")
    assert pick_source([one, other, audio]) is other
    assert pick_source([audio, hdr]) is None
    assert pick_source([]) is None


def test_siblings_share_the_video() -> None:
    aac, ac3 = variant(audio="aac"), variant(audio="ac3", bandwidth=2000)
    assert siblings(ac3, [aac, variant(uri="b"), ac3]) == (aac, ac3)


def plan(**changes: Any) -> RenditionPlan:
    base = {
        "model": "anime4k-m",
        "model_digest": "m",
        "source_digest": "s",
        "container": "mpegts",
        "width": 1280,
        "height": 720,
        "source_height": 360,
        "sar": Fraction(1),
        "frame_rate": Fraction(24),
        "time_base": Fraction(1, 90_000),
        "source_color": Color(),
        "audio_peak_bandwidth": 128_000,
    }
    return plan_rendition(**base | changes)


def test_rates_follow_the_anchor() -> None:
    assert video_maxrate(1280, 720, Fraction(24)) == 4_000_000
    assert video_maxrate(2560, 1440, Fraction(24)) == 11_314_000
    assert plan().maxrate == 4_000_000


def test_a_plan_promises_the_video_the_audio_and_the_container() -> None:
    ts, fmp4 = plan(), plan(container="fmp4")
    assert ts.bandwidth > fmp4.bandwidth > 4_000_000 + 128_000
    assert ts.bandwidth < (4_000_000 + 128_000) * 1.12
    assert ts.average_bandwidth <= ts.bandwidth
    assert plan(audio_peak_bandwidth=0).bandwidth < ts.bandwidth - 128_000
    assert container_bandwidth("fmp4", 0, Fraction(24)) > 0


def test_ids_are_addressable() -> None:
    ids = [plan().rendition_id, plan(model="Mine, v2").rendition_id]
    assert ids == ["up-720p-anime4k-m", "up-720p-mine--v2"]
    assert plan(model=IDENTITY, height=480).rendition_id == "same-480p"
    for name in ids:
        route = Route(kind="playlist", title_path="a/b.m3u8", track_id=name)
        assert match(build(route)) == route


def test_plans_differ_by_digest() -> None:
    digests = {
        plan(**changes).digest()
        for changes in ({}, {"model_digest": "n"}, {"source_digest": "t"}, {"b_frames": 2})
    }
    assert len(digests) == 4
    assert plan().digest() == plan().digest()


@pytest.mark.parametrize("container", ["mpegts", "fmp4"])
def test_levels_are_in_the_plan(container: str) -> None:
    assert plan(container=container).level == "3.1"
    assert plan(width=3840, height=2160).level == "5.1"


def test_hdr_is_refused() -> None:
    with pytest.raises(ManifestError, match="HDR"):
        plan(source_color=Color(transfer=TRANSFER_PQ))


BT601_TAGS = Color(matrix=SMPTE170M, primaries=SMPTE170M, transfer=SMPTE170M)
BT709_TAGS = Color(matrix=BT709, primaries=BT709, transfer=BT709)
PAL_TAGS = Color(matrix=BT470BG, primaries=BT470BG, transfer=SMPTE170M, full_range=True)


@pytest.mark.parametrize(
    ("source", "source_height", "height", "expected"),
    [
        (Color(), 360, 720, BT709_TAGS),
        (BT601_TAGS, 480, 1080, BT709_TAGS),
        (BT601_TAGS, 720, 1440, BT709_TAGS),
        (PAL_TAGS, 576, 1152, Color(matrix=1, primaries=1, transfer=1, full_range=True)),
        (Color(), 240, 480, BT601_TAGS),
        (Color(), 720, 1440, BT709_TAGS),
        (PAL_TAGS, 288, 576, PAL_TAGS),
        (BT709_TAGS, 360, 720, BT709_TAGS),
        (BT709_TAGS, 240, 480, BT709_TAGS),
        (
            Color(matrix=9, primaries=9, transfer=14),
            360,
            720,
            Color(matrix=9, primaries=9, transfer=14),
        ),
    ],
)
def test_hd_made_of_sd_becomes_bt709(
    source: Color, source_height: int, height: int, expected: Color
) -> None:
    assert output_color(source, source_height=source_height, height=height) == expected


def test_a_plan_says_what_an_untagged_source_is() -> None:
    assert (plan().source_color, plan().color) == (BT601_TAGS, BT709_TAGS)
