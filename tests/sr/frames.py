"""Frames to test on."""

import math
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sr import Matrix, Planes, Signal
from sr.types import Depth
from tests.tools import ffmpeg


def signal(
    width: int,
    height: int,
    matrix: Matrix = "bt709",
    full_range: bool = False,
    depth: Depth = 8,
) -> Signal:
    return Signal(width=width, height=height, matrix=matrix, full_range=full_range, depth=depth)


def code_type(depth: Depth) -> type[np.uint8 | np.uint16]:
    return np.uint8 if depth == 8 else np.uint16


def chroma_shape(width: int, height: int) -> tuple[int, int]:
    return -(-height // 2), -(-width // 2)


def noise(width: int, height: int, seed: int = 0, depth: Depth = 8) -> Planes:
    random = np.random.default_rng(seed)
    shapes = (height, width), *[chroma_shape(width, height)] * 2
    return Planes(*(random.integers(0, 1 << depth, s, code_type(depth)) for s in shapes))


def gradient(width: int, height: int, depth: Depth = 8) -> Planes:
    """Luma rises to the right, Cb downwards, Cr falls to the right; through all codes."""

    def ramp(rows: int, columns: int) -> NDArray[np.uint8 | np.uint16]:
        codes = np.linspace(0, (1 << depth) - 1, columns).round()
        return np.tile(codes.astype(code_type(depth)), (rows, 1))

    rows, columns = chroma_shape(width, height)
    return Planes(
        ramp(height, width),
        np.ascontiguousarray(ramp(columns, rows).T),
        np.ascontiguousarray(ramp(rows, columns)[:, ::-1]),
    )


def padded(frame: Planes, padding: int = 13) -> Planes:
    """The same frame in rows that are longer than its width, as decoders give them."""
    return Planes(*(np.pad(plane, ((0, 0), (0, padding)))[:, : plane.shape[1]] for plane in frame))


def largest_difference(a: Planes, b: Planes) -> int:
    return max(int(np.abs(x.astype(int) - y.astype(int)).max()) for x, y in zip(a, b, strict=True))


def psnr(a: NDArray[np.generic], b: NDArray[np.generic], peak: float = 255.0) -> float:
    error = float(np.mean((a.astype(float) - b.astype(float)) ** 2))
    return 10 * math.log10(peak**2 / error) if error else math.inf


def split_planes(raw: bytes, width: int, height: int) -> Planes:
    shapes = [(height, width), *[chroma_shape(width, height)] * 2]
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    parts = np.split(np.frombuffer(raw, np.uint8), ends[:-1])
    return Planes(*(p.reshape(s) for p, s in zip(parts, shapes, strict=True)))


def run_ffmpeg(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    command = [ffmpeg(), "-v", "error", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def decode(clip: Path, filters: str, pixels: str, seconds: float = 2.0) -> bytes:
    """One frame of a clip as raw video."""
    options = ("-frames:v", "1", "-vf", f"{filters},format={pixels}", "-f", "rawvideo", "-")
    return run_ffmpeg("-ss", str(seconds), "-i", clip, *options)


def filter_frame(frame: Planes, filters: str) -> bytes:
    """A frame through FFmpeg's filters, as yuv420p."""
    height, width = frame.y.shape
    raw = ("-f", "rawvideo", "-pix_fmt", "yuv420p")
    return run_ffmpeg(
        *raw, "-s", f"{width}x{height}", "-i", "-", "-vf", filters, *raw, "-",
        stdin=b"".join(plane.tobytes() for plane in frame),
    )  # fmt: skip


def vulkan() -> tuple[str, ...]:
    """FFmpeg's options for a Vulkan device; skips the test where there is none."""
    options = ("-init_hw_device", "vulkan=vulkan")
    probe = ("-f", "lavfi", "-i", "nullsrc", "-frames:v", "1", "-f", "null", "-")
    command = [ffmpeg(), "-v", "error", *options, *probe]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no Vulkan device: install mesa-vulkan-drivers, which has one in software")
    return options
