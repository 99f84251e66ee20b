"""Posters and thumbnails: from a library through plan and job to the decoded picture."""

import io
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from origin.errors import BrokenSourceError, NotFoundError
from origin.media.inspect_file import inspect_file
from origin.media.inspect_hls import inspect_hls
from origin.media.jobs import JobCancelledError, run
from origin.media.types import FileFacts, HlsFacts, InspectFile, InspectHls, Produced
from origin.service import hls, stills
from origin.service.titles import FileSource, FileTitle, HlsTitle, Title
from origin.sources import DirectoryLibrary
from tests.media import synth
from tests.media.synth import Clip, read_counter
from tests.origin.made_up import segment

OPEN = Clip(frames=240, b_frames=2, open_gop=True, width=320, height=180)


def title_of(path: Path) -> Title:
    """A title as the origin prepares it, without anything to offer."""
    library = DirectoryLibrary("lib", path.parent)
    if path.suffix == ".m3u8":
        source, snapshot = hls.load(library, path.name, lambda _: None)
        facts = inspect_hls(InspectHls(name=path.name, segments=source.bodies))
        return HlsTitle(
            title_path=f"lib/{path.name}", source=source, snapshot=snapshot, facts=facts, offers=()
        )
    return FileTitle(
        title_path=f"lib/{path.name}",
        source=FileSource(library=library, path=path.name),
        snapshot=library.snapshot((path.name,)),
        facts=inspect_file(InspectFile(name=path.name, path=str(path))),
        offers=(),
    )


def make(title: Title, name: str) -> bytes:
    made = run(stills.job(title, name), lambda _: None, lambda: False)
    assert isinstance(made, Produced)
    return made.body


def decode(jpeg: bytes) -> np.ndarray:
    """(H, W, 3) R'G'B', as a browser takes a JPEG: by BT.601, in full range."""
    assert jpeg.startswith(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00")
    assert jpeg.endswith(b"\xff\xd9")
    with av.open(io.BytesIO(jpeg), format="jpeg_pipe") as container:
        (frame,) = container.decode(video=0)
    assert frame.format.name == "yuvj420p"
    return rgb(frame, kr=0.299, kb=0.114, full_range=True)


def rgb(frame: av.VideoFrame, *, kr: float, kb: float, full_range: bool) -> np.ndarray:
    """By the formulas of H.273, chroma repeated."""
    plain = frame.format.name in ("yuv420p", "yuvj420p")
    planes = (frame if plain else frame.reformat(format="yuv420p")).planes
    y, u, v = (
        np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[: p.height, : p.width].astype(float)
        for p in planes
    )
    luma = y / 255 if full_range else (y - 16) / 219
    scale = 255 if full_range else 224
    cb, cr = (
        ((c - 128) / scale).repeat(2, axis=0).repeat(2, axis=1)[: y.shape[0], : y.shape[1]]
        for c in (u, v)
    )
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.stack([red, green, blue], axis=-1) * 255, 0, 255)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, ((one - other) ** 2).mean())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    start: float
    end: float
    sheet: str
    x: int
    y: int
    width: int
    height: int


_CUE = re.compile(
    r"(\d\d):(\d\d):(\d\d\.\d{3}) --> (\d\d):(\d\d):(\d\d\.\d{3})\n"
    r"(\d+\.jpg)#xywh=(\d+),(\d+),(\d+),(\d+)\n"
)


def cues(text: str) -> list[Cue]:
    head, *rows = text.split("\n\n")
    assert head == "WEBVTT"
    found = []
    for row in rows:
        *times, sheet, x, y, width, height = _CUE.fullmatch(row.strip() + "\n").groups()
        start, end = (int(h) * 3600 + int(m) * 60 + float(s) for h, m, s in (times[:3], times[3:]))
        box = {"x": int(x), "y": int(y), "width": int(width), "height": int(height)}
        found.append(Cue(start=start, end=end, sheet=sheet, **box))
    return found


def tile(sheets: dict[str, np.ndarray], cue: Cue) -> np.ndarray:
    sheet = sheets[cue.sheet]
    part = sheet[cue.y : cue.y + cue.height, cue.x : cue.x + cue.width]
    assert part.shape[:2] == (cue.height, cue.width)
    return part


def counters(title: Title) -> list[tuple[Cue, int]]:
    """Each cue with the number that its picture shows."""
    rows = cues(stills.thumbnails(title))
    sheets = {name: decode(make(title, name)) for name in {cue.sheet for cue in rows}}
    return [(cue, read_counter(tile(sheets, cue).mean(axis=2))) for cue in rows]


SOURCES = {
    "plain.mp4": OPEN,
    "closed.mkv": replace(OPEN, open_gop=False, rate=Fraction(24000, 1001)),
    "open.mp4": OPEN,
    "open.ts": replace(OPEN, start_seconds=Fraction(10)),
    "wrapped.ts": replace(OPEN, start_seconds=synth.WRAP_SECONDS - Fraction(2)),
    "late.mkv": replace(OPEN, start_seconds=Fraction(10), open_gop=False),
    "variable.mkv": replace(OPEN, vfr=True, frames=150, open_gop=False),
    "hevc.mkv": replace(OPEN, codec="libx265", frames=120),
    "vp9.webm": replace(OPEN, codec="libvpx-vp9", open_gop=False, b_frames=0, frames=120),
    "av1.mp4": replace(OPEN, codec="libsvtav1", open_gop=False, b_frames=0, frames=120),
    "mpeg2.ts": replace(OPEN, codec="mpeg2video", open_gop=False, b_frames=0, frames=120),
    "segments-ts": replace(OPEN, start_seconds=Fraction(10)),
    "segments-fmp4": replace(OPEN, open_gop=False, start_seconds=Fraction(10)),
    "wrapped-ts": replace(OPEN, open_gop=False, start_seconds=synth.WRAP_SECONDS - Fraction(2)),
}


def write(folder: Path, name: str, clip: Clip) -> Path:
    if "." in name:
        return synth.write_file(folder / name, clip)
    kind = "fmp4" if name.endswith("fmp4") else "mpegts"
    return synth.write_hls(folder / name, clip, kind, segment_seconds=1.9).playlist


@pytest.mark.parametrize("name", SOURCES)
def test_every_moment_has_the_keyframe_before_it(tmp_path: Path, name: str):
    clip = SOURCES[name]
    title = title_of(write(tmp_path, name, clip))
    rows = counters(title)
    starts = [cue.start for cue, _ in rows]
    assert starts == sorted(starts)
    assert starts[0] == 0
    assert all(a.end == b.start for (a, _), (b, _) in pairwise(rows))
    assert rows[-1][0].end == pytest.approx(float(clip.seconds), abs=0.1)
    shown_at = [float(clip.time_of(i) - clip.start_seconds) for i in range(clip.frames)]
    for cue, counter in rows:
        middle = (cue.start + cue.end) / 2
        keys = [i for i in range(0, clip.frames, clip.gop) if shown_at[i] <= middle + 0.002]
        # Where leading pictures are on screen, their own keyframe stands for them.
        near = {keys[-1], keys[-1] + clip.gop} if clip.open_gop else {keys[-1]}
        assert counter in near, (cue, counter)
        assert shown_at[counter] - middle < 0.1
    assert len({counter for _, counter in rows}) == len(range(0, clip.frames, clip.gop))


COLORS = {
    "sd": (Clip(matrix=6, primaries=6, transfer=6), (0.299, 0.114)),
    "sd-unspecified": (Clip(), (0.299, 0.114)),
    "tagged-709": (Clip(matrix=1, primaries=1, transfer=1), (0.2126, 0.0722)),
    "hd-unspecified": (Clip(width=1280, height=720, frames=30), (0.2126, 0.0722)),
    "full-range": (Clip(matrix=6, full_range=True), (0.299, 0.114)),
    "ten-bit": (Clip(matrix=1, codec="libx265", pix_fmt="yuv420p10le"), (0.2126, 0.0722)),
    "2020": (Clip(matrix=9, primaries=9, transfer=1), (0.2627, 0.0593)),
    "4:4:4": (Clip(matrix=6, pix_fmt="yuv444p"), (0.299, 0.114)),
}


@pytest.mark.parametrize("name", COLORS)
def test_a_poster_is_a_keyframe_in_its_colours(tmp_path: Path, name: str):
    clip, (kr, kb) = COLORS[name]
    path = synth.write_file(tmp_path / "film.mkv", replace(clip, options={"crf": "5"}))
    poster = decode(make(title_of(path), "poster.jpg"))
    with av.open(str(path)) as container:
        frames = [f for f in container.decode(video=0) if f.key_frame]
    assert frames
    expected = [rgb(f, kr=kr, kb=kb, full_range=clip.full_range) for f in frames]
    likeness = [psnr(poster, picture) for picture in expected]
    assert max(likeness) > 38
    averages = [np.abs(poster.mean((0, 1)) - p.mean((0, 1))).max() for p in expected]
    assert averages[int(np.argmax(likeness))] < 1.0


def moving_clip(path: Path, lumas: list[np.ndarray]) -> Path:
    """One keyframe of each picture for each second, in Matroska."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=1, options={"x264-params": "keyint=1:crf=12"})
        height, width = lumas[0].shape
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for luma in lumas:
            frame = av.VideoFrame.from_ndarray(
                np.vstack([luma, np.full((height // 2, width), 128, np.uint8)]), format="yuv420p"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def picture(kind: str) -> np.ndarray:
    across, down = np.meshgrid(np.arange(160), np.arange(96))
    flat = np.zeros((96, 160), np.uint8)
    return {
        "black": flat + 16,
        "white": flat + 235,
        "card": np.where((down > 40) & (down < 56) & (across > 40) & (across < 120), 200, 40),
        "scene": 60 + 60 * (np.sin(across / 3) * np.cos(down / 5) + 1),
    }[kind].astype(np.uint8)


@pytest.mark.parametrize(
    ("scenes", "expected"),
    [
        # By tenths of the title: candidates lie between 10 and 30 %.
        ("black black black scene black white white white white white", "scene"),
        ("scene card card card scene white scene scene scene scene", "card"),
        ("black black white black black black scene black black black", "scene"),
        ("black black black black black black black black black black", "black"),
    ],
)
def test_a_poster_shows_something_if_anything_does(tmp_path: Path, scenes: str, expected: str):
    lumas = [picture(kind) for kind in scenes.split() for _ in range(2)]
    path = moving_clip(tmp_path / "film.mkv", lumas)
    poster = decode(make(title_of(path), "poster.jpg")).mean(axis=2)
    wanted = (picture(expected).astype(float) - 16) * 255 / 219
    assert np.abs(poster - wanted).mean() < 4


@pytest.mark.parametrize(
    ("clip", "rotation", "poster", "thumbnail"),
    [
        (Clip(width=160, height=90), 0, (160, 90), (160, 90)),
        (Clip(width=720, height=480, sar=Fraction(32, 27), frames=24), 0, (853, 480), (160, 90)),
        (Clip(width=720, height=576, sar=Fraction(16, 15), frames=24), 0, (768, 576), (160, 120)),
        (Clip(width=1920, height=1080, frames=2), 0, (1280, 720), (160, 90)),
        (Clip(width=160, height=90), 90, (90, 160), (90, 160)),
        (Clip(width=320, height=180), 180, (320, 180), (160, 90)),
        (Clip(width=320, height=180), 270, (180, 320), (90, 160)),
        (Clip(width=160, height=96, sar=Fraction(1, 2)), 0, (80, 96), (80, 96)),
    ],
)
def test_pictures_are_upright_and_in_shape(tmp_path: Path, clip, rotation, poster, thumbnail):
    path = synth.write_file(tmp_path / "upright.mp4", clip)
    if rotation:
        path = rotate(path, tmp_path / "film.mp4", rotation)
    title = title_of(path)
    shown = decode(make(title, "poster.jpg"))
    assert shown.shape[1::-1] == poster
    (cue, *_) = cues(stills.thumbnails(title))
    assert (cue.width, cue.height) == thumbnail
    sheet = decode(make(title, "0.jpg"))
    small = sheet[: cue.height, : cue.width]
    # FFmpeg's own idea of the display matrix: what a viewer sees is turned counterclockwise by it,
    # so turning back clockwise must show the counter of a keyframe.
    for image in (shown, small):
        back = np.rot90(image, -rotation // 90).mean(axis=2)
        assert read_counter(back) % clip.gop == 0


def rotate(path: Path, target: Path, degrees: int) -> Path:
    with av.open(str(path)) as source, av.open(str(target), "w") as made:
        stream = made.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(degrees)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    return target


def test_rotation_is_ffmpegs(tmp_path: Path):
    """The picture that FFmpeg itself shows of a rotated file."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    import subprocess  # noqa: PLC0415

    clip = Clip(width=160, height=96, frames=12, options={"crf": "5"})
    path = rotate(synth.write_file(tmp_path / "a.mp4", clip), tmp_path / "film.mp4", 90)
    command = [ffmpeg, "-v", "error", "-i", str(path), "-frames:v", "1", "-f", "rawvideo"]
    raw = subprocess.run([*command, "-pix_fmt", "gray", "-"], capture_output=True, check=True)
    theirs = np.frombuffer(raw.stdout, np.uint8).reshape(160, 96).astype(float)
    poster = decode(make(title_of(path), "poster.jpg"))
    luma = poster @ np.array([0.299, 0.587, 0.114])
    assert psnr(luma, theirs) > 28
    assert psnr(np.rot90(luma, 2), theirs) < 20


def test_the_same_title_gives_the_same_bytes(tmp_path: Path):
    path = synth.write_file(tmp_path / "film.mkv", OPEN)
    title = title_of(path)
    for name in ("poster.jpg", "0.jpg"):
        assert make(title, name) == make(title_of(path), name)
    before = stills.digest(title)
    moved = path.rename(tmp_path / "moved.mkv")
    assert stills.digest(title_of(moved)) == before
    synth.write_file(moved, replace(OPEN, frames=200))
    assert stills.digest(title_of(moved)) != before


@pytest.mark.parametrize(
    ("seconds", "step", "count", "sheets"),
    [(0.4, None, 1, 1), (10, 1, 10, 1), (150, 1, 150, 6), (151, 2, 76, 4), (7200, 48, 150, 6)],
)
def test_long_titles_have_no_more_tiles(seconds, step, count, sheets):
    title = long_title(seconds)
    rows = cues(stills.thumbnails(title))
    assert len(rows) == count <= 200
    assert rows[0].end == (step or seconds)
    assert rows[-1].end == pytest.approx(seconds)
    jobs = [stills.job(title, f"{number}.jpg") for number in range(sheets)]
    assert sum(len(job.moments) for job in jobs) == count
    with pytest.raises(NotFoundError):
        stills.job(title, f"{sheets}.jpg")


def long_title(seconds: float) -> FileTitle:
    """Of one span, which nothing reads."""
    from tests.origin.made_up import file_facts  # noqa: PLC0415

    facts = file_facts()
    end = round(seconds / facts.video.time_base)
    spans = (replace(facts.spans[0], end_pts=end),)
    facts = replace(facts, spans=spans)
    assert isinstance(facts, FileFacts)
    library = DirectoryLibrary("lib", Path("/nowhere"))
    return FileTitle(
        title_path="lib/long.mkv",
        source=FileSource(library=library, path="long.mkv"),
        snapshot=library.snapshot(()),
        facts=facts,
        offers=(),
    )


def test_broken_segments_show_what_was_before_them(tmp_path: Path):
    files = synth.write_hls(tmp_path / "hls", replace(OPEN, open_gop=False), segment_seconds=1.9)
    before = dict(counters(title_of(files.playlist)))
    files.segments[2].write_bytes(b"no transport stream" * 50)
    title = title_of(files.playlist)
    assert title.facts.segments[2].error
    after = dict(counters(title))
    lost = [cue for cue in before if after[cue] != before[cue]]
    assert lost
    assert all(after[cue] < before[cue] for cue in lost)
    files.segments[1].write_bytes(b"gone after inspection" * 50)
    assert [at for _, at in counters(title)][:6] == [0, 24, 24, 24, 24, 24]


def test_without_a_keyframe_there_are_no_pictures(tmp_path: Path):
    files = synth.write_hls(tmp_path / "hls", Clip())
    title = title_of(files.playlist)
    facts = title.facts
    assert isinstance(title, HlsTitle)
    assert isinstance(facts, HlsFacts)
    rows = tuple(segment(i, has_key=False) for i in range(len(facts.segments)))
    bare = replace(title, facts=replace(facts, segments=rows))
    assert stills.urls(bare) == (None, None)
    with pytest.raises(NotFoundError):
        stills.thumbnails(bare)
    for name in ("poster.jpg", "0.jpg"):
        with pytest.raises(NotFoundError):
            stills.job(bare, name)


def test_a_source_that_is_gone_is_said_to_be_broken(tmp_path: Path):
    path = synth.write_file(tmp_path / "film.mkv", Clip())
    title = title_of(path)
    path.unlink()
    for name in ("poster.jpg", "0.jpg"):
        with pytest.raises(BrokenSourceError, match="keyframes"):
            make(title, name)


def test_work_that_nobody_wants_ends(tmp_path: Path):
    title = title_of(synth.write_file(tmp_path / "film.mkv", OPEN))
    seen: list[int] = []
    for name in ("poster.jpg", "0.jpg"):
        with pytest.raises(JobCancelledError):
            run(stills.job(title, name), seen.append, lambda: len(seen) > 2)
