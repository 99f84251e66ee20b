from dataclasses import replace

import pytest

from origin.service.jobs import segment_count
from origin.service.production import cache_key
from origin.service.warmth import Warmth
from tests.origin.made_up import segment
from tests.origin.test_jobs import file_title, hls_title


class Shelf:
    """A cache's keys, counting how often they are looked up."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.looks = 0

    def contains(self, key: str) -> bool:
        self.looks += 1
        return key in self.keys


def waiting(title):
    return replace(title, offers=tuple(replace(offer, when_warmed=True) for offer in title.offers))


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def warmth(shelf):
    return Warmth(shelf.contains)


def fill(shelf, title, *indexes):
    shelf.keys |= {cache_key(title.offers[0].digest, str(index)) for index in indexes}


def test_listed_once_the_last_segment_is_there_in_any_order(shelf, warmth):
    title = waiting(hls_title(*map(segment, range(4))))
    for index in (2, 0, 3):
        fill(shelf, title, index)
        assert warmth.listed(title).offers == ()
    fill(shelf, title, 1)
    assert warmth.listed(title) is title


def test_others_are_always_listed(warmth):
    title = hls_title(*map(segment, range(4)))
    assert warmth.listed(title) is title
    assert not warmth.is_warmed(title, title.offers[0])


def test_what_players_were_told_stays_while_the_origin_runs(shelf, warmth):
    title = waiting(hls_title(*map(segment, range(4))))
    fill(shelf, title, 0, 1, 2, 3)
    assert warmth.listed(title) is title
    shelf.keys.clear()
    assert warmth.listed(title) is title
    assert Warmth(shelf.contains).listed(title).offers == ()


def test_a_cache_that_is_too_small_never_holds_all(shelf, warmth):
    title = waiting(hls_title(*map(segment, range(4))))
    for index in range(4):
        shelf.keys.clear()
        fill(shelf, title, index)
        assert warmth.listed(title).offers == ()


def test_segments_that_nobody_can_make_are_left_out(shelf, warmth):
    title = waiting(hls_title(segment(0), segment(1, error="is empty"), segment(2)))
    fill(shelf, title, 0, 2)
    assert warmth.listed(title) is title


def test_media_files_too(shelf, warmth):
    title = waiting(replace(file_title(), offers=hls_title(segment(0)).offers))
    assert segment_count(title) == 3
    fill(shelf, title, 0, 1)
    assert warmth.listed(title).offers == ()
    fill(shelf, title, 2)
    assert warmth.listed(title) is title


def test_a_long_title_costs_one_look_while_the_same_segment_is_missing(shelf, warmth):
    title = waiting(hls_title(*map(segment, range(1000))))
    fill(shelf, title, *range(999))
    warmth.listed(title)
    shelf.looks = 0
    for _ in range(100):
        assert warmth.listed(title).offers == ()
    assert shelf.looks == 100
