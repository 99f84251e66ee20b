"""Anime4K in the browser, on WebGPU and WebGL2 in software, held to what the origin computes."""

import base64
import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import sr
from tests.browser.fake_origin import fake_origin
from tests.browser.harness import run_driver

pytestmark = pytest.mark.browser

LOW, HIGH = (128, 72), (256, 144)
SEGMENT = 2
"""The segment that the still frame is from; they last 4 s."""

Picture = NDArray[np.float64]
backends = pytest.mark.parametrize("webgpu", [True, False], ids=["webgpu", "webgl2"])


def _drive(library: Path, scenario: str, *, webgpu: bool, name: str = "", **job: Any) -> Any:
    label = f"filter-{name or scenario}-{'webgpu' if webgpu else 'webgl2'}"
    with fake_origin(library) as url:
        report = run_driver(
            "filter.mjs",
            name=label,
            url=url,
            title="demo/bunny-fmp4",
            variant=_low_variant(library),
            scenario=scenario,
            webgpu=webgpu,
            **job,
        )
    assert report["failure"] is None
    assert report["complaints"] == []
    return report


def _low_variant(library: Path) -> str:
    """The page's id for the smaller variant, made of its height and rate."""
    line = (library / "bunny-fmp4" / "master.m3u8").read_text().split("STREAM-INF:")[-1]
    return f"72p-{line.split('BANDWIDTH=')[1].split(',')[0]}"


def _decode(library: Path, variant: str) -> list[av.VideoFrame]:
    folder = library / "bunny-fmp4" / variant
    parts = [folder / "init.mp4", folder / f"{SEGMENT:03}.m4s"]
    with av.open(io.BytesIO(b"".join(part.read_bytes() for part in parts))) as container:
        return list(container.decode(video=0))


def _luma_of_rgb(pixels: dict[str, Any]) -> Picture:
    """R'G'B' of 0 to 255 as luma codes of BT.709 at limited range, unrounded."""
    raw = np.frombuffer(base64.b64decode(pixels["rgb"]), np.uint8)
    rgb = raw.reshape(pixels["height"], pixels["width"], 3) / 255
    return np.asarray(16 + 219 * (rgb @ np.array([0.2126, 0.7152, 0.0722])))


def _plane(frame: av.VideoFrame, index: int = 0) -> NDArray[np.uint8]:
    plane = frame.planes[index]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return np.ascontiguousarray(rows[:, : plane.width])


def _server(frame: av.VideoFrame, model: str) -> Picture:
    """Luma of the frame as the origin upscales it."""
    source, target = (sr.Signal(width=w, height=h, matrix="bt709") for w, h in (LOW, HIGH))
    upscale = sr.open_upscaler(model=model, source=source, target=target)
    planes = sr.Planes(*(_plane(frame, index) for index in range(3)))
    return upscale([planes])[0].y.astype(float)


def _psnr(a: Picture, b: Picture) -> float:
    return float(10 * np.log10(255**2 / np.mean((a - b) ** 2)))


def _nearest(frames: list[av.VideoFrame], luma: Picture) -> int:
    """Which frame is on the page's screen; it is one, beyond doubt."""
    scores = [_psnr(_plane(frame).astype(float), luma) for frame in frames]
    best, second = sorted(scores)[:-3:-1]
    assert best > max(40, second + 3)
    return scores.index(best)


@backends
def test_a_still_frame_is_what_the_origin_computes_and_nearer_to_the_larger_original(
    small_library, webgpu
):
    target = {"target": HIGH[1], "strength": 1}
    models = {"upscale-m": "anime4k-m", "upscale-vl": "anime4k-vl", "mode-a": "anime4k-a"}
    filters = [{"preset": preset, **target} for preset in models]
    filters.append({"preset": "upscale-m", **target, "strength": 0})
    report = _drive(small_library, "pictures", webgpu=webgpu, at=4 * SEGMENT + 2, filters=filters)

    low, high = (_decode(small_library, variant) for variant in ("72p", "144p"))
    index = _nearest(low, _luma_of_rgb(report["plain"]))
    original = _plane(high[index]).astype(float)
    made = [_luma_of_rgb(one["pixels"]) for one in report["filtered"]]
    assert {one["kind"] for one in report["filtered"]} == {"webgpu" if webgpu else "webgl2"}
    for luma, model in zip(made, [*models.values(), "bilinear"], strict=True):
        assert _psnr(luma, _server(low[index], model)) > 45, model
    bilinear = _psnr(made[-1], original)
    assert min(_psnr(made[0], original), _psnr(made[1], original)) > bilinear + 0.5


@backends
def test_it_is_switched_and_set_by_its_controls_while_the_title_plays(small_library, webgpu):
    report = _drive(small_library, "play", webgpu=webgpu)

    assert report["on"]["canvas"] == report["on"]["box"]
    assert report["on"]["pressed"] == "true"
    assert not report["on"]["paused"]
    assert report["unseen"] == 0
    before, after = report["before"], report["after"]
    assert (before["preset"], before["strength"]) == ("upscale-m", 1)
    assert (after["preset"], after["strength"], after["target"]["height"]) == (
        "upscale-vl",
        1.5,
        720,
    )
    assert report["remembered"] == {
        "on": True,
        "preset": "upscale-vl",
        "strength": 1.5,
        "target": 720,
    }
    assert report["paused"] > 1
    assert report["unfiltered"] < 0.1
    assert report["off"]["canvas"] is None
    assert report["off"]["pressed"] == "false"


@pytest.mark.parametrize(
    ("webgpu", "kinds"),
    [
        (True, ["webgpu", "webgpu", "webgl2", "webgl2", None]),
        (False, ["webgl2", "webgl2", None]),
    ],
    ids=["webgpu", "webgl2"],
)
def test_a_gpu_that_goes_away_is_replaced_and_playback_goes_on(small_library, webgpu, kinds):
    report = _drive(small_library, "lose", webgpu=webgpu, losses=len(kinds) - 1)

    assert report["kinds"] == kinds
    assert all(later > earlier for earlier, later in pairwise(report["clocks"]))
    assert "started again on" in report["said"][0]
    assert report["said"][-1].startswith("The filter is off: ")
    assert report["canvas"] is None
    assert not report["paused"]


def test_it_steps_down_before_it_stutters_and_says_so(small_library):
    report = _drive(small_library, "pace", webgpu=False)

    lighter, off = report["steps"]
    assert lighter.startswith("Anime4K Upscale VL to 400×225 took")
    assert lighter.endswith(": Anime4K Upscale M to 400×225 runs instead.")
    assert off.endswith("This GPU is too slow for the lightest filter, so it is off.")
    assert report["canvas"] is None
    assert not report["paused"]


def test_without_a_gpu_the_switch_is_disabled_and_says_why(small_library):
    report = _drive(small_library, "without", webgpu=False, webgl=False)

    assert report["disabled"]
    assert report["trouble"] == (
        "This browser cannot upscale: This browser has no WebGPU. This browser has no WebGL2."
    )
