import gc
import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from origin.scheduler import Klass, Scheduler, Urgency

BLOCKING, LOOKAHEAD, WARM = Klass


def submit(scheduler: Scheduler, key: str, klass: Klass, deadline: float = math.inf) -> int:
    token = scheduler.join(key, klass, deadline)
    scheduler.submit(key, "upscale")
    return token


def drain(scheduler: Scheduler, lane: str = "upscale") -> list[str]:
    return list(iter(lambda: scheduler.start(lane), None))


def test_class_comes_before_deadline_and_deadline_before_arrival() -> None:
    scheduler = Scheduler()
    submit(scheduler, "warm", WARM, 0)
    submit(scheduler, "ahead", LOOKAHEAD, 1)
    submit(scheduler, "late", BLOCKING, 9)
    submit(scheduler, "soon", BLOCKING, 5)
    submit(scheduler, "also soon", BLOCKING, 5)
    assert drain(scheduler) == ["soon", "also soon", "late", "ahead", "warm"]


def test_lanes_are_independent() -> None:
    scheduler = Scheduler()
    submit(scheduler, "a", BLOCKING)
    scheduler.join("b", WARM)
    scheduler.submit("b", "package")
    assert scheduler.start("package") == "b"
    assert scheduler.start("package") is None
    assert scheduler.start("upscale") == "a"


def test_a_player_promotes_a_lookahead_job_in_place_and_demotes_it_by_leaving() -> None:
    scheduler = Scheduler()
    submit(scheduler, "first", LOOKAHEAD, 1)
    submit(scheduler, "second", LOOKAHEAD, 2)
    player = scheduler.join("second", BLOCKING, 3)
    assert scheduler.depth() == {BLOCKING: 1, LOOKAHEAD: 1, WARM: 0}
    scheduler.leave("second", player, now=0)
    assert scheduler.depth() == {BLOCKING: 0, LOOKAHEAD: 2, WARM: 0}
    scheduler.join("second", BLOCKING, 3)
    assert drain(scheduler) == ["second", "first"]


def test_an_orphan_waits_behind_players() -> None:
    scheduler = Scheduler()
    token = submit(scheduler, "left", BLOCKING, 0)
    submit(scheduler, "waited for", BLOCKING, 9)
    scheduler.leave("left", token, now=0)
    assert drain(scheduler) == ["waited for", "left"]


@pytest.mark.parametrize("running", [True, False])
def test_an_orphan_is_dropped_after_its_grace(running: bool) -> None:
    scheduler = Scheduler(grace_seconds=30)
    token = submit(scheduler, "k", BLOCKING)
    if running:
        scheduler.start("upscale")
        scheduler.report("k", 0.49)
    scheduler.leave("k", token, now=100)
    assert scheduler.next_expiry() == 130
    assert scheduler.expire(129.9) == []
    assert scheduler.expire(130) == ["k"]
    assert scheduler.next_expiry() is None
    assert scheduler.start("upscale") is None
    assert not scheduler.knows("k")


def test_an_orphan_past_half_done_is_finished() -> None:
    scheduler = Scheduler()
    token = submit(scheduler, "k", BLOCKING)
    scheduler.start("upscale")
    scheduler.leave("k", token, now=0)
    scheduler.report("k", 0.5)
    assert scheduler.expire(1000) == []
    assert scheduler.next_expiry() is None
    scheduler.finish("k")
    assert not scheduler.knows("k")


def test_who_comes_back_within_the_grace_ends_it() -> None:
    scheduler = Scheduler()
    token = submit(scheduler, "k", BLOCKING)
    scheduler.leave("k", token, now=0)
    again = scheduler.join("k", BLOCKING)
    assert scheduler.expire(1000) == []
    scheduler.leave("k", again, now=1000)
    assert scheduler.next_expiry() == 1030


def test_a_job_submitted_after_its_waiter_left_has_what_remains_of_the_grace() -> None:
    scheduler = Scheduler()
    token = scheduler.join("k", BLOCKING)
    scheduler.leave("k", token, now=0)
    assert scheduler.knows("k")
    scheduler.submit("k", "upscale")
    assert scheduler.expire(30) == ["k"]


def test_a_key_that_was_only_waited_for_is_forgotten() -> None:
    scheduler = Scheduler()
    scheduler.leave("k", scheduler.join("k", BLOCKING), now=0)
    assert scheduler.expire(30) == []
    assert not scheduler.knows("k")


def test_waiters_who_leave_with_the_answer_leave_no_trace() -> None:
    scheduler = Scheduler()
    token = submit(scheduler, "k", BLOCKING)
    scheduler.start("upscale")
    scheduler.finish("k")
    scheduler.leave("k", token, now=0)
    assert not scheduler.knows("k")
    assert scheduler.next_expiry() is None


def test_who_leaves_for_good_takes_the_grace_along() -> None:
    scheduler = Scheduler(grace_seconds=30)
    first = submit(scheduler, "first", LOOKAHEAD)
    second = submit(scheduler, "second", LOOKAHEAD)
    scheduler.leave("first", first, now=100)
    scheduler.leave("second", second, now=101, dropped=True)
    assert scheduler.next_expiry() == 101
    assert scheduler.expire(101) == ["second"]
    assert scheduler.expire(130) == ["first"]


def test_the_weakest_is_what_players_need_least_and_never_what_one_waits_for() -> None:
    scheduler = Scheduler()
    submit(scheduler, "blocking", BLOCKING, 1)
    scheduler.start("upscale")
    assert scheduler.weakest("upscale") is None
    for key, klass, deadline in (("ahead", LOOKAHEAD, 1), ("soon", WARM, 1), ("late", WARM, 2)):
        submit(scheduler, key, klass, deadline)
        scheduler.start("upscale")
    assert scheduler.weakest("upscale") == "late"
    scheduler.join("late", BLOCKING)
    assert scheduler.weakest("upscale") == "soon"


def test_a_paused_job_is_queued_again_with_what_was_done_of_it() -> None:
    scheduler = Scheduler()
    submit(scheduler, "k", WARM)
    scheduler.start("upscale")
    scheduler.report("k", 0.4)
    scheduler.pause("k")
    assert scheduler.running_count("upscale") == 0
    assert scheduler.is_queued("k")
    assert scheduler.start("upscale") == "k"
    assert scheduler.progress("k") == 0.4


def test_those_who_were_served_otherwise_make_a_job_wait() -> None:
    scheduler = Scheduler()
    scheduler.join("k", BLOCKING, 5, firm=True)
    scheduler.join("k", LOOKAHEAD, 9)
    scheduler.submit("k", "upscale")
    assert scheduler.firm_deadline("k") == 5
    scheduler.settle("k")
    assert scheduler.firm_deadline("k") == math.inf
    assert scheduler.urgency("k") == Urgency(LOOKAHEAD, 9)


def test_jobs_that_players_wait_for_are_listed_in_order() -> None:
    scheduler = Scheduler()
    for key, klass, deadline in (("b", BLOCKING, 2), ("w", WARM, 0), ("a", BLOCKING, 1)):
        submit(scheduler, key, klass, deadline)
    assert scheduler.blocking("upscale") == ["a", "b"]
    scheduler.start("upscale")
    assert scheduler.blocking("upscale") == ["b"]
    scheduler.join("w", BLOCKING, 0)
    assert scheduler.blocking("upscale") == ["w", "b"]


def test_what_is_outdated_does_not_pile_up_while_players_always_wait() -> None:
    def urgencies() -> int:
        return sum(type(one) is Urgency for one in gc.get_objects())

    before = urgencies()
    scheduler = Scheduler()
    submit(scheduler, "waits all the while", BLOCKING, 0)
    for number in range(1000):
        key = f"segment {number}"
        ahead = submit(scheduler, key, LOOKAHEAD, number)
        player = scheduler.join(key, BLOCKING, number)
        assert scheduler.start("upscale", key) == key
        scheduler.finish(key)
        scheduler.leave(key, ahead, now=number)
        scheduler.leave(key, player, now=number)
    assert urgencies() < before + 300
    assert drain(scheduler) == ["waits all the while"]


def test_a_key_has_one_job() -> None:
    scheduler = Scheduler()
    submit(scheduler, "k", BLOCKING)
    with pytest.raises(ValueError, match="queued or running"):
        scheduler.submit("k", "upscale")


KEYS = st.sampled_from([f"k{number}" for number in range(4)])
GRACE = 30.0


class Machine(RuleBasedStateMachine):
    """The scheduler against a model that keeps sets and looks at everything each time."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(grace_seconds=GRACE)
        self.now = 0.0
        self.waiters: dict[str, dict[int, Urgency]] = {}
        self.left: dict[str, float] = {}
        self.queued: set[str] = set()
        self.running: dict[str, float] = {}
        self.paused: dict[str, float] = {}

    @rule(key=KEYS, klass=st.sampled_from(Klass), deadline=st.integers(0, 5))
    def join(self, key: str, klass: Klass, deadline: int) -> None:
        token = self.scheduler.join(key, klass, deadline)
        self.waiters.setdefault(key, {})[token] = Urgency(klass, deadline)
        self.left.pop(key, None)

    @precondition(lambda self: any(self.waiters.values()))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(key for key in self.waiters if self.waiters[key])))
        token = data.draw(st.sampled_from(sorted(self.waiters[key])))
        self.scheduler.leave(key, token, self.now)
        del self.waiters[key][token]
        if not self.waiters[key]:
            self.left[key] = self.now

    @rule(key=KEYS)
    def submit(self, key: str) -> None:
        if key in self.queued or key in self.running or not self.scheduler.knows(key):
            return
        self.scheduler.submit(key, "upscale")
        self.queued.add(key)

    @rule()
    def start(self) -> None:
        key = self.scheduler.start("upscale")
        if key is None:
            assert not self.queued, "queued work was not started"
            return
        assert key in self.queued, "started twice, or never submitted"
        rank = self.rank(key)
        assert rank is None or all(rank <= other for other in self.ranks()), "not the most urgent"
        if rank is None:  # an orphan: nobody who is waited for by a player may have been passed
            assert all(other.klass is not BLOCKING for other in self.ranks())
        self.queued.remove(key)
        self.running[key] = self.paused.pop(key, 0.0)

    @rule(key=KEYS)
    def pause(self, key: str) -> None:
        if key in self.running:
            self.scheduler.pause(key)
            self.queued.add(key)
            self.paused[key] = self.running.pop(key)

    @rule(key=KEYS, fraction=st.sampled_from([0.1, 0.49, 0.5, 0.9]))
    def report(self, key: str, fraction: float) -> None:
        if key in self.running:
            self.scheduler.report(key, fraction)
            self.running[key] = fraction

    @rule(key=KEYS)
    def finish(self, key: str) -> None:
        if key in self.running:
            self.scheduler.finish(key)
            del self.running[key]

    @rule(seconds=st.sampled_from([1.0, 10.0, 31.0]))
    def expire(self, seconds: float) -> None:
        self.now += seconds
        for key in self.scheduler.expire(self.now):
            assert not self.waiters.get(key), "dropped although somebody waits"
            assert self.now - self.left[key] >= GRACE, "dropped within its grace"
            done = self.running.get(key, self.paused.pop(key, 0.0))
            assert done < 0.5, "dropped past half done"
            self.queued.discard(key)
            self.running.pop(key, None)
        for key in self.queued:
            kept = self.waiters.get(key) or self.now - self.left[key] < GRACE
            assert kept or self.paused.get(key, 0.0) >= 0.5, "not dropped"

    def rank(self, key: str) -> Urgency | None:
        waiters = self.waiters.get(key)
        return min(waiters.values()) if waiters else None

    def ranks(self) -> list[Urgency]:
        return [rank for key in self.queued if (rank := self.rank(key)) is not None]

    @invariant()
    def everything_queued_is_counted(self) -> None:
        assert sum(self.scheduler.depth().values()) == len(self.queued)

    @invariant()
    def waited_for_keys_are_known(self) -> None:
        assert all(self.scheduler.knows(key) for key, who in self.waiters.items() if who)

    def teardown(self) -> None:
        started = drain(self.scheduler)
        assert sorted(started) == sorted(self.queued), "lost or done twice"


Machine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
test_machine = Machine.TestCase
