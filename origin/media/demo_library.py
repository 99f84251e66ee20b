"""Makes a small library of low-resolution titles out of one clip: what `make demo` serves.

Three titles, so that every way in is there to try: HLS with MPEG-TS segments and muxed audio, HLS
with fMP4 segments and an audio rendition at 24000/1001 fps, and a Matroska file with B-frames, two
audio tracks, plain and styled subtitles and a font. The picture runs forwards and backwards, so
that no cut shows; the sound loops.
"""

import heapq
import io
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from origin.media import demo_subtitles

SAMPLE_RATE = 48_000
SEGMENT_SECONDS = 4
_BT709 = 1
_AUDIO_BIT_RATE = 128_000

Advance = Callable[[str, float], None]
"""Told the title and the share of it, 0 to 1, that is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A decoded clip.

    Attributes:
        pictures: Frames in display order, by height.
        sound: float32 of shape (2, samples) at `SAMPLE_RATE`.
    """

    pictures: dict[int, list[av.VideoFrame]]
    sound: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Track:
    """A stream that is being written: its container, and its frames still to be encoded."""

    container: av.container.OutputContainer
    stream: Any
    frames: Iterator[Any]

    def packets(self, frame: Any) -> list[Any]:
        """Encode a frame; None ends the track."""
        return list(self.stream.encode(frame))

    def timed(self) -> Iterator[tuple[float, "_Track", Any]]:
        for frame in self.frames:
            yield float(frame.pts * frame.time_base), self, frame


class _TextTrack(_Track):
    """Subtitles, whose frames are packets already."""

    def packets(self, frame: Any) -> list[Any]:
        return [] if frame is None else [frame]


def make_library(
    clip: Path,
    directory: Path,
    *,
    font: Path | None = None,
    height: int = 360,
    seconds: int = 64,
    advance: Advance,
) -> None:
    """Makes `bunny-ts/`, `bunny-fmp4/` and `bunny.mkv` in an existing, empty directory.

    Args:
        clip: Any 16:9 video file with sound that FFmpeg decodes.
        directory: Where the titles go.
        font: What the styled subtitles are written in; attached to the Matroska file.
        height: Rows of the taller variant; the other has half as many. A multiple of 36.
        seconds: How long each title is at least.
        advance: Called as the work proceeds.
    """
    source = _decode(clip, (height, height // 2))
    _make_ts(source, directory / "bunny-ts", height, seconds, advance)
    _make_fmp4(source, directory / "bunny-fmp4", height, seconds, advance)
    _make_mkv(source, directory / "bunny.mkv", height, seconds, advance, font=font)


def _decode(clip: Path, heights: tuple[int, ...]) -> Clip:
    pictures: dict[int, list[av.VideoFrame]] = {height: [] for height in heights}
    sound: list[NDArray[np.float32]] = []
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0, audio=0):
            if isinstance(frame, av.VideoFrame):
                for height, frames in pictures.items():
                    frames.append(
                        frame.reformat(width=_width(height), height=height, format="yuv420p")
                    )
            elif isinstance(frame, av.AudioFrame):
                sound += [
                    part.to_ndarray().astype(np.float32) for part in resampler.resample(frame)
                ]
    return Clip(pictures=pictures, sound=np.concatenate(sound, axis=1))


def _make_ts(clip: Clip, directory: Path, height: int, seconds: int, advance: Advance) -> None:
    rate = Fraction(25)
    tracks: list[_Track] = []
    for rows in (height, height // 2):
        output = _open_hls(directory / f"{rows}p", "mpegts")
        tracks.append(_add_video(output, clip, rows, rate, seconds))
        tracks.append(_add_audio(output, clip, "aac", seconds))
    _encode(tracks, seconds, lambda share: advance(directory.name, share))
    variants = [_variant(track, directory) for track in tracks[::2]]
    _write_multivariant(directory, variants)


def _make_fmp4(clip: Clip, directory: Path, height: int, seconds: int, advance: Advance) -> None:
    rate = Fraction(24_000, 1001)
    tracks = [
        # FFmpeg would delay the video by its B-frames, but not the audio in a muxer of its own.
        _add_video(_open_hls(directory / f"{rows}p", "fmp4"), clip, rows, rate, seconds, b_frames=0)
        for rows in (height, height // 2)
    ]
    tracks.append(_add_audio(_open_hls(directory / "audio", "fmp4"), clip, "aac", seconds))
    _encode(tracks, seconds, lambda share: advance(directory.name, share))
    peak, average = _bit_rates(directory / "audio")
    variants = [
        _variant(track, directory, more=(peak, average), group="sound") for track in tracks[:-1]
    ]
    media = (
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="English",LANGUAGE="en",'
        'DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/index.m3u8"'
    )
    _write_multivariant(directory, [media, *variants])


def _make_mkv(
    clip: Clip, path: Path, height: int, seconds: int, advance: Advance, *, font: Path | None
) -> None:
    container = av.open(str(path), "w", format="matroska")
    slowed = Clip(pictures={}, sound=_slowed(clip.sound))
    tracks = [
        _add_video(container, clip, height, Fraction(25), seconds),
        _add_audio(container, clip, "aac", seconds, language="eng", title="English"),
        _add_audio(container, slowed, "libopus", seconds, language="eng", title="Commentary"),
        _add_text(container, "srt", demo_subtitles.plain(seconds), title="English"),
        _add_text(container, "ass", demo_subtitles.styled(seconds), title="Styled"),
    ]
    if font is not None:
        container.add_attachment(font.name, "application/x-truetype-font", font.read_bytes())
    tracks[1].stream.disposition = av.stream.Disposition.default
    _encode(tracks, seconds, lambda share: advance(path.name, share))


def _slowed(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """The loop a major third lower, to be told from the original by ear."""
    positions = np.arange(int(sound.shape[1] / 0.8)) * 0.8
    return sound[:, positions.astype(np.int64)]


def _open_hls(directory: Path, kind: str) -> av.container.OutputContainer:
    directory.mkdir(parents=True)
    suffix = {"mpegts": "ts", "fmp4": "m4s"}[kind]
    options = {
        "hls_time": str(SEGMENT_SECONDS),
        "hls_playlist_type": "vod",
        "hls_segment_type": kind,
        "hls_segment_filename": str(directory / f"%03d.{suffix}"),
        "hls_fmp4_init_filename": "init.mp4",
        "hls_flags": "independent_segments",
    }
    return av.open(str(directory / "index.m3u8"), "w", format="hls", options=options)


def _add_video(
    container: av.container.OutputContainer,
    clip: Clip,
    height: int,
    rate: Fraction,
    seconds: int,
    *,
    b_frames: int = 3,
) -> _Track:
    stream = container.add_stream("libx264", rate=rate)
    stream.width, stream.height = _width(height), height
    stream.pix_fmt = "yuv420p"
    stream.time_base = 1 / rate
    stream.bit_rate = round(800_000 * (height / 360) ** 1.5)
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    interval = math.ceil(SEGMENT_SECONDS * rate)
    stream.options = {
        "preset": "veryfast",
        "profile": "main",
        "g": str(interval),
        "keyint_min": str(interval),
        "sc_threshold": "0",
        "bf": str(b_frames),
    }
    return _Track(
        container=container,
        stream=stream,
        frames=_pictures(clip.pictures[height], rate, math.ceil(seconds * rate)),
    )


def _add_audio(
    container: av.container.OutputContainer,
    clip: Clip,
    codec: str,
    seconds: int,
    **metadata: str,
) -> _Track:
    stream: Any = container.add_stream(codec, rate=SAMPLE_RATE, layout="stereo")
    stream.bit_rate = _AUDIO_BIT_RATE
    stream.metadata.update(metadata)
    sample_format = "fltp" if codec == "aac" else "flt"
    return _Track(
        container=container,
        stream=stream,
        frames=_sounds(clip.sound, sample_format, seconds * SAMPLE_RATE),
    )


def _add_text(
    container: av.container.OutputContainer, kind: str, text: str, *, title: str
) -> _Track:
    source = av.open(io.BytesIO(text.encode()), "r", format=kind)
    stream: Any = container.add_stream_from_template(source.streams.subtitles[0])
    stream.metadata.update(language="eng", title=title)
    return _TextTrack(container=container, stream=stream, frames=_texts(source, stream))


def _texts(source: av.container.InputContainer, stream: Any) -> Iterator[Any]:
    for packet in source.demux():
        if packet.size:
            packet.stream = stream
            yield packet


def _pictures(frames: list[av.VideoFrame], rate: Fraction, count: int) -> Iterator[av.VideoFrame]:
    """Forwards, then backwards, then again, without showing either end twice."""
    loop = frames + frames[-2:0:-1]
    for index in range(count):
        frame = loop[index % len(loop)]
        frame.pts, frame.time_base = index, 1 / rate
        frame.pict_type = PictureType.NONE
        yield frame


def _sounds(
    sound: NDArray[np.float32], sample_format: str, count: int, size: int = 1024
) -> Iterator[av.AudioFrame]:
    for start in range(0, count, size):
        samples = np.take(sound, range(start, start + size), axis=1, mode="wrap")
        packed = sample_format == "flt"
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.T.reshape(1, -1) if packed else samples),
            format=sample_format,
            layout="stereo",
        )
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        yield frame


def _encode(tracks: list[_Track], seconds: int, advance: Callable[[float], None]) -> None:
    """Encodes all tracks side by side in order of time, and closes their containers."""
    for time_seconds, track, frame in heapq.merge(
        *(track.timed() for track in tracks), key=lambda item: item[0]
    ):
        track.container.mux(track.packets(frame))
        advance(min(1.0, time_seconds / seconds))
    for track in tracks:
        track.container.mux(track.packets(None))
    for track in tracks:
        track.container.close()
    advance(1.0)


def _variant(
    track: _Track, directory: Path, *, more: tuple[int, int] = (0, 0), group: str | None = None
) -> str:
    """The EXT-X-STREAM-INF of a video track and its URI; `more` is the audio's peak and average."""
    context = track.stream.codec_context
    name = f"{context.height}p"
    peak, average = (a + b for a, b in zip(_bit_rates(directory / name), more, strict=True))
    attributes = (
        f"BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},"
        f'CODECS="{_avc_codec(context.extradata)},mp4a.40.2",'
        f"RESOLUTION={context.width}x{context.height},"
        f"FRAME-RATE={float(context.framerate):.3f}"
    )
    if group:
        attributes += f',AUDIO="{group}"'
    return f"#EXT-X-STREAM-INF:{attributes}\n{name}/index.m3u8"


def _avc_codec(extradata: bytes) -> str:
    start = extradata.index(b"\x00\x00\x01\x67") + 4
    return f"avc1.{extradata[start : start + 3].hex().upper()}"


def _bit_rates(directory: Path) -> tuple[int, int]:
    """Peak and average in bits per second, measured on the segments."""
    playlist = (directory / "index.m3u8").read_text()
    durations = [float(text) for text in re.findall(r"#EXTINF:([\d.]+)", playlist)]
    names = re.findall(r"^[^#\s].*$", playlist, re.MULTILINE)
    bits = [8 * (directory / name).stat().st_size for name in names]
    peak = max(size / length for size, length in zip(bits, durations, strict=True))
    return math.ceil(peak), math.ceil(sum(bits) / sum(durations))


def _write_multivariant(directory: Path, entries: list[str]) -> None:
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS", *entries, ""]
    (directory / "master.m3u8").write_text("\n".join(lines))


def _width(height: int) -> int:
    """Of a 16:9 picture, to the next even number."""
    return -(-height * 8 // 9) * 2
