"""Which variants to offer: rendition specs, targets, bit rates, and the plan of each variant."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import PurePath
from typing import Literal

from manifests.codecs import h264_level, is_video_codec, split_codecs
from manifests.color import Color, output_color
from manifests.errors import ManifestError
from manifests.types import Variant

PIPELINE_VERSION = 2
"""Raised whenever the same plan would give other bytes."""

IDENTITY = "identity"
"""The model of a variant that only changes the codec."""

ContainerKind = Literal["mpegts", "fmp4"]

_MAX_PIXELS = 8192 * 4320
_FILE = r"[^:\x00-\x1f]+\.(?i:safetensors|pth|param|bin)"
_SPEC = re.compile(
    r"(?:(?P<scale>[0-9]{1,2}(?:\.[0-9]{1,3})?)x|(?P<height>[0-9]{2,4})p)"
    rf":(?:(?P<file>{_FILE})|(?P<model>[a-z0-9][a-z0-9._-]*))(?P<options>(?::[a-z]+=[a-z0-9]+)*)"
)
_EXPECTED = (
    "expected auto, or TARGET:MODEL[:noise=0..3][:when=warmed] such as 2x:anime4k-m, "
    "1080p:lanczos or 2x:path/to/model.safetensors"
)
_STEM_LETTERS, _DIGEST_LETTERS = 40, 8
_OPTIONS = {"noise": ("0", "1", "2", "3"), "when": ("warmed",)}
_ANCHOR_BITS, _ANCHOR_PIXELS, _EXPONENT = 4_000_000, 1280 * 720 * 24, 0.75
_AVERAGE_SHARE = Fraction(3, 4)  # of the peak, in similar content (RFC 8216bis 4.4.6.2)
_AUDIO_PACKETS = 50  # a second, at most, of the codecs that HLS knows


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionPlan:
    """Everything that decides the bytes of a produced variant, the source apart.

    Sizes are coded luma samples; `bandwidth` is the promise of the playlist in bits per second.
    """

    rendition_id: str
    """`up-720p-anime4k-m`, or `same-480p` where players cannot take the source's codec."""
    model: str
    """A model of `sr`, by name or by the path of its file, or `identity`."""
    model_digest: str
    source_digest: str
    container: ContainerKind
    width: int
    height: int
    sar: Fraction
    frame_rate: Fraction
    time_base: Fraction
    source_color: Color
    color: Color
    level: str
    """H.264 level as x264 takes it, such as `3.1`."""
    crf: int = 20
    preset: str = "veryfast"
    maxrate: int
    """Bits of each sub-GOP, by its length in seconds, at most."""
    b_frames: int = 0
    bandwidth: int
    average_bandwidth: int
    pipeline_version: int = PIPELINE_VERSION
    encoder: str = ""
    """What encodes and muxes, with its version: another build may make other bytes."""

    @property
    def model_name(self) -> str:
        """The model without the folders of its file, which are no one's business."""
        return model_name(self.model)

    def digest(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 over every field.

        Of a model file its content counts, and its name, but not where it lies.
        """
        fields = asdict(self) | {"model": self.model_name}
        text = json.dumps(fields, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionSpec:
    """What a user asks to be offered. Neither scale nor height: `auto`."""

    scale: Fraction | None = None
    height: int | None = None
    model: str = ""
    """A model of `sr`; options that choose other weights are part of it (`…-noise1`). Or the path
    of a model file: all that ends in .safetensors, .pth, .param or .bin."""
    when_warmed: bool = False
    """List the variant only once every segment of it is cached."""

    @property
    def is_auto(self) -> bool:
        """Whether the machine's capability decides."""
        return self.scale is None and self.height is None

    @classmethod
    def parse(cls, text: str) -> "RenditionSpec":
        """Read `2x:anime4k-m`, `1080p:waifu2x-upconv7:noise=1:when=warmed`, `2x:a/b.pth` or `auto`.

        Raises:
            ManifestError: One line that says what was expected.
        """
        if text == "auto":
            return cls()
        found = _SPEC.fullmatch(text)
        if not found:
            raise ManifestError(f"rendition {text!r}: {_EXPECTED}")
        scale = Fraction(found["scale"]) if found["scale"] else None
        height = int(found["height"]) if found["height"] else None
        if scale is not None and not 1 < scale <= 8:
            raise ManifestError(f"rendition {text!r}: expected a scale above 1x and up to 8x")
        if height is not None and not (height % 2 == 0 and 16 <= height <= 4320):
            raise ManifestError(f"rendition {text!r}: expected an even height from 16p to 4320p")
        options = _options(text, found["options"])
        if found["file"] and "noise" in options:
            raise ManifestError(f"rendition {text!r}: expected no noise option with a model file")
        suffix = f"-noise{options['noise']}" if "noise" in options else ""
        return cls(
            scale=scale,
            height=height,
            model=found["file"] or found["model"] + suffix,
            when_warmed="when" in options,
        )


def _options(text: str, options: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for option in filter(None, options.split(":")):
        key, _, value = option.partition("=")
        if key == "codec":
            raise ManifestError(f"rendition {text!r}: {option} is not supported yet")
        if value not in _OPTIONS.get(key, ()) or key in found:
            raise ManifestError(f"rendition {text!r}: {_EXPECTED}")
        found[key] = value
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A spec applied to a source: coded size of the output in luma samples."""

    spec: RenditionSpec
    width: int
    height: int


def rendition_id(model: str, height: int, model_digest: str) -> str:
    """How URLs and STABLE-VARIANT-ID call a produced variant; files may share a name."""
    if model == IDENTITY:
        return f"same-{height}p"
    clean = re.sub("[^a-z0-9._-]", "-", model_name(model).lower())
    if _is_file(model):
        clean = f"{clean[:_STEM_LETTERS]}-{model_digest[:_DIGEST_LETTERS]}"
    return f"up-{height}p-{clean}"


def model_name(model: str) -> str:
    """What people call a model: its name, or that of its file without folders and ending."""
    return PurePath(model).stem if _is_file(model) else model


def _is_file(model: str) -> bool:
    return re.fullmatch(_FILE, model) is not None


def target_size(
    spec: RenditionSpec, width: int, height: int, sar: Fraction = Fraction(1)
) -> tuple[int, int]:
    """Coded output size, even; the SAR stays the source's, and so does the shape of the picture.

    Args:
        spec: Not `auto`.
        width: Of the source, coded luma samples.
        height: Of the source.
        sar: Of the source; it does not change the size, since width and height scale alike.

    Raises:
        ManifestError: The spec is `auto`, or the SAR is not positive.
    """
    if sar <= 0 or spec.is_auto:
        raise ManifestError(f"no size for {spec} with a sample aspect ratio of {sar}")
    factor = Fraction(spec.height, height) if spec.height else spec.scale or Fraction(1)
    return nearest_even(width * factor), nearest_even(height * factor)


def nearest_even(length: Fraction | int) -> int:
    """The nearest even length of at least 2; of two as near, the smaller."""
    return max(2, -(-(length - 1) // 2) * 2)


def offered(
    specs: Iterable[RenditionSpec],
    width: int,
    height: int,
    existing_heights: Iterable[int] = (),
    *,
    sar: Fraction = Fraction(1),
) -> tuple[Target, ...]:
    """The targets worth offering for a source of a coded size, in the order of the specs.

    A target at or below the source's height, or a height that exists already, is dropped; so are
    one that another spec gave already, and one larger than H.264 can hold.
    """
    ceiling = max([height, *existing_heights])
    targets: dict[tuple[str, int], Target] = {}
    for spec in specs:
        new_width, new_height = target_size(spec, width, height, sar)
        target = Target(spec=spec, width=new_width, height=new_height)
        if new_height > ceiling and new_width * new_height <= _MAX_PIXELS:
            targets.setdefault((spec.model, new_height), target)
    return tuple(targets.values())


def pick_source(variants: Sequence[Variant]) -> Variant | None:
    """The variant to upscale: the tallest with SDR video, then the one of the highest bandwidth.

    Where no RESOLUTION is given, the bandwidth alone decides. None if nothing is SDR video.
    """
    video = [variant for variant in variants if _is_sdr_video(variant)]
    return max(video, key=_rank, default=None)


def siblings(variant: Variant, variants: Iterable[Variant]) -> tuple[Variant, ...]:
    """The variants with one URI: the same video, listed once for each audio group.

    What is made of one is made of all, and has to be listed as often: a player drops the variants
    whose audio it cannot play.
    """
    return tuple(other for other in variants if other.uri == variant.uri)


def _rank(variant: Variant) -> tuple[int, int]:
    return (variant.resolution[1] if variant.resolution else 0, variant.bandwidth)


def _is_sdr_video(variant: Variant) -> bool:
    formats = split_codecs(variant.codecs)
    has_video = variant.resolution is not None or not formats or any(map(is_video_codec, formats))
    return has_video and variant.video_range in (None, "SDR")


def video_maxrate(width: int, height: int, frame_rate: Fraction) -> int:
    """Largest rate, bits per second: 4 Mbit/s at 1280x720@24, else by the pixels' 0.75th power."""
    pixels = float(width * height * frame_rate)
    return round(_ANCHOR_BITS / 1000 * math.pow(pixels / _ANCHOR_PIXELS, _EXPONENT)) * 1000


def container_bandwidth(
    container: ContainerKind, media_bandwidth: Fraction | int, frame_rate: Fraction
) -> int:
    """Bits per second of elementary streams once they are muxed, at most."""
    packets = frame_rate + _AUDIO_PACKETS
    if container == "mpegts":  # headers, then the stuffing of each PES packet's end, PAT and PMT
        return round(media_bandwidth * Fraction(106, 100) + 188 * 8 * (packets + 20))
    return round(media_bandwidth * Fraction(101, 100) + 16 * 8 * packets) + 4_000


def plan_rendition(
    *,
    model: str,
    model_digest: str,
    source_digest: str,
    container: ContainerKind,
    width: int,
    height: int,
    source_height: int,
    sar: Fraction,
    frame_rate: Fraction,
    time_base: Fraction,
    source_color: Color,
    b_frames: int = 0,
    audio_peak_bandwidth: int = 0,
    encoder: str = "",
) -> RenditionPlan:
    """Decide everything about a produced variant.

    Args:
        model: Of `sr`, or `IDENTITY`.
        model_digest: Of the model's weights and code.
        source_digest: Of the source's content.
        container: The source variant's.
        width: Of the output, coded luma samples, even.
        height: Of the output, even.
        source_height: Coded, tells what unspecified colour means.
        sar: Of the source, and so of the output.
        frame_rate: Frames per second; the largest that is sustained, for variable ones.
        time_base: Of the source's video timestamps, which the output keeps.
        source_color: As tagged.
        b_frames: Consecutive B-frames that the source's own delay leaves room for.
        audio_peak_bandwidth: Of the audio that is muxed in or played with it, bits per second.
        encoder: Name and version of what encodes.

    Raises:
        ManifestError: The source is HDR, or no H.264 level holds the output.
    """
    if not source_color.is_sdr:
        raise ManifestError("HDR video (PQ or HLG) is not supported yet")
    maxrate = video_maxrate(width, height, frame_rate)
    average = maxrate * _AVERAGE_SHARE + audio_peak_bandwidth
    return RenditionPlan(
        rendition_id=rendition_id(model, height, model_digest),
        model=model,
        model_digest=model_digest,
        source_digest=source_digest,
        container=container,
        width=width,
        height=height,
        sar=sar,
        frame_rate=frame_rate,
        time_base=time_base,
        source_color=source_color.resolved(source_height),
        color=output_color(source_color, source_height=source_height, height=height),
        level=h264_level(width, height, frame_rate, maxrate),
        maxrate=maxrate,
        b_frames=b_frames,
        bandwidth=container_bandwidth(container, maxrate + audio_peak_bandwidth, frame_rate),
        average_bandwidth=container_bandwidth(container, average, frame_rate),
        encoder=encoder,
    )
