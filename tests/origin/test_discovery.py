import pytest

from origin.service.discovery import Discovery, TitleKind
from origin.sources import DirectoryLibrary
from tests.origin.made_up import write_media_playlist


@pytest.fixture
def root(tmp_path):
    return tmp_path


def found(root) -> dict[str, TitleKind]:
    return {row.path: row.kind for row in Discovery(DirectoryLibrary("lib", root)).candidates()}


def test_what_a_playlist_refers_to_is_no_title(root):
    write_media_playlist(root / "a" / "v.m3u8")
    (root / "a" / "Main.M3U8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8?x=1\n")
    (root / "FILM.MKV").write_bytes(b"x")
    assert found(root) == {"a/Main.M3U8": TitleKind.HLS, "FILM.MKV": TitleKind.FILE}


def test_segments_with_queries_and_line_ends_of_dos_are_no_titles(root):
    write_media_playlist(root / "v.m3u8")
    text = (root / "v.m3u8").read_text().replace(".ts\n", ".ts?token=1\n").replace("\n", "\r\n")
    (root / "v.m3u8").write_bytes(text.encode())
    assert list(found(root)) == ["v.m3u8"]


def test_segments_of_a_playlist_that_breaks_the_rules_are_no_titles(root):
    write_media_playlist(root / "v.m3u8")
    broken = (root / "v.m3u8").read_text().replace("#EXT-X-TARGETDURATION:4\n", "")
    (root / "v.m3u8").write_text(broken + '#EXT-X-MAP:URI="init.mp4"\n')
    (root / "init.mp4").write_bytes(b"x")
    assert list(found(root)) == ["v.m3u8"]


def test_a_long_line_of_such_a_playlist_takes_no_longer_by_the_letter(root):
    (root / "v.m3u8").write_text("#EXTM3U\na" + " " * 2_000_000 + "b\n")
    assert list(found(root)) == ["v.m3u8"]


def test_i_frame_playlists_are_no_titles(root):
    write_media_playlist(root / "v.m3u8")
    text = (root / "v.m3u8").read_text()
    (root / "v.m3u8").write_text(text.replace("#EXTINF", "#EXT-X-I-FRAMES-ONLY\n#EXTINF", 1))
    assert found(root) == {}


def test_a_directory_named_like_a_file_is_a_directory(root):
    write_media_playlist(root / "film.mkv" / "index.m3u8")
    assert found(root) == {"film.mkv/index.m3u8": TitleKind.HLS}


@pytest.mark.parametrize("name", [b"\xff.mkv", b"a\\b.mkv", b"a\nb.mkv"])
def test_names_that_no_url_can_have_are_left_out(root, name):
    root.joinpath(name.decode("utf-8", "surrogateescape")).write_bytes(b"x")
    (root / "é #%?.mkv").write_bytes(b"x")
    assert list(found(root)) == ["é #%?.mkv"]


def test_only_playlists_that_changed_are_read_again(root, monkeypatch):
    for name in ("a", "b"):
        write_media_playlist(root / name / "v.m3u8")
    library = DirectoryLibrary("lib", root)
    discovery = Discovery(library)
    discovery.candidates()
    read: list[str] = []
    original = DirectoryLibrary.read_text
    monkeypatch.setattr(
        DirectoryLibrary,
        "read_text",
        lambda self, path: read.append(path) or original(self, path),
    )
    assert len(discovery.candidates()) == 2
    assert read == []
    write_media_playlist(root / "b" / "v.m3u8", count=2)
    assert [row.path for row in discovery.candidates()] == [
        "a/v.m3u8",
        "b/v-2.ts",
        "b/v-3.ts",
        "b/v.m3u8",
    ]
    assert read == ["b/v.m3u8"]
