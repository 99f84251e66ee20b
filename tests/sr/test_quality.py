"""What a viewer gains: PSNR of luma on a real film, 720 rows to 360 and back."""

from pathlib import Path

import numpy as np

from sr import Planes, open_upscaler
from tests.sr.frames import decode, psnr, signal, split_planes

SECONDS = (0.5, 2.0, 3.5, 5.0)
LARGE, SMALL = signal(1280, 720), signal(640, 360)


def test_anime4k_beats_bicubic_and_bicubic_beats_bilinear(clip: Path) -> None:
    films = [split_planes(decode(clip, "null", "yuv420p", s), 1280, 720) for s in SECONDS]
    shrink = open_upscaler(model="bicubic", source=LARGE, target=SMALL)
    small = [shrink([film])[0] for film in films]
    quality = {name: mean_psnr(name, films, small) for name in ("bilinear", "bicubic", "anime4k-m")}
    assert quality["anime4k-m"] > quality["bicubic"] + 0.2
    assert quality["bicubic"] > quality["bilinear"] + 1


def mean_psnr(model: str, films: list[Planes], small: list[Planes]) -> float:
    upscale = open_upscaler(model=model, source=SMALL, target=LARGE)
    return float(np.mean([psnr(f.y, upscale([s])[0].y) for f, s in zip(films, small, strict=True)]))
