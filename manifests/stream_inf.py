"""What our own lines of a multivariant playlist say, and how they are written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, count

from manifests.attributes import quote, unquote
from manifests.codecs import replace_video_codec
from manifests.ladder import RenditionPlan
from manifests.languages import language_tag
from manifests.types import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInf:
    """One EXT-X-STREAM-INF to be written (RFC 8216bis section 4.4.6.2). None: left out."""

    uri: str
    bandwidth: int
    average_bandwidth: int | None = None
    codecs: str
    """Empty where there is no string to give."""
    resolution: tuple[int, int] | None = None
    """Display width and height, see `display_size`."""
    frame_rate: Fraction | None = None
    video_range: str | None = None
    score: str | None = None
    stable_variant_id: str | None = None
    audio: str | None = None
    subtitles: str | None = None
    closed_captions: str | None = None
    """A group as it is written: quoted, or `NONE`."""
    pathway_id: str | None = None

    def lines(self) -> list[str]:
        """The tag and its URI, without line ends."""
        width_height = f"{self.resolution[0]}x{self.resolution[1]}" if self.resolution else None
        attributes = {
            "BANDWIDTH": str(self.bandwidth),
            "AVERAGE-BANDWIDTH": _number(self.average_bandwidth),
            "SCORE": self.score,
            "CODECS": _quoted(self.codecs or None),
            "RESOLUTION": width_height,
            "FRAME-RATE": None if self.frame_rate is None else f"{float(self.frame_rate):.3f}",
            "VIDEO-RANGE": self.video_range,
            "STABLE-VARIANT-ID": _quoted(self.stable_variant_id),
            "AUDIO": _quoted(self.audio),
            "SUBTITLES": _quoted(self.subtitles),
            "CLOSED-CAPTIONS": self.closed_captions,
            "PATHWAY-ID": _quoted(self.pathway_id),
        }
        return [f"#EXT-X-STREAM-INF:{attribute_list(attributes)}", self.uri]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioRendition:
    """One audio track of a media file."""

    uri: str
    codecs: str
    bandwidth: int
    """Peak, bits per second."""
    average_bandwidth: int | None = None
    name: str
    """How a player lists it; made unique within its group."""
    language: str | None = None
    """BCP 47 or ISO 639."""
    default: bool = False
    channels: int


def upscaled_stream_inf(
    plan: RenditionPlan,
    *,
    uri: str,
    codecs: str,
    source: Variant | None = None,
    variants: Sequence[Variant] = (),
    rank: int = 0,
    rotation: int = 0,
) -> StreamInf:
    """The line of a produced variant.

    Args:
        plan: Its bandwidths include the audio that is played with it.
        uri: Of its media playlist.
        codecs: The video's, read from its SPS, and where `source` has no CODECS the audio's too.
        source: The variant that is upscaled: its groups, pathway and audio formats are ours too.
            A VIDEO group is not, since its renditions are not upscaled.
        variants: All of the source's, which decide whether SCORE and VIDEO-RANGE are written.
        rank: Of ours, 0 the least: the highest SCORE is the best.
        rotation: Degrees that the picture is turned by when it is shown.
    """
    attributes: Mapping[str, str] = source.attributes if source else {}
    return StreamInf(
        uri=uri,
        bandwidth=plan.bandwidth,
        average_bandwidth=plan.average_bandwidth,
        codecs=replace_video_codec(source.codecs if source else None, codecs),
        resolution=display_size(plan.width, plan.height, plan.sar, rotation),
        frame_rate=plan.frame_rate,
        video_range="SDR" if any(variant.video_range for variant in variants) else None,
        score=_score(variants, rank),
        stable_variant_id=plan.rendition_id,
        audio=source.audio if source else None,
        subtitles=source.subtitles if source else None,
        closed_captions=attributes.get("CLOSED-CAPTIONS"),
        pathway_id=unquote(attributes.get("PATHWAY-ID")),
    )


def _score(variants: Sequence[Variant], rank: int) -> str | None:
    """Above all of the source's; all variants have a SCORE or none."""
    try:
        scores = [float(variant.attributes["SCORE"]) for variant in variants]
    except (KeyError, ValueError):
        return None
    return f"{max(scores) + 1 + rank:.3f}" if scores else None


def display_size(width: int, height: int, sar: Fraction, rotation: int = 0) -> tuple[int, int]:
    """RESOLUTION: the size to show a coded picture at, in square pixels, turned upright."""
    shown = round(width * sar), height
    return (shown[1], shown[0]) if rotation % 180 == 90 else shown


def grouped_by_codec(
    renditions: Iterable[AudioRendition],
) -> dict[str, tuple[AudioRendition, ...]]:
    """Audio groups by GROUP-ID, one for each codec, in order; names and defaults made valid."""
    groups: dict[str, list[AudioRendition]] = {}
    for rendition in renditions:
        groups.setdefault(f"audio-{rendition.codecs}", []).append(rendition)
    return {group_id: tuple(_valid_group(group)) for group_id, group in groups.items()}


def _valid_group(group: Sequence[AudioRendition]) -> list[AudioRendition]:
    default = next((i for i, rendition in enumerate(group) if rendition.default), 0)
    names: set[str] = set()
    valid = []
    for index, rendition in enumerate(group):
        name = unused_name(unquote(quote(rendition.name)) or f"Audio {index + 1}", names)
        names.add(name)
        valid.append(replace(rendition, name=name, default=index == default))
    return valid


def unused_name(name: str, used: set[str]) -> str:
    """The name, numbered where it is used already."""
    numbered = (f"{name} ({number})" for number in count(2))
    return next(candidate for candidate in chain([name], numbered) if candidate not in used)


def media_lines(group_id: str, group: Sequence[AudioRendition]) -> list[str]:
    """The EXT-X-MEDIA of a valid group. AUTOSELECT=YES for one of each language, as it must."""
    chosen: dict[str | None, AudioRendition] = {}
    for rendition in sorted(group, key=lambda rendition: not rendition.default):
        chosen.setdefault(language_tag(rendition.language), rendition)
    return [_media_line(group_id, rendition, rendition in chosen.values()) for rendition in group]


def _media_line(group_id: str, rendition: AudioRendition, autoselect: bool) -> str:
    attributes = {
        "TYPE": "AUDIO",
        "GROUP-ID": _quoted(group_id),
        "LANGUAGE": _quoted(language_tag(rendition.language)),
        "NAME": _quoted(rendition.name),
        "DEFAULT": "YES" if rendition.default else "NO",
        "AUTOSELECT": "YES" if autoselect else "NO",
        "CHANNELS": _quoted(str(rendition.channels)),
        "URI": _quoted(rendition.uri),
    }
    return f"#EXT-X-MEDIA:{attribute_list(attributes)}"


def attribute_list(attributes: Mapping[str, str | None]) -> str:
    """An attribute list; what is None is left out."""
    return ",".join(f"{key}={value}" for key, value in attributes.items() if value is not None)


def _quoted(text: str | None) -> str | None:
    return None if text is None else quote(text)


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)
