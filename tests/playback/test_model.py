"""The viewer model asks when hls.js did, in sessions recorded by `record.py`."""

import asyncio
import json
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from origin.cmcd import Cmcd, parse
from tests.playback.clock import run
from tests.playback.player import HIGH, LOW, Habits, Player

RECORDINGS = sorted((Path(__file__).parent / "recordings").glob("*.json"))
TOLERANCE_SECONDS = 0.8
"""Of one request, after a session of up to a minute on a busy machine."""
MEAN_TOLERANCE_SECONDS = 0.3
BUFFER_TOLERANCE_SECONDS = 1.0
SHORTEST_STALL_SECONDS = 0.5
"""Shorter ones are frames dropped by a busy browser, and the pause of a seek."""


def replay(recording: dict[str, Any]) -> Player:
    """The same session by the model."""

    async def fetch(level: str, index: int, _: Cmcd) -> None:
        if (level, index) not in made:
            await asyncio.sleep(recording["work_seconds"] if level == HIGH else 0.0)
            made.add((level, index))

    async def session() -> Player:
        low_first = len(list(takewhile(lambda row: row["level"] == LOW, recording["requests"])))
        player = Player(
            fetch=fetch, count=25, segment_seconds=4.0, habits=Habits(low_first=low_first)
        )
        await asyncio.sleep(recording["requests"][0]["at"])
        playing = asyncio.create_task(player.play())
        for at, to in recording["seeks"]:
            asyncio.get_running_loop().call_at(at, player.seek, to)
        left = recording["seconds"] - asyncio.get_running_loop().time()
        await asyncio.wait((playing,), timeout=left)
        player.close()
        playing.cancel()
        return player

    made: set[tuple[str, int]] = set()
    return run(session())


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_it_asks_for_the_same_at_the_same_time(path: Path) -> None:
    recording = json.loads(path.read_text())
    player = replay(recording)
    expected = [row for row in recording["requests"] if row["at"] < recording["seconds"] - 1]
    asked = player.requests[: len(expected)]
    assert [(a.level, a.index) for a in asked] == [(r["level"], r["index"]) for r in expected]
    errors = [abs(a.at - row["at"]) for a, row in zip(asked, expected, strict=True)]
    assert max(errors) <= TOLERANCE_SECONDS
    assert sum(errors) / len(errors) <= MEAN_TOLERANCE_SECONDS
    for a, row in zip(asked, expected, strict=True):
        said = parse(row["cmcd"]).buffer_seconds
        assert said == pytest.approx(a.said.buffer_seconds, abs=BUFFER_TOLERANCE_SECONDS)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_it_stands_still_as_often_and_as_long(path: Path) -> None:
    recording = json.loads(path.read_text())
    player = replay(recording)
    seeks = [at for at, _ in recording["seeks"]]
    stalls = [
        (start, end)
        for start, end in recording["stalls"]
        if end - start >= SHORTEST_STALL_SECONDS
        and not any(0 <= start - at < SHORTEST_STALL_SECONDS for at in seeks)
    ]
    modelled = [stall for stall in player.stalls if stall[1] - stall[0] >= SHORTEST_STALL_SECONDS]
    assert len(modelled) == len(stalls)
    for (start, end), (other_start, other_end) in zip(modelled, stalls, strict=True):
        assert start == pytest.approx(other_start, abs=TOLERANCE_SECONDS)
        assert end == pytest.approx(other_end, abs=TOLERANCE_SECONDS)


def test_there_are_recordings() -> None:
    assert {path.stem for path in RECORDINGS} == {"fast", "seeking", "slow", "steady"}
