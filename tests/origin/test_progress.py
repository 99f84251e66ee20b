import io

import pytest
from rich.console import Console

from origin import progress
from origin.progress import Bar, Lines, Words, report_on

WORDS = Words(verb="upscaling", unit="frames", rate="fps")


def test_a_terminal_gets_a_bar_and_a_file_gets_lines():
    assert isinstance(report_on(Console(file=io.StringIO(), force_terminal=True), WORDS), Bar)
    assert isinstance(report_on(Console(file=io.StringIO()), WORDS), Lines)


def test_the_bar_shows_count_rate_and_time_left():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=110)
    with report_on(console, WORDS) as report:
        report.begin(total=100, done=40)
        report.note("[an] odd note")
        report.advance(50)
        report.advance(70)
        report.turn_to("writing the file")
    shown = screen.getvalue()
    for part in ("upscaling", "70/100", "fps", "left", "[an] odd note", "writing the file"):
        assert part in shown


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_lines_come_every_ten_seconds_and_count_what_this_run_did(clock, capsys):
    with Lines(WORDS) as report:
        report.begin(total=10_000, done=1000)
        for _ in range(25):
            clock[0] += 1
            report.advance(1000 + round(clock[0] - 1000) * 20)
    assert capsys.readouterr().err.splitlines() == [
        "upscaling 10000 frames, 1000 of them made before",
        "1200 of 10000 frames, 20.0 fps, 0:07:20 left",
        "1400 of 10000 frames, 20.0 fps, 0:07:10 left",
    ]


def test_lines_say_nothing_while_nothing_is_done(clock, capsys):
    with Lines(WORDS) as report:
        report.begin(total=10)
        clock[0] += 60
        report.advance(0)
    assert capsys.readouterr().err == "upscaling 10 frames\n"
