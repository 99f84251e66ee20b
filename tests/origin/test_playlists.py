"""From the files of an HLS title to the text that players get, media left out."""

import pytest

from manifests.ladder import RenditionSpec
from origin.cache import StateStore
from origin.media.types import FileFacts
from origin.service import jobs, playlists
from origin.service.capability import Capability
from origin.service.discovery import Candidate, TitleKind
from origin.service.prepare import Preparer
from origin.sources import DirectoryLibrary
from tests.origin.made_up import FakePool, write_media_playlist

STREAM = "#EXT-X-STREAM-INF:BANDWIDTH=500000,RESOLUTION=640x360"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "library"
    write_media_playlist(root / "v.m3u8")
    return root


async def prepare(root, path: str, kind: TitleKind = TitleKind.HLS):
    pool, state = FakePool(), StateStore(root.parent / "state")
    capability = Capability(pool=pool, state=state, device="cpu", threads=1)
    preparer = Preparer(
        specs=(RenditionSpec.parse("2x:lanczos"), RenditionSpec.parse("720p:lanczos")),
        pool=pool,
        state=state,
        capability=capability,
        device="cpu",
    )
    library = DirectoryLibrary("lib", root)
    return await preparer.prepare(Candidate(library=library, path=path, kind=kind))


def produced(text: str) -> list[str]:
    return [line for line in text.splitlines() if 'STABLE-VARIANT-ID="up-' in line]


async def test_what_is_given_twice_is_offered_once_after_the_sources_own(root):
    (root / "m.m3u8").write_text(f"#EXTM3U\n{STREAM}\nv.m3u8\n")
    text = playlists.multivariant(await prepare(root, "m.m3u8"))
    assert len(produced(text)) == 1
    assert text.index("v.m3u8") < text.index("up-720p-lanczos")


async def test_a_variant_of_several_audio_groups_is_offered_with_each(root):
    write_media_playlist(root / "a.m3u8")
    groups = ("stereo", "surround")
    media = [
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{group}",NAME="x",URI="a.m3u8"\n' for group in groups
    ]
    variants = [f'{STREAM},AUDIO="{group}"\nv.m3u8\n' for group in groups]
    (root / "m.m3u8").write_text("#EXTM3U\n" + "".join(media + variants))
    lines = produced(playlists.multivariant(await prepare(root, "m.m3u8")))
    assert ['AUDIO="stereo"' in line for line in lines] == [True, False]
    assert ['AUDIO="surround"' in line for line in lines] == [False, True]


async def test_line_ends_of_dos_stay_and_are_ours_too(root):
    (root / "m.m3u8").write_bytes(f"#EXTM3U\r\n{STREAM}\r\nv.m3u8\r\n".encode())
    text = playlists.multivariant(await prepare(root, "m.m3u8"))
    assert produced(text)
    assert all(line.endswith("\r") for line in text.split("\n")[:-1])


async def test_gaps_stay_gaps_with_their_duration(root):
    path = root / "v.m3u8"
    path.write_text(path.read_text().replace("#EXTINF:4.0,\nv-1", "#EXT-X-GAP\n#EXTINF:4.0,\nv-1"))
    (root / "v-1.ts").unlink()
    title = await prepare(root, "v.m3u8")
    (offer,) = title.offers
    text = playlists.media(title, offer.plan.rendition_id, offer.digest)
    rows = text.splitlines()
    assert rows.index("#EXT-X-GAP") == rows.index(f"{offer.digest}/1.ts") - 2
    assert text.count("#EXTINF:4.0,") == 4


async def test_a_lone_playlist_is_listed_beside_itself(root):
    text = playlists.multivariant(await prepare(root, "v.m3u8"))
    assert "v.source.m3u8" in text.splitlines()
    assert len(produced(text)) == 1


async def test_a_media_file_lists_its_own_video_its_audio_and_what_is_produced(root):
    (root / "film.mkv").write_bytes(b"x")
    title = await prepare(root, "film.mkv", TitleKind.FILE)
    assert isinstance(title.facts, FileFacts)
    text = playlists.multivariant(title)
    assert "source/index.m3u8" in text.splitlines()
    assert 'URI="audio-0/index.m3u8"' in text
    assert len(produced(text)) == 1
    audio = playlists.media(title, "audio-0", jobs.track_digest(title, "audio-0"))
    names = [line.rpartition("/")[2] for line in audio.splitlines() if line.endswith(".m4s")]
    assert names == ["0.m4s", "2.m4s"]
