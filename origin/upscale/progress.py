"""How a run is going: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from contextlib import ExitStack
from types import TracebackType

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


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} fps")


class Bar:
    """A `Report` on a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._stack = ExitStack()
        self._task = self._progress.add_task("reading", total=None)

    def __enter__(self) -> "Bar":
        """Show the bar."""
        self._stack.enter_context(self._progress)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal in order."""
        self._stack.close()

    def note(self, text: str) -> None:
        """Print above the bar."""
        self._progress.console.print(text, markup=False, highlight=False)

    def begin(self, *, frames: int, done: int) -> None:
        """Start counting; what is done already does not count for the rate."""
        self._progress.reset(
            self._task, total=frames, completed=done, description="upscaling", start=True
        )

    def advance(self, done: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done)

    def assemble(self) -> None:
        """Say so."""
        self._progress.update(self._task, description="writing")


class Lines:
    """A `Report` for log files: a line at every tenth second at most."""

    def __init__(self) -> None:
        self._frames = self._first = 0
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

    def begin(self, *, frames: int, done: int) -> None:
        """Start counting."""
        self._frames, self._first = frames, done
        self._began = self._spoke = time.monotonic()
        known = f", {done} of them made before" if done else ""
        self.note(f"upscaling {frames} frames{known}")

    def advance(self, done: int) -> None:
        """Print a line if it is time for one."""
        now = time.monotonic()
        if now - self._spoke < _LINE_SECONDS or done <= self._first:
            return
        self._spoke = now
        rate = (done - self._first) / (now - self._began)
        left = round((self._frames - done) / rate)
        self.note(
            f"{done} of {self._frames} frames, {rate:.1f} fps, "
            f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d} left"
        )

    def assemble(self) -> None:
        """Say so."""
        self.note("writing the file")


def report_on(console: Console) -> Bar | Lines:
    """A bar if somebody can see it."""
    return Bar(console) if console.is_terminal else Lines()
