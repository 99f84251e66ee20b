"""The URL scheme: what is built is matched, and nothing else is."""

from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import ManifestError
from manifests.urls import (
    FONTS,
    POSTER,
    SCRIPT,
    THUMBNAILS,
    Route,
    build,
    decode_path,
    encode_path,
    fits,
    init_uri,
    is_media_file,
    is_playlist,
    lone_playlist_path,
    match,
    playlist_uri,
    segment_uri,
    sheet_uri,
    source_playlist_path,
    title_url,
)

NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"),
    min_size=1,
    max_size=12,
).filter(lambda name: name not in (".", ".."))
DIRECTORIES = st.one_of(
    NAMES, st.sampled_from(["a.m3u8", "film.mkv", "source", "up-720p-lanczos", "0123456789abcdef"])
)
FILES = st.builds("{}.{}".format, NAMES, st.sampled_from(["mkv", "mp4", "webm", "ts", "MKV"]))
PLAYLISTS = st.builds("{}.m3u8".format, NAMES)
DIGESTS = st.text("0123456789abcdef", min_size=16, max_size=16)
PRODUCED = st.sampled_from(["up-720p-anime4k-m", "up-1080p-waifu2x-upconv7-noise1", "same-480p"])
OWN = st.sampled_from(["source", "audio-0", "audio-12", "subs-0", "subs-12"])


def title_paths(names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda above, name: "/".join([*above, name]),
        st.lists(DIRECTORIES, min_size=1, max_size=3),
        names,
    )


def playlist_routes(
    titles: st.SearchStrategy[str], tracks: st.SearchStrategy[str]
) -> st.SearchStrategy[Route]:
    return st.builds(Route, kind=st.just("playlist"), title_path=titles, track_id=tracks)


def routes(
    titles: st.SearchStrategy[str], tracks: st.SearchStrategy[str]
) -> st.SearchStrategy[Route]:
    return st.one_of(
        playlist_routes(titles, tracks),
        st.builds(Route, kind=st.just("init"), title_path=titles, track_id=tracks, digest=DIGESTS),
        st.builds(
            Route,
            kind=st.just("segment"),
            title_path=titles,
            track_id=tracks,
            digest=DIGESTS,
            index=st.integers(0, 50_000),
            extension=st.sampled_from(["ts", "m4s", "vtt"]),
        ),
    )


ROUTES = st.one_of(
    routes(title_paths(PLAYLISTS), PRODUCED),
    routes(title_paths(FILES), st.one_of(PRODUCED, OWN)),
    st.builds(Route, kind=st.just("multivariant"), title_path=title_paths(FILES)),
    st.builds(
        Route,
        kind=st.just("still"),
        title_path=title_paths(st.one_of(FILES, PLAYLISTS)),
        digest=DIGESTS,
        name=st.one_of(st.sampled_from([POSTER, THUMBNAILS]), st.integers(0, 9999).map(sheet_uri)),
    ),
    st.builds(
        lambda title_path, digest, file: Route(
            kind="file", title_path=title_path, digest=digest, track_id=file[0], name=file[1]
        ),
        title_paths(FILES),
        DIGESTS,
        st.sampled_from([("subs-3", SCRIPT), (FONTS, "Fira-Sans_2.ttf"), (FONTS, "init.otf")]),
    ),
)


@given(ROUTES)
def test_what_is_built_is_matched(route: Route) -> None:
    path = build(route)
    assert path.startswith("/")
    assert path.isascii()
    assert not set(path) & set(' #?"<>\\^`{|}')
    assert match(path) == route
    assert match(path.removeprefix("/")) == route


PLAYLIST_ROUTES = st.one_of(
    playlist_routes(title_paths(PLAYLISTS), PRODUCED),
    playlist_routes(title_paths(FILES), st.one_of(PRODUCED, OWN)),
)


@given(PLAYLIST_ROUTES, DIGESTS)
def test_relative_uris_lead_to_the_same_place(route: Route, digest: str) -> None:
    track = route.track_id or ""
    playlist = urljoin(title_url(route.title_path), playlist_uri(route.title_path, track))
    assert playlist == build(route)
    found = match(urljoin(playlist, segment_uri(digest, 7, "m4s")))
    assert found == Route(
        kind="segment",
        title_path=route.title_path,
        track_id=track,
        digest=digest,
        index=7,
        extension="m4s",
    )
    init = match(urljoin(playlist, init_uri(digest)))
    assert init == Route(kind="init", title_path=route.title_path, track_id=track, digest=digest)


@given(title_paths(PLAYLISTS))
def test_paths_are_decoded_as_they_were_encoded(path: str) -> None:
    assert decode_path("/" + encode_path(path)) == path


def test_paths_read_well() -> None:
    assert title_url("films/a b/master.m3u8") == "/films/a%20b/master.m3u8"
    assert title_url("films/50% #1?.mkv") == "/films/50%25%20%231%3F.mkv/index.m3u8"
    uri = playlist_uri("films/a:b.m3u8", "up-720p-lanczos")
    assert uri == "a%3Ab.m3u8/up-720p-lanczos/index.m3u8"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/films",
        "/films/show/master.m3u8",
        "/films/show/index.m3u8",
        "/films/show/source/index.m3u8",
        "/films/master.m3u8/source/index.m3u8",
        "/films/master.m3u8/audio-1/index.m3u8",
        "/film.mkv/index.m3u8",
        "/films/a.mkv/audio-01/index.m3u8",
        "/films/a.mkv/up-720/index.m3u8",
        "/films/a.mkv/source/0123456789abcde/0.m4s",
        "/films/a.mkv/source/0123456789ABCDEF/0.m4s",
        "/films/a.mkv/source/0123456789abcdef/00.m4s",
        "/films/a.mkv/source/0123456789abcdef/\u0661.m4s",
        "/films/a.mkv/source/0123456789abcdef/-1.m4s",
        "/films/a.mkv/source/0123456789abcdef/9999999.m4s",
        "/films/a.mkv/source/0123456789abcdef/0.mp4",
        "/films/a.mkv/source/0123456789abcdef/",
        "/films/a.mkv/stills/0123456789abcdef/00.jpg",
        "/films/a.mkv/stills/0123456789abcdef/other.jpg",
        "/films/a.mkv/stills/0123456789abcde/poster.jpg",
        "/films/a.jpg/stills/0123456789abcdef/poster.jpg",
        "/film.mkv/stills/0123456789abcdef/poster.jpg",
        "/films/a.mkv/fonts/index.m3u8",
        "/films/a.mkv/fonts/0123456789abcdef/.ttf",
        "/films/a.mkv/fonts/0123456789abcdef/a b.ttf",
        "/films/a.mkv/fonts/0123456789abcde/a.ttf",
        "/films/a.mkv/audio-0/0123456789abcdef/subtitles.ass",
        "/films/master.m3u8/subs-0/0123456789abcdef/subtitles.ass",
        "/films//a.mkv/source/index.m3u8",
        "/films/../a.mkv/source/index.m3u8",
        "/films/%2e%2e/a.mkv/source/index.m3u8",
        "/films%2Fa.mkv/source/index.m3u8",
        "/films/..%5Ca.mkv/source/index.m3u8",
        "/films/%00/a.mkv/source/index.m3u8",
        "/films/%ff/a.mkv/source/index.m3u8",
    ],
)
def test_other_paths_are_not_matched(path: str) -> None:
    assert match(path) is None


def test_directories_may_be_called_like_titles_and_tracks() -> None:
    found = match("/n/a.m3u8/up-720p-lanczos/b.m3u8/up-1080p-lanczos/index.m3u8")
    assert found is not None
    assert found.title_path == "n/a.m3u8/up-720p-lanczos/b.m3u8"
    assert found.track_id == "up-1080p-lanczos"


def test_names_that_are_no_text_are_refused() -> None:
    with pytest.raises(ManifestError, match="not UTF-8"):
        encode_path("films/\udcff.mkv")


@given(title_paths(PLAYLISTS))
def test_lone_playlists_have_a_sibling(path: str) -> None:
    sibling = source_playlist_path(path)
    assert sibling.rpartition("/")[0] == path.rpartition("/")[0]
    assert lone_playlist_path(sibling) == path


def test_lone_playlist_paths() -> None:
    assert source_playlist_path("a/index.m3u8") == "a/index.source.m3u8"
    assert lone_playlist_path("a/index.source.m3u8") == "a/index.m3u8"
    assert lone_playlist_path("a/index.m3u8") is None
    assert lone_playlist_path("a/film.source.mkv") is None
    assert lone_playlist_path("a/.source.m3u8") is None


def test_kinds_by_suffix() -> None:
    assert is_media_file("a/B.MKV")
    assert not is_media_file("a/b.m3u8")
    assert is_playlist("a/b.M3U8")


def test_patterns_have_stars_and_question_marks_and_brackets_are_their_own() -> None:
    assert fits("lib/[A] b.mkv", "lib/[A] *.mkv")
    assert fits("lib/[A] b.mkv", "lib/[A] ?.mkv")
    assert not fits("lib/A b.mkv", "lib/[A] b.mkv")
    assert not fits("lib/[A] b.mkv", "lib/[A]")
