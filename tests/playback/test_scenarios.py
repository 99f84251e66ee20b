"""Whole evenings on a virtual clock: who waits, who stalls, and what was made for nobody.

Scenarios and seeds were fixed before anything was tuned to them.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from origin.errors import UnavailableError
from origin.scheduler import Klass
from origin.service.playing import Stream, Viewer
from origin.service.production import Call
from tests.playback.clock import run
from tests.playback.player import HIGH, LOW, Fetch, Habits, Player, RefusedError
from tests.playback.world import FULL, Machine, World, open_world

SEEDS = (1, 2, 3)
SEGMENTS = 60
PATIENCE_SECONDS = 10.0
"""hls.js gives up."""


@dataclass(slots=True, kw_only=True)
class Evening:
    """What came of it."""

    world: World
    players: list[Player] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    """Of requests for the upscaled variant, seconds."""

    def stalls(self) -> int:
        return sum(len(player.stalls) for player in self.players)

    def stalled_seconds(self) -> float:
        """In all."""
        return sum(player.stalled_seconds() for player in self.players)


def fetch_from(evening: Evening, stream: Stream, address: str) -> Fetch:
    """What a player asks the origin for; the low variant lies there as a file."""

    async def fetch(level: str, index: int, said: object) -> None:
        if level == LOW:
            return
        world = evening.world
        world.requested.add(f"{stream.title}/{index}")
        loop = asyncio.get_running_loop()
        asked = loop.time()
        viewer = Viewer(address=address, cmcd=said)
        try:
            answer = await world.playing.get(stream, index, viewer)
        except UnavailableError as error:
            raise RefusedError(error.retry_after_seconds) from error
        finally:
            evening.waits.append(loop.time() - asked)
        check(world, f"{stream.title}/{index}", answer.body, answer.cache_result)

    return fetch


def check(world: World, key: str, body: bytes, result: str) -> None:
    """A degraded body says so, and is never in the cache."""
    made_for, model = body.decode().split()
    assert made_for == key
    assert (model == FULL) == (result != "degraded")
    if key in world.cache.bodies:
        assert world.cache.bodies[key].body.decode().endswith(FULL)


Crowd = Callable[[Evening, random.Random], Awaitable[None]]


def evening_of(machine: Machine, seed: int, crowd: Crowd) -> Evening:
    async def pass_by() -> Evening:
        async with open_world(machine, seed) as world:
            evening = Evening(world=world)
            await crowd(evening, random.Random(seed))
            return evening

    return run(pass_by())


async def watch(
    evening: Evening, player: Player, begin: float, leave: float, seeks: list[tuple[float, float]]
) -> None:
    """One viewer comes, plays, jumps about, and leaves."""
    loop = asyncio.get_running_loop()
    evening.players.append(player)
    await asyncio.sleep(begin)
    playing = asyncio.create_task(player.play())
    timers = [loop.call_later(at, player.seek, to) for at, to in seeks]
    await asyncio.wait((playing,), timeout=leave)
    for timer in timers:
        timer.cancel()
    player.close()
    if not playing.done():
        playing.cancel()
    elif not playing.cancelled():
        playing.result()


async def change_bandwidth(player: Player, dice: random.Random) -> None:
    """Now and then the way to the viewer is only good for the low variant."""
    while True:
        await asyncio.sleep(dice.expovariate(1 / 90))
        player.level = LOW
        await asyncio.sleep(dice.uniform(8, 30))
        player.level = HIGH


async def hundred_viewers(evening: Evening, dice: random.Random) -> None:
    """They come within two minutes, to twenty titles, some of which are popular."""
    watching, changing = [], []
    for number in range(100):
        title = f"title-{min(int(dice.paretovariate(0.8)), 20)}"
        stream = evening.world.stream(title, SEGMENTS)
        player = Player(
            fetch=fetch_from(evening, stream, f"10.0.0.{number}"),
            count=SEGMENTS,
            segment_seconds=4.0,
            name=f"viewer-{number}",
            habits=Habits(low_first=dice.choice((1, 2)), speaks=dice.random() < 0.7),
        )
        leave = 300.0 if dice.random() < 0.6 else dice.uniform(5, 200)
        seeks = [
            (dice.uniform(10, 180), 4 * dice.randrange(SEGMENTS - 5) + dice.uniform(0, 4))
            for _ in range(dice.choice((0, 0, 1, 2, 3)))
        ]
        begin = dice.uniform(0, 120)
        watching.append(watch(evening, player, begin, leave, seeks))
        changing.append(asyncio.create_task(change_bandwidth(player, random.Random(number))))
    await asyncio.gather(*watching)
    for task in changing:
        task.cancel()


def test_a_hundred_viewers_with_abr_seeks_and_leaves() -> None:
    for seed in SEEDS:
        evening = evening_of(Machine(slots=4, full_seconds=1.2), seed, hundred_viewers)
        outcomes = evening.world.deadlines()
        assert max(evening.waits) < PATIENCE_SECONDS, "a player was left to starve"
        assert outcomes["refused"] == 0
        assert evening.world.wasted_share() <= 0.15
        shown = sum(player.shown_seconds for player in evening.players)
        assert evening.stalled_seconds() <= 0.002 * shown


async def viewers_apart(evening: Evening, dice: random.Random, count: int, seconds: float) -> None:
    """Each on a title of its own, spread over its length; nobody shares anything."""
    watching = []
    for number in range(count):
        stream = evening.world.stream(f"title-{number}", SEGMENTS)
        player = Player(
            fetch=fetch_from(evening, stream, f"10.0.0.{number}"),
            count=SEGMENTS,
            segment_seconds=4.0,
            name=f"viewer-{number}",
        )
        watching.append(watch(evening, player, dice.uniform(0, 20), seconds, []))
    await asyncio.gather(*watching)


async def flooded(evening: Evening, dice: random.Random) -> None:
    """While viewers take half of what the machine can do, others ask for twelve times all of it."""
    loop = asyncio.get_running_loop()
    world, machine = evening.world, evening.world.machine
    seconds = 300.0
    flood = round(12 * seconds * machine.slots / machine.full_seconds)
    stream = world.stream("flood", flood)
    tasks = []
    for number in range(flood):
        item = stream.item(number)
        klass = Klass.WARM if number % 2 else Klass.LOOKAHEAD
        call = Call(klass=klass, deadline=loop.time() + dice.uniform(0, seconds))
        tasks.append(asyncio.create_task(world.production.prepare(item, call)))
    viewers = round(machine.slots / machine.full_seconds * machine.segment_seconds / 2)
    await viewers_apart(evening, dice, viewers, seconds)
    for task in tasks:
        task.cancel()


def test_a_flood_of_work_that_nobody_waits_for_delays_no_player() -> None:
    met = missed = 0.0
    for seed in SEEDS:
        machine = Machine(slots=4, express=4, full_seconds=1.0)
        evening = evening_of(machine, seed, flooded)
        outcomes = evening.world.deadlines()
        met += outcomes["met"]
        missed += outcomes["missed"] + outcomes["refused"]
        assert evening.world.counted("preempted") > 0
        assert evening.stalls() == 0
    assert met >= 1000
    assert met / (met + missed) >= 0.999


def test_overload_degrades_instead_of_stalling() -> None:
    """Three times what the machine can do at full quality."""
    machine = Machine(slots=2, full_seconds=1.0)
    viewers = round(3 * machine.slots / machine.full_seconds * machine.segment_seconds)

    async def crowd(evening: Evening, dice: random.Random) -> None:
        await viewers_apart(evening, dice, viewers, 240.0)

    for seed in SEEDS:
        with_ladder = evening_of(machine, seed, crowd)
        without = evening_of(replace(machine, has_ladder=False), seed, crowd)
        assert without.stalls() >= 10 * max(1, with_ladder.stalls())
        assert without.stalled_seconds() >= 10 * with_ladder.stalled_seconds()
        models = with_ladder.world.models()
        for model in models.keys() - {FULL}:
            assert with_ladder.world.counted("degraded", model) >= models[model] > 0
