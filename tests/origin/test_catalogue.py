import asyncio
import os

import pytest

from manifests.ladder import RenditionSpec
from origin.cache import StateStore
from origin.errors import BrokenSourceError, NotFoundError, ProductionError, UnsupportedSourceError
from origin.media.types import InspectHls, Measure, PrepareRendition
from origin.service import catalogue
from origin.service.capability import Capability
from origin.service.catalogue import Catalogue
from origin.service.prepare import Preparer
from origin.service.warmth import Warmth
from origin.sources import DirectoryLibrary
from tests.origin.made_up import FakePool, until, video, write_media_playlist

LANCZOS = RenditionSpec.parse("2x:lanczos")
AUTO = RenditionSpec.parse("auto")


@pytest.fixture(autouse=True)
def _always_look(monkeypatch):
    monkeypatch.setattr(catalogue, "_FRESH_SECONDS", 0.0)


@pytest.fixture
def pool():
    return FakePool()


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "library"
    write_media_playlist(root / "one" / "v.m3u8")
    return root


def make(root, pool, tmp_path, *specs, device="cpu") -> Catalogue:
    state = StateStore(tmp_path / "state")
    capability = Capability(pool=pool, state=state, device=device, threads=1)
    preparer = Preparer(
        specs=specs or (LANCZOS,), pool=pool, state=state, capability=capability, device=device
    )
    return Catalogue([DirectoryLibrary("lib", root)], preparer, Warmth(lambda key: False))


async def test_a_title_is_inspected_once_and_remembered(root, pool, tmp_path):
    titles = make(root, pool, tmp_path)
    first, second = await asyncio.gather(*(titles.title("lib/one/v.m3u8") for _ in range(2)))
    again = await make(root, pool, tmp_path).title("lib/one/v.m3u8")
    assert first.offers == second.offers == again.offers
    assert [offer.plan.rendition_id for offer in first.offers] == ["up-720p-lanczos"]
    assert len(pool.of(InspectHls)) == 1


async def test_a_rendition_that_waits_for_its_warming_is_offered_with_its_url(root, pool, tmp_path):
    waits = RenditionSpec.parse("4x:bilinear:when=warmed")
    await make(root, pool, tmp_path, LANCZOS, waits).title("lib/one/v.m3u8")
    titles = make(root, pool, tmp_path, LANCZOS, waits)  # from disk
    title = await titles.title("lib/one/v.m3u8")
    assert [offer.when_warmed for offer in title.offers] == [False, True]
    ((_, row),) = [row["renditions"] for row in await titles.summaries()]
    assert row["url"] == "/lib/one/v.m3u8/up-1440p-bilinear/index.m3u8"
    assert (row["warmed"], row["listed"]) == (False, False)


async def test_one_content_in_two_places_is_inspected_once(root, pool, tmp_path):
    write_media_playlist(root / "one" / "v.m3u8")
    (root / "two").mkdir()
    for file in (root / "one").iterdir():
        (root / "two" / file.name).write_bytes(file.read_bytes())
    titles = make(root, pool, tmp_path)
    one, two = await asyncio.gather(*(titles.title(f"lib/{x}/v.m3u8") for x in ("one", "two")))
    assert one.offers == two.offers
    assert len(pool.of(InspectHls)) == len(pool.of(PrepareRendition)) == 1


async def test_what_nobody_foresaw_fails_one_title_and_not_the_list(root, pool, tmp_path):
    write_media_playlist(root / "two" / "v.m3u8")

    def fail(job: object) -> None:
        if isinstance(job, InspectHls) and job.name.startswith("one"):
            raise ZeroDivisionError("a bug")

    pool.before = fail
    titles = make(root, pool, tmp_path)
    await titles.prepare_all()
    rows = {row["id"]: row["status"] for row in await titles.summaries()}
    assert rows == {"lib/one/v.m3u8": "failed", "lib/two/v.m3u8": "ready"}
    with pytest.raises(ProductionError, match="a bug"):
        await titles.title("lib/one/v.m3u8")


async def test_a_request_does_not_wait_for_all_other_titles(root, pool, tmp_path):
    for number in range(20):
        write_media_playlist(root / f"many{number:02}" / "v.m3u8")
    pool.gate.clear()
    titles = make(root, pool, tmp_path)
    everything = asyncio.create_task(titles.prepare_all())
    await until(lambda: pool.jobs)
    wanted = asyncio.create_task(titles.title("lib/one/v.m3u8"))
    await until(lambda: len(pool.jobs) == 2)
    assert [job.name for job in pool.jobs] == ["many00/v.m3u8", "one/v.m3u8"]
    pool.gate.set()
    await asyncio.gather(wanted, everything)


async def test_new_content_makes_new_digests_and_a_touch_does_not(root, pool, tmp_path):
    titles = make(root, pool, tmp_path)
    before = (await titles.title("lib/one/v.m3u8")).offers[0].digest
    os.utime(root / "one" / "v-0.ts", (1, 1))
    assert (await titles.title("lib/one/v.m3u8")).offers[0].digest == before
    (root / "one" / "v-0.ts").write_bytes(b"other")
    assert (await titles.title("lib/one/v.m3u8")).offers[0].digest != before


async def test_what_changes_while_it_is_inspected_is_not_remembered(root, pool, tmp_path):
    first = root / "one" / "v-0.ts"
    original = first.read_bytes()

    def replace(_: object) -> None:
        first.write_bytes(b"changed")
        pool.before = lambda job: None

    pool.before = replace
    titles = make(root, pool, tmp_path)
    with pytest.raises(BrokenSourceError, match="changed while it was inspected"):
        await titles.title("lib/one/v.m3u8")
    first.write_bytes(original)
    await make(root, pool, tmp_path).title("lib/one/v.m3u8")
    assert len(pool.of(InspectHls)) == 2


async def test_a_deleted_title_is_gone_and_a_new_one_found(root, pool, tmp_path):
    titles = make(root, pool, tmp_path)
    await titles.title("lib/one/v.m3u8")
    with pytest.raises(NotFoundError):
        await titles.title("lib/two/v.m3u8")
    (root / "one").rename(root / "two")
    await titles.title("lib/two/v.m3u8")
    with pytest.raises(NotFoundError):
        await titles.title("lib/one/v.m3u8")
    assert [row["id"] for row in await titles.summaries()] == ["lib/two/v.m3u8"]


async def test_failures_are_tried_again_after_a_while(root, pool, tmp_path, monkeypatch):
    def fail(_: object) -> None:
        raise BrokenSourceError("cut off")

    pool.before = fail
    titles = make(root, pool, tmp_path)
    for _ in range(2):
        with pytest.raises(BrokenSourceError):
            await titles.title("lib/one/v.m3u8")
    assert len(pool.jobs) == 1
    pool.before = lambda job: None
    monkeypatch.setattr(catalogue, "_RETRY_SECONDS", 0.0)
    await titles.title("lib/one/v.m3u8")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("#EXT-X-ENDLIST\n", "", "ENDLIST"),
        ("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="k.bin"\n#EXTINF', "encrypted"),
    ],
)
async def test_live_and_encrypted_titles_are_not_upscaled(root, tmp_path, old, new, reason):
    pool = FakePool()
    path = root / "one" / "v.m3u8"
    path.write_text(path.read_text().replace(old, new, 1))
    titles = make(root, pool, tmp_path)
    with pytest.raises(UnsupportedSourceError, match=reason):
        await titles.title("lib/one/v.m3u8")
    assert pool.jobs == []


@pytest.mark.parametrize(
    ("pace", "offered"),
    [(60.0, ["up-720p-anime4k-m"]), (31.3, ["up-720p-anime4k-m"]), (31.2, []), (5.0, [])],
)
async def test_auto_offers_what_this_machine_sustains(root, tmp_path, pace, offered):
    pool = FakePool(pace=pace)
    title = await make(root, pool, tmp_path, AUTO).title("lib/one/v.m3u8")
    assert [offer.plan.rendition_id for offer in title.offers] == offered


async def test_auto_offers_nothing_where_a_long_segment_would_take_too_long(root, tmp_path):
    pool = FakePool(pace=60.0)
    capability = Capability(
        pool=pool, state=StateStore(tmp_path / "state"), device="cpu", threads=1
    )
    assert await capability.choose(video(), 60 * 8)
    assert not await capability.choose(video(), 60 * 8 + 1)
    assert not await capability.choose(video(width=1280, height=720), 100)


async def test_a_decision_is_kept_whatever_the_load(root, tmp_path):
    fast, slow = FakePool(pace=60.0), FakePool(pace=1.0)
    before = await make(root, fast, tmp_path, AUTO).title("lib/one/v.m3u8")
    after = await make(root, slow, tmp_path, AUTO).title("lib/one/v.m3u8")
    write_media_playlist(root / "two" / "v.m3u8")
    other = await make(root, slow, tmp_path, AUTO).title("lib/two/v.m3u8")
    assert before.offers == after.offers
    assert other.offers
    assert len(fast.of(Measure)) == 1
    assert slow.of(Measure) == []


async def test_another_kind_of_device_decides_anew(root, tmp_path):
    slow, fast = FakePool(pace=1.0), FakePool(pace=1000.0)
    assert not (await make(root, slow, tmp_path, AUTO).title("lib/one/v.m3u8")).offers
    gpu = make(root, fast, tmp_path, AUTO, device="cuda:0")
    assert (await gpu.title("lib/one/v.m3u8")).offers
