"""Values to text of a playlist. Source playlists are edited line by line, never regenerated."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from manifests.attributes import Line, quote, read_lines
from manifests.codecs import join_codecs
from manifests.errors import ManifestError
from manifests.stream_inf import AudioRendition, StreamInf, grouped_by_codec, media_lines
from manifests.subtitles import GROUP_ID as SUBTITLES_GROUP_ID
from manifests.subtitles import SubtitleRendition
from manifests.subtitles import media_lines as subtitle_lines
from manifests.timeline import target_duration
from manifests.types import MediaPlaylist, MultivariantPlaylist

MAP_VERSION = 6
"""EXT-X-VERSION that EXT-X-MAP needs (RFC 8216bis section 8)."""
FRACTIONS_VERSION = 3
"""EXT-X-VERSION that fractional EXTINF need."""

_REPLACED = frozenset(
    {
        "EXTM3U",
        "EXT-X-VERSION",
        "EXT-X-TARGETDURATION",
        "EXT-X-PLAYLIST-TYPE",
        "EXT-X-INDEPENDENT-SEGMENTS",
        "EXT-X-ENDLIST",
        "EXT-X-MAP",
    }
)
_DROPPED = frozenset(
    {
        "EXT-X-KEY",
        "EXT-X-BYTERANGE",
        "EXT-X-BITRATE",
        "EXT-X-ALLOW-CACHE",
        "EXT-X-PART",
        "EXT-X-PART-INF",
        "EXT-X-SERVER-CONTROL",
        "EXT-X-PRELOAD-HINT",
        "EXT-X-RENDITION-REPORT",
    }
)


def edit_multivariant(
    playlist: MultivariantPlaylist, additions: Sequence[StreamInf], *, version: int = 1
) -> str:
    """The source's text with our variants after its last one.

    Every line of the source stays as it is, but for EXT-X-VERSION where `version` is higher.
    """
    lines = playlist.text.split("\n")
    return_char = "\r" if lines[0].endswith("\r") else ""
    last = max(variant.line for variant in playlist.variants)
    after = next(line.row for line in read_lines(playlist.text)[last:] if line.is_uri)
    if after == len(lines) - 1:
        lines[after] = lines[after].rstrip() + return_char
        lines.append("")
    added = [text + return_char for addition in additions for text in addition.lines()]
    edited = [*lines[: after + 1], *added, *lines[after + 1 :]]
    return "\n".join(_with_version(edited, version, playlist.version, return_char))


def _with_version(lines: list[str], version: int, current: int, return_char: str) -> list[str]:
    if version <= current:
        return lines
    tag = f"#EXT-X-VERSION:{version}{return_char}"
    kept = [line for line in lines if not line.strip().startswith("#EXT-X-VERSION:")]
    return [kept[0], tag, *kept[1:]]


def upscaled_media_playlist(
    source: MediaPlaylist, *, segment_uri: Callable[[int], str], init_uri: str | None
) -> str:
    """The media playlist of a produced variant: the source's segmentation, to the letter.

    EXTINF, discontinuities, sequence numbers, dates, gaps and whatever tags we do not know stay
    verbatim; keys, byte ranges and maps go; each URI is replaced.

    Args:
        source: A VOD playlist of the variant that is upscaled.
        segment_uri: The URI of a segment by its index, from 0.
        init_uri: Of the one init segment, None for MPEG-TS.

    Raises:
        ManifestError: The source is an I-frame playlist, or has no end.
    """
    if source.i_frames_only or not source.ended:
        raise ManifestError("only whole VOD playlists of whole segments can be upscaled")
    target = max(source.target_duration, target_duration(s.duration for s in source.segments))
    version = max(source.version, FRACTIONS_VERSION, MAP_VERSION if init_uri else 0)
    head = _head(version, target, independent=True)
    body = _upscaled_body(read_lines(source.text), segment_uri)
    return _playlist(*head, *_map_lines(init_uri), *body, "#EXT-X-ENDLIST")


def _upscaled_body(lines: Sequence[Line], segment_uri: Callable[[int], str]) -> Iterator[str]:
    index = 0
    for line in lines:
        if line.is_uri:
            yield segment_uri(index)
            index += 1
        elif line.text and line.tag not in _REPLACED and line.tag not in _DROPPED:
            yield line.text


def file_media_playlist(
    durations: Sequence[Fraction],
    target: int,
    init_uri: str | None,
    segment_uri: Callable[[int], str],
    independent: bool,
) -> str:
    """The media playlist of one track of a media file.

    Args:
        durations: Of each segment in seconds. EXTINF are rounded so that their sums stay within a
            microsecond of the media, however many there are.
        target: At least EXT-X-TARGETDURATION; the same for every track of the title.
        init_uri: None for MPEG-TS.
        segment_uri: The URI of a segment by its index, from 0.
        independent: Whether every segment can be decoded alone (untrue for open GOPs).
    """
    target = max(target, target_duration(durations))
    head = _head(MAP_VERSION if init_uri else FRACTIONS_VERSION, target, independent=independent)
    lines = [*head, "#EXT-X-MEDIA-SEQUENCE:0", *_map_lines(init_uri)]
    total, written = Fraction(), 0
    for index, duration in enumerate(durations):
        total += duration
        microseconds = round(total * 1_000_000) - written
        written += microseconds
        seconds, fraction = divmod(microseconds, 1_000_000)
        lines += [f"#EXTINF:{seconds}.{fraction:06d},", segment_uri(index)]
    return _playlist(*lines, "#EXT-X-ENDLIST")


def file_multivariant(
    variants: Sequence[StreamInf],
    audio: Sequence[AudioRendition] = (),
    subtitles: Sequence[SubtitleRendition] = (),
) -> str:
    """The multivariant playlist of a media file.

    One audio group for each codec, and each variant once with each group, since players drop a
    variant whose CODECS they cannot play. Subtitles add nothing to CODECS: segments that are WebVTT
    themselves have no sample format, and older Apple devices refuse variants with `wvtt`.

    Args:
        variants: Video alone: bandwidths and CODECS without audio. The source's comes first.
        audio: Every audio track, in the order of the file.
        subtitles: A valid group, which every variant refers to.
    """
    groups = grouped_by_codec(audio)
    lines = [line for group in groups.items() for line in media_lines(*group)]
    lines += subtitle_lines(subtitles)
    group_of_subtitles = SUBTITLES_GROUP_ID if subtitles else None
    for own in variants:
        variant = replace(own, subtitles=group_of_subtitles)
        for group_id, renditions in groups.items():
            lines += _with_audio(variant, group_id, renditions).lines()
        if not groups:
            lines += variant.lines()
    return _playlist("#EXTM3U", f"#EXT-X-VERSION:{MAP_VERSION}", *lines)


def _with_audio(
    variant: StreamInf, group_id: str, renditions: Sequence[AudioRendition]
) -> StreamInf:
    peak = max(rendition.bandwidth for rendition in renditions)
    average = max(rendition.average_bandwidth or rendition.bandwidth for rendition in renditions)
    own_average = variant.average_bandwidth
    return replace(
        variant,
        bandwidth=variant.bandwidth + peak,
        average_bandwidth=None if own_average is None else own_average + average,
        codecs=join_codecs(variant.codecs, renditions[0].codecs),
        audio=group_id,
    )


def lone_multivariant(source: StreamInf, additions: Sequence[StreamInf]) -> str:
    """The multivariant playlist of a title that is a lone media playlist."""
    lines = [text for stream_inf in (source, *additions) for text in stream_inf.lines()]
    return _playlist("#EXTM3U", f"#EXT-X-VERSION:{MAP_VERSION}", *lines)


def _head(version: int, target: int, *, independent: bool) -> list[str]:
    head = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{version}",
        f"#EXT-X-TARGETDURATION:{target}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
    ]
    return [*head, "#EXT-X-INDEPENDENT-SEGMENTS"] if independent else head


def _map_lines(init_uri: str | None) -> list[str]:
    return [f"#EXT-X-MAP:URI={quote(init_uri)}"] if init_uri else []


def _playlist(*lines: str) -> str:
    return "\n".join(lines) + "\n"
