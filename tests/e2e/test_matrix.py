"""Every shape of source, pairwise: the produced variant holds the source's frames, all of them."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from tests import ffmpeg_client
from tests.e2e import judge
from tests.http_client import Title, get, title, titles
from tests.media.synth import (
    WRAP_SECONDS,
    Clip,
    Sound,
    read_counter,
    write_byte_ranges,
    write_file,
    write_hls,
)
from tests.tools import run_origin

NTSC_FILM, NTSC = Fraction(24000, 1001), Fraction(30000, 1001)
WRAP_TICKS = 2**33


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One source. `kind` is ts, fmp4, ranges (fMP4 in one file), mp4, mkv or webm."""

    kind: str
    clip: Clip

    @property
    def name(self) -> str:
        clip = self.clip
        rate = "vfr" if clip.vfr else f"{float(clip.rate):.3f}"
        gop = "open" if clip.open_gop else "b" if clip.b_frames else "p"
        start = "wrap" if clip.start_seconds > 1000 else str(clip.start_seconds)
        sar = "wide" if clip.sar != 1 else "square"
        codec = clip.codec.removeprefix("lib")
        return f"{self.kind}-{codec}-{rate}-{gop}-{sar}-{start}-{clip.width}x{clip.height}"

    def write(self, root: Path) -> str:
        """Make the source; returns its title path within the library."""
        if self.kind == "ranges":
            write_byte_ranges(root / self.name, self.clip)
            return f"{self.name}/index.m3u8"
        if self.kind in ("ts", "fmp4"):
            kind = "mpegts" if self.kind == "ts" else "fmp4"
            write_hls(root / self.name, self.clip, kind, segment_seconds=0.9)
            return f"{self.name}/index.m3u8"
        return write_file(root / f"{self.name}.{self.kind}", self.clip).name


def _clip(rate=Fraction(25), gop="p", sar=1, start=Fraction(0), vfr=False, **more) -> Clip:
    return Clip(
        rate=rate,
        vfr=vfr,
        b_frames={"p": 0, "b": 2, "open": 3}[gop],
        open_gop=gop == "open",
        gop=24,
        frames=72,
        sar=Fraction(sar),
        start_seconds=Fraction(start),
        **({"sounds": (Sound(),)} | more),
    )


WIDE = Fraction(32, 27)
NEAR_WRAP = WRAP_SECONDS - Fraction(3, 2)
CELLS = [
    Cell(kind="ts", clip=_clip(NTSC_FILM, "b", 1, 0)),
    Cell(kind="ts", clip=_clip(Fraction(25), "open", WIDE, 10)),
    Cell(kind="ts", clip=_clip(NTSC, "p", 1, NEAR_WRAP)),
    Cell(kind="ts", clip=_clip(Fraction(25), "b", WIDE, NEAR_WRAP, vfr=True)),
    Cell(kind="ts", clip=_clip(NTSC_FILM, "open", 1, NEAR_WRAP)),
    Cell(kind="fmp4", clip=_clip(NTSC_FILM, "p", WIDE, 0)),
    Cell(kind="fmp4", clip=_clip(Fraction(25), "b", 1, 0)),
    Cell(kind="ranges", clip=_clip(NTSC, "open", 1, 0)),
    Cell(kind="ranges", clip=_clip(Fraction(25), "b", WIDE, 10)),
    Cell(kind="fmp4", clip=_clip(Fraction(25), "p", 1, 10, vfr=True)),
    Cell(kind="mp4", clip=_clip(NTSC_FILM, "open", 1, 10)),
    Cell(kind="mp4", clip=_clip(NTSC, "b", WIDE, 0)),
    Cell(kind="mp4", clip=_clip(Fraction(25), "p", 1, 0, vfr=True)),
    Cell(kind="mkv", clip=_clip(NTSC_FILM, "b", WIDE, 10)),
    Cell(kind="mkv", clip=_clip(NTSC, "p", 1, 0)),
    Cell(kind="mkv", clip=_clip(Fraction(25), "open", WIDE, 0)),
    Cell(kind="mkv", clip=_clip(NTSC, "b", 1, 0, vfr=True)),
    Cell(kind="mkv", clip=_clip(codec="libx265")),
    Cell(kind="mp4", clip=_clip(codec="libsvtav1", width=162, height=90)),
    Cell(
        kind="webm",
        clip=_clip(codec="libvpx-vp9", width=161, height=91, sounds=(Sound(codec="libopus"),)),
    ),
    Cell(kind="mkv", clip=_clip(codec="libsvtav1", width=165, height=93)),
    Cell(kind="mkv", clip=_clip(gop="b", codec="mpeg2video", width=176, height=96)),
]


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    root = tmp_path_factory.mktemp("matrix")
    library = root / "library"
    library.mkdir()
    paths = {cell.name: cell.write(library) for cell in CELLS}
    arguments = ["--cache", root / "cache", "--rendition", "2x:lanczos", "--device", "cpu"]
    with run_origin(f"lib={library}", *arguments) as base:
        rows = titles(base)
        yield {
            name: (base + rows[f"lib/{path}"]["url"], rows[f"lib/{path}"])
            for name, path in paths.items()
        }


def _has_comparable_source(cell: Cell) -> bool:
    """A source variant is offered, of a size that area means can bring ours back to."""
    return cell.clip.codec not in ("libvpx-vp9", "mpeg2video") and cell.clip.width % 2 == 0


COMPARABLE = [cell for cell in CELLS if _has_comparable_source(cell)]


def _open(cell: Cell, origin) -> Title:
    url, row = origin[cell.name]
    assert row["error"] is None, row
    assert all(warning.startswith("EXTINF deviates") for warning in row["warnings"]), row
    return title(url)


def _wrapped(timestamps, kind: str):
    if kind != "ts":
        return timestamps
    return tuple(sorted(round(seconds * 90000) % WRAP_TICKS for seconds in timestamps))


@pytest.mark.parametrize("shape", CELLS, ids=lambda cell: cell.name)
def test_produced_frames_are_the_sources_frames(shape, origin):
    playlists = _open(shape, origin)
    produced = playlists.produced_track()
    made = judge.fetch(produced)
    made_pictures = [judge.pictures([segment]) for segment in made]
    assert sum(map(len, made_pictures)) == shape.clip.frames
    counters = [read_counter(p) for shown in made_pictures for _, p in sorted(shown.items())]
    if "wrap" not in shape.name:
        assert counters == list(range(shape.clip.frames))
    assert sorted(counters) == list(range(shape.clip.frames))
    if not playlists.variant_urls(produced=False):
        return
    source = playlists.source_track()
    assert produced.durations() == source.durations()
    for ours, theirs in zip(made, judge.fetch(source), strict=True):
        mine, original = judge.packets(ours), judge.packets(theirs)
        assert _wrapped(mine.pts, shape.kind) == _wrapped(original.pts, shape.kind)
        assert sorted(mine.audio) == sorted(original.audio)
        assert len(mine.dts) == len(original.dts)


@pytest.mark.parametrize("shape", CELLS, ids=lambda cell: cell.name)
def test_ffmpeg_plays_the_produced_variant_without_a_word(shape, origin):
    playlists = _open(shape, origin)
    played = ffmpeg_client.decode(playlists.variant_urls(produced=True)[0])
    assert played.problems == ()
    assert len(played.video[0].pts) == shape.clip.frames
    size = playlists.produced().stream_info.resolution
    width, height = played.video[0].size
    assert height == size[1] == 2 * shape.clip.height or "same" in str(playlists.produced())
    assert abs(size[0] - width * shape.clip.sar) <= 1


@pytest.mark.parametrize("shape", COMPARABLE, ids=lambda cell: cell.name)
def test_produced_frames_are_nearest_to_their_own_source_frames(shape, origin):
    playlists = _open(shape, origin)
    source = judge.pictures(judge.fetch(playlists.source_track()))
    for segment in judge.fetch(playlists.produced_track()):
        for at, picture in judge.pictures([segment]).items():
            small = judge.shrink(picture, shape.clip.height, shape.clip.width)
            errors = {
                time: judge.mean_square_error(small, s)
                for time, s in source.items()
                if abs(time - at) <= 3 / shape.clip.rate
            }
            if "wrap" not in shape.name:
                assert min(errors, key=errors.__getitem__) == at


@pytest.mark.parametrize("shape", CELLS, ids=lambda cell: cell.name)
def test_promises_are_kept(shape, origin):
    playlists = _open(shape, origin)
    info = playlists.produced().stream_info
    produced = playlists.produced_track()
    sizes = [len(get(url).body) for url in produced.segments]
    for size, seconds in zip(sizes, produced.durations(), strict=True):
        assert size * 8 / seconds <= info.bandwidth
        assert round(seconds) <= produced.playlist.target_duration
    assert abs(info.frame_rate - float(shape.clip.rate)) < 0.01 or shape.clip.vfr
    assert produced.playlist.is_endlist
    segment = judge.fetch(produced)[0]
    with segment.open() as container:
        stream = container.streams.video[0]
        next(container.decode(stream))
        profile, level = stream.codec_context.profile, judge.h264_level(segment)
        sar = stream.codec_context.sample_aspect_ratio
    assert profile == "High"
    assert f"avc1.6400{level:02x}" in info.codecs
    assert (sar or 1) == shape.clip.sar
