import asyncio

import pytest

from origin.singleflight import Role, SingleFlight


class Work:
    """Counts its calls and ends when it is told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.gate = asyncio.Event()

    async def __call__(self) -> int:
        self.calls += 1
        await self.gate.wait()
        return self.calls


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_two_hundred_callers_share_one_computation() -> None:
    flight, work = SingleFlight[int](), Work()
    callers = [asyncio.create_task(flight.do("k", work)) for _ in range(200)]
    await settle()
    assert flight.waiters("k") == 200
    work.gate.set()
    answers = await asyncio.gather(*callers)
    assert work.calls == 1
    assert [role for _, role in answers].count(Role.LEADER) == 1
    assert {value for value, _ in answers} == {1}
    await settle()
    assert len(flight) == 0


async def test_keys_are_independent_and_nothing_is_kept_after_the_answer() -> None:
    flight = SingleFlight[str]()

    async def name(text: str) -> str:
        await asyncio.sleep(0)
        return text

    answers = await asyncio.gather(*(flight.do(key, lambda k=key: name(k)) for key in "abc"))
    assert [value for value, _ in answers] == ["a", "b", "c"]
    assert (await flight.do("a", lambda: name("again"))) == ("again", Role.LEADER)


async def test_a_leaving_leader_takes_nobody_down() -> None:
    flight, work = SingleFlight[int](), Work()
    leader = asyncio.create_task(flight.do("k", work))
    await settle()
    follower = asyncio.create_task(flight.do("k", work))
    await settle()
    leader.cancel()
    await settle()
    assert leader.cancelled()
    assert flight.waiters("k") == 1
    work.gate.set()
    assert await follower == (1, Role.COALESCED)


async def test_orphaned_work_goes_on_and_can_be_joined_again() -> None:
    flight, work = SingleFlight[int](), Work()
    only = asyncio.create_task(flight.do("k", work))
    await settle()
    assert flight.orphaned_at("k") is None
    only.cancel()
    await settle()
    assert flight.waiters("k") == 0
    assert flight.orphaned_at("k") is not None
    late = asyncio.create_task(flight.do("k", work))
    await settle()
    assert flight.orphaned_at("k") is None
    work.gate.set()
    assert await late == (1, Role.COALESCED)


async def test_an_error_reaches_every_waiter_and_is_not_kept() -> None:
    flight = SingleFlight[int]()

    async def fail() -> int:
        await asyncio.sleep(0)
        raise LookupError("gone")

    async def succeed() -> int:
        return 7

    answers = await asyncio.gather(
        *(flight.do("k", fail) for _ in range(3)), return_exceptions=True
    )
    assert [str(answer) for answer in answers] == ["gone"] * 3
    assert await flight.do("k", succeed) == (7, Role.LEADER)


async def test_an_error_that_nobody_waits_for_is_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flight, gate = SingleFlight[int](), asyncio.Event()

    async def fail() -> int:
        await gate.wait()
        raise LookupError("gone")

    only = asyncio.create_task(flight.do("k", fail))
    await settle()
    only.cancel()
    await settle()
    gate.set()
    await settle()
    assert "k" not in flight
    assert not caplog.records


async def test_work_cancelled_underneath_is_started_anew_once_for_those_who_wait() -> None:
    flight = SingleFlight[int]()
    futures: list[asyncio.Future[int]] = []

    async def work() -> int:
        futures.append(asyncio.get_running_loop().create_future())
        return await futures[-1]

    callers = [asyncio.create_task(flight.do("k", work)) for _ in range(10)]
    await settle()
    futures[0].cancel()
    await settle()
    assert len(futures) == 2
    futures[1].set_result(5)
    assert {value for value, _ in await asyncio.gather(*callers)} == {5}


async def test_close_cancels_what_is_under_way() -> None:
    flight, work = SingleFlight[int](), Work()
    only = asyncio.create_task(flight.do("k", work))
    await settle()
    only.cancel()
    await settle()
    await flight.close()
    assert len(flight) == 0
