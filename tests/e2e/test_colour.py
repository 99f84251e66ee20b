"""Colour survives, and an HD variant of an untagged SD source is BT.709 in numbers and in tags."""

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from tests.e2e import judge
from tests.http_client import title, titles
from tests.tools import ffmpeg, run_origin

WIDTH, HEIGHT, CELL = 640, 360, 40
FRAMES = 50


def _patches() -> list[np.ndarray]:
    """Y, U and V of a board of flat patches of plausible colours."""
    random = np.random.default_rng(7)
    rows, columns = HEIGHT // CELL, WIDTH // CELL
    luma = random.integers(60, 190, (rows, columns))
    chroma = [random.integers(90, 166, (rows, columns)) for _ in range(2)]
    big = np.kron(luma, np.ones((CELL, CELL))).astype(np.uint8)
    small = [np.kron(c, np.ones((CELL // 2, CELL // 2))).astype(np.uint8) for c in chroma]
    return [big, *small]


def _write(path: Path, **tags: int) -> None:
    planes = _patches()
    with av.open(str(path), "w", format="matroska") as container:
        options = {"qp": "1", "x264-params": "keyint=25:min-keyint=25:scenecut=0"}
        stream = container.add_stream("libx264", rate=Fraction(25), options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for index in range(FRAMES):
            frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
            for samples, plane in zip(planes, frame.planes, strict=True):
                rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                rows[:, : samples.shape[1]] = samples
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _reference(path: Path, conversion: str) -> list[np.ndarray]:
    """The first frame as zimg converts it, planar 8 bit 4:2:0."""
    command = [ffmpeg(), "-v", "error", "-i", str(path), "-frames:v", "1", "-vf", conversion]
    command += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1"]
    raw = np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.uint8)
    luma, chroma = WIDTH * HEIGHT, WIDTH * HEIGHT // 4
    return [
        raw[:luma].reshape(HEIGHT, WIDTH),
        raw[luma : luma + chroma].reshape(HEIGHT // 2, WIDTH // 2),
        raw[luma + chroma :].reshape(HEIGHT // 2, WIDTH // 2),
    ]


def _centres(plane: np.ndarray, cell: int) -> np.ndarray:
    """Mean of the inner half of each patch."""
    rows, columns = plane.shape[0] // cell, plane.shape[1] // cell
    cells = plane.reshape(rows, cell, columns, cell).astype(np.float64)
    quarter = cell // 4
    return cells[:, quarter : cell - quarter, :, quarter : cell - quarter].mean(axis=(1, 3))


def _produced(library: Path, cache: Path, spec: str):
    arguments = ("--rendition", spec, "--device", "cpu", "--cache", cache)
    with run_origin(f"lib={library}", *arguments) as base:
        titles(base)
        segment = judge.fetch(title(f"{base}/lib/film.mkv/index.m3u8").produced_track())[0]
    with segment.open() as container:
        return next(container.decode(video=0))


@pytest.mark.parametrize("model", ["lanczos", "anime4k-m"])
def test_untagged_sd_becomes_bt709_in_numbers_and_tags(tmp_path, model):
    library = tmp_path / "library"
    library.mkdir()
    _write(library / "film.mkv")
    frame = _produced(library, tmp_path / "cache", f"2x:{model}")
    assert (frame.width, frame.height) == (2 * WIDTH, 2 * HEIGHT)
    assert (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)) == (1, 1, 1)
    assert int(frame.color_range) == 1
    conversion = "zscale=matrixin=170m:matrix=709:rangein=limited:range=limited:dither=none"
    expected = _reference(library / "film.mkv", conversion)
    for index, (plane, reference) in enumerate(zip(frame.planes, expected, strict=True)):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:, : plane.width]
        cell = CELL if index == 0 else CELL // 2
        error = np.abs(_centres(rows, 2 * cell) - _centres(reference, cell))
        assert error.max() <= 1.0


def test_tags_of_the_source_survive_where_nothing_is_converted(tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    _write(library / "film.mkv", colorspace=5, color_primaries=5, color_trc=6, color_range=2)
    frame = _produced(library, tmp_path / "cache", "480p:lanczos")
    assert (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)) == (5, 5, 6)
    assert int(frame.color_range) == 2
