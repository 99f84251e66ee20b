from dataclasses import replace
from pathlib import Path

import pytest

from origin.errors import ProductionError
from origin.media import encode
from origin.media.check import check_body
from origin.media.mux import EncodedPicture, mux_segment
from origin.media.packets import open_segment
from tests.media.making import look, plan_for, prepare, produce, produce_job, write_bodies
from tests.media.synth import Clip, Sound

CLIP = Clip(sounds=(Sound(),))


@pytest.fixture(params=["mpegts", "fmp4"])
def parts(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A segment on its way to be muxed, with its plan."""
    source = write_bodies(tmp_path, request.param, CLIP)[0]
    plan = plan_for(source, CLIP)
    caught = {}

    def catch(plan, extradata, segment, pictures, number):
        caught["pictures"] = pictures
        return mux_segment(plan, extradata, segment, pictures, number)

    monkeypatch.setattr("origin.media.pipeline.mux_segment", catch)
    produce(produce_job(plan, source))
    with open_segment(source) as segment:
        yield plan, prepare(plan, source), segment, caught["pictures"]


def shifted(picture: EncodedPicture, pts: int = 0, dts: int = 0) -> EncodedPicture:
    return replace(picture, pts=picture.pts + pts, dts=picture.dts + dts)


def test_what_is_right_passes(parts):
    plan, prepared, segment, pictures = parts
    body = mux_segment(plan, prepared.extradata, segment, pictures, 1)
    check_body(body, plan, prepared, segment, pictures)
    assert look((prepared.init or b"") + body, plan.container).counters == list(range(24))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda rows: rows[:-1], "23 frames of 24"),
        (lambda rows: [*rows[:-1], shifted(rows[-1], pts=1)], "not shown when the source's are"),
        (lambda rows: [shifted(rows[0], pts=-1), *rows[1:]], "not shown when the source's are"),
        (lambda rows: [*rows[:5], replace(rows[5], is_key=True), *rows[6:]], "keyframes"),
    ],
)
def test_wrong_pictures_are_noticed(parts, spoil, reason):
    plan, prepared, segment, pictures = parts
    spoilt = spoil(pictures)
    body = mux_segment(plan, prepared.extradata, segment, spoilt, 1)
    with pytest.raises(ProductionError, match=reason) as caught:
        check_body(body, plan, prepared, segment, spoilt)
    assert caught.value.source == segment.name


def test_timestamps_that_are_not_those_meant_are_noticed(parts):
    plan, prepared, segment, pictures = parts
    body = mux_segment(plan, prepared.extradata, segment, pictures, 1)
    meant = [*pictures[:3], shifted(pictures[3], dts=-1), *pictures[4:]]
    with pytest.raises(ProductionError, match="not those that were written"):
        check_body(body, plan, prepared, segment, meant)


def test_other_parameter_sets_are_noticed(parts):
    plan, prepared, segment, pictures = parts
    other = encode.extradata(replace(plan, level="4"))
    body = mux_segment(plan, prepared.extradata, segment, pictures, 1)
    with pytest.raises(ProductionError, match="parameter sets"):
        check_body(body, plan, replace(prepared, extradata=other), segment, pictures)


def test_missing_or_changed_sound_is_noticed(parts):
    plan, prepared, segment, pictures = parts
    body = mux_segment(plan, prepared.extradata, segment, pictures, 1)
    ((index, sound),) = segment.others.items()
    for wrong in ([], sound[:-1], [*sound[:-1], sound[0]]):
        spoilt = replace(segment, others={index: wrong})
        with pytest.raises(ProductionError, match="audio is not the source's"):
            check_body(body, plan, prepared, spoilt, pictures)


def test_bytes_that_are_no_segment_are_noticed(parts):
    plan, prepared, segment, pictures = parts
    for body in (b"", b"garbage" * 100):
        with pytest.raises(ProductionError, match="failed its check: "):
            check_body(body, plan, prepared, segment, pictures)
