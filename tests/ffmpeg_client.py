"""FFmpeg as an HLS client: an independent judge of what the origin serves."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tests.tools import ffmpeg

_LOUD = re.compile(r"\[(warning|error|fatal|panic)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One stream, decoded or as packets.

    Attributes:
        kind: `video` or `audio`.
        size: Width and height; zeros for audio.
        time_base: Unit of `pts`.
        pts: Timestamps in order of output.
        md5: Hash of each decoded frame, or of each packet's payload.
    """

    kind: str
    size: tuple[int, int]
    time_base: Fraction
    pts: tuple[int, ...]
    md5: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What FFmpeg made of a URL.

    Attributes:
        problems: Its log lines of level warning and worse, and its exit code where that is not 0.
        streams: In FFmpeg's order: of a multivariant playlist, all variants and renditions.
        raw: Frames of the first video stream back to back, where a pixel format was asked for.
    """

    problems: tuple[str, ...]
    streams: tuple[Stream, ...]
    raw: bytes

    @property
    def video(self) -> tuple[Stream, ...]:
        return tuple(stream for stream in self.streams if stream.kind == "video")

    @property
    def audio(self) -> tuple[Stream, ...]:
        return tuple(stream for stream in self.streams if stream.kind == "audio")


def decode(url: str | Path, *, pixel_format: str | None = None, timeout: float = 120) -> Played:
    """Decodes every stream from beginning to end, timestamps as they are.

    All streams are taken, since FFmpeg leaves a variant that nobody wants in the middle of a
    segment and then warns of a corrupt packet.

    Args:
        url: `http://127.0.0.1:…/master.m3u8`, a media playlist, or a path.
        pixel_format: Also return the first video stream's frames, as `yuv420p` or `gray` say.
        timeout: Seconds until the test fails.
    """
    timing = ["-fps_mode:v", "passthrough", "-enc_time_base:v", "demux"]
    raw = ["-map", "0:v:0", *timing, "-pix_fmt", pixel_format or "", "-f", "rawvideo", "pipe:1"]
    return _run(url, timing, raw if pixel_format else [], timeout)


def packets(url: str | Path, *, timeout: float = 120) -> Played:
    """Like `decode`, without decoding: timestamps and hashes are those of the packets."""
    return _run(url, ["-c", "copy"], [], timeout)


def _run(url: str | Path, options: list[str], more: list[str], timeout: float) -> Played:
    with tempfile.TemporaryDirectory() as folder:
        hashes = Path(folder, "hashes")
        command = [ffmpeg(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+warning"]
        command += ["-copyts", "-i", str(url), "-map", "0:v?", "-map", "0:a?", *options]
        command += ["-f", "framemd5", str(hashes), *more]
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
        problems = [line for line in done.stderr.decode().splitlines() if _LOUD.search(line)]
        if done.returncode:
            problems.append(f"ffmpeg ended with {done.returncode}")
        text = hashes.read_text() if hashes.exists() else ""
    return Played(problems=tuple(problems), streams=_parse(text), raw=done.stdout)


def _parse(text: str) -> tuple[Stream, ...]:
    """The framemd5 muxer writes `stream, dts, pts, duration, size, hash` under a header."""
    rows = [
        [cell.strip() for cell in line.split(",")]
        for line in text.splitlines()
        if line and not line.startswith("#")
    ]
    streams = []
    for index, kind in re.findall(r"^#media_type (\d+): (\w+)", text, re.MULTILINE):
        base = re.search(rf"^#tb {index}: (.+)$", text, re.MULTILINE)
        size = re.search(rf"^#dimensions {index}: (\d+)x(\d+)", text, re.MULTILINE)
        own = [row for row in rows if row[0] == index]
        streams.append(
            Stream(
                kind=kind,
                size=(int(size[1]), int(size[2])) if size else (0, 0),
                time_base=Fraction(base[1]) if base else Fraction(1),
                pts=tuple(int(row[2]) for row in own),
                md5=tuple(row[5] for row in own),
            )
        )
    return tuple(streams)
