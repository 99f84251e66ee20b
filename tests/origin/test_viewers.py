import pytest

from origin.cmcd import NOTHING, Cmcd
from origin.viewers import Need, Part, Patience, Viewers, lookahead_depth

PATIENCE = Patience(startup_seconds=3, most_seconds=8, idle_seconds=300, viewers=10)


def part(index: int) -> Part:
    return Part(index=index, start_seconds=4.0 * index, duration_seconds=4.0)


@pytest.fixture
def viewers() -> Viewers:
    return Viewers(PATIENCE)


@pytest.mark.parametrize(
    ("cmcd", "deadline"),
    [
        (Cmcd(deadline_seconds=5), 105),
        (Cmcd(buffer_seconds=6, playback_rate=2), 103),
        (Cmcd(buffer_seconds=6, playback_rate=0), 106),
        (Cmcd(deadline_seconds=60), 108),
        (Cmcd(deadline_seconds=0), 103),
        (Cmcd(deadline_seconds=0.5, is_starting=True), 103),
        (Cmcd(deadline_seconds=7, is_starting=True), 107),
        (Cmcd(is_starting=True), 103),
        (Cmcd(is_starved=True, is_starting=True), 100),
        (Cmcd(deadline_seconds=4.1, is_starved=True, is_starting=True), 104.1),
    ],
)
def test_what_a_player_says_is_its_deadline(viewers, cmcd, deadline) -> None:
    need = viewers.ask("a", part(0), cmcd, 100.0)
    assert need == Need(deadline=pytest.approx(deadline), is_firm=True, has_sought=False)


def test_nothing_is_known_of_who_says_nothing(viewers) -> None:
    need = viewers.ask("a", part(7), NOTHING, 100.0)
    assert need == Need(deadline=108, is_firm=False, has_sought=False)


def play(viewers: Viewers, answer_seconds: float, waits: list[float]) -> tuple[Need, float]:
    """Ask for segment after segment; `waits` lie between an answer and the next request."""
    now = 0.0
    for index, wait in enumerate(waits):
        now += wait
        need = viewers.ask("a", part(index), NOTHING, now)
        asked, now = now, now + answer_seconds
        viewers.answered("a", part(index), now)
    return need, asked


def test_who_keeps_the_pace_of_playback_is_a_player(viewers) -> None:
    assert not play(viewers, 1.0, [0, 0.05, 0.05, 3])[0].is_firm
    need, asked = play(viewers, 1.0, [0, 0.05, 0.05, 3, 3, 3])
    assert need.is_firm
    assert asked < need.deadline <= asked + 8


def test_who_only_downloads_never_is_however_slow_it_goes(viewers) -> None:
    need, asked = play(viewers, 9.0, [0.01] * 50)
    assert not need.is_firm
    assert need.deadline < asked, "it is behind real time, and so comes first"


def test_a_pause_of_the_viewer_moves_its_clock(viewers) -> None:
    need, asked = play(viewers, 0.5, [0, 0.05, 3.5, 3.5, 250, 3.5])
    assert need.is_firm
    assert need.deadline >= asked


def test_a_seek_is_noticed_and_starts_the_clock_anew(viewers) -> None:
    play(viewers, 0.5, [0, 3.5, 3.5, 3.5, 3.5])
    need = viewers.ask("a", part(50), NOTHING, 20.0)
    assert need == Need(deadline=23.0, is_firm=True, has_sought=True)
    viewers.answered("a", part(50), 21.0)
    assert viewers.ask("a", part(51), NOTHING, 21.0).deadline == 25.0


def test_the_same_or_the_next_segment_is_no_seek(viewers) -> None:
    for index in (3, 3, 4):
        assert not viewers.ask("a", part(index), NOTHING, 1.0).has_sought
    assert viewers.ask("a", part(3), NOTHING, 1.0).has_sought


def test_a_crowd_behind_one_address_is_no_player(viewers) -> None:
    for number in range(200):
        now = number * 1.5
        index = number % 7 * 11 + number // 7
        assert not viewers.ask("nat", part(index), NOTHING, now).is_firm
        viewers.answered("nat", part(index), now + 0.1)


def test_viewers_are_told_apart_and_forgotten(viewers) -> None:
    for number in range(50):
        assert not viewers.ask(number, part(number), NOTHING, float(number)).has_sought
    assert len(viewers) == 10
    assert not viewers.ask(49, part(0), NOTHING, 1000.0).has_sought, "silent for too long"


@pytest.mark.parametrize(
    ("cost", "load", "depth"),
    [(0, 0, 4), (0.4, 0, 2), (4, 0, 2), (9, 0, 4), (40, 0, 4), (9, 4, 2), (9, 8, 0), (9, 80, 0)],
)
def test_lookahead_follows_speed_and_load(cost, load, depth) -> None:
    assert lookahead_depth(4, cost, 4.0, load) == depth
