"""What a person sees: text is printed as it is, since object keys may look like markup, and money keeps its cents."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime
from decimal import Decimal
from shutil import which
from textwrap import fill
from typing import Any, TextIO

from reading.visible import visible
from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from assay import durations
from assay.grid import Column, Grid

# A pipe has no width: wide enough for any key, so that logs and greps see whole lines.
WIDTH_WITHOUT_TERMINAL = 4_096
TICK = Text("✓", style="green")
CROSS = Text("✗", style="bold red")


def out() -> Console:
    return _console(sys.stdout)


def err() -> Console:
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    width = None if file.isatty() or "COLUMNS" in os.environ else WIDTH_WITHOUT_TERMINAL
    return Console(file=file, width=width, markup=False, highlight=False, emoji=False)


def say(message: str) -> None:
    """Print a message."""
    _say(out(), message, "")


def note(message: str, style: str = "dim") -> None:
    """Print a message to stderr, so that stdout holds the result alone and can be piped."""
    _say(err(), message, style)


def _say(screen: Console, message: str, style: str) -> None:
    """Print a message; a terminal's lines break between words, and a longer word, like an address, stays whole."""
    if screen.is_terminal:
        message = "\n".join(_wrapped(line, screen.width) for line in message.split("\n"))
    screen.print(Text(message, style=style), soft_wrap=True)


def _wrapped(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip(" ")))
    return fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on stderr what is being done, then how long it took; with a bar where it was done here before."""
    began, screen = time.monotonic(), err()
    with _waiting(what, durations.usual(what), screen):
        yield
    seconds = time.monotonic() - began
    durations.remember(what, round(seconds))
    note(f"{seconds:7.1f} s  {what}")


@contextmanager
def transferring(what: str, size: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many bytes of `size` have gone, how fast, and for how long yet; give the counter."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    screen, counted = err(), (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), *counted)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task(what, total=size)
        yield lambda sent: progress.advance(task, sent)


def _waiting(what: str, usual_s: int | None, screen: Console) -> AbstractContextManager[object]:
    if usual_s is None:
        return screen.status(Text(f"{what} …"))
    from rich.live import Live

    began = time.monotonic()

    def line() -> RenderableType:
        seconds = int(time.monotonic() - began)
        left = f"about {duration(usual_s - seconds)} left" if seconds < usual_s else "longer than usual"
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_row(Text(f"{what} …"), bar(seconds, usual_s), Text(f"{duration(seconds)}, {left}", style="dim"))
        return grid

    return Live(get_renderable=line, console=screen, refresh_per_second=4, transient=True)


def bar(done: int, total: int) -> RenderableType:
    """Draw how much of something is done; not full before it has ended."""
    return ProgressBar(total=total, completed=min(done, total - 1), width=24)


def duration(seconds: int) -> str:
    """Write how long something takes: seconds up to two minutes, then minutes."""
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min {seconds % 60} s"


def page(what: RenderableType) -> None:
    """Print to stdout; on a terminal through the pager ($PAGER, else less) where it is longer than the screen."""
    screen = out()
    if not (screen.is_terminal and sys.stdin.isatty()):
        screen.print(what)
        return
    with screen.capture() as captured:
        screen.print(what)
    text = captured.get()
    command = shlex.split(os.environ.get("PAGER") or "less")
    if text.count("\n") < screen.height or not command or which(command[0]) is None:
        screen.file.write(text)
        return
    # As git has it: less leaves what fits on the screen there, and lets colours through.
    subprocess.run(command, input=text.encode(), env={"LESS": "FRX", **os.environ}, check=False)


def table(
    title: str,
    columns: Iterable[str],
    right: Iterable[str] = (),
    *,
    keys: Iterable[str] = (),
    lines: Iterable[str] = (),
    spare: Iterable[str] = (),
) -> Grid:
    """Make an empty table that fits the terminal.

    Columns `right` hold figures: aligned to the right, and never cut. `keys` are shortened in their middle, `lines` at
    their end; the others are wrapped between words. `spare` columns are left out where there is no room for them, the
    first one named at first.
    """
    kinds = {**dict.fromkeys(right, "figure"), **dict.fromkeys(keys, "key"), **dict.fromkeys(lines, "line")}
    order = list(spare)
    ranks = {name: len(order) - place for place, name in enumerate(order)}
    return Grid(title, [Column(name, kinds.get(name, "prose"), ranks.get(name, 0)) for name in columns])


def mark(good: bool) -> Text:
    return TICK if good else CROSS


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def count(number: int) -> str:
    return f"{number:,}"


def counted(number: int, one: str) -> str:
    """Return a number with what it counts: `1 file`, `2 files`."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


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
