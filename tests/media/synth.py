"""Makes small media with burnt-in frame counters: what every test of origin.media is fed with.

A frame shows its own number as sixteen black or white cells in its upper half, over a slope that
moves, and survives coarse encoding, 160x90 and scaling. `write_file` makes a media file,
`write_hls` an HLS title by FFmpeg's own segmenter, `read_counter` reads a decoded frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import PictureType, VideoFrame

COLUMNS, ROWS = 8, 2
DARK, LIGHT = 40, 210
WRAP_SECONDS = Fraction(2**33, 90000)
"""Where MPEG-TS timestamps wrap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One audio stream: a sine, louder and softer by the second."""

    codec: str = "aac"
    """An FFmpeg encoder: aac, ac3, libmp3lame, libopus, pcm_s16le, flac, ..."""
    sample_rate: int = 48000
    layout: str = "stereo"
    language: str | None = None
    frequency: int = 440


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What to make. Colour code points are H.273's; 2 is unspecified."""

    width: int = 160
    height: int = 90
    frames: int = 48
    rate: Fraction = Fraction(25)
    vfr: bool = False
    """Variable frame rate: durations go 1, 1, 2, 1, 3 frames round and round."""
    codec: str = "libx264"
    """libx264, libx265, libvpx-vp9, libsvtav1, mpeg2video."""
    pix_fmt: str = "yuv420p"
    b_frames: int = 0
    open_gop: bool = False
    gop: int = 24
    """Keyframe interval in frames. Open GOPs have leading pictures if b_frames + 1 divides it."""
    sar: Fraction = Fraction(1)
    start_seconds: Fraction = Fraction(0)
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    full_range: bool = False
    noise: bool = False
    """Every frame is noise under its counter: expensive to encode."""
    sounds: tuple[Sound, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    """More encoder options."""

    @property
    def seconds(self) -> Fraction:
        """Duration."""
        return self.time_of(self.frames) - self.start_seconds

    def time_of(self, index: int) -> Fraction:
        """Presentation time of a frame in seconds."""
        steps = index
        if self.vfr:
            cycles, rest = divmod(index, 5)
            steps = cycles * 8 + (0, 1, 2, 4, 5)[rest]
        return self.start_seconds + steps / self.rate


def _cells(width: int, height: int) -> Iterator[tuple[int, slice, slice]]:
    for bit in range(COLUMNS * ROWS):
        row, column = divmod(bit, COLUMNS)
        top, left = row * height // (2 * ROWS), column * width // COLUMNS
        bottom, right = (row + 1) * height // (2 * ROWS), (column + 1) * width // COLUMNS
        yield bit, slice(top, bottom), slice(left, right)


def draw(index: int, clip: Clip) -> VideoFrame:
    """Frame number `index`, in yuv420p."""
    width, height = clip.width, clip.height
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    luma = ((across + down + 3 * index) % 160 + 40).astype(np.uint8)
    if clip.noise:
        luma = np.random.default_rng(index).integers(16, 235, (height, width), np.uint8)
    for bit, rows, columns in _cells(width, height):
        luma[rows, columns] = LIGHT if index >> bit & 1 else DARK
    frame = VideoFrame(width, height, "yuv420p")
    chroma_size = ((height + 1) // 2, (width + 1) // 2)
    _fill(frame, 0, luma)
    _fill(frame, 1, np.full(chroma_size, 90 + index % 64, np.uint8))
    _fill(frame, 2, np.full(chroma_size, 160 - index % 64, np.uint8))
    return frame


def _fill(frame: VideoFrame, plane: int, samples: np.ndarray) -> None:
    target = frame.planes[plane]
    rows = np.frombuffer(target, np.uint8).reshape(-1, target.line_size)
    rows[: samples.shape[0], : samples.shape[1]] = samples


def luma(frame: VideoFrame) -> np.ndarray:
    """The luma plane of a decoded frame, (H, W) uint8."""
    plain = (
        frame if frame.format.name in ("yuv420p", "yuvj420p") else frame.reformat(format="yuv420p")
    )
    plane = plain.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: plain.height, : plain.width].copy()


def read_counter(samples: np.ndarray) -> int:
    """The number that a luma plane (H, W) of any size shows."""
    height, width = samples.shape
    number = 0
    for bit, rows, columns in _cells(width, height):
        cell = samples[rows, columns]
        inset_y, inset_x = cell.shape[0] // 4, cell.shape[1] // 4
        middle = cell[inset_y : cell.shape[0] - inset_y, inset_x : cell.shape[1] - inset_x]
        number |= int(middle.mean() > (DARK + LIGHT) / 2) << bit
    return number


def _codec_options(clip: Clip) -> dict[str, str]:
    gop, b_frames = str(clip.gop), str(clip.b_frames)
    x26x = f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={b_frames}:b-adapt=0"
    x26x += f":open-gop={int(clip.open_gop)}"
    options = {
        "libx264": {"preset": "veryfast", "crf": "20", "x264-params": x26x},
        "libx265": {"preset": "ultrafast", "crf": "20", "x265-params": x26x + ":log-level=none"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "b": "300k", "g": gop},
        "libsvtav1": {"preset": "12", "crf": "30", "g": gop, "svtav1-params": "lp=1"},
        "mpeg2video": {"b": "800k", "g": gop, "bf": b_frames, "sc_threshold": "1000000000"},
    }[clip.codec]
    if clip.codec == "mpeg2video" and not clip.open_gop:
        options["flags"] = "+cgop"
    return options | clip.options


def _video_stream(container: av.container.OutputContainer, clip: Clip, time_base: Fraction):
    stream = container.add_stream(clip.codec, rate=clip.rate, options=_codec_options(clip))
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = clip.width, clip.height, clip.pix_fmt
    context.sample_aspect_ratio = clip.sar
    context.colorspace, context.color_primaries = clip.matrix, clip.primaries
    context.color_trc, context.color_range = clip.transfer, 2 if clip.full_range else 1
    context.time_base = 1 / clip.rate if clip.codec == "mpeg2video" else time_base
    context.thread_count = 1
    stream.time_base = time_base
    return stream


def _video_packets(stream, clip: Clip) -> Iterator[tuple[Fraction, av.Packet]]:
    context = stream.codec_context
    base = context.time_base
    start = round(clip.start_seconds / base)
    for index in range(clip.frames):
        frame = draw(index, clip)
        if clip.pix_fmt != "yuv420p":
            frame = frame.reformat(format=clip.pix_fmt)
        frame.pict_type = PictureType.NONE
        frame.pts, frame.time_base = round(clip.time_of(index) / base) - start, base
        yield from _shifted(stream.encode(frame), start, base)
    yield from _shifted(stream.encode(None), start, base)


def _shifted(packets: list[av.Packet], start: int, base: Fraction):
    """Encoders are given small timestamps; the start is added to what they return."""
    for packet in packets:
        packet.pts += start
        packet.dts += start
        yield packet.dts * base, packet


def _sound_packets(stream, sound: Sound, clip: Clip) -> Iterator[tuple[Fraction, av.Packet]]:
    rate = sound.sample_rate
    size = stream.codec_context.frame_size or 1024
    start = round(clip.start_seconds * rate)
    total = int(clip.seconds * rate)
    channels = stream.codec_context.layout.nb_channels
    for first in range(0, total, size):
        at = (first + np.arange(size)) / rate
        wave = np.sin(2 * np.pi * sound.frequency * at) * (0.2 + 0.1 * np.sin(2 * np.pi * at))
        samples = np.repeat(wave[:, None], channels, axis=1)
        packed = (samples * 32767).astype(np.int16).reshape(1, -1)
        frame = AudioFrame.from_ndarray(packed, format="s16", layout=sound.layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
        yield from _shifted(stream.encode(frame), start, Fraction(1, rate))
    yield from _shifted(stream.encode(None), start, Fraction(1, rate))


def _mux(container: av.container.OutputContainer, clip: Clip, time_base: Fraction) -> None:
    video = _video_stream(container, clip, time_base)
    tracks = [_video_packets(video, clip)]
    for sound in clip.sounds:
        stream = container.add_stream(sound.codec, rate=sound.sample_rate, layout=sound.layout)
        stream.codec_context.time_base = Fraction(1, sound.sample_rate)
        if sound.language:
            stream.metadata["language"] = sound.language
        tracks.append(_sound_packets(stream, sound, clip))
    container.start_encoding()
    rows = [row for track in tracks for row in track]
    for _, packet in sorted(rows, key=lambda row: row[0]):
        container.mux(packet)


_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".ts": "mpegts"}
_TIME_BASES = {".mp4": None, ".mov": None, ".mkv": 1000, ".webm": 1000, ".ts": 90000}


def native_time_base(clip: Clip) -> Fraction:
    """Ticks that represent the clip's frame times exactly, where its rate is constant or not."""
    return Fraction(1, clip.rate.numerator * (1000 if clip.rate.denominator == 1 else 1))


def write_file(path: Path, clip: Clip) -> Path:
    """Write an mp4, mov, mkv, webm or ts file, by the suffix of `path`."""
    ticks = _TIME_BASES[path.suffix]
    time_base = Fraction(1, ticks) if ticks else native_time_base(clip)
    options = {"avoid_negative_ts": "disabled"} if clip.start_seconds else {}
    if path.suffix == ".ts":
        options = {"avoid_negative_ts": "disabled", "mpegts_copyts": "1"}
    with av.open(str(path), "w", format=_FORMATS[path.suffix], options=options) as container:
        _mux(container, clip, time_base)
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class HlsFiles:
    """What `write_hls` wrote: a media playlist, its segments in order, its init segment."""

    playlist: Path
    segments: tuple[Path, ...]
    init: Path | None


def write_hls(
    folder: Path, clip: Clip, kind: str = "mpegts", segment_seconds: float = 0.01
) -> HlsFiles:
    """Write `index.m3u8` and its segments (`kind` mpegts or fmp4) by FFmpeg's hls muxer.

    A segment ends at the first keyframe `segment_seconds` or more after its start: by default at
    every keyframe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    playlist = folder / "index.m3u8"
    suffix = "m4s" if kind == "fmp4" else "ts"
    options = {
        "hls_time": str(segment_seconds),
        "hls_list_size": "0",
        "hls_playlist_type": "vod",
        "hls_segment_type": kind,
        "hls_segment_filename": str(folder / f"s%03d.{suffix}"),
        "hls_fmp4_init_filename": "init.mp4",
        "avoid_negative_ts": "disabled",
    }
    if kind == "mpegts":
        options["hls_segment_options"] = "mpegts_copyts=1:avoid_negative_ts=disabled"
    time_base = Fraction(1, 90000) if kind == "mpegts" else native_time_base(clip)
    with av.open(str(playlist), "w", format="hls", options=options) as container:
        _mux(container, clip, time_base)
    return HlsFiles(
        playlist=playlist,
        segments=tuple(sorted(folder.glob(f"s*.{suffix}"))),
        init=folder / "init.mp4" if kind == "fmp4" else None,
    )


def write_byte_ranges(folder: Path, clip: Clip) -> Path:
    """Write `index.m3u8` over one fragmented MP4: a byte range for each GOP and for the header."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "all.mp4"
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    options["avoid_negative_ts"] = "disabled"
    with av.open(str(file), "w", format="mp4", options=options) as container:
        _mux(container, clip, native_time_base(clip))
    boxes = list(_top_level_boxes(file.read_bytes()))
    header = sum(size for kind, _, size in boxes if kind in ("ftyp", "moov"))
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:2"]
    lines.append(f'#EXT-X-MAP:URI="all.mp4",BYTERANGE="{header}@0"')
    fragments = [(at, size) for kind, at, size in boxes if kind == "moof"]
    bodies = [size for kind, _, size in boxes if kind == "mdat"]
    for (at, moof), mdat in zip(fragments, bodies, strict=True):
        seconds = float(clip.gop / clip.rate)
        lines += [f"#EXTINF:{seconds:.6f},", f"#EXT-X-BYTERANGE:{moof + mdat}@{at}", "all.mp4"]
    playlist = folder / "index.m3u8"
    playlist.write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    return playlist


def _top_level_boxes(data: bytes) -> Iterator[tuple[str, int, int]]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8].decode(), at, size
        at += size
