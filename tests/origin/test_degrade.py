import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.degrade import Kind, Pace, Wanted, choose, forecast

SLOW = Kind(model="slow", width=1280, height=720, kmac=100)
LIGHT = Kind(model="light", width=1280, height=720, kmac=1)
COSTS = (4.0, 2.0, 0.5)


def wanted(deadline: float, costs: tuple[float, ...] = COSTS) -> Wanted:
    return Wanted(deadline=deadline, costs=costs)


@pytest.mark.parametrize(
    ("deadline", "rung"), [(math.inf, 0), (14, 0), (13.9, 1), (12, 1), (11, 2), (10.5, 2), (9, 2)]
)
def test_the_best_model_that_is_ready_in_time(deadline: float, rung: int) -> None:
    assert choose(wanted(deadline), [], [], now=10) == rung


def test_those_behind_must_be_in_time_too_if_only_by_the_lightest_model() -> None:
    assert choose(wanted(10), [wanted(4.5)], [], now=0) == 0
    assert choose(wanted(10), [wanted(4.4)], [], now=0) == 1
    assert choose(wanted(10), [wanted(4.4)], [0.0], now=0) == 0, "another worker is free for it"


def test_those_behind_that_nothing_can_save_do_not_count() -> None:
    assert choose(wanted(10), [wanted(0.1)], [], now=0) == 0


def test_what_may_not_be_degraded_behind_counts_in_full() -> None:
    behind = [wanted(math.inf, (3.0,)), wanted(6.0)]
    assert choose(wanted(10), behind, [], now=0) == 1


@given(
    st.floats(0, 30),
    st.lists(st.floats(0, 30).map(wanted), max_size=5),
    st.lists(st.floats(0, 10), max_size=3),
)
def test_a_better_model_never_makes_anybody_late(deadline, behind, others) -> None:
    job = wanted(deadline)
    rung = choose(job, behind, others, now=0)
    assert rung in range(3)
    if rung < 2:
        assert COSTS[rung] <= deadline
        relaxed = [*others, COSTS[rung]], [*others, COSTS[2]]
        late = [sum(ready > w.deadline for ready, w in run(behind, free)) for free in relaxed]
        assert late[0] <= late[1]


def run(jobs, free):
    """Each in turn on the worker that is free first."""
    free = sorted(free)
    for job in jobs:
        free[0] += job.costs[-1]
        yield free[0], job
        free.sort()


def test_forecasts_wait_for_those_ahead() -> None:
    assert forecast(4.0, [], [7.0, 5.0]) == 9.0
    assert forecast(4.0, [wanted(9), wanted(9)], [0.0]) == 5.0
    assert forecast(4.0, [wanted(math.inf)], [0.0]) == 8.0
    assert forecast(4.0, [], []) == math.inf


def test_what_was_measured_is_known_and_follows_the_latest() -> None:
    pace = Pace()
    assert pace.seconds(SLOW, 100) == 0.0
    pace.learn(SLOW, 100, 2.0, 0.8)
    assert pace.seconds(SLOW, 50) == pytest.approx(1.0)
    pace.learn(SLOW, 100, 4.0, 0.8)
    assert 2.0 < pace.seconds(SLOW, 100) < 4.0


def test_another_size_of_the_same_model_is_scaled_by_its_pixels() -> None:
    pace = Pace()
    pace.learn(SLOW, 100, 2.0, 0.8)
    twice = Kind(model="slow", width=2560, height=720, kmac=100)
    assert pace.seconds(twice, 100) == pytest.approx(4.0)


def test_a_lighter_model_that_was_never_measured_saves_its_part_of_the_work() -> None:
    pace = Pace()
    assert pace.costs([SLOW, LIGHT], 100) == (0.0, 0.0)
    pace.learn(SLOW, 100, 10.0, 0.8)
    full, light = pace.costs([SLOW, LIGHT], 100)
    assert full == pytest.approx(10.0)
    assert light == pytest.approx(10 * (1 - 0.8 * 0.99))
    pace.learn(LIGHT, 100, 1.0, 0.1)
    assert pace.costs([SLOW, LIGHT], 100)[1] == pytest.approx(1.0)


@pytest.mark.parametrize(("frames", "seconds"), [(0, 1), (1, 0), (1, math.inf), (1, math.nan)])
def test_nonsense_is_not_learnt(frames: float, seconds: float) -> None:
    pace = Pace()
    pace.learn(SLOW, frames, seconds, 0.5)
    assert pace.seconds(SLOW, 1) == 0.0


def test_it_remembers_a_bounded_number_of_kinds() -> None:
    pace = Pace()
    for width in range(1000):
        pace.learn(Kind(model=f"m{width}", width=width, height=1), 1, 1, 0)
    assert pace.seconds(Kind(model="m0", width=0, height=1), 1) == 0.0
    assert len(pace._rates) == 256
