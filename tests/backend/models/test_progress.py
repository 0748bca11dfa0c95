"""Progress of downloads, copies and checksums: lines of text, and bars on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from backend.models.progress import Progress, size


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (254_000_000, "254 MB"),
        (999_999_999, "1.0 GB"), (14_294_742_832, "14.3 GB"),
    ],
)  # fmt: skip
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_lines_have_percent_rate_and_time_left() -> None:
    clock = Clock()
    lines: list[str] = []
    with Progress(lines.append, clock=clock).task("x", 1_000_000_000, 100_000_000) as task:
        clock.now = 1.0
        task.advance(50_000_000)
        assert lines == [], "not more often than every 5 s"
        clock.now = 10.0
        task.advance(250_000_000)
        assert lines == ["  x  40 %  400 MB of 1.0 GB  30 MB/s  20 s left"]
        task.advance(600_000_000)
        assert len(lines) == 1
        assert task.summary() == "900 MB in 10 s, 90 MB/s", "what was there before is not counted"


def test_work_that_starts_again_is_counted_from_there() -> None:
    clock = Clock()
    lines: list[str] = []
    with Progress(lines.append, clock=clock).task("x", 1000, 900) as task:
        clock.now = 5.0
        task.go_back(0)
        clock.now = 15.0
        task.advance(500)
        assert task.done == 500 and lines == ["  x  50 %  500 bytes of 1 kB  50 bytes/s  10 s left"]
        assert task.summary() == "500 bytes in 10 s, 50 bytes/s"


@pytest.mark.parametrize("width", [70, 120])
def test_a_terminal_gets_a_bar_and_no_lines(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    clock = Clock()
    lines: list[str] = []
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=width)
    with Progress(lines.append, terminal, clock=clock).task("a[b]" + 60 * "c", 200_000_000) as task:
        assert screen.getvalue() == "", "nothing is drawn for work that takes no time"
        for clock.now in (1.0, 10.0):
            task.advance(50_000_000)
        terminal.print("in between")
    shown = screen.getvalue()
    for text in ("a[b]cc", " 50%", "100.0/200.0 MB", "10.0 MB/s", "0:10", "in between"):
        assert text in shown
    assert "progress." not in shown and shown.count("\n") <= 5, "one line for each drawing"
    assert lines == [] and shown.endswith("\x1b[2K"), "the bar is removed"
