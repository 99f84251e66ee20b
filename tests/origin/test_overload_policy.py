import itertools

from hypothesis import given
from hypothesis import strategies as st

from origin.overload import Overload

LIMIT, HOLD = 4.0, 5.0


def noted(waits: list[tuple[float, float]]) -> list[bool]:
    """What it says after each of (now, wait)."""
    overload = Overload(limit_seconds=LIMIT, hold_seconds=HOLD)
    said = []
    for now, wait in waits:
        overload.note(wait, now)
        said.append(overload.is_on)
    return said


def test_it_begins_when_it_has_lasted() -> None:
    assert noted([(0, 9), (4.9, 9), (5, 9)]) == [False, False, True]


def test_a_moment_without_it_starts_the_count_anew() -> None:
    assert noted([(0, 9), (3, 1), (4, 9), (8.9, 9), (9, 9)]) == [False] * 4 + [True]


def test_it_ends_when_there_has_been_room_for_as_long() -> None:
    begun = [(0.0, 9.0), (5.0, 9.0)]
    assert noted([*begun, (6, 3), (30, 3)])[2:] == [True, True]
    assert noted([*begun, (6, 1), (10.9, 1), (11, 1)])[2:] == [True, True, False]
    assert noted([*begun, (6, 1), (10, 3), (11, 1), (15.9, 1), (16, 1)])[2:] == [True] * 4 + [False]


@given(st.lists(st.floats(0, 20), max_size=200))
def test_it_never_changes_its_mind_within_the_time(waits: list[float]) -> None:
    said = noted([(float(at), wait) for at, wait in enumerate(waits)])
    changes = [at for at in range(1, len(said)) if said[at] != said[at - 1]]
    assert all(at >= HOLD for at in changes[:1])
    assert all(b - a > HOLD for a, b in itertools.pairwise(changes))
