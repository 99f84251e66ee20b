"""Whatever a title's paths stand for takes its library's part of the cache."""

import pytest

from manifests.urls import SCRIPT, Route
from origin.media.inspect_file import inspect_file
from origin.media.types import InspectFile
from origin.service import subtitles
from origin.service.items import item_of
from origin.service.titles import FileSource, FileTitle
from origin.sources import DirectoryLibrary
from tests.media.subtitled import ASS, SRT, Track, write_subtitled


@pytest.fixture(scope="module")
def title(tmp_path_factory: pytest.TempPathFactory) -> FileTitle:
    path = tmp_path_factory.mktemp("library") / "film.mkv"
    write_subtitled(path, [Track(suffix=".srt", content=SRT), Track(suffix=".ass", content=ASS)])
    library = DirectoryLibrary("movies", path.parent)
    return FileTitle(
        title_path="movies/film.mkv",
        source=FileSource(library=library, path=path.name),
        snapshot=library.snapshot((path.name,)),
        facts=inspect_file(InspectFile(name=path.name, path=str(path))),
        offers=(),
    )


def subtitle(title: FileTitle, track_id: str, **place: object) -> Route:
    digest = subtitles.digest(title, track_id)
    return Route(title_path=title.title_path, track_id=track_id, digest=digest, **place)


def test_subtitles_and_scripts_count_for_their_library(title: FileTitle) -> None:
    segment = subtitle(title, "subs-0", kind="segment", index=0, extension="vtt")
    script = subtitle(title, "subs-1", kind="file", name=SCRIPT)
    assert subtitles.item(title, segment).library == "movies"
    assert subtitles.item(title, script).library == "movies"


def test_an_item_is_known_by_its_plan_and_its_name(title: FileTitle) -> None:
    def item(digest: str, name: str) -> str:
        return item_of(
            title, digest=digest, name=name, content_type="x", job=lambda: pytest.fail("made")
        ).key

    keys = {item(digest, name) for digest in ("a" * 16, "b" * 16) for name in ("init", "0")}
    assert len(keys) == 4
