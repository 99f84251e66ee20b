import os

import pytest

from origin.errors import BrokenSourceError, NotFoundError, UnsupportedSourceError
from origin.sources import DirectoryLibrary, FileKind, relative_uri
from tests.tools import write_later


@pytest.fixture
def library(tmp_path):
    root = tmp_path / "library"
    (root / "show").mkdir(parents=True)
    (root / "show" / "master.m3u8").write_text("#EXTM3U\n")
    (root / "show" / "0.ts").write_bytes(b"G" * 1000)
    (root / ".hidden.mkv").write_bytes(b"x")
    (root / "film.MKV").write_bytes(b"x")
    (tmp_path / "secret.ts").write_bytes(b"secret")
    return DirectoryLibrary("lib", root)


def test_listings_are_playlists_and_media_without_hidden_files(library):
    found = {(listing.path, listing.kind) for listing in library.listings()}
    assert found == {
        ("show/master.m3u8", FileKind.PLAYLIST),
        ("show/0.ts", FileKind.MEDIA),
        ("film.MKV", FileKind.MEDIA),
    }


@pytest.mark.parametrize("path", ["", "nothing.ts", "show", "show/0.ts/x", "/etc/passwd", "a\0b"])
def test_what_is_not_a_file_is_not_found(library, path):
    with pytest.raises(NotFoundError):
        library.resolve(path)


def test_nothing_outside_the_library_is_reached(library):
    (library.root / "link.ts").symlink_to(library.root.parent / "secret.ts")
    (library.root / "up").symlink_to(library.root.parent)
    for path in ("../secret.ts", "show/../../secret.ts", "link.ts", "up/secret.ts"):
        with pytest.raises(UnsupportedSourceError, match="out of the library"):
            library.resolve(path)


def test_a_link_inside_the_library_is_followed(library):
    (library.root / "show" / "same.ts").symlink_to("0.ts")
    assert library.resolve("show/same.ts").name == "0.ts"


def test_a_playlist_that_is_no_text_is_broken(library):
    (library.root / "bad.m3u8").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BrokenSourceError, match=r"bad\.m3u8"):
        library.read_text("bad.m3u8")


def test_identity_follows_content_and_ignores_times_and_names(library):
    path = library.root / "show" / "0.ts"
    before = library.identity(["show/0.ts"])
    os.utime(path, (1, 1))
    path.rename(path.with_name("1.ts"))
    assert library.identity(["show/1.ts"]) == before
    path.with_name("1.ts").write_bytes(b"G" * 999 + b"H")
    assert library.identity(["show/1.ts"]) != before


def test_signature_follows_times_and_sizes(library):
    before = library.signature(["show/0.ts"])
    path = library.root / "show" / "0.ts"
    write_later(path, path.read_bytes())
    assert library.signature(["show/0.ts"]) != before
    assert library.signature(["gone.ts"]) == library.signature(["gone.ts"])


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("0.ts", "a/b/0.ts"),
        ("../0.ts", "a/0.ts"),
        ("./x//0.ts", "a/b/x/0.ts"),
        ("film%20one.ts?token=1#t", "a/b/film one.ts"),
    ],
)
def test_uris_resolve_inside_the_library(uri, expected):
    assert relative_uri("a/b/media.m3u8", uri) == expected


@pytest.mark.parametrize(
    "uri",
    [
        "../../../0.ts",
        "%2e%2e/%2e%2e/%2e%2e/0.ts",
        "/0.ts",
        "file:///etc/passwd",
        "http://example.com/0.ts",
        "//example.com/0.ts",
        "..\\0.ts",
        "http://[",
        "?x",
    ],
)
def test_uris_that_lead_out_are_refused(uri):
    with pytest.raises(UnsupportedSourceError, match="refused"):
        relative_uri("a/b/media.m3u8", uri)


def test_a_snapshot_tells_new_content_from_a_touch(library):
    path = library.root / "show" / "0.ts"
    before = path.stat()
    snapshot = library.snapshot(["show/0.ts"])
    write_later(path, path.read_bytes())
    assert snapshot.is_current()
    write_later(path, b"H" * 1000)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not snapshot.is_current()


def test_a_few_repaired_bytes_of_a_large_file_are_other_content(library):
    path = library.root / "large.mkv"
    content = bytearray(3 << 20)
    path.write_bytes(content)
    snapshot = library.snapshot(["large.mkv"])
    content[1_234_567:1_234_575] = b"repaired"
    write_later(path, content)
    assert not snapshot.is_current()


def test_what_is_known_is_not_read_again(library):
    first = library.snapshot(["show/0.ts"])
    (library.root / "show" / "0.ts").chmod(0)
    again = library.snapshot(["show/0.ts"], {library.signature(["show/0.ts"]): "known"}.get)
    assert again.identity == "known" != first.identity


def test_a_file_that_became_a_pipe_is_not_waited_for(library):
    os.mkfifo(library.root / "pipe.mkv")
    with pytest.raises(BrokenSourceError, match="no regular file"):
        library.identity(["pipe.mkv"])
