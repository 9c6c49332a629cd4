"""What a person sees: text is printed as it is, since object keys may look like markup, and money keeps its cents."""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TextIO

from reading.visible import visible
from rich.console import Console
from rich.table import Table
from rich.text import Text

# A pipe has no width: wide enough for a passport, so that logs and greps see whole lines.
WIDTH_WITHOUT_TERMINAL = 160
TICK = Text("✓", style="green")
CROSS = Text("✗", style="bold red")


def out() -> Console:
    return _console(sys.stdout)


def err() -> Console:
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    width = None if file.isatty() or "COLUMNS" in os.environ else WIDTH_WITHOUT_TERMINAL
    return Console(file=file, width=width, markup=False, highlight=False, emoji=False)


def note(message: str, style: str = "dim") -> None:
    """Print a message to stderr, so that stdout holds the result alone and can be piped."""
    err().print(Text(message, style=style), soft_wrap=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on stderr what is being done, then how long it took."""
    began, screen = time.monotonic(), err()
    with screen.status(Text(f"{what} …")):
        yield
    note(f"{time.monotonic() - began:7.1f} s  {what}")


def table(title: str, columns: Iterable[str], right: Iterable[str] = ()) -> Table:
    """Make an empty table; the columns named in `right` are aligned to the right."""
    grid = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    numbers = set(right)
    for column in columns:
        grid.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return grid


def mark(good: bool) -> Text:
    return TICK if good else CROSS


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def count(number: int) -> str:
    return f"{number:,}"


def shown(text: str) -> str:
    """Return text of others with its control and invisible characters as `<U+XXXX>`, so that none acts here."""
    return visible(text, most=sys.maxsize)


def print_json(value: Any) -> None:
    """Print sorted JSON; decimals and instants as text, so that no reader makes floats of them."""
    print(json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, default=as_text))


def as_text(value: object) -> str:
    """Write one value that JSON lacks; an instant without zone is UTC."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    if isinstance(value, date | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
