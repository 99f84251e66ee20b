"""The same origin on a CUDA device: the same frames, near the same pictures, the same promises."""

import math

import pytest

from tests.e2e import judge
from tests.http_client import title, titles
from tests.media.synth import Clip, Sound, read_counter, write_file, write_hls
from tests.tools import run_origin

pytestmark = pytest.mark.needs_cuda
CLIP = Clip(frames=100, b_frames=2, width=320, height=180, sounds=(Sound(),))


def _psnr(one, other) -> float:
    return 10 * math.log10(255**2 / max(judge.mean_square_error(one, other), 1e-9))


@pytest.mark.parametrize("path", ["lib/ts/index.m3u8", "lib/fmp4/index.m3u8", "lib/film.mkv"])
def test_segments_made_on_cuda_match_those_made_on_the_cpu(cuda, tmp_path, path):
    library = tmp_path / "library"
    write_hls(library / "ts", CLIP, "mpegts", segment_seconds=0.9)
    write_hls(library / "fmp4", CLIP, "fmp4", segment_seconds=0.9)
    write_file(library / "film.mkv", CLIP)
    made = {}
    for device in ("cpu", cuda):
        cache = tmp_path / device.replace(":", "-")
        arguments = ("--device", device, "--rendition", "2x:anime4k-m", "--cache", cache)
        with run_origin(f"lib={library}", *arguments) as base:
            track = title(base + titles(base)[path]["url"]).produced_track()
            made[device] = judge.fetch(track)
    for ours, reference in zip(made[cuda], made["cpu"], strict=True):
        assert judge.packets(ours) == judge.packets(reference)
        shown, expected = judge.pictures([ours]), judge.pictures([reference])
        assert list(map(read_counter, shown.values())) == list(map(read_counter, expected.values()))
        for at, picture in shown.items():
            assert _psnr(picture, expected[at]) > 40


def test_auto_offers_anime4k_on_cuda(cuda, tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    write_file(library / "film.mkv", CLIP)
    with run_origin(f"lib={library}", "--device", "auto", "--cache", tmp_path / "cache") as base:
        (row,) = titles(base).values()
        assert [rendition["id"] for rendition in row["renditions"]] == ["up-360p-anime4k-m"]
