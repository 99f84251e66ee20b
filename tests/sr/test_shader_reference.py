"""Against something we did not write: FFmpeg's libplacebo running the original shader."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sr import load_model
from sr.models.anime4k.weights import PACKAGE, PASS_NAME, SHADER
from sr.shaders import packaged_shader, shader_passes
from tests.sr.frames import decode, psnr, run_ffmpeg, vulkan

WIDTH, HEIGHT = 160, 92
RGB = "colorspace=gbr:range=pc:color_primaries=bt709:color_trc=iec61966-2-1"


def run_shader(image: NDArray[np.uint8], shader: Path) -> NDArray[np.uint8]:
    """An HW3 image through a shader, at twice the size, which satisfies its `//!WHEN`."""
    height, width = image.shape[:2]
    filters = (
        f"setparams={RGB},libplacebo=w={2 * width}:h={2 * height}:upscaler=bilinear:dithering=none"
        f":custom_shader_path={shader},format=gbrp,format=rgb24"
    )
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24")
    out = run_ffmpeg(
        *vulkan(), *raw, "-s", f"{width}x{height}", "-i", "-", "-vf", filters, *raw, "-",
        stdin=image.tobytes(),
    )  # fmt: skip
    return np.frombuffer(out, np.uint8).reshape(2 * height, 2 * width, 3)


def run_ours(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    tensor = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None]
    out = load_model("anime4k-m")(tensor)[0].permute(1, 2, 0).numpy()
    return np.rint(out.clip(0, 1) * 255).astype(np.uint8)


@pytest.mark.needs_vulkan
def test_anime4k_m_is_its_shader(clip: Path, tmp_path: Path) -> None:
    shader = tmp_path / "upscale.glsl"
    shader.write_text("".join(shader_passes(packaged_shader(PACKAGE, SHADER), PASS_NAME)))
    raw = decode(clip, f"crop=640:368,scale={WIDTH}:{HEIGHT}:flags=area", "rgb24")
    image = np.frombuffer(raw, np.uint8).reshape(HEIGHT, WIDTH, 3)
    original, ours = run_shader(image, shader), run_ours(image)
    assert psnr(original, ours) >= 55
    assert np.abs(original.astype(int) - ours).max() <= 1  # so the edges agree, too
    inner = ours[2:-2, 2:-2]
    rows, columns = inner.shape[:2]
    shifted = [
        psnr(original[y : y + rows, x : x + columns], inner)
        for y in range(5)
        for x in range(5)
        if (y, x) != (2, 2)
    ]
    assert max(shifted) < psnr(original[2:-2, 2:-2], inner) - 15  # same geometry
