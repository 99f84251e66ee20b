"""What hls.js makes of X-TIMESTAMP-MAP, on a title whose times are shifted by a second."""

import pytest

from tests.browser.harness import run_driver
from tests.http_client import titles
from tests.media.subtitled import ASS, SRT, Track, extracted, write_subtitled
from tests.media.synth import Clip
from tests.tools import require_made, run_origin


@pytest.mark.browser
def test_cues_appear_with_the_frames_that_they_belong_to(tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    tracks = (Track(suffix="srt", content=SRT), Track(suffix="ass", content=ASS))
    clip = Clip(frames=150, gop=25, b_frames=2)
    path = write_subtitled(library / "film.mkv", tracks, clip=clip)
    hls = require_made("origin/player/node_modules/hls.js/dist/hls.min.js")
    expected = [extracted(path, index) for index in range(len(tracks))]
    options = ("--rendition", "2x:bilinear", "--device", "cpu", "--cache", tmp_path / "cache")
    with run_origin(f"lib={library}", *options) as url:
        (row,) = titles(url).values()
        report = run_driver(
            "subtitle-times.mjs",
            name="subtitle-times",
            url=url,
            playlist=row["url"],
            hls=str(hls),
            counts=[len(cues) for cues in expected],
        )
    # hls.js puts the first DTS at 0, and the row says where that is in the file.
    offset = row["ass_offset_seconds"]
    for cues, own in zip(report["seen"], expected, strict=True):
        shown = [time for start, end, _ in cues for time in (start, end)]
        in_file = [time / 1000 + offset for start, end, _ in own for time in (start, end)]
        assert shown == pytest.approx(in_file, abs=0.002)
    assert report["first"] == pytest.approx(offset, abs=0.002)
