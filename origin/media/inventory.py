"""What the FFmpeg in PyAV's wheel can do here."""

import av
from av.codec.codec import UnknownCodecError

NEEDED_ENCODERS = ("libx264", "aac", "mjpeg")
NEEDED_DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg2video", "aac", "opus", "vorbis")
OPTIONAL_ENCODERS = ("libx265", "libsvtav1", "h264_nvenc", "hevc_nvenc")


def versions() -> dict[str, str]:
    """PyAV's, and that of each of FFmpeg's libraries."""
    libraries = {name: ".".join(map(str, v)) for name, v in sorted(av.library_versions.items())}
    return {"PyAV": av.__version__, **libraries}


def missing(names: tuple[str, ...], mode: str) -> list[str]:
    """Those of the codecs that there are not; `mode` is `r` for decoders, `w` for encoders."""
    return [name for name in names if not _exists(name, mode)]


def _exists(name: str, mode: str) -> bool:
    try:
        av.Codec(name, mode)  # type: ignore[arg-type]
    except UnknownCodecError:
        return False
    return True
