import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.cache.policy import Policy, Resident
from tests.origin.traffic import lru_savings, our_savings, traces

TRACES = traces(count=40_000)


@pytest.mark.parametrize("name", TRACES)
def test_more_is_spared_than_by_lru(name):
    """On Zipf's law, on viewers, and beside a crawler; in requests as in compute seconds."""
    ours, lru = our_savings(*TRACES[name]), lru_savings(*TRACES[name])
    assert ours.seconds > lru.seconds
    assert ours.requests > lru.requests


def offered(policy: Policy, budget: int, *residents: Resident) -> list[str]:
    """Admits them one by one; the keys that had to go."""
    gone = []
    for resident in residents:
        policy.admit(resident)
        while policy.size_bytes > budget:
            victim = policy.victim()
            assert victim is not None
            gone.append(victim.key)
    return gone


def test_a_crawler_passes_through_without_taking_what_is_wanted():
    policy = Policy(100)
    wanted = [Resident(f"wanted{number}", 1, 1.0) for number in range(80)]
    for resident in wanted:
        assert offered(policy, 100, resident) == []
        policy.hit(resident)
    crawled = [Resident(f"crawled{number}", 1, 1.0) for number in range(1000)]
    assert set(offered(policy, 100, *crawled)) <= {resident.key for resident in crawled}


def test_what_is_dear_per_byte_outlasts_what_is_cheap_or_large():
    policy = Policy(1000)
    for key, size, cost in (("dear", 100, 60.0), ("cheap", 100, 0.1), ("large", 800, 60.0)):
        policy.admit(Resident(key, size, cost), proven=True)
    order = [policy.victim() for _ in range(3)]
    assert [victim.key for victim in order if victim] == ["cheap", "large", "dear"]


def test_what_was_dear_once_goes_when_nobody_wants_it_any_more():
    policy = Policy(1000)
    policy.admit(Resident("dear", 100, 5.0), proven=True)
    daily = [Resident(f"daily{number}", 100, 1.0) for number in range(20)]
    gone: list[str] = []
    for _ in range(20):
        for resident in daily:
            if resident._place is None:
                gone += offered(policy, 1000, resident)
            policy.hit(resident)
    assert "dear" in gone


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["ask", "remove", "shrink"]))))
def test_bytes_and_keys_are_accounted_for(steps):
    policy, held = Policy(500), dict[str, Resident]()
    for number, step in steps:
        key = str(number)
        if step == "ask" and key in held:
            policy.hit(held[key])
        elif step == "ask":
            held[key] = Resident(key, 10 * number, float(number % 7))
            policy.admit(held[key], proven=number % 5 == 0)
        elif step == "remove" and key in held:
            policy.remove(held.pop(key))
        elif step == "shrink" and held:
            victim = policy.victim()
            assert victim is not None
            assert held.pop(victim.key) is victim
        assert policy.size_bytes == sum(resident.size for resident in held.values())
        assert len(policy) == len(held)
    while victim := policy.victim():
        del held[victim.key]
    assert not held
