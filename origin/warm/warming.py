"""Requests segments, some at a time, and counts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from origin.errors import OriginError
from origin.progress import Report
from origin.warm.client import Client
from origin.warm.targets import Wanted, find_segments


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of the segments, init segments included."""

    made: int = 0
    found: int = 0
    """In the cache already."""
    failed: int = 0

    @property
    def total(self) -> int:
        """All that were asked for."""
        return self.made + self.found + self.failed


async def warm(urls: Sequence[str], wanted: Wanted, *, concurrency: int, report: Report) -> Outcome:
    """Have segments made that are not cached yet; one that fails does not stop the others.

    Args:
        urls: Of origins, titles or media playlists.
        wanted: Which renditions, and which part.
        concurrency: Requests at a time.
        report: Told what fails, and how it goes.

    Raises:
        OriginError: A URL is of no use.
    """
    async with Client(connections=concurrency) as client:
        segments: dict[str, None] = {}
        for url in urls:
            segments |= dict.fromkeys(await find_segments(client, url, wanted))
        report.begin(total=len(segments))
        outcome = Outcome()
        waiting = iter(segments)

        async def work() -> None:
            for url in waiting:
                await _one(client, url, outcome, report)

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    return outcome


async def _one(client: Client, url: str, outcome: Outcome, report: Report) -> None:
    try:
        if await client.touch(url):
            outcome.found += 1
        else:
            outcome.made += 1
    except OriginError as error:
        outcome.failed += 1
        report.note(error.detail)
    report.advance(outcome.total)
