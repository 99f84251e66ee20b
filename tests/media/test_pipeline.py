import io
import threading
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from manifests.codecs import avc1_from_sps
from manifests.color import Color
from origin.errors import BrokenSourceError, OriginError, ProductionError, UnsupportedSourceError
from origin.media import boxes, nal, pipeline
from origin.media.jobs import JobCancelledError, run
from origin.media.types import HlsBody, Measure, Measured
from tests import ffmpeg_client
from tests.media import making
from tests.media.making import (
    hls_bodies,
    look,
    make_all,
    plan_for,
    prepare,
    produce,
    produce_job,
    write_bodies,
)
from tests.media.synth import WRAP_SECONDS, Clip, Sound, draw, luma, read_counter, write_hls

FILM, NTSC = Fraction(24000, 1001), Fraction(30000, 1001)
WIDE = Fraction(32, 27)
NEAR_WRAP = WRAP_SECONDS - Fraction(1, 2)
TEN = Fraction(10)
CELLS = [
    ("mpegts", Clip(rate=FILM, sounds=(Sound(),))),
    ("mpegts", Clip(b_frames=2, open_gop=True, sar=WIDE, start_seconds=TEN, sounds=(Sound(),))),
    ("mpegts", Clip(rate=NTSC, b_frames=2, start_seconds=NEAR_WRAP, sounds=(Sound(codec="ac3"),))),
    ("mpegts", Clip(vfr=True, b_frames=2, sar=WIDE, start_seconds=NEAR_WRAP)),
    ("mpegts", Clip(codec="libx265", rate=FILM, b_frames=2, open_gop=True, sounds=(Sound(),))),
    ("mpegts", Clip(codec="mpeg2video", b_frames=2, sounds=(Sound(codec="libmp3lame"),))),
    ("fmp4", Clip(rate=NTSC, b_frames=2, sounds=(Sound(),))),
    ("fmp4", Clip(vfr=True, start_seconds=TEN, sounds=(Sound(codec="ac3"), Sound()))),
    ("fmp4", Clip(rate=FILM, b_frames=2, sar=WIDE, start_seconds=TEN, sounds=(Sound(),))),
    ("fmp4", Clip(codec="libx265", b_frames=2)),
    ("mp4", Clip(rate=FILM, b_frames=2, open_gop=True, frames=150)),
    ("mp4", Clip(vfr=True, sar=WIDE, start_seconds=TEN, frames=120)),
    ("mkv", Clip(rate=NTSC, b_frames=2, open_gop=True, sar=WIDE, frames=150)),
    ("mkv", Clip(vfr=True, b_frames=2, start_seconds=TEN, frames=120)),
    ("mkv", Clip(codec="libsvtav1", width=161, height=91, frames=120)),
    ("webm", Clip(codec="libvpx-vp9", width=161, height=91, frames=120)),
    ("ts", Clip(rate=FILM, b_frames=2, start_seconds=TEN, frames=120)),
]


def cell_id(value) -> str:
    if isinstance(value, str):
        return value
    gop = "open" if value.open_gop else "b" if value.b_frames else "p"
    rate = "vfr" if value.vfr else f"{float(value.rate):.2f}"
    return f"{value.codec}-{rate}-{gop}-{float(value.start_seconds):.0f}-{value.width}"


def source_view(source, kind: str):
    """What FFmpeg makes of an HLS source segment behind those that it borrows from."""
    read = lambda part: Path(part.path).read_bytes()  # noqa: E731
    init = read(source.init) if source.init else b""
    return look(init + read(source.body), kind)


@pytest.mark.parametrize(("kind", "clip"), CELLS, ids=cell_id)
def test_same_frames_at_the_same_times_with_the_same_sound(tmp_path: Path, kind: str, clip: Clip):
    sources = write_bodies(tmp_path, kind, clip)
    made = make_all(sources, plan_for(sources[0], clip))
    shown = []
    for source, produced in zip(sources, made.bodies, strict=True):
        seen = look((made.prepared.init or b"") + produced.body, made.plan.container)
        shown += seen.counters
        assert seen.size == (2 * clip.width, 2 * clip.height)
        assert seen.sar == clip.sar
        assert seen.color == (1, 1, 1, 1)
        assert len(seen.pts) == produced.frames
        assert all((a - b) % 2**33 < 2**32 for a, b in zip(seen.pts, seen.dts, strict=True))
        if isinstance(source, HlsBody) and not (clip.open_gop and clip.codec == "libx264"):
            theirs = source_view(source, kind)
            assert sorted(seen.pts) == sorted(theirs.pts)
            assert seen.dts == theirs.dts
            assert seen.audio == theirs.audio
            assert len(seen.audio) == len(clip.sounds)
    assert shown == list(range(clip.frames))
    ticks = [(produced.first_pts, produced.last_pts) for produced in made.bodies]
    assert all(0 < (theirs[0] - ours[1]) % 2**33 < 2**32 for ours, theirs in pairwise(ticks))


@pytest.mark.parametrize(
    ("kind", "clip"), [cell for cell in CELLS if cell[0] in ("mpegts", "fmp4")], ids=cell_id
)
def test_ffmpeg_plays_the_produced_playlist_without_a_word(tmp_path: Path, kind: str, clip: Clip):
    files = write_hls(tmp_path / "source", clip, kind)
    sources = hls_bodies(files, kind)
    made = make_all(sources, plan_for(sources[0], clip))
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "index.m3u8").write_text(files.playlist.read_text())
    if files.init:
        (folder / files.init.name).write_bytes(made.prepared.init)
    for path, produced in zip(files.segments, made.bodies, strict=True):
        (folder / path.name).write_bytes(produced.body)
    played = ffmpeg_client.decode(folder / "index.m3u8")
    assert played.problems == ()
    assert len(played.video[0].pts) == clip.frames


@pytest.mark.parametrize("model", ["bilinear", "anime4k-m"])
def test_each_frame_is_nearest_to_its_own_source(tmp_path: Path, model: str):
    clip = Clip(frames=30)
    sources = write_bodies(tmp_path, "mp4", clip)
    made = make_all(sources, plan_for(sources[0], clip, model=model))
    with av.open(io.BytesIO(made.prepared.init + made.bodies[0].body)) as container:
        ours = [luma(frame)[::2, ::2].astype(float) for frame in container.decode(video=0)]
    theirs = [luma(draw(index, clip)).astype(float) for index in range(clip.frames)]
    for index, frame in enumerate(ours):
        errors = [np.mean((frame - other) ** 2) for other in theirs]
        assert np.argmin(errors) == index


def test_the_same_size_for_players_that_cannot_take_the_codec(tmp_path: Path):
    clip = Clip(codec="libvpx-vp9", frames=30)
    sources = write_bodies(tmp_path, "webm", clip)
    changes = {"model": "identity", "width": 160, "height": 90, "color": making.BT601}
    made = make_all(sources, plan_for(sources[0], clip, **changes))
    seen = look(made.prepared.init + made.bodies[0].body, "fmp4")
    assert seen.size == (160, 90)
    assert seen.color == (6, 6, 6, 1)
    assert seen.counters == list(range(30))


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("kind", ["mpegts", "fmp4", "mkv"])
def test_same_input_same_bytes_whatever_the_threads(tmp_path: Path, kind: str, b_frames: int):
    clip = Clip(b_frames=2, frames=120, gop=120, noise=True)
    source = write_bodies(tmp_path, kind, clip)[0]
    plan = plan_for(source, clip, b_frames=b_frames)
    prepared = prepare(plan, source)
    bodies = {
        produce(produce_job(plan, source, prepared=prepared, seconds=4.8, threads=threads)).body
        for threads in (1, 2, 5, 2)
    }
    assert len(bodies) == 1
    assert sum(look((prepared.init or b"") + next(iter(bodies)), plan.container).keys) == 2


def test_b_frames_where_the_sources_dts_allow(tmp_path: Path):
    clip = Clip(b_frames=2)
    source = write_bodies(tmp_path, "mpegts", clip)[0]
    plan = plan_for(source, clip, b_frames=2)
    with av.open(io.BytesIO(produce(produce_job(plan, source)).body), format="mpegts") as container:
        pts = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert pts != sorted(pts)
    plain = write_bodies(tmp_path / "plain", "mpegts", Clip())[0]
    with av.open(io.BytesIO(produce(produce_job(plan, plain)).body), format="mpegts") as container:
        frames = list(container.decode(video=0))
    assert [read_counter(luma(frame)) for frame in frames] == list(range(24))
    assert [frame.pts for frame in frames] == [3600 * index for index in range(24)]


@pytest.mark.parametrize("kind", ["mpegts", "mkv"])
def test_bandwidth_is_kept_on_noise(tmp_path: Path, kind: str):
    clip = Clip(noise=True, frames=48, gop=48)
    source = write_bodies(tmp_path, kind, clip)[0]
    for maxrate, bandwidth in ((1_500_000, 2_000_000), (400_000, 600_000), (150_000, 250_000)):
        plan = plan_for(source, clip, maxrate=maxrate, bandwidth=bandwidth)
        body = produce(produce_job(plan, source, seconds=1.92)).body
        assert 8 * len(body) <= bandwidth * 1.92


def test_a_segment_too_large_is_made_again_and_again_the_same(tmp_path: Path):
    clip = Clip(noise=True)
    source = write_bodies(tmp_path, "mpegts", clip)[0]
    plan = plan_for(source, clip, maxrate=3_000_000, bandwidth=10_000_000)
    first = produce(produce_job(plan, source)).body
    tight = replace(plan, bandwidth=8 * len(first) * 3 // 4)
    second = produce(produce_job(tight, source)).body
    assert len(second) <= len(first) * 3 / 4
    assert produce(produce_job(tight, source, threads=1)).body == second
    with pytest.raises(ProductionError, match="fit 1000 bits per second"):
        produce(produce_job(replace(plan, bandwidth=1000), source))


def test_an_untagged_sd_source_becomes_bt709_in_colour_and_tag(tmp_path: Path):
    clip = Clip()
    source = write_bodies(tmp_path, "fmp4", clip)[0]
    plan = plan_for(source, clip, model="bilinear", crf=1)
    job = produce_job(plan, source)
    with av.open(io.BytesIO(job.prepared.init + produce(job).body)) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 1, 1)
        ours = [int(np.frombuffer(memoryview(frame.planes[i]), np.uint8)[5000]) for i in (1, 2)]
    # U 90 and V 160 of BT.601 at luma 40, by the matrices of both standards.
    y, u, v = 40 - 16, 90 - 128, 160 - 128
    red = 1.164384 * y + 1.596027 * v
    green = 1.164384 * y - 0.391762 * u - 0.812968 * v
    blue = 1.164384 * y + 2.017232 * u
    expected = (
        128 - 0.100644 * red - 0.338572 * green + 0.439216 * blue,
        128 + 0.439216 * red - 0.398942 * green - 0.040274 * blue,
    )
    assert ours == pytest.approx(expected, abs=1.5)


def test_captions_in_the_pictures_are_carried_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clip = Clip()
    source = write_bodies(tmp_path, "mpegts", clip)[0]
    triples = bytes((0xFC, 0xC8, 0x49, 0xFC, 0, 0))
    with monkeypatch.context() as patched:
        patched.setattr(pipeline.captions, "captions_of", lambda frame: triples)
        captioned = produce(produce_job(plan_for(source, clip), source)).body
    Path(source.body.path).write_bytes(captioned)
    again = Clip(width=320, height=180)
    body = produce(produce_job(plan_for(source, again, level="3"), source)).body
    with av.open(io.BytesIO(body), format="mpegts") as container:
        frames = list(container.decode(video=0))
    assert [bytes(frame.side_data.get("A53_CC")) for frame in frames] == [triples] * 24


def test_events_in_the_source_segment_are_carried_over(tmp_path: Path):
    source = write_bodies(tmp_path, "fmp4", Clip())[0]
    path = Path(source.body.path)
    event = boxes.full_box(b"emsg", 1, 0, bytes(20), b"urn:x\0", b"\0", b"payload")
    path.write_bytes(event + path.read_bytes())
    body = produce(produce_job(plan_for(source, Clip()), source)).body
    assert body.startswith(event)
    assert [box.kind for box in boxes.walk(body)] == [b"emsg", b"moof", b"mdat"]


def test_stages_and_progress_are_told(tmp_path: Path):
    source = write_bodies(tmp_path, "mpegts", Clip())[0]
    seen: list[int] = []
    result = run(produce_job(plan_for(source, Clip()), source), seen.append, lambda: False)
    assert set(result.stages) == {"fetch", "decode", "upscale", "encode", "mux"}
    assert all(seconds > 0 for seconds in result.stages.values())
    assert seen[-1] == 24
    assert (result.frames, result.first_pts, result.last_pts) == (24, 0, 23 * 3600)


def test_cancelling_leaves_no_thread(tmp_path: Path):
    source = write_bodies(tmp_path, "mpegts", Clip())[0]
    before = threading.active_count()
    with pytest.raises(JobCancelledError):
        run(produce_job(plan_for(source, Clip()), source), lambda _: None, lambda: True)
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_a_truncated_segment_is_an_error_or_whole(tmp_path: Path, kind: str):
    source = write_bodies(tmp_path, kind, Clip(noise=True, sounds=(Sound(),)))[0]
    job = produce_job(plan_for(source, Clip(), bandwidth=9_000_000), source)
    path = Path(source.body.path)
    whole = path.read_bytes()
    before = threading.active_count()
    for size in (0, 1, 187, 188, 1000, len(whole) // 3, len(whole) // 2 + 5, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises((BrokenSourceError, UnsupportedSourceError)) as caught:
            produce(job)
        assert caught.value.source == path.name
    assert threading.active_count() == before


def test_a_model_that_is_not_there_is_a_clear_error(tmp_path: Path):
    source = write_bodies(tmp_path, "mpegts", Clip())[0]
    with pytest.raises(ProductionError, match="no-such-model"):
        produce(produce_job(plan_for(source, Clip(), model="no-such-model"), source))


def test_a_segment_with_another_time_base_is_refused(tmp_path: Path):
    source = write_bodies(tmp_path, "fmp4", Clip())[0]
    plan = plan_for(source, Clip(), time_base=Fraction(1, 600))
    with pytest.raises(OriginError, match="counts time in"):
        produce(produce_job(plan, source))


def test_preparation_names_what_will_come(tmp_path: Path):
    clip = Clip(b_frames=2, sounds=(Sound(), Sound(codec="ac3")), start_seconds=TEN)
    source = write_bodies(tmp_path, "fmp4", clip)[0]
    prepared = prepare(plan_for(source, clip), source)
    assert prepared.codecs == avc1_from_sps(prepared.extradata) == "avc1.640015"
    traks = boxes.children(prepared.init, b"moov", b"trak")
    assert len(traks) == 3
    original = bytearray(Path(source.init.path).read_bytes())
    at = original.index(b"mvhd") + 16
    original[at : at + 4] = (600).to_bytes(4, "big")
    Path(source.init.path).write_bytes(original)
    original, prepared = bytes(original), prepare(plan_for(source, clip), source)
    edits = [
        boxes.find(original[t.body : t.end], b"edts")
        for t in boxes.children(original, b"moov", b"trak")
    ]
    assert [boxes.find(prepared.init[t.body : t.end], b"edts") for t in traks] == edits
    assert edits[0] is not None
    header, theirs = (boxes.find(init, b"moov", b"mvhd") for init in (prepared.init, original))
    assert header[20:24] == theirs[20:24], "edit lists count in the timescale of the movie"
    sets = nal.parameter_sets("h264", prepared.extradata)
    assert all(unit in prepared.init for unit in sets)
    transport = write_bodies(tmp_path / "ts", "mpegts", clip)[0]
    assert prepare(plan_for(transport, clip), transport).init is None


def test_a_turned_file_stays_turned(tmp_path: Path):
    path = making.write_file(tmp_path / "phone.mp4", Clip(frames=30))
    data = path.read_bytes()
    upright = b"".join(
        n.to_bytes(4, "big") for n in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    )
    turned = b"".join(
        (n & 0xFFFFFFFF).to_bytes(4, "big")
        for n in (0, 0x10000, 0, -0x10000, 0, 0, 90 << 16, 0, 0x40000000)
    )
    at = data.index(upright, data.index(b"tkhd"))
    path.write_bytes(data[:at] + turned + data[at + 36 :])
    source = making.file_bodies(path)[0]
    made = make_all([source], plan_for(source, Clip()))
    with av.open(io.BytesIO(made.prepared.init + made.bodies[0].body)) as container:
        assert next(container.decode(video=0)).rotation % 360 == 270


@pytest.fixture
def small_measure() -> Measure:
    return Measure(model="lanczos", width=64, height=48, frames=30, device="cpu", threads=2)


def test_measuring_gives_a_rate(small_measure: Measure):
    seen: list[int] = []
    result = run(small_measure, seen.append, lambda: False)
    assert isinstance(result, Measured)
    assert result.frames_per_second > 0
    assert seen[-1] == 30
    with pytest.raises(JobCancelledError):
        run(small_measure, lambda _: None, lambda: True)


def test_full_range_and_unspecified_colour_reach_the_upscaler():
    assert pipeline.signal_of(Color(full_range=True), 640, 360).matrix == "bt601"
    assert pipeline.signal_of(Color(), 1280, 720).matrix == "bt709"
    assert pipeline.signal_of(Color(matrix=9), 640, 360).matrix == "bt2020"
    assert pipeline.signal_of(Color(full_range=True), 640, 360).full_range


def test_counters_survive_noise():
    clip = Clip(noise=True)
    assert [read_counter(luma(draw(index, clip))) for index in range(5)] == list(range(5))
