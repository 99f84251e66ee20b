"""A whole file through the pipeline; PyAV's own demuxers and FFmpeg judge what comes out."""

import asyncio
import subprocess
import sys
import textwrap
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.stream import Disposition

from manifests.ladder import RenditionSpec
from origin.cli import main
from origin.errors import OriginError
from origin.upscale.request import Request, Summary
from origin.upscale.upscaling import upscale
from tests.media.synth import Clip, Sound, luma, read_counter, write_file
from tests.tools import ROOT, ffmpeg

SOUNDS = (Sound(language="jpn"), Sound(codec="libmp3lame", language="ger"))
FONT = bytes(range(256)) * 3
SRT = "1\n00:00:00,500 --> 00:00:01,500\nHello\n\n2\n00:00:05,000 --> 00:00:06,000\nBye\n"
ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\i1}Title{\\i0}
"""
CHAPTERS = """;FFMETADATA1
title=A film
artist=Somebody
[CHAPTER]
TIMEBASE=1/1000
START=0
END=4000
title=Opening
[CHAPTER]
TIMEBASE=1/1000
START=4000
END=10000
title=Part B
"""


@dataclass(slots=True, kw_only=True)
class Recorder:
    """A report that remembers."""

    notes: list[str] = field(default_factory=list)
    begun: tuple[int, int] = (0, 0)
    last: int = 0

    def note(self, text: str) -> None:
        self.notes.append(text)

    def begin(self, *, total: int, done: int = 0) -> None:
        self.begun = (total, done)

    def advance(self, done: int) -> None:
        self.last = done

    def turn_to(self, text: str) -> None:
        self.note(text)


def request(source: Path, output: Path, **changes: object) -> Request:
    fields = {
        "source": source,
        "output": output,
        "spec": RenditionSpec.parse("2x:lanczos"),
        "crf": 20,
        "preset": "ultrafast",
        "device": "cpu",
        "workers": 1,
        "threads": 2,
    }
    return Request(**(fields | changes))


def run(source: Path, output: Path, **changes: object) -> Summary:
    return asyncio.run(upscale(request(source, output, **changes), Recorder()))


@dataclass(slots=True)
class Seen:
    """A file as FFmpeg's demuxer tells it."""

    packets: dict[int, list[tuple[Fraction, bytes]]]
    """By stream: PTS in seconds, payload; in order of the PTS."""
    kinds: list[str]
    languages: list[str | None]
    dispositions: list[Disposition]
    chapters: list[tuple[float, float, str]]
    metadata: dict[str, str]
    attachments: dict[str, tuple[str, bytes]]

    def of(self, kind: str) -> list[list[tuple[Fraction, bytes]]]:
        return [self.packets[i] for i, own in enumerate(self.kinds) if own == kind]


def see(path: Path) -> Seen:
    packets = defaultdict(list)
    with av.open(str(path), options={"advanced_editlist": "0"}) as container:
        for packet in container.demux():
            if packet.size:
                pts = Fraction(0) if packet.pts is None else packet.pts * packet.time_base
                packets[packet.stream_index].append((pts, bytes(packet)))
        streams = list(container.streams)
        return Seen(
            packets={index: sorted(rows) for index, rows in packets.items()},
            kinds=[
                "cover" if stream.disposition & Disposition.attached_pic else stream.type
                for stream in streams
            ],
            languages=[stream.language for stream in streams],
            dispositions=[stream.disposition for stream in streams],
            chapters=[
                (
                    float(chapter["start"] * chapter["time_base"]),
                    float(chapter["end"] * chapter["time_base"]),
                    chapter["metadata"]["title"],
                )
                for chapter in container.chapters()
            ],
            metadata=dict(container.metadata),
            attachments={
                stream.name: (stream.mimetype, stream.data)
                for stream in streams
                if stream.type == "attachment"
            },
        )


def counters(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [read_counter(luma(frame)) for frame in container.decode(video=0)]


def times(rows: list[tuple[Fraction, bytes]]) -> list[Fraction]:
    return [pts for pts, _ in rows]


def payloads(tracks: list[list[tuple[Fraction, bytes]]]) -> list[list[bytes]]:
    return [[data for _, data in rows] for rows in tracks]


@pytest.fixture(scope="module")
def rich_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mkv: open GOPs, two sounds, srt, ass (forced), a font, a cover, chapters, tags; 10 s."""
    folder = tmp_path_factory.mktemp("rich")
    clip = Clip(frames=100, rate=Fraction(10), gop=21, b_frames=2, open_gop=True, sounds=SOUNDS)
    plain = write_file(folder / "plain.mkv", clip)
    texts = {"a.srt": SRT, "b.ass": ASS, "c.txt": CHAPTERS}
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "font.ttf").write_bytes(FONT)
    command = [ffmpeg(), "-hide_banner", "-loglevel", "error", "-i", plain, "-i", folder / "a.srt"]
    command += ["-i", folder / "b.ass", "-f", "ffmetadata", "-i", folder / "c.txt"]
    command += [
        "-map",
        "0",
        "-map",
        "1",
        "-map",
        "2",
        "-c",
        "copy",
        "-map_metadata",
        "3",
        "-map_chapters",
        "3",
    ]
    command += ["-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=ger"]
    command += ["-metadata:s:a:1", "title=Commentary", "-disposition:s:1", "forced"]
    command += ["-attach", folder / "font.ttf", "-metadata:s:t:0", "mimetype=font/ttf"]
    picture = [ffmpeg(), "-loglevel", "error", "-f", "lavfi", "-i", "color=red:s=32x32"]
    subprocess.run([*picture, "-frames:v", "1", folder / "cover.png"], check=True)
    command += ["-attach", folder / "cover.png", "-metadata:s:t:1", "mimetype=image/png"]
    subprocess.run([*command, folder / "rich.mkv"], check=True)
    return folder / "rich.mkv"


def test_everything_of_a_matroska_file_is_there(rich_file: Path, tmp_path: Path):
    output = tmp_path / "big.mkv"
    summary = run(rich_file, output)
    assert (summary.made, summary.reused, summary.frames) == (3, 0, 100)
    source, made = see(rich_file), see(output)
    assert made.kinds == source.kinds
    assert sorted(made.kinds) == sorted(
        ["video", "audio", "audio", "subtitle", "subtitle", "attachment", "cover"]
    )
    assert made.languages == source.languages
    assert made.dispositions == source.dispositions
    assert Disposition.forced in made.dispositions
    assert made.chapters == source.chapters == [(0, 4, "Opening"), (4, 10, "Part B")]
    assert made.attachments == source.attachments == {"font.ttf": ("font/ttf", FONT)}
    assert made.metadata["title"] == "A film"
    assert made.metadata["ARTIST"] == source.metadata["ARTIST"] == "Somebody"
    for kind in ("audio", "subtitle", "cover"):
        assert made.of(kind) == source.of(kind), kind
    assert times(made.of("video")[0]) == times(source.of("video")[0])
    assert counters(output) == list(range(100))
    with av.open(str(output)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (320, 180)
        assert container.streams.video[0].average_rate == 10
        assert container.streams.audio[1].metadata["title"] == "Commentary"
    assert list(tmp_path.iterdir()) == [output]


def test_mp4_keeps_every_tick_the_rotation_and_the_shape(tmp_path: Path):
    clip = Clip(
        frames=60,
        rate=Fraction(24000, 1001),
        gop=30,
        b_frames=2,
        sar=Fraction(4, 3),
        matrix=1,
        primaries=1,
        transfer=1,
        sounds=SOUNDS,
    )
    upright = write_file(tmp_path / "upright.mp4", clip)
    source, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
    with av.open(str(upright)) as before, av.open(str(source), "w") as after:
        copies = {s.index: after.add_stream_from_template(s, opaque=True) for s in before.streams}
        copies[0].set_display_rotation(90)
        for packet in before.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                after.mux(packet)
    run(source, output)
    old, new = see(source), see(output)
    assert times(new.of("video")[0]) == times(old.of("video")[0])
    assert new.of("audio") == old.of("audio")
    assert counters(output) == list(range(60))
    with av.open(str(output)) as container:
        video = container.streams.video[0]
        frame = next(container.decode(video))
        assert frame.rotation == 90
        assert video.sample_aspect_ratio == Fraction(4, 3)
        assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 1, 1)
        assert video.average_rate == Fraction(24000, 1001)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_times_of_a_transport_stream_that_starts_late_stay(tmp_path: Path, suffix: str):
    start = Fraction(3, 2)
    clip = Clip(frames=50, gop=25, start_seconds=start, sounds=(Sound(language="fra"),), vfr=True)
    source = write_file(tmp_path / "in.ts", clip)
    output = tmp_path / f"out{suffix}"
    run(source, output)
    old, new = see(source), see(output)
    precision = Fraction(1, 2000) if suffix == ".mkv" else 0
    for kind in ("video", "audio"):
        pairs = zip(times(old.of(kind)[0]), times(new.of(kind)[0]), strict=True)
        assert max(abs(a - b) for a, b in pairs) <= precision
    # Without their ADTS headers of seven bytes, the packets are the same.
    assert payloads(new.of("audio")) == [[data[7:] for data in payloads(old.of("audio"))[0]]]
    assert counters(output) == list(range(50))


def test_keyframes_may_lie_far_apart(tmp_path: Path):
    clip = Clip(frames=60, rate=Fraction(2), gop=60)
    source = write_file(tmp_path / "in.mkv", clip)
    summary = run(source, tmp_path / "out.mkv")
    assert (summary.made, summary.frames) == (1, 60)
    assert counters(tmp_path / "out.mkv") == list(range(60))


def test_mpeg2_video_is_upscaled_too(tmp_path: Path):
    source = write_file(tmp_path / "in.mkv", Clip(frames=24, codec="mpeg2video"))
    run(source, tmp_path / "out.mkv")
    assert counters(tmp_path / "out.mkv") == list(range(24))


def test_a_stream_that_does_not_fit_is_named(rich_file: Path, tmp_path: Path):
    output = tmp_path / "out.mp4"
    with pytest.raises(OriginError) as refused:
        run(rich_file, output)
    for part in ("out.mp4 cannot hold", "subrip, eng", "ass, ger", "font.ttf", "--drop-unsupp"):
        assert part in refused.value.detail
    assert not output.exists()
    summary = run(rich_file, output, drop_unsupported=True)
    assert len(summary.dropped) == 3
    made = see(output)
    assert made.of("audio")[1] == see(rich_file).of("audio")[1]
    assert made.chapters == see(rich_file).chapters
    assert [data for _, data in made.of("cover")[0]] == payloads(see(rich_file).of("cover"))[0]
    assert made.metadata["title"] == "A film"


def test_a_part_begins_within_its_first_second(rich_file: Path, tmp_path: Path):
    output = tmp_path / "out.mkv"
    summary = run(rich_file, output, start_seconds=5.0, end_seconds=6.0)
    source, made = see(rich_file), see(output)
    first, last = counters(output)[0], counters(output)[-1]
    assert counters(output) == list(range(first, last + 1))
    assert summary.made == 1
    assert first <= 50
    assert last >= 59
    shift = times(source.of("video")[0])[first] - times(made.of("video")[0])[0]
    assert shift == int(shift) > 0
    assert 0 <= times(made.of("video")[0])[0] < 1
    whole = {(pts - shift, data) for pts, data in source.of("audio")[0]}
    assert set(made.of("audio")[0]) <= whole
    assert len(made.of("audio")[0]) > 40
    assert [title for _, _, title in made.chapters] == ["Part B"]


def test_the_same_file_twice_is_the_same_bytes(rich_file: Path, tmp_path: Path):
    for name in ("a.mkv", "b.mkv"):
        run(rich_file, tmp_path / name)
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


INTERRUPTED = textwrap.dedent(
    """
    import os, signal, sys
    from origin.cli import main
    from origin.upscale.parts import Parts

    keep, kept = Parts.keep, []

    def keep_three(*arguments):
        kept.append(keep(*arguments))
        if len(kept) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return kept[-1]

    Parts.keep = keep_three
    sys.exit(main())
    """
)
"""The command, interrupted by itself: whoever watches it from outside may be too slow."""


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten segments that take a while."""
    clip = Clip(width=320, height=180, frames=320, rate=Fraction(8), gop=32, sounds=(Sound(),))
    return write_file(tmp_path_factory.mktemp("long") / "in.mkv", clip)


def test_an_interrupted_run_goes_on_where_it_stopped(long_file: Path, tmp_path: Path):
    output = tmp_path / "out.mkv"
    arguments = ["upscale", str(long_file), str(output), "--model", "lanczos", "--scale", "3"]
    arguments += ["--preset", "medium", "--crf", "23"]
    objects = tmp_path / "out.mkv.parts" / "objects"
    stopped = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert stopped.returncode == 130
    assert "run the same command again" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert not output.exists()
    kept = {path.name: path.stat().st_mtime_ns for path in objects.iterdir()}
    assert 3 <= len(kept) < 10
    victim, *_ = objects.iterdir()
    victim.write_bytes(victim.read_bytes()[:-1])

    command = [sys.executable, "-m", "origin", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    reused = len(kept) - 1
    assert f"320 frames in 10 segments, {reused} from an earlier run" in done.stderr
    assert f"upscaling 320 frames, {reused * 32} of them made before" in done.stderr
    assert counters(output) == list(range(320))
    assert not objects.parent.exists()


def test_other_settings_do_not_take_what_is_there(rich_file: Path, tmp_path: Path):
    output = tmp_path / "out.mp4"
    run(rich_file, output, drop_unsupported=True)
    summary = run(rich_file, output, drop_unsupported=True, overwrite=True, crf=30)
    assert (summary.made, summary.reused) == (3, 0)


def test_a_foreign_directory_stays(rich_file: Path, tmp_path: Path):
    mine = tmp_path / "out.mkv.parts" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("precious")
    with pytest.raises(OriginError, match="not made by this command"):
        run(rich_file, tmp_path / "out.mkv")
    assert mine.read_text() == "precious"


def test_two_runs_do_not_share_an_output(rich_file: Path, tmp_path: Path):
    from origin.upscale.parts import Parts  # noqa: PLC0415

    parts = Parts(tmp_path / "out.mkv")
    with pytest.raises(OriginError, match="another run is making"):
        run(rich_file, tmp_path / "out.mkv")
    parts.release()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.mkv", "out.mkv"], "there is no such file"),
        (["in.mkv", "out.avi"], "expected a name that ends in .mkv, .mp4, .m4v"),
        (["in.mkv", "no/out.mkv"], "there is no such directory"),
        (["in.mkv", "in.mkv"], "is the source"),
        (["in.mkv", "there.mkv"], "give --overwrite"),
        (["text.mkv", "out.mkv"], "does not begin as a .mkv file does"),
        (["empty.mkv", "out.mkv"], "is empty"),
        (["cut.mkv", "out.mkv"], "is truncated"),
        (["sound.mkv", "out.mkv"], "has no video"),
        (["in.mkv", "out.mkv", "--scale", "1"], "expected a scale above 1x"),
        (["in.mkv", "out.mkv", "--crf", "99"], "expected a --crf from 0 to 51"),
        (["in.mkv", "out.mkv", "--threads", "0"], "expected at least one thread"),
        (["in.mkv", "out.mkv", "--start", "3", "--end", "2"], "expected --start before --end"),
        (["in.mkv", "out.mkv", "--start", "99"], "the source ends at"),
        (["in.mkv", "out.mkv", "--model", "nonsense"], "nonsense"),
    ],
)
def test_a_mistake_ends_in_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    write_file(Path("in.mkv"), Clip(frames=4, width=64, height=64))
    Path("cut.mkv").write_bytes(Path("in.mkv").read_bytes()[:-300])
    Path("text.mkv").write_text("no film\n")
    Path("empty.mkv").write_bytes(b"")
    Path("there.mkv").write_bytes(b"")
    with av.open("sound.mkv", "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame(format="s16", layout="stereo", samples=160)
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    before = sorted(path.name for path in tmp_path.iterdir())
    defaults = ["--model", "lanczos", "--scale", "2"]
    options = arguments[:2] + [
        part
        for flag, value in zip(defaults[::2], defaults[1::2], strict=True)
        if flag not in arguments
        for part in (flag, value)
    ]
    status = main(["upscale", *options, *arguments[2:]])
    lines = capsys.readouterr().err.splitlines()
    assert status in (1, 2)
    assert len(lines) == 1
    assert words in lines[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == before
