"""How a command is going: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_LINE_SECONDS = 10.0
"""Between two lines where there is no terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What is being done to what."""

    verb: str
    """Such as `upscaling`."""
    unit: str
    """Such as `frames`."""
    rate: str
    """Such as `fps`."""


class Report(Protocol):
    """Who is told how it goes. Called in one thread."""

    def note(self, text: str) -> None:
        """Something that the user should know."""

    def begin(self, *, total: int, done: int = 0) -> None:
        """How much there is, and what an earlier run did of it."""

    def advance(self, done: int) -> None:
        """How much is done, by earlier runs too; may fall when something is redone."""

    def turn_to(self, text: str) -> None:
        """What is being done from now on."""


class Bar:
    """A `Report` on a terminal."""

    def __init__(self, words: Words, console: Console) -> None:
        self._verb = words.verb
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(words.rate),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task("reading", total=None)

    def __enter__(self) -> "Bar":
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal in order."""
        self._progress.stop()

    def note(self, text: str) -> None:
        """Print above the bar."""
        self._progress.console.print(text, markup=False, highlight=False)

    def begin(self, *, total: int, done: int = 0) -> None:
        """Start counting; what is done already does not count for the rate."""
        self._progress.reset(self._task, total=total, completed=done, description=self._verb)

    def advance(self, done: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done)

    def turn_to(self, text: str) -> None:
        """Say so before the bar."""
        self._progress.update(self._task, description=text)


class _RateColumn(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} {self._unit}")


class Lines:
    """A `Report` for log files: a line at every tenth second at most."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._total = self._first = 0
        self._began = self._spoke = 0.0

    def __enter__(self) -> "Lines":
        """Nothing to prepare."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to put in order."""

    def note(self, text: str) -> None:
        """Print a line."""
        sys.stderr.write(f"{text}\n")

    def begin(self, *, total: int, done: int = 0) -> None:
        """Start counting."""
        self._total, self._first = total, done
        self._began = self._spoke = time.monotonic()
        known = f", {done} of them made before" if done else ""
        self.note(f"{self._words.verb} {total} {self._words.unit}{known}")

    def advance(self, done: int) -> None:
        """Print a line if it is time for one."""
        now = time.monotonic()
        if now - self._spoke < _LINE_SECONDS or done <= self._first:
            return
        self._spoke = now
        rate = (done - self._first) / (now - self._began)
        left = round((self._total - done) / rate)
        self.note(
            f"{done} of {self._total} {self._words.unit}, {rate:.1f} {self._words.rate}, "
            f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d} left"
        )

    def turn_to(self, text: str) -> None:
        """Print a line."""
        self.note(text)


def report_on(console: Console, words: Words) -> Bar | Lines:
    """A bar if somebody can see it."""
    return Bar(words, console) if console.is_terminal else Lines(words)
