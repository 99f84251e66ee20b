"""Reads an HLS title from its library, and picks the variant to upscale.

Playlists are followed inside the library only. Blocking; called from threads.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from manifests.errors import ManifestError
from manifests.ladder import pick_source
from manifests.parse import parse
from manifests.types import MapTag, MediaPlaylist, MultivariantPlaylist, Segment
from origin.errors import BrokenSourceError, UnsupportedSourceError
from origin.media.types import Container, FileRange, HlsBody
from origin.service.titles import HlsSource
from origin.sources import DirectoryLibrary, Snapshot, relative_uri

_NOT_MPEGTS = frozenset({".aac", ".mp3", ".ac3", ".ec3", ".vtt", ".webvtt"})
_NEVER_FOLLOWED = ("data:", "skd:")
"""Schemes of URIs that name no place: inline data, and FairPlay's keys."""


def read_playlist(library: DirectoryLibrary, path: str) -> MultivariantPlaylist | MediaPlaylist:
    """Parse a playlist and make sure that everything it refers to lies inside the library.

    Raises:
        NotFoundError: There is no such file.
        BrokenSourceError: It is no playlist.
        UnsupportedSourceError: It refers to itself or to a place outside.
    """
    text = library.read_text(path)
    try:
        playlist = parse(text, name=path)
    except ManifestError as error:
        raise BrokenSourceError(str(error), source=path) from error
    uris = [uri for uri in playlist.uris if not uri.startswith(_NEVER_FOLLOWED)]
    for target in {relative_uri(path, uri) for uri in uris}:
        if target == path:
            raise UnsupportedSourceError(f"{path} refers to itself; refused", source=path)
        _refuse_links_out(library, target)
    return playlist


def _refuse_links_out(library: DirectoryLibrary, target: str) -> None:
    real = library.root.joinpath(target).resolve()
    if not real.is_relative_to(library.root):
        raise UnsupportedSourceError(
            f"{target} is a link that leads out of the library; refused", source=target
        )


def read_media_playlist(library: DirectoryLibrary, path: str) -> MediaPlaylist:
    """Read a playlist that must be a media playlist.

    Raises:
        UnsupportedSourceError: It is a multivariant playlist: these do not nest.
    """
    playlist = read_playlist(library, path)
    if isinstance(playlist, MultivariantPlaylist):
        raise UnsupportedSourceError(
            f"{path} should be a media playlist but is a multivariant playlist", source=path
        )
    return playlist


def load(
    library: DirectoryLibrary, path: str, known: Callable[[str], str | None]
) -> tuple[HlsSource, Snapshot]:
    """Read the title whose playlist is `path`, and what its files hold at the same time.

    `known` is as for `DirectoryLibrary.snapshot`.

    Raises:
        OriginError: It cannot be upscaled; the message says why.
    """
    source = _load(library, path)
    snapshot = library.snapshot(source.files, known)
    if _load(library, path) != source:
        raise BrokenSourceError(f"{path} changed while it was read", source=path)
    return source, snapshot


def _load(library: DirectoryLibrary, path: str) -> HlsSource:
    playlist = read_playlist(library, path)
    if isinstance(playlist, MediaPlaylist):
        return _source(library, path, playlist, path, None)
    variant = pick_source(playlist.variants)
    if variant is None:
        raise UnsupportedSourceError(f"{path} has no variant with SDR video", source=path)
    media_path = relative_uri(path, variant.uri)
    media = read_media_playlist(library, media_path)
    source = _source(library, path, media, media_path, playlist)
    _check_others(library, path, playlist)
    return source


def _check_others(library: DirectoryLibrary, path: str, playlist: MultivariantPlaylist) -> None:
    for uri in playlist.uris:
        if uri.startswith(_NEVER_FOLLOWED):
            continue
        target = relative_uri(path, uri)
        if PurePosixPath(target).suffix.lower() == ".m3u8" and (library.root / target).is_file():
            read_media_playlist(library, target)


def _source(
    library: DirectoryLibrary,
    path: str,
    media: MediaPlaylist,
    media_path: str,
    multivariant: MultivariantPlaylist | None,
) -> HlsSource:
    _refuse_unsupported(media, media_path)
    bodies = tuple(_body(library, media_path, segment) for segment in media.segments)
    variant = pick_source(multivariant.variants) if multivariant else None
    audio_bandwidth = 0
    if multivariant is not None and variant is not None and variant.audio is not None:
        audio_bandwidth = _audio_bandwidth(library, path, multivariant, variant.audio)
    return HlsSource(
        library=library,
        path=path,
        multivariant=multivariant,
        variant=variant,
        media=media,
        bodies=bodies,
        audio_bandwidth=audio_bandwidth,
        files=_files(library, bodies, (path, media_path)),
    )


def _refuse_unsupported(media: MediaPlaylist, path: str) -> None:
    reason = None
    if not media.ended:
        reason = "it has no EXT-X-ENDLIST; only VOD playlists can be upscaled"
    elif media.encrypted:
        reason = "its segments are encrypted (EXT-X-KEY); upscaling needs clear ones"
    elif not media.segments:
        reason = "it has no segments"
    elif media.i_frames_only:
        reason = "it holds I-frames only"
    if reason is not None:
        raise UnsupportedSourceError(f"{path} cannot be upscaled: {reason}", source=path)


def _body(library: DirectoryLibrary, media_path: str, segment: Segment) -> HlsBody:
    name = relative_uri(media_path, segment.uri)
    byterange = segment.byterange
    suffix = PurePosixPath(name).suffix.lower()
    if segment.map is None and suffix in _NOT_MPEGTS:
        raise UnsupportedSourceError(f"{name} holds no video", source=media_path)
    return HlsBody(
        name=name,
        container=Container.MPEGTS if segment.map is None else Container.MP4,
        body=FileRange(
            path=str(library.root / name),
            offset=byterange.offset if byterange else 0,
            length=byterange.length if byterange else None,
        ),
        init=None if segment.map is None else _init_range(library, media_path, segment.map),
    )


def _init_range(library: DirectoryLibrary, media_path: str, map_tag: MapTag) -> FileRange:
    name = relative_uri(media_path, map_tag.uri)
    byterange = map_tag.byterange
    return FileRange(
        path=str(library.root / name),
        offset=byterange.offset if byterange else 0,
        length=byterange.length if byterange else None,
    )


def _files(
    library: DirectoryLibrary, bodies: Iterable[HlsBody], playlists: tuple[str, ...]
) -> tuple[str, ...]:
    ranges = [r for body in bodies for r in (body.init, body.body) if r is not None]
    names = [str(PurePosixPath(r.path).relative_to(library.root.as_posix())) for r in ranges]
    return tuple(dict.fromkeys([*playlists, *names]))


def _audio_bandwidth(
    library: DirectoryLibrary, path: str, playlist: MultivariantPlaylist, group: str
) -> int:
    """Peak rate of the widest audio rendition of a group, from the sizes of its segments."""
    uris = [
        rendition.uri
        for rendition in playlist.renditions
        if rendition.type == "AUDIO" and rendition.group_id == group and rendition.uri
    ]
    targets = [relative_uri(path, uri) for uri in uris]
    playlists = {target: read_media_playlist(library, target) for target in targets}
    return max(_peak_rates(library, playlists), default=0)


def _peak_rates(library: DirectoryLibrary, playlists: Mapping[str, MediaPlaylist]) -> Iterable[int]:
    for path, media in playlists.items():
        for segment in media.segments:
            size = _segment_bytes(library, path, segment)
            yield int(size * 8 / max(float(segment.duration), media.target_duration / 2)) + 1


def _segment_bytes(library: DirectoryLibrary, path: str, segment: Segment) -> int:
    if segment.byterange is not None:
        return segment.byterange.length
    try:
        return (library.root / relative_uri(path, segment.uri)).stat().st_size
    except OSError:
        return 0
