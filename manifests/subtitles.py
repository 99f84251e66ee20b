"""Subtitle renditions of a media file: their EXT-X-MEDIA, made valid as a group."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from manifests.attributes import quote, unquote
from manifests.languages import language_tag
from manifests.stream_inf import attribute_list, unused_name

GROUP_ID = "subs"

_ACCESSIBLE = (
    "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtitleRendition:
    """One subtitle track of a media file."""

    uri: str
    name: str
    """How a player lists it; made unique by `valid_group`."""
    language: str | None = None
    """BCP 47 or ISO 639."""
    default: bool = False
    forced: bool = False
    """Only what is essential to follow, such as signs and foreign speech."""
    accessible: bool = False
    """For viewers who cannot hear: sounds are described too."""


def valid_group(renditions: Sequence[SubtitleRendition]) -> list[SubtitleRendition]:
    """The same in order, with BCP 47 languages, unlike names, and one default at most."""
    default = next((i for i, rendition in enumerate(renditions) if rendition.default), None)
    names: set[str] = set()
    valid = []
    for index, rendition in enumerate(renditions):
        name = unused_name(unquote(quote(rendition.name)) or f"Subtitles {index + 1}", names)
        names.add(name)
        language = language_tag(rendition.language)
        valid.append(replace(rendition, name=name, language=language, default=index == default))
    return valid


def media_lines(group: Sequence[SubtitleRendition]) -> list[str]:
    """The EXT-X-MEDIA of a valid group.

    Of those that AUTOSELECT cannot tell apart one alone has it (RFC 8216bis section 4.4.6.1).
    """
    chosen: dict[tuple[str | None, bool, bool], SubtitleRendition] = {}
    for rendition in sorted(group, key=lambda rendition: not rendition.default):
        chosen.setdefault((rendition.language, rendition.forced, rendition.accessible), rendition)
    return [_media_line(rendition, rendition in chosen.values()) for rendition in group]


def _media_line(rendition: SubtitleRendition, autoselect: bool) -> str:
    language = rendition.language
    attributes = {
        "TYPE": "SUBTITLES",
        "GROUP-ID": quote(GROUP_ID),
        "LANGUAGE": None if language is None else quote(language),
        "NAME": quote(rendition.name),
        "DEFAULT": "YES" if rendition.default else "NO",
        "AUTOSELECT": "YES" if autoselect else "NO",
        "FORCED": "YES" if rendition.forced else "NO",
        "CHARACTERISTICS": quote(_ACCESSIBLE) if rendition.accessible else None,
        "URI": quote(rendition.uri),
    }
    return f"#EXT-X-MEDIA:{attribute_list(attributes)}"
