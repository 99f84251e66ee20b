"""CODECS strings (RFC 6381) read from decoder configurations, and the levels that sizes need."""

from collections.abc import Iterable
from fractions import Fraction

from manifests.errors import ManifestError

_AUDIO = {
    "mp3": "mp4a.40.34",
    "ac3": "ac-3",
    "eac3": "ec-3",
    "flac": "fLaC",
    "alac": "alac",
    "opus": "Opus",
}
_AAC_PROFILES = {"LC": 2, "HE-AAC": 5, "HE-AACv2": 29}
_VIDEO_SAMPLE_ENTRIES = frozenset(
    {
        *("avc1", "avc2", "avc3", "avc4", "hvc1", "hev1", "dvh1", "dvhe", "dvav", "dva1"),
        *("av01", "dav1", "vp08", "vp09", "vvc1", "vvi1", "mp4v"),
    }
)

# Rec. ITU-T H.264 table A-1: level, macroblocks a second, macroblocks a frame, kbit/s at factor 1.
_H264_LEVELS = (
    ("1", 1_485, 99, 64),
    ("1.1", 3_000, 396, 192),
    ("1.2", 6_000, 396, 384),
    ("1.3", 11_880, 396, 768),
    ("2", 11_880, 396, 2_000),
    ("2.1", 19_800, 792, 4_000),
    ("2.2", 20_250, 1_620, 4_000),
    ("3", 40_500, 1_620, 10_000),
    ("3.1", 108_000, 3_600, 14_000),
    ("3.2", 216_000, 5_120, 20_000),
    ("4", 245_760, 8_192, 20_000),
    ("4.1", 245_760, 8_192, 50_000),
    ("4.2", 522_240, 8_704, 50_000),
    ("5", 589_824, 22_080, 135_000),
    ("5.1", 983_040, 36_864, 240_000),
    ("5.2", 2_073_600, 36_864, 240_000),
    ("6", 4_177_920, 139_264, 240_000),
    ("6.1", 8_355_840, 139_264, 480_000),
    ("6.2", 16_711_680, 139_264, 800_000),
)
_HIGH_PROFILE_FACTOR = 1_250  # cpbBrVclFactor

# VP9 levels: ten times the level, luma samples a second, luma samples a frame, longest side.
_VP9_LEVELS = (
    (10, 829_440, 36_864, 512),
    (11, 2_764_800, 73_728, 768),
    (20, 4_608_000, 122_880, 960),
    (21, 9_216_000, 245_760, 1_344),
    (30, 20_736_000, 552_960, 2_048),
    (31, 36_864_000, 983_040, 2_752),
    (40, 83_558_400, 2_228_224, 4_160),
    (41, 160_432_128, 2_228_224, 4_160),
    (50, 311_951_360, 8_912_896, 8_384),
    (51, 588_251_136, 8_912_896, 8_384),
    (52, 1_176_502_272, 8_912_896, 8_384),
    (60, 1_176_502_272, 35_651_584, 16_832),
    (61, 2_353_004_544, 35_651_584, 16_832),
    (62, 4_706_009_088, 35_651_584, 16_832),
)


def avc1_from_sps(extradata: bytes) -> str:
    """`avc1.PPCCLL` of H.264 extradata: avcC (ISO 14496-15) or Annex B with an SPS.

    Raises:
        ManifestError: No SPS in it.
    """
    if len(extradata) >= 7 and extradata[0] == 1:
        return f"avc1.{extradata[1:4].hex()}"
    for nal in _annex_b(extradata):
        if nal[0] & 0x1F == 7 and len(nal) >= 4:
            return f"avc1.{nal[1:4].hex()}"
    raise ManifestError("no sequence parameter set in the H.264 extradata")


def hvc1_from_hvcc(extradata: bytes) -> str:
    """`hvc1.…` of HEVC extradata: hvcC or Annex B with an SPS (ISO 14496-15 annex E.3).

    Raises:
        ManifestError: Neither.
    """
    if len(extradata) >= 23 and extradata[0] == 1:
        return _hvc1(extradata[1:13])
    for nal in _annex_b(extradata):
        if nal[0] >> 1 & 0x3F == 33 and len(nal) >= 15:
            return _hvc1(nal.replace(b"\0\0\3", b"\0\0")[3:15])
    raise ManifestError("no sequence parameter set in the HEVC extradata")


def _hvc1(profile_tier_level: bytes) -> str:
    """From general_profile_space up to general_level_idc: 12 bytes."""
    if len(profile_tier_level) < 12:
        raise ManifestError("the HEVC sequence parameter set is truncated")
    first, flags = profile_tier_level[0], int.from_bytes(profile_tier_level[1:5])
    space = ("", "A", "B", "C")[first >> 6]
    reversed_flags = int(f"{flags:032b}"[::-1], 2)
    tier = "H" if first & 0x20 else "L"
    constraints = profile_tier_level[5:11].rstrip(b"\0")
    parts = [
        f"hvc1.{space}{first & 0x1F}",
        f"{reversed_flags:X}",
        f"{tier}{profile_tier_level[11]}",
    ]
    return ".".join(parts + [f"{byte:X}" for byte in constraints])


def av01_from_av1c(extradata: bytes) -> str:
    """`av01.P.LLT.DD` of an av1C box's content (AV1 in ISO-BMFF sections 2.3 and 5).

    Raises:
        ManifestError: It is none.
    """
    if len(extradata) < 4 or extradata[0] != 0x81:
        raise ManifestError("the AV1 extradata is no av1C")
    profile, level = extradata[1] >> 5, extradata[1] & 0x1F
    tier, high, twelve = (bool(extradata[2] & bit) for bit in (0x80, 0x40, 0x20))
    depth = 12 if profile == 2 and high and twelve else 10 if high else 8
    return f"av01.{profile}.{level:02d}{'H' if tier else 'M'}.{depth:02d}"


def vp09_from_vpcc(extradata: bytes) -> str:
    """`vp09.PP.LL.DD` of a vpcC box's content, its version and flags included or not.

    Raises:
        ManifestError: It is none.
    """
    body = extradata[4:] if extradata[:1] == b"\1" and len(extradata) >= 12 else extradata
    if len(body) < 8 or body[0] > 3 or body[2] >> 4 not in (8, 10, 12):
        raise ManifestError("the VP9 extradata is no vpcC")
    return vp09(body[0], body[1], body[2] >> 4)


def vp09(profile: int, level: int, depth: int) -> str:
    """`vp09.PP.LL.DD`; `level` as `vp9_level` gives it, `depth` in bits."""
    return f"vp09.{profile:02d}.{level:02d}.{depth:02d}"


def vp9_level(width: int, height: int, frame_rate: Fraction) -> int:
    """Ten times the smallest VP9 level for a size and rate, bit rate apart."""
    for level, rate, size, side in _VP9_LEVELS:
        fits = width * height <= size and max(width, height) <= side
        if fits and width * height * frame_rate <= rate:
            return level
    raise ManifestError(f"no VP9 level holds {width}x{height} at {float(frame_rate):.3f} fps")


def mp4a_from_asc(extradata: bytes) -> str:
    """`mp4a.40.N` of an AudioSpecificConfig (ISO 14496-3 1.6.2.1).

    N is the first object type: SBR signalled only behind the LC configuration stays 2, which
    decoders accept.

    Raises:
        ManifestError: It is empty or has no object type.
    """
    bits = int.from_bytes(extradata[:2].ljust(2, b"\0"))
    kind = bits >> 11
    kind = 32 + (bits >> 5 & 0x3F) if kind == 31 else kind
    if not extradata or not kind:
        raise ManifestError("the AAC extradata is no AudioSpecificConfig")
    return f"mp4a.40.{kind}"


def audio_codecs(codec_name: str, extradata: bytes, *, profile: str | None = None) -> str:
    """The CODECS string of an audio stream that is served as it is.

    Args:
        codec_name: FFmpeg's name.
        extradata: Needed for AAC only; empty in MPEG-TS, where ADTS headers carry it.
        profile: FFmpeg's name of the AAC profile, used where there is no extradata.

    Raises:
        ManifestError: HLS has no string for the codec.
    """
    if codec_name == "aac":
        if extradata:
            return mp4a_from_asc(extradata)
        return f"mp4a.40.{_AAC_PROFILES.get(profile or '', 2)}"
    if codec_name not in _AUDIO:
        raise ManifestError(f"audio in {codec_name} cannot be served in HLS as it is")
    return _AUDIO[codec_name]


def is_video_codec(codec: str) -> bool:
    """Whether one format of a CODECS list is video."""
    return codec.partition(".")[0] in _VIDEO_SAMPLE_ENTRIES


def split_codecs(codecs: str | None) -> tuple[str, ...]:
    """The formats of a CODECS list."""
    return tuple(part.strip() for part in (codecs or "").split(",") if part.strip())


def join_codecs(*codecs: str | None) -> str:
    """One CODECS list of several, in order, each format once."""
    return ",".join(dict.fromkeys(part for text in codecs for part in split_codecs(text)))


def replace_video_codec(codecs: str | None, video: str) -> str:
    """A variant's CODECS list with its video formats replaced by one."""
    others = (part for part in split_codecs(codecs) if not is_video_codec(part))
    return join_codecs(video, *others)


def h264_level(width: int, height: int, frame_rate: Fraction, maxrate: int) -> str:
    """The smallest level of table A-1 that fits, at High profile.

    Args:
        width: Coded width in luma samples.
        height: Coded height in luma samples.
        frame_rate: Frames per second.
        maxrate: Bits per second.

    Raises:
        ManifestError: None fits.
    """
    columns, rows = -(-width // 16), -(-height // 16)
    for level, blocks_per_second, blocks, kilobits in _H264_LEVELS:
        fits = columns * rows <= blocks and max(columns, rows) ** 2 <= 8 * blocks
        fast = columns * rows * frame_rate <= blocks_per_second
        if fits and fast and maxrate <= kilobits * _HIGH_PROFILE_FACTOR:
            return level
    raise ManifestError(
        f"no H.264 level holds {width}x{height} at {float(frame_rate):.3f} fps, {maxrate} bit/s"
    )


def _annex_b(data: bytes) -> Iterable[bytes]:
    """The NAL units between start codes."""
    return (nal for nal in data.split(b"\0\0\1")[1:] if nal)
