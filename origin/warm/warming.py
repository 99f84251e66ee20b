"""Requests segments, some at a time, and counts."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

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
    work_seconds: float = 0.0
    """Of the origin's workers, over all that were made."""

    @property
    def total(self) -> int:
        """All that were asked for."""
        return self.made + self.found + self.failed


async def warm(
    urls: Sequence[str],
    wanted: Wanted,
    *,
    concurrency: int,
    report: Report,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Outcome:
    """Have segments made that are not cached yet; one that fails does not stop the others.

    Args:
        urls: Of origins, titles or media playlists.
        wanted: Which renditions, and which part.
        concurrency: Requests at a time.
        report: Told what fails, and how it goes.
        headers: Sent with every request, such as a CDN's secret.

    Raises:
        OriginError: A URL is of no use.
    """
    async with Client(connections=concurrency, headers=headers) as client:
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
        seconds = await client.touch(url)
        if seconds is None:
            outcome.found += 1
        else:
            outcome.made += 1
            outcome.work_seconds += seconds
    except OriginError as error:
        outcome.failed += 1
        report.note(error.detail)
    report.advance(outcome.total)
