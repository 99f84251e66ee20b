import math

import pytest

from origin.dispatch import Action, Dispatcher, Pause, Resume, Start
from origin.scheduler import Klass, Scheduler

BLOCKING, LOOKAHEAD, WARM = Klass
COSTS = (4.0, 2.0, 0.5)
LANE = "upscale"


class Shop:
    """A lane with so many slots and processes."""

    def __init__(self, slots: int = 1, processes: int = 2) -> None:
        self.scheduler = Scheduler()
        self.dispatcher = Dispatcher(self.scheduler, {LANE: slots})
        self.processes = processes
        self.held: set[str] = set()
        """Keys whose process is busy, or paused."""

    def submit(
        self,
        key: str,
        klass: Klass = BLOCKING,
        deadline: float = math.inf,
        *,
        firm: bool = False,
        costs: tuple[float, ...] = (4.0,),
    ) -> int:
        token = self.scheduler.join(key, klass, deadline, firm=firm)
        self.dispatcher.submit(key, LANE, costs)
        return token

    def drive(self, now: float = 0.0) -> list[Action]:
        done = []
        while True:
            idle = len(self.held) < self.processes
            action = self.dispatcher.next(LANE, now, idle=idle)
            if action is None:
                return done
            done.append(action)
            if isinstance(action, Start):
                assert idle
                self.held.add(action.key)

    def finish(self, key: str) -> None:
        self.held.discard(key)
        self.dispatcher.finish(key)


def test_slots_are_filled_and_not_exceeded() -> None:
    shop = Shop(slots=2, processes=4)
    for key in "abc":
        shop.submit(key)
    assert shop.drive() == [Start("a", 0), Start("b", 0)]
    shop.finish("a")
    assert shop.drive() == [Start("c", 0)]


def test_what_nobody_waits_for_is_paused_for_a_player_and_goes_on_afterwards() -> None:
    shop = Shop()
    shop.submit("warm", WARM)
    assert shop.drive() == [Start("warm", 0)]
    shop.submit("player")
    assert shop.drive() == [Pause("warm"), Start("player", 0)]
    shop.submit("ahead", LOOKAHEAD)
    assert shop.drive() == []
    shop.finish("player")
    assert shop.drive() == [Resume("warm")], "it would keep its process from players otherwise"
    shop.finish("warm")
    assert shop.drive() == [Start("ahead", 0)]


def test_lookahead_pauses_nothing_and_players_do_not_pause_players() -> None:
    shop = Shop()
    shop.submit("warm", WARM)
    shop.drive()
    shop.submit("ahead", LOOKAHEAD)
    assert shop.drive() == []
    shop = Shop()
    shop.submit("one")
    shop.drive()
    shop.submit("two", BLOCKING, 0)
    assert shop.drive() == []


def test_without_a_spare_process_nothing_is_paused() -> None:
    shop = Shop(processes=1)
    shop.submit("warm", WARM)
    shop.drive()
    shop.submit("player")
    assert shop.drive() == []


def test_a_paused_job_that_a_player_asks_for_goes_on_in_its_turn() -> None:
    shop = Shop(slots=1, processes=2)
    shop.submit("warm", WARM)
    shop.drive()
    shop.submit("player", BLOCKING, 1)
    shop.drive()
    shop.scheduler.join("warm", BLOCKING, 0)
    shop.submit("late", BLOCKING, 9)
    assert shop.drive() == []
    shop.finish("player")
    assert shop.drive() == [Resume("warm")]


def test_a_promoted_paused_job_needs_no_idle_process() -> None:
    shop = Shop(slots=2, processes=3)
    for key in ("w1", "w2"):
        shop.submit(key, WARM, 1 if key == "w1" else 2)
    shop.drive()
    shop.submit("player")
    assert shop.drive() == [Pause("w2"), Start("player", 0)]
    shop.scheduler.join("w2", BLOCKING)
    assert shop.drive() == [Pause("w1"), Resume("w2")]


@pytest.mark.parametrize(("deadline", "rung"), [(9, 0), (3, 1), (1, 2), (0.1, 2)])
def test_the_model_is_chosen_when_a_worker_is_free(deadline: float, rung: int) -> None:
    shop = Shop()
    shop.submit("k", BLOCKING, deadline, firm=True, costs=COSTS)
    assert shop.drive() == [Start("k", rung)]


@pytest.mark.parametrize(("klass", "firm"), [(BLOCKING, False), (LOOKAHEAD, True), (WARM, True)])
def test_only_players_with_deadlines_get_lighter_models(klass: Klass, firm: bool) -> None:
    shop = Shop()
    shop.submit("k", klass, 0.1, firm=firm, costs=COSTS)
    assert shop.drive() == [Start("k", 0)]


def test_the_margin_is_kept() -> None:
    scheduler = Scheduler()
    dispatcher = Dispatcher(scheduler, {LANE: 1}, margin_seconds=0.5)
    scheduler.join("k", BLOCKING, 4.4, firm=True)
    dispatcher.submit("k", LANE, COSTS)
    assert dispatcher.next(LANE, 0.0, idle=True) == Start("k", 1)


def test_time_is_left_for_those_who_come_next() -> None:
    shop = Shop()
    shop.submit("a", BLOCKING, 4.0, firm=True, costs=COSTS)
    shop.submit("b", BLOCKING, 4.2, firm=True, costs=COSTS)
    assert shop.drive() == [Start("a", 1)]


def test_after_a_lighter_model_the_full_one_is_made_in_idle_time() -> None:
    shop = Shop()
    token = shop.submit("k", BLOCKING, 1, firm=True, costs=COSTS)
    assert shop.drive() == [Start("k", 2)]
    shop.scheduler.join("k", WARM)
    shop.held.discard("k")
    shop.dispatcher.redo("k")
    shop.scheduler.leave("k", token, now=1.0)
    shop.submit("ahead", LOOKAHEAD)
    assert shop.drive(1.0) == [Start("ahead", 0)]
    shop.finish("ahead")
    assert shop.drive(1.0) == [Start("k", 0)]


def test_a_running_job_that_will_be_late_is_told_of_once_and_can_be_paused() -> None:
    shop = Shop()
    shop.submit("k", LOOKAHEAD, costs=COSTS)
    shop.drive(0.0)
    shop.scheduler.join("k", BLOCKING, 3.0, firm=True)
    shop.scheduler.report("k", 0.25)
    assert shop.dispatcher.late(LANE, 1.0) == [("k", 1, 3.0)]
    assert shop.dispatcher.late(LANE, 1.0) == []
    shop.submit("k~", BLOCKING, 3.0, firm=True, costs=(2.0,))
    assert shop.drive(1.0) == [Pause("k"), Start("k~", 0)]


def test_a_running_job_that_will_be_in_time_is_left_alone() -> None:
    shop = Shop()
    shop.submit("k", LOOKAHEAD, costs=COSTS)
    shop.drive(0.0)
    shop.scheduler.join("k", BLOCKING, 4.5, firm=True)
    shop.scheduler.report("k", 0.25)
    assert shop.dispatcher.late(LANE, 1.0) == []


def test_nor_is_one_that_nothing_lighter_would_overtake() -> None:
    shop = Shop()
    shop.submit("k", LOOKAHEAD, costs=COSTS)
    shop.drive(0.0)
    shop.scheduler.join("k", BLOCKING, 3.0, firm=True)
    shop.scheduler.report("k", 0.9)
    assert shop.dispatcher.late(LANE, 3.6) == []


def test_pauses_do_not_count_as_work() -> None:
    shop = Shop()
    shop.submit("warm", WARM)
    shop.drive(0.0)
    shop.submit("player")
    shop.drive(2.0)
    shop.finish("player")
    shop.drive(10.0)
    assert shop.dispatcher.active_seconds("warm", 11.0) == 3.0


def test_a_forecast_counts_players_and_not_what_yields_to_them() -> None:
    shop = Shop()
    shop.submit("warm", WARM)
    shop.drive(0.0)
    assert shop.dispatcher.forecast(LANE, 1.0, 9.0, 0.0) == 1.0
    shop.submit("a", BLOCKING, 5.0, firm=True, costs=COSTS)
    shop.submit("b", BLOCKING, 99.0)
    assert shop.dispatcher.forecast(LANE, 1.0, 9.0, 0.0) == 1.5
    assert shop.dispatcher.backlog_seconds(LANE, 0.0) == 4.5


def test_a_dropped_job_leaves_no_trace() -> None:
    shop = Shop()
    token = shop.submit("k", LOOKAHEAD)
    shop.drive()
    shop.scheduler.leave("k", token, now=0.0, dropped=True)
    for key in shop.scheduler.expire(0.0):
        shop.dispatcher.forget(key)
    assert shop.dispatcher.active_seconds("k", 5.0) == 0.0
    shop.submit("k", LOOKAHEAD)
    assert shop.drive() == [Start("k", 0)]
