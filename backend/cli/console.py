"""What the commands print: tables and progress bars on a terminal, plain text elsewhere.

Where the output is no terminal it has no control codes and no line is broken. NO_COLOR is respected.
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

WIDE = 1000
"""Columns: wider than any table, so that a terminal breaks long lines itself and names stay whole."""


def say(text: str) -> None:
    """Prints a line of standard output at once."""
    print(text, flush=True)


def complain(*sentences: str) -> None:
    """Prints the sentences as a line of standard error at once; empty ones are left out."""
    print(" ".join(filter(None, sentences)), file=sys.stderr, flush=True)


def terminal(*, stderr: bool = False) -> Console | None:
    """A console for progress bars; None when the stream is not a terminal that can draw them."""
    console = Console(stderr=stderr, soft_wrap=True, markup=False, highlight=False, emoji=False)
    return console if console.is_terminal and not console.is_dumb_terminal else None


def plain_table(*, header: bool = True) -> Table:
    """A table without lines and with two spaces between its columns."""
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=header)


def print_table(table: Table) -> None:
    """Prints the table to standard output, without spaces at the end of lines."""
    console = Console(width=WIDE, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        say(line.rstrip())
