"""Sources of ten bits keep them until their upscaled luma is rounded."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from origin.errors import ProductionError
from origin.media.decode import decode, depth_of
from origin.media.frames import frame_of, planes_of
from origin.media.packets import open_segment
from origin.media.types import SegmentSource
from tests.media import synth
from tests.media.making import BT601, file_bodies, plan_for, produce, produce_job, write_bodies
from tests.media.synth import Clip, luma
from tests.sr.frames import run_ffmpeg

TEN = "yuv420p10le"
SLOPE = np.linspace(300, 324, 160)
"""Six codes of 8 bits, in ten."""
EXACT = {
    "libx264": {"x264-params": "keyint=24:bframes=0:qp=0"},
    "libx265": {"x265-params": "keyint=24:bframes=0:lossless=1:log-level=none"},
    "libsvtav1": {"crf": "1"},
}


@pytest.fixture
def sky(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Makes every frame a slow slope of ten bits; its luma."""
    codes = np.tile(SLOPE.round().astype("<u2"), (90, 1))

    def slope(_index: int, clip: Clip) -> VideoFrame:
        frame = VideoFrame(clip.width, clip.height, TEN)
        for plane, samples in zip(frame.planes, (codes, None, None), strict=True):
            rows = np.frombuffer(plane, "<u2").reshape(-1, plane.line_size // 2)
            rows[:] = 512
            if samples is not None:
                rows[: clip.height, : clip.width] = samples
        return frame

    monkeypatch.setattr(synth, "draw", slope)
    return codes


@pytest.mark.parametrize("codec", EXACT)
def test_ten_bits_are_decoded_as_they_are(tmp_path: Path, sky: np.ndarray, codec: str):
    clip = Clip(codec=codec, pix_fmt=TEN, frames=24, options=EXACT[codec])
    (source,) = write_bodies(tmp_path, "mkv", clip)
    assert_decodes(source, sky)


def test_vp9_of_ten_bits_is_decoded_as_it_is(tmp_path: Path, sky: np.ndarray):
    path = tmp_path / "sky.webm"
    raw = ("-f", "rawvideo", "-pix_fmt", TEN, "-s", "160x90")
    frame = sky.tobytes() + np.full(2 * 45 * 80, 512, "<u2").tobytes()
    run_ffmpeg(*raw, "-i", "-", "-c:v", "libvpx-vp9", "-lossless", "1", path, stdin=24 * frame)
    (source,) = file_bodies(path)
    assert_decodes(source, sky)


def assert_decodes(source: SegmentSource, sky: np.ndarray) -> None:
    with open_segment(source) as segment:
        assert depth_of(segment) == 10
        pictures = list(decode(segment, 1, depth_of(segment)))
        assert {picture.frame.format.name for picture in pictures} == {TEN}
    y, u, v = planes_of(pictures[5].frame)
    assert [plane.dtype for plane in (y, u, v)] == [np.uint16] * 3
    assert [plane.shape for plane in (y, u, v)] == [(90, 160), (45, 80), (45, 80)]
    assert np.abs(y.astype(int) - sky).max() <= 1
    assert np.all(u == 512)
    with pytest.raises(ProductionError, match="uint16"):
        frame_of((y, u, v), 160, 90)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p"])
def test_all_else_becomes_eight_bits(tmp_path: Path, pix_fmt: str):
    (source,) = write_bodies(tmp_path, "mkv", Clip(pix_fmt=pix_fmt, frames=24))
    with open_segment(source) as segment:
        assert depth_of(segment) == 8
        frame = next(iter(decode(segment, 1, depth_of(segment)))).frame
    assert frame.format.name == "yuv420p"


@pytest.mark.parametrize("model", ["identity", "lanczos", "anime4k-m"])
def test_gradients_of_ten_bits_outlast_the_encoder(tmp_path: Path, sky: np.ndarray, model: str):
    clip = Clip(codec="libx265", pix_fmt=TEN, frames=24, options=EXACT["libx265"])
    (source,) = write_bodies(tmp_path, "fmp4", clip)[:1]
    scale = 1 if model == "identity" else 2
    size = {"width": 160 * scale, "height": 90 * scale}
    plan = plan_for(source, clip, model=model, crf=12, color=BT601, **size)
    job = produce_job(plan, source)
    with av.open(io.BytesIO(job.prepared.init + produce(job).body)) as container:
        ours = luma(next(container.decode(video=0)))
    columns = ours[8:-8].mean(axis=0)
    blocks = columns.reshape(-1, 8 * scale).mean(axis=1)
    wanted = SLOPE.reshape(-1, 8).mean(axis=1) / 4
    assert np.abs(blocks - wanted)[1:-1].max() < 0.3
    assert len(np.unique(blocks.round(1))) > 12
