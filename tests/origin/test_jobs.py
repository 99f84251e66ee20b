from dataclasses import replace
from pathlib import Path

import pytest

from manifests.ladder import RenditionSpec
from manifests.parse import parse
from origin.errors import BrokenSourceError, NotFoundError
from origin.media.types import (
    Container,
    FileRange,
    HlsBody,
    HlsFacts,
    PackageAudio,
    Prepared,
    ProduceSegment,
    RemuxVideo,
)
from origin.service import jobs
from origin.service.plans import for_hls, plan_all
from origin.service.titles import FileSource, FileTitle, HlsSource, HlsTitle, Offer
from origin.sources import DirectoryLibrary, Snapshot
from tests.origin.made_up import file_facts, segment, video

LIBRARY = DirectoryLibrary("lib", Path("/library"))
SNAPSHOT = Snapshot(library=LIBRARY, paths=("t",), signature="s", identity="i")


def playlist(count: int, *, discontinuity: int | None = None) -> str:
    rows = [
        ("#EXT-X-DISCONTINUITY\n" if index == discontinuity else "") + f"#EXTINF:4,\n{index}.ts\n"
        for index in range(count)
    ]
    return "#EXTM3U\n#EXT-X-TARGETDURATION:4\n" + "".join(rows) + "#EXT-X-ENDLIST\n"


def hls_title(*segments, discontinuity: int | None = None) -> HlsTitle:
    media = parse(playlist(len(segments), discontinuity=discontinuity), name="v.m3u8")
    bodies = tuple(
        HlsBody(name=f"{i}.ts", container=Container.MPEGTS, body=FileRange(path=f"/library/{i}.ts"))
        for i in range(len(segments))
    )
    source = HlsSource(
        library=LIBRARY,
        path="v.m3u8",
        multivariant=None,
        variant=None,
        media=media,
        bodies=bodies,
        audio_bandwidth=0,
        files=("v.m3u8",),
    )
    title = HlsTitle(
        title_path="lib/v.m3u8",
        source=source,
        snapshot=SNAPSHOT,
        facts=HlsFacts(video=video(), audio=(), segments=segments),
        offers=(),
    )
    (plan,) = plan_all(for_hls(title), [RenditionSpec.parse("2x:lanczos")])
    prepared = Prepared(extradata=b"", codecs="avc1.64001f", init=None)
    return replace(title, offers=(Offer(plan=plan, prepared=prepared, digest=plan.digest()),))


def file_title(*, leading: bool = False) -> FileTitle:
    return FileTitle(
        title_path="lib/film.mkv",
        source=FileSource(library=LIBRARY, path="film.mkv"),
        snapshot=SNAPSHOT,
        facts=file_facts(leading=leading),
        offers=(),
    )


def preroll(title: HlsTitle, index: int) -> list[str]:
    return [Path(row.path).name for row in jobs.hls_body(title, index).preroll]


CLOSED, OPEN = segment(0), segment(0, leading=True)
NO_KEY = segment(0, leading=True, has_key=False)
BROKEN = segment(0, error="cut off")


def test_a_closed_gop_borrows_nothing():
    assert preroll(hls_title(CLOSED, CLOSED), 1) == []


def test_an_open_gop_borrows_from_the_segment_before():
    assert preroll(hls_title(OPEN, OPEN, OPEN), 2) == ["1.ts"]
    assert preroll(hls_title(OPEN, OPEN), 0) == []


def test_a_segment_without_a_key_goes_back_to_one_that_has_it_but_not_for_ever():
    assert preroll(hls_title(CLOSED, NO_KEY, NO_KEY), 2) == ["0.ts", "1.ts"]
    assert preroll(hls_title(*[CLOSED, *[NO_KEY] * 9]), 9) == ["6.ts", "7.ts", "8.ts"]


def test_nothing_is_borrowed_over_a_discontinuity_or_from_a_broken_segment():
    assert preroll(hls_title(CLOSED, OPEN, discontinuity=1), 1) == []
    assert preroll(hls_title(BROKEN, OPEN), 1) == []


def test_parameter_sets_are_fetched_from_the_last_segment_that_has_them():
    without = segment(0, has_parameter_sets=False)
    assert preroll(hls_title(CLOSED, CLOSED, without, without), 3) == ["1.ts"]


def test_a_segment_that_inspection_found_broken_is_not_tried():
    with pytest.raises(BrokenSourceError, match="cut off"):
        jobs.hls_body(hls_title(CLOSED, BROKEN), 1)


def test_each_track_has_its_job():
    title = hls_title(CLOSED, CLOSED)
    track = title.offers[0].plan.rendition_id
    job = jobs.segment_job(title, track, 1, device="cpu", threads=2)
    assert isinstance(job, ProduceSegment)
    assert (job.sequence_number, job.duration_seconds, job.threads) == (2, 4.0, 2)
    film = file_title()
    source = jobs.segment_job(film, "source", 0, device="cpu", threads=1)
    audio = jobs.segment_job(film, "audio-0", 2, device="cpu", threads=1)
    assert isinstance(source, RemuxVideo)
    assert isinstance(audio, PackageAudio)
    assert jobs.init_job(film, "audio-0").stream_index == 1
    assert jobs.extension(title, track) == "ts"
    assert jobs.extension(film, "source") == "m4s"


@pytest.mark.parametrize(
    ("track", "index"),
    [("source", 3), ("audio-0", 1), ("audio-1", 0), ("up-720p-lanczos", 0)],
)
def test_what_a_media_file_does_not_have_is_not_found(track, index):
    with pytest.raises(NotFoundError):
        jobs.segment_job(file_title(), track, index, device="cpu", threads=1)


def test_hls_titles_have_no_tracks_of_their_own_but_the_produced_ones():
    for track in ("source", "audio-0", "up-1080p-lanczos"):
        with pytest.raises(NotFoundError):
            jobs.track_digest(hls_title(CLOSED), track)


def test_an_open_gop_of_a_media_file_begins_decoding_a_segment_earlier():
    title = file_title(leading=True)
    assert jobs.file_body(title, 0).previous is None
    assert jobs.file_body(title, 1).previous == title.facts.spans[0]
    assert jobs.file_body(file_title(), 1).previous is None


def test_digests_follow_content_and_track():
    film = file_title()
    other = replace(film, snapshot=replace(SNAPSHOT, identity="other"))
    digests = [jobs.track_digest(title, track) for title in (film, other) for track in TRACKS]
    assert len(set(digests)) == 4


TRACKS = ("source", "audio-0")
