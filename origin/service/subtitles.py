"""A media file's subtitles: their renditions, where they lie, and the jobs that make them. Pure.

All segments of a track are one body in the cache, and its script another: both come of reading the
whole file, which inspection has done already.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Literal

import msgspec

from manifests.languages import language_name
from manifests.subtitles import SubtitleRendition, valid_group
from manifests.urls import FONTS, SCRIPT, Route, build
from manifests.webvtt import segment_starts
from origin.arena import contents
from origin.errors import NotFoundError
from origin.media.types import ExtractFont, PackageSubtitles, SubtitleFacts, SubtitleTexts
from origin.service.answers import ProducedAnswer
from origin.service.items import item_of
from origin.service.plans import ENCODER
from origin.service.production import Item
from origin.service.titles import FileTitle, Title

_VERSION = 1
"""Raised whenever the same file would give other subtitles."""
_TRACK = "subs-"
_FONT_TYPES = {".ttf": "font/ttf", ".otf": "font/otf", ".ttc": "font/collection"}

Form = Literal["webvtt", "ass"]


def is_ours(route: Route) -> bool:
    """Whether a route leads to a subtitle track, or to a font."""
    return route.kind == "file" or (route.track_id or "").startswith(_TRACK)


def group(title: FileTitle) -> list[SubtitleRendition]:
    """The renditions of a title's subtitles, in the order of the file."""
    return valid_group(
        [
            SubtitleRendition(
                uri=f"{_TRACK}{index}/index.m3u8",
                name=track.title or _untitled(track, index),
                language=track.language,
                default=track.is_default,
                forced=track.is_forced,
                accessible=track.is_accessible,
            )
            for index, track in enumerate(title.facts.subtitles)
        ]
    )


def _untitled(track: SubtitleFacts, index: int) -> str:
    name = language_name(track.language) or f"Subtitles {index + 1}"
    notes = (" (forced)" if track.is_forced else "") + (" (SDH)" if track.is_accessible else "")
    return name + notes


def listing(title: Title) -> Mapping[str, Any]:
    """What a row of /api/titles says of a title's subtitles.

    `ass_offset_seconds` is what to add to a time of a script to get the player's, which is 0 where
    the first segment's DTS is.
    """
    return {"subtitles": _rows(title), "ass_offset_seconds": _ass_offset_seconds(title)}


def _rows(title: Title) -> list[Mapping[str, Any]]:
    if not isinstance(title, FileTitle):
        return []
    fonts = list(_font_rows(title))
    tracks = zip(group(title), title.facts.subtitles, strict=True)
    return [
        {
            "id": f"{_TRACK}{index}",
            "name": rendition.name,
            "language": rendition.language,
            "default": rendition.default,
            "forced": rendition.forced,
            "format": track.format,
            "ass": _file_url(title, f"{_TRACK}{index}", SCRIPT) if track.format == "ass" else None,
            "fonts": fonts if track.format == "ass" else [],
        }
        for index, (rendition, track) in enumerate(tracks)
    ]


def _ass_offset_seconds(title: Title) -> float:
    if not isinstance(title, FileTitle):
        return 0.0
    first = title.facts.spans[0]
    start = min(first.first_pts, first.key_dts) * title.facts.video.time_base
    return -round(float(start), 6) or 0.0


def _font_rows(title: FileTitle) -> Iterator[Mapping[str, str]]:
    for font in title.facts.fonts:
        yield {"name": font.name, "url": _file_url(title, FONTS, font.name)}


def _file_url(title: FileTitle, track_id: str, name: str) -> str:
    return build(
        Route(
            kind="file",
            title_path=title.title_path,
            track_id=track_id,
            digest=_digest(title, track_id),
            name=name,
        )
    )


def digest(title: Title, track_id: str) -> str:
    """The digest in the paths of a subtitle track, or of the fonts.

    Raises:
        NotFoundError: The title has no such track.
    """
    if isinstance(title, FileTitle) and (track_id == FONTS or _index(title, track_id) is not None):
        return _digest(title, track_id)
    raise NotFoundError(f"{title.title_path} has no track {track_id}", source=track_id)


def _digest(title: FileTitle, track_id: str) -> str:
    text = f"{title.snapshot.identity}/{track_id}/{_VERSION}/{ENCODER}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _index(title: FileTitle, track_id: str) -> int | None:
    number = track_id.removeprefix(_TRACK)
    if number == track_id or not number.isdecimal():
        return None
    return int(number) if int(number) < len(title.facts.subtitles) else None


def item(title: Title, route: Route) -> Item:
    """The body that a route's is, or is part of (see `part`).

    Raises:
        NotFoundError: There is no such thing.
    """
    track_id = route.track_id or ""
    own = digest(title, track_id)
    assert isinstance(title, FileTitle)
    if track_id == FONTS:
        return _font(title, own, route.name or "")
    if route.kind == "file":
        index = _index(title, track_id)
        if index is None or title.facts.subtitles[index].format != "ass":
            raise NotFoundError(f"{track_id} of {title.title_path} has no script", source=track_id)
        return _texts(title, track_id, "ass")
    if route.extension != "vtt":
        raise NotFoundError(f"the segments of {track_id} end in .vtt", source=track_id)
    return _texts(title, track_id, "webvtt")


def _font(title: FileTitle, own: str, name: str) -> Item:
    font = next((font for font in title.facts.fonts if font.name == name), None)
    if font is None:
        raise NotFoundError(f"{title.title_path} has no font {name}", source=name)
    return item_of(
        title,
        digest=own,
        name=name,
        content_type=_FONT_TYPES[PurePosixPath(name).suffix],
        job=lambda: ExtractFont(
            name=title.source.path,
            path=str(title.source.library.root / title.source.path),
            container=title.facts.container,
            stream_index=font.stream_index,
        ),
    )


def _texts(title: FileTitle, track_id: str, form: Form) -> Item:
    types = {"webvtt": "text/vtt; charset=utf-8", "ass": "text/x-ssa; charset=utf-8"}
    return item_of(
        title,
        digest=_digest(title, track_id),
        name=form,
        content_type=types[form],
        job=lambda: _job(title, track_id, form),
    )


def _job(title: FileTitle, track_id: str, form: Form) -> PackageSubtitles:
    facts = title.facts
    return PackageSubtitles(
        name=title.source.path,
        path=str(title.source.library.root / title.source.path),
        container=facts.container,
        stream_index=facts.subtitles[_index(title, track_id) or 0].stream_index,
        starts=segment_starts(facts.spans, facts.video.time_base, facts.offset_seconds),
        offset_seconds=facts.offset_seconds,
        form=form,
    )


def part(answer: ProducedAnswer, route: Route) -> ProducedAnswer:
    """What of an item's body a route asks for: of a track's segments, one.

    Raises:
        NotFoundError: The track has no such segment.
    """
    if route.kind != "segment":
        return answer
    texts = msgspec.json.decode(contents(answer.body), type=list[str])
    index = route.index or 0
    if index >= len(texts):
        raise NotFoundError(f"{route.title_path} has {len(texts)} segments, none is {index}")
    body = texts[index].encode()
    return replace(answer, body=body, etag=hashlib.sha256(body).hexdigest())


def bodies(title: FileTitle, texts: tuple[SubtitleTexts, ...]) -> Iterator[tuple[str, bytes]]:
    """Cache keys and bodies of what inspection found of each track."""
    for index, (track, text) in enumerate(zip(title.facts.subtitles, texts, strict=True)):
        yield _texts(title, f"{_TRACK}{index}", "webvtt").key, text.webvtt
        if track.format == "ass":
            yield _texts(title, f"{_TRACK}{index}", "ass").key, text.ass
