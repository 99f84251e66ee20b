"""Media files with subtitles and attachments, muxed by FFmpeg."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from tests.media.synth import Clip, write_file
from tests.tools import ffmpeg

STYLES = (
    "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, "
    "Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, "
    "Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\n"
    "Style: Default,Block,24,&H00FFFFFF,&H000000FF,&H0,&H0,0,0,0,0,100,100,0,0,1,2,2,2,10,10,10,1\n"
)

SRT = """1
00:00:00,500 --> 00:00:02,000
<i>Hello</i> & <b>welcome</b>
to --> segments

2
00:00:03,500 --> 00:00:05,250
Over the border, für 漢字

3
00:00:05,250 --> 00:00:05,900
<font color="#ff0000">Last</font>
"""
ASS = f"""[Script Info]
ScriptType: v4.00+
PlayResX: 640
PlayResY: 360

[V4+ Styles]
{STYLES}
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 1,0:00:00.50,0:00:04.80,Default,Bob,0,0,0,,{{\\i1}}Styled{{\\i0}} speech\\Nin two lines
Dialogue: 0,0:00:05.00,0:00:05.50,Default,,0,0,0,,{{\\an8\\pos(320,20)}}A sign
"""
VTT = """WEBVTT

00:00.500 --> 00:02.000 line:0 align:left
<v Bob>Hi <b>you</b> &amp; me

00:03.000 --> 00:05.500
Bye
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Subtitles to mux: a file's suffix, its content, and FFmpeg's name of the codec to write."""

    suffix: str
    content: str | bytes
    codec: str = "copy"
    options: tuple[str, ...] = ()


def write_subtitled(
    path: Path,
    tracks: Sequence[Track],
    *,
    clip: Clip | None = None,
    attachments: Sequence[tuple[str, bytes]] = (),
) -> Path:
    """Mux a synthetic clip of six seconds with subtitles and attachments (names and contents)."""
    clip = clip or Clip(frames=150, gop=25, b_frames=0)
    video = write_file(path.with_name(f"video-{path.stem}{path.suffix}"), clip)
    inputs, options = ["-i", str(video)], ["-map", "0", "-c", "copy"]
    for index, track in enumerate(tracks):
        source = path.with_name(f"{path.stem}-{index}.{track.suffix}")
        source.write_bytes(
            track.content.encode() if isinstance(track.content, str) else track.content
        )
        inputs += ["-i", str(source)]
        options += ["-map", f"{index + 1}", f"-c:s:{index}", track.codec]
        options += [part.replace("#", str(index)) for part in track.options]
    for index, (name, content) in enumerate(attachments):
        attached = path.with_name(f"attached-{index}")
        attached.write_bytes(content)
        options += ["-attach", str(attached), f"-metadata:s:t:{index}", f"filename={name}"]
        options += [f"-metadata:s:t:{index}", "mimetype=font/ttf"]
    _ffmpeg(*inputs, *options, str(path))
    video.unlink()
    return path


def extracted(path: Path | str, index: int) -> list[tuple[int, int, str]]:
    """Start and end in milliseconds, and text, of each cue, as FFmpeg alone extracts them."""
    text = _ffmpeg("-copyts", "-i", str(path), "-map", f"0:s:{index}", "-f", "webvtt", "-")
    return cues(text.decode())


def cues(text: str) -> list[tuple[int, int, str]]:
    """The cues of WebVTT, entities resolved, each once."""
    rows = []
    for block in re.split(r"\n\n+", text):
        found = re.search(r"^(\S+) --> (\S+).*\n((?:.+\n?)*)", block, re.MULTILINE)
        if found:
            rows.append((_time(found[1]), _time(found[2]), unescape(found[3]).rstrip("\n")))
    return list(dict.fromkeys(rows))


def _time(text: str) -> int:
    seconds = 0.0
    for part in text.split(":"):
        seconds = 60 * seconds + float(part)
    return round(1000 * seconds)


def _ffmpeg(*arguments: str) -> bytes:
    command = [ffmpeg(), "-hide_banner", "-nostdin", "-y", "-v", "error", *arguments]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
