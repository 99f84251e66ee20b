"""Audio of media files: copied to the byte, or AAC that joins without a seam."""

import io
import subprocess
import wave
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.timeline import SegmentSpan
from origin.media import aac_grid, adts
from origin.media.aac_grid import FRAME
from origin.media.types import AudioFacts, FileFacts
from tests import ffmpeg_client
from tests.media import synth
from tests.media.packaged import audio_segment, inspect, write_audio
from tests.media.synth import Clip, Sound
from tests.tools import ffmpeg

COPIED = [
    ("file.mp4", "aac", 0),
    ("file.mp4", "aac", 10),
    ("file.mp4", "libmp3lame", 0),
    ("file.mp4", "ac3", 0),
    ("file.mov", "eac3", 0),
    ("file.mp4", "flac", 10),
    ("file.mov", "alac", 0),
    ("file.mkv", "aac", 0),
    ("file.mkv", "aac", 10),
    ("file.mkv", "libmp3lame", 0),
    ("file.mkv", "ac3", 10),
    ("file.mkv", "flac", 0),
    ("file.ts", "aac", 10),
    ("file.ts", "ac3", 10),
    ("file.ts", "libmp3lame", 10),
]


@pytest.mark.parametrize(("name", "codec", "start"), COPIED)
def test_ffmpeg_sees_the_files_own_packets_at_their_times(
    tmp_path: Path, name: str, codec: str, start: int
):
    sound = Sound(codec=codec, sample_rate=44100 if start == 0 else 48000)
    clip = Clip(frames=250, start_seconds=Fraction(start), sounds=(sound,))
    path = synth.write_file(tmp_path / name, clip)
    facts = inspect(path)
    track = facts.audio[0]
    assert track.copied
    served = write_audio(tmp_path / "served.mp4", path, facts, track)

    source, ours = ffmpeg_client.packets(path), ffmpeg_client.packets(served)
    assert ours.problems == ()
    heard = [at * source.audio[0].time_base + facts.offset_seconds for at in source.audio[0].pts]
    assert [at * ours.audio[0].time_base for at in ours.audio[0].pts] == heard
    raw = adts.strip if codec == "aac" else bytes
    assert payloads(served) == [raw(packet) for packet in payloads(path)]
    assert sum(span.packet_count for span in track.spans) == len(heard)
    assert ffmpeg_client.decode(served).problems == ()


def payloads(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[0])
        return [bytes(packet) for packet in packets if packet.size]


def test_fragments_tile_the_timeline(tmp_path: Path):
    path = synth.write_file(tmp_path / "file.mkv", Clip(frames=250, sounds=(Sound(),)))
    facts = inspect(path)
    end = None
    for span in facts.audio[0].spans:
        data = write_audio(tmp_path / "x.mp4", path, facts, facts.audio[0]).read_bytes()
        head = data[: data.index(b"moof") - 4]
        body = audio_segment(path, facts, facts.audio[0], span.index)
        with av.open(io.BytesIO(head + body)) as container:
            packets = [packet for packet in container.demux() if packet.size]
        assert end in (None, packets[0].pts)
        end = packets[-1].pts + packets[-1].duration


# What becomes AAC.


def melody(at: np.ndarray, channel: int) -> np.ndarray:
    """Two tones, one gliding, that are never periodic in a frame; a rumble where 5.1 has LFE."""
    if channel == 3:
        return 0.3 * np.sin(2 * np.pi * 50 * at)
    glide = 0.25 * np.sin(2 * np.pi * (300 + 40 * channel) * at + 20 * np.sin(2 * np.pi * 0.7 * at))
    return glide + 0.15 * np.sin(2 * np.pi * (1100 + 137 * channel) * at)


def noise(at: np.ndarray, channel: int) -> np.ndarray:
    return np.random.default_rng(channel).uniform(-0.9, 0.9, len(at))


def write_wav(path: Path, rate: int, channels: int, seconds: float, tune=melody) -> Path:
    at = np.arange(int(rate * seconds)) / rate
    samples = np.stack([tune(at, channel) for channel in range(channels)], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def with_sound(path: Path, wav: Path, *options: str) -> Path:
    """A film of 12 seconds with a sound track that FFmpeg encoded."""
    codec = "libvpx-vp9" if path.suffix == ".webm" else "libx264"
    film = synth.write_file(path.with_name("film.mkv"), Clip(frames=300, codec=codec))
    command = [ffmpeg(), "-v", "error", "-i", str(film), "-i", str(wav), "-c:v", "copy"]
    subprocess.run([*command, "-c:a", *options, str(path)], check=True)
    return path


def heard(path: Path, channels: int) -> tuple[np.ndarray, Fraction]:
    """What FFmpeg decodes, (samples, channels), and when it begins in seconds."""
    command = [ffmpeg(), "-v", "error", "-i", str(path), "-map", "0:a:0", "-ac", str(channels)]
    done = subprocess.run([*command, "-f", "f32le", "-"], capture_output=True, check=True)
    assert done.stderr == b""
    first = ffmpeg_client.decode(path).audio[0]
    samples = np.frombuffer(done.stdout, np.float32).reshape(-1, channels)
    return samples, first.pts[0] * first.time_base


def lag(one: np.ndarray, other: np.ndarray) -> int:
    """By how many samples `other` comes late, where cross-correlation is largest."""
    size = 1 << 17
    first, second = np.fft.rfft(one[:size, 0], 2 * size), np.fft.rfft(other[:size, 0], 2 * size)
    product = np.fft.irfft(first.conj() * second)
    at = int(np.argmax(product))
    return at if at < size else at - 2 * size


def block_errors(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Root mean square difference of each 1024 samples."""
    count = min(len(one), len(other)) // FRAME * FRAME
    squares = (one[:count] - other[:count]) ** 2
    return np.sqrt(squares.reshape(-1, FRAME * one.shape[1]).mean(axis=1))


def check_seams(errors: np.ndarray, borders: list[int], loudness: float) -> None:
    """No block is far off, and those around the segments' borders no more than the others."""
    inside = np.array([i for i in range(3, len(errors) - 3)])
    near = {block + side for block in borders for side in (-2, -1, 0, 1, 2)}
    away = errors[[i for i in inside if i not in near]]
    assert errors[sorted(near)].max() <= max(1.3 * away.max(), 0.001)
    assert np.median(away) < 0.05 * loudness
    assert away.max() < 0.15 * loudness


TRANSCODED = [
    ("pcm.mkv", 48000, 2, ("pcm_s16le",)),
    ("pcm.mov", 44100, 1, ("pcm_s24le",)),
    ("pcm96.mkv", 96000, 2, ("pcm_s16le",)),
    ("opus.webm", 48000, 2, ("libopus", "-b:a", "160k")),
    ("opus.mkv", 48000, 1, ("libopus", "-b:a", "96k")),
    ("opus.mp4", 48000, 6, ("libopus", "-b:a", "448k", "-mapping_family", "1")),
    ("vorbis.mkv", 44100, 2, ("libvorbis", "-b:a", "192k")),
    ("vorbis.webm", 48000, 6, ("libvorbis", "-b:a", "448k")),
    ("dts.mkv", 48000, 2, ("dca", "-strict", "-2", "-b:a", "768k")),
    ("mp2.ts", 48000, 2, ("mp2", "-b:a", "256k")),
]


@pytest.mark.parametrize(("name", "rate", "channels", "codec"), TRANSCODED)
def test_the_segments_together_sound_as_the_source_does(
    tmp_path: Path, name: str, rate: int, channels: int, codec: tuple[str, ...]
):
    wav = write_wav(tmp_path / "tune.wav", rate, channels, 12.3)
    path = with_sound(tmp_path / name, wav, *codec)
    facts = inspect(path)
    track = facts.audio[0]
    assert (track.copied, track.codecs, track.channels) == (False, "mp4a.40.2", channels)
    assert (track.sample_rate, track.time_base) == (rate, Fraction(1, rate))
    served = write_audio(tmp_path / "served.mp4", path, facts, track)

    source, source_start = heard(path, channels)
    ours, start = heard(served, channels)
    begin = round((source_start + facts.offset_seconds - start) * rate)
    assert begin >= FRAME  # the priming
    ours = ours[begin:]
    assert len(ours) >= len(source) - FRAME
    assert lag(source, ours) == 0
    loudness = float(np.sqrt((source**2).mean()))
    origin = round(source_start * rate)
    borders = [(span.first_pts - origin) // FRAME for span in track.spans[1:]]
    check_seams(block_errors(source, ours), borders, loudness)


def test_what_aac_has_no_sample_rate_for_is_resampled_on_one_grid(tmp_path: Path):
    wav = write_wav(tmp_path / "tune.wav", 37800, 2, 12.3)
    path = with_sound(tmp_path / "pcm.mkv", wav, "pcm_s16le")
    facts = inspect(path)
    track = facts.audio[0]
    assert (track.sample_rate, track.time_base) == (48000, Fraction(1, 48000))
    ours, start = heard(write_audio(tmp_path / "served.mp4", path, facts, track), 2)
    ours = ours[round((facts.offset_seconds - start) * 48000) :][: 12 * 48000]
    at = np.arange(len(ours)) / 48000
    tune = np.stack([melody(at, channel) for channel in (0, 1)], axis=1)
    assert lag(tune, ours) == 0
    borders = [span.first_pts // FRAME for span in track.spans[1:]]
    check_seams(block_errors(tune, ours), borders, float(np.sqrt((tune**2).mean())))


def test_a_sine_runs_through_every_border_in_phase(tmp_path: Path):
    def sine(at: np.ndarray, channel: int) -> np.ndarray:
        return 0.3 * np.sin(2 * np.pi * 440 * at)

    wav = write_wav(tmp_path / "tune.wav", 48000, 2, 12.3, sine)
    path = with_sound(tmp_path / "pcm.mkv", wav, "pcm_s16le")
    facts = inspect(path)
    track = facts.audio[0]
    ours, start = heard(write_audio(tmp_path / "served.mp4", path, facts, track), 2)
    at = np.arange(len(ours)) / 48000 - float(facts.offset_seconds - start)
    window = np.hanning(FRAME)
    turned = (ours[:, 0] * np.exp(-2j * np.pi * 440 * at))[2 * FRAME : 500 * FRAME]
    tone = (turned.reshape(-1, FRAME) * window).sum(axis=1) / window.sum()
    assert np.ptp(np.angle(tone)) < 0.005  # a slip of one sample would be 0.058
    assert np.ptp(np.abs(tone)) < 0.001


def test_more_channels_than_players_take_are_mixed_down(tmp_path: Path):
    wav = write_wav(tmp_path / "tune.wav", 48000, 8, 12.3)
    path = with_sound(tmp_path / "pcm.mkv", wav, "pcm_s16le")
    facts = inspect(path)
    assert facts.audio[0].channels == 6
    served = write_audio(tmp_path / "served.mp4", path, facts, facts.audio[0])
    with av.open(str(served)) as container:
        assert container.streams.audio[0].layout.name == "5.1"
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 12.3 * 48000


def test_a_gap_stays_a_gap_and_a_late_start_stays_late(tmp_path: Path):
    path = synth.write_file(
        tmp_path / "film.mkv", Clip(frames=300, sounds=(Sound(codec="pcm_s16le"),))
    )
    holed = tmp_path / "holed.mkv"
    with av.open(str(path)) as given, av.open(str(holed), "w") as made:
        streams = {s.index: made.add_stream_from_template(s) for s in given.streams}
        for packet in given.demux():
            sound = packet.stream.type == "audio"
            if packet.size and not (sound and (packet.pts < 2000 or 6000 <= packet.pts < 8000)):
                packet.stream = streams[packet.stream_index]
                made.mux(packet)
    facts = inspect(holed)
    ours, start = heard(write_audio(tmp_path / "o.mp4", holed, facts, facts.audio[0]), 2)
    source, _ = heard(path, 2)
    assert 2 - 2 * FRAME / 48000 < start - facts.offset_seconds <= 2
    begin = round((start - facts.offset_seconds) * 48000)

    def loud(part: np.ndarray, first: float, last: float) -> float:
        return float(np.abs(part[round(first * 48000) : round(last * 48000)]).mean())

    padded = np.concatenate([np.zeros((begin, 2), np.float32), ours])
    assert loud(padded, 6.1, 7.9) < 1e-4
    for first, last in ((2.1, 5.9), (8.1, 11.9)):
        cut = slice(round(first * 48000), round(last * 48000))
        assert lag(source[cut], padded[cut]) == 0
        assert np.abs(source[cut] - padded[cut]).mean() < 0.05 * loud(source, first, last)


def test_the_same_bytes_every_time_in_any_order(tmp_path: Path):
    wav = write_wav(tmp_path / "tune.wav", 48000, 2, 12.3)
    path = with_sound(tmp_path / "opus.mkv", wav, "libopus")
    facts = inspect(path)
    forwards = [audio_segment(path, facts, facts.audio[0], index) for index in (0, 1, 2)]
    backwards = [audio_segment(path, facts, facts.audio[0], index) for index in (2, 1, 0)]
    assert forwards == backwards[::-1]


def worst_rate(path: Path, facts: FileFacts, track: AudioFacts) -> float:
    return max(
        8
        * len(audio_segment(path, facts, track, span.index))
        / float((span.end_pts - span.first_pts) * track.time_base)
        for span in track.spans
    )


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_even_noise_stays_below_the_promised_bandwidth(tmp_path: Path, channels: int):
    wav = write_wav(tmp_path / "noise.wav", 48000, channels, 10, noise)
    path = with_sound(tmp_path / "noise.mkv", wav, "pcm_s16le")
    facts = inspect(path)
    assert worst_rate(path, facts, facts.audio[0]) <= facts.audio[0].peak_bandwidth


def test_the_bandwidth_of_copied_audio_is_measured(tmp_path: Path):
    path = synth.write_file(tmp_path / "file.mp4", Clip(frames=250, sounds=(Sound(),)))
    facts = inspect(path)
    worst = worst_rate(path, facts, facts.audio[0])
    assert worst <= facts.audio[0].peak_bandwidth <= worst + 1


@given(
    origin=st.integers(-2000, 500_000),
    samples=st.integers(1, 3_000_000),
    lengths=st.lists(st.integers(1, 20_000), min_size=1, max_size=12),
    start=st.integers(0, 20_000),
)
def test_aac_frames_are_dealt_out_by_where_they_start(
    origin: int, samples: int, lengths: list[int], start: int
):
    video = SegmentSpan(
        index=0,
        key_pts=0,
        key_dts=0,
        packet_count=1,
        first_pts=start,
        end_pts=start,
        leading=False,
    )
    spans, at = [], start
    for length in lengths:
        spans.append(replace(video, first_pts=at, end_pts=at + length))
        at += length
    dealt = aac_grid.aac_spans(
        origin=origin, samples=samples, rate=48000, spans=spans, time_base=Fraction(1, 1000)
    )
    assert len(dealt) == len(spans)
    assert dealt[0].first_pts == origin - FRAME
    assert dealt[-1].end_pts - FRAME < origin + samples <= dealt[-1].end_pts
    for before, after in pairwise(dealt):
        assert before.end_pts == after.first_pts
    for span, own in zip(spans, dealt, strict=True):
        assert own.end_pts - own.first_pts == FRAME * own.packet_count
        if own.packet_count and span is not spans[0]:
            assert own.first_pts >= span.first_pts * 48
        if own.packet_count and span is not spans[-1]:
            assert own.end_pts - FRAME < span.end_pts * 48
