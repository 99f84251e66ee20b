"""CODECS strings and levels, against what FFmpeg's DASH muxer, x264 and libvpx say."""

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from manifests.codecs import (
    audio_codecs,
    av01_from_av1c,
    avc1_from_sps,
    h264_level,
    hvc1_from_hvcc,
    join_codecs,
    mp4a_from_asc,
    replace_video_codec,
    vp09,
    vp09_from_vpcc,
    vp9_level,
)
from manifests.errors import ManifestError

RATE = 24


def encode(path: Path, container: str, codec: str, pixels: str, options: dict[str, str]) -> None:
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=RATE, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 96, pixels
        if codec == "libx265":
            stream.codec_context.codec_tag = "hvc1"
        for index in range(3):
            grey = av.VideoFrame.from_ndarray(np.full((144, 160), 60 * index, np.uint8), "yuv420p")
            frame = grey.reformat(format=pixels)
            frame.pts = index
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


def described_by_ffmpeg(tmp_path: Path, codec: str, pixels: str, options: dict[str, str]) -> str:
    manifest = tmp_path / "a.mpd"
    encode(manifest, "dash", codec, pixels, options)
    found = re.search(r'codecs="([^"]+)"', manifest.read_text())
    assert found
    return found[1]


def extradata(tmp_path: Path, codec: str, pixels: str, options: dict[str, str]) -> bytes:
    path = tmp_path / "a.mp4"
    encode(path, "mp4", codec, pixels, options)
    with av.open(str(path)) as container:
        return container.streams[0].codec_context.extradata or b""


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_h264_is_described_as_ffmpeg_does(tmp_path: Path, profile: str) -> None:
    options = {"profile": profile, "level": "3.1"}
    data = extradata(tmp_path, "libx264", "yuv420p", options)
    assert avc1_from_sps(data) == described_by_ffmpeg(tmp_path, "libx264", "yuv420p", options)
    sps = data[8 : 8 + int.from_bytes(data[6:8])]
    assert avc1_from_sps(b"\0\0\0\1\x09\x10\0\0\0\1" + sps) == avc1_from_sps(data)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
def test_hevc_is_described_as_ffmpeg_does(tmp_path: Path, pixels: str) -> None:
    options = {"x265-params": "log-level=none"}
    data = extradata(tmp_path, "libx265", pixels, options)
    assert hvc1_from_hvcc(data) == described_by_ffmpeg(tmp_path, "libx265", pixels, options)
    annex_b = tmp_path / "a.hevc"
    encode(annex_b, "hevc", "libx265", pixels, options)
    assert hvc1_from_hvcc(annex_b.read_bytes()) == hvc1_from_hvcc(data)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
def test_av1_is_described_as_ffmpeg_does(tmp_path: Path, pixels: str) -> None:
    options = {"preset": "11"}
    data = extradata(tmp_path, "libsvtav1", pixels, options)
    assert av01_from_av1c(data) == described_by_ffmpeg(tmp_path, "libsvtav1", pixels, options)


def test_vp9_is_described_as_ffmpeg_does(tmp_path: Path) -> None:
    options = {"deadline": "realtime", "cpu-used": "8"}
    text = vp09(0, vp9_level(160, 96, Fraction(RATE)), 8)
    assert text == described_by_ffmpeg(tmp_path, "libvpx-vp9", "yuv420p", options)
    body = bytes([0, 10, 8 << 4 | 2, 2, 2, 2, 0, 0])
    assert vp09_from_vpcc(body) == vp09_from_vpcc(b"\1\0\0\0" + body) == text
    ten_bits = bytes([2, 31, 10 << 4 | 2, 9, 16, 9, 0, 0])
    assert vp09_from_vpcc(ten_bits) == "vp09.02.31.10"


def test_hevc_high_tier_and_constraints() -> None:
    hvcc = bytes.fromhex("01 e1 60000000 b00000000000 7b") + bytes(10)
    assert hvc1_from_hvcc(hvcc) == "hvc1.C1.6.H123.B0"


def test_av1_twelve_bit_high_tier() -> None:
    assert av01_from_av1c(bytes([0x81, 2 << 5 | 13, 0xE0, 0])) == "av01.2.13H.12"


@pytest.mark.parametrize("read", [avc1_from_sps, hvc1_from_hvcc, av01_from_av1c, vp09_from_vpcc])
@pytest.mark.parametrize("data", [b"", b"\0\0\1", b"\1", b"\0\0\1\x67", b"\0\0\1\x42\1\1"])
def test_what_is_no_configuration_is_refused(read: object, data: bytes) -> None:
    assert callable(read)
    with pytest.raises(ManifestError):
        read(data)


@pytest.mark.parametrize(
    ("asc", "text"),
    [
        (bytes([0b00010_001, 0b10010_000]), "mp4a.40.2"),
        (bytes([0b00101_001, 0b10001_000, 0]), "mp4a.40.5"),
        (bytes([0b11101_001, 0b10001_000, 0]), "mp4a.40.29"),
        (bytes([0b11111_000, 0b010_00000]), "mp4a.40.34"),
        (bytes([0b11111_001, 0b010_00000]), "mp4a.40.42"),
    ],
)
def test_aac_object_types(asc: bytes, text: str) -> None:
    assert mp4a_from_asc(asc) == audio_codecs("aac", asc) == text


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0"])
def test_no_audio_specific_config(data: bytes) -> None:
    with pytest.raises(ManifestError):
        mp4a_from_asc(data)


def test_audio_codecs() -> None:
    names = ("mp3", "ac3", "eac3", "flac", "alac", "opus", "aac")
    texts = [audio_codecs(name, b"") for name in names]
    assert texts == ["mp4a.40.34", "ac-3", "ec-3", "fLaC", "alac", "Opus", "mp4a.40.2"]
    assert audio_codecs("aac", b"", profile="HE-AACv2") == "mp4a.40.29"
    with pytest.raises(ManifestError, match="dts"):
        audio_codecs("dts", b"")


def test_codec_lists() -> None:
    assert join_codecs("avc1.64001f, mp4a.40.2", None, "mp4a.40.2", "wvtt") == (
        "avc1.64001f,mp4a.40.2,wvtt"
    )
    assert replace_video_codec("hvc1.2.4.L93.B0,ec-3,stpp", "avc1.64001f") == (
        "avc1.64001f,ec-3,stpp"
    )
    assert replace_video_codec(None, "avc1.64001f") == "avc1.64001f"


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30), Fraction(60)])
@pytest.mark.parametrize(
    "size", [(128, 96), (320, 180), (426, 240), (854, 480), (1280, 720), (1920, 1080), (2560, 1440)]
)
@pytest.mark.parametrize("maxrate", [300_000, 4_000_000, 24_000_000, 30_000_000])
def test_h264_levels_are_those_that_x264_picks(
    size: tuple[int, int], rate: Fraction, maxrate: int
) -> None:
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = *size, "yuv420p"
    context.time_base, context.framerate = 1 / rate, rate
    context.flags |= av.codec.context.Flags.global_header
    kilobits = maxrate // 1000
    context.options = {
        "preset": "ultrafast",
        "profile": "high",
        "x264-params": f"ref=1:bframes=0:8x8dct=1:vbv-maxrate={kilobits}:vbv-bufsize={kilobits}",
    }
    context.open()
    level_idc = int(avc1_from_sps(context.extradata or b"")[-2:], 16)
    assert float(h264_level(*size, rate, maxrate)) == level_idc / 10


def test_h264_levels_of_the_common_ladder() -> None:
    assert h264_level(1920, 1080, Fraction(30), 8_000_000) == "4"
    assert h264_level(2560, 1440, Fraction(24), 12_000_000) == "5"
    assert h264_level(3840, 2160, Fraction(24), 20_000_000) == "5.1"
    with pytest.raises(ManifestError, match=r"no H\.264 level holds 16384x16384"):
        h264_level(16384, 16384, Fraction(1), 1)


def test_vp9_levels() -> None:
    assert vp9_level(640, 360, Fraction(30)) == 21
    assert vp9_level(1280, 720, Fraction(30)) == 31
    assert vp9_level(3840, 2160, Fraction(60)) == 51
    with pytest.raises(ManifestError, match="no VP9 level"):
        vp9_level(20_000, 16, Fraction(1))
