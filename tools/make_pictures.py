"""Draws the README's pictures from what a local cloud shows after `make demo`: a passport, and the top of the report.

The report is opened by Chromium; where there is none, its picture stays as it is.
"""

from __future__ import annotations

import io
import subprocess
import sys
from html import escape
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from rich.console import Console, RenderableType
from rich.terminal_theme import MONOKAI

from assay import passport
from assay.errors import UserError
from assay.ledger import Item, Ledger
from assay.report import cli as reporting
from assay.target import Target, find_target

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
FILE = "transactions/demo/increment.csv"
WIDTH = 90
BROWSERS = ("chromium", "google-chrome")
SCREEN = "--window-size=1100,900"
# As rich has it, but with the reader's own font instead of one from a server.
FRAME = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>@title</title>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
<rect fill="{background}" x="1" y="1" width="{width}" height="{height}" rx="8" />
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def picture(what: RenderableType, title: str) -> str:
    """Return a terminal that shows something, as SVG."""
    screen = Console(record=True, width=WIDTH, file=io.StringIO(), markup=False, highlight=False, emoji=False)
    screen.print(what)
    frame = FRAME.replace("{background}", MONOKAI.background_color.hex).replace("@title", escape(title))
    return screen.export_svg(theme=MONOKAI, code_format=frame, unique_id="assay")


def passport_picture(item: Item) -> str:
    return picture(passport.render(item, short=True), f"The passport of {item['key']}")


def report_picture(target: Target, ledger: Ledger, picture: Path) -> None:
    """Open the report of this month in Chromium, and keep what its first screen shows as PNG."""
    browser = next(filter(None, map(which, BROWSERS)), None)
    if browser is None:
        print("there is no Chromium: the picture of the report stays as it is", file=sys.stderr)
        return
    with TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        reporting.write(target, ledger, reporting.period(None, None), page)
        options = ("--headless", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={folder}/profile", SCREEN)
        command = [browser, *options, f"--screenshot={picture}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def main() -> int:
    """Write the pictures; return the exit code."""
    try:
        target = find_target(stack=None, region=None, profile=None, project=ROOT)
        ledger = Ledger(target.dynamodb, target.stack.ledger_table)
        item = ledger.versions(FILE)[0]
    except UserError as error:
        print(f"{error.what}; run make demo first", file=sys.stderr)
        return 2
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "passport.svg").write_text(passport_picture(item))
    report_picture(target, ledger, PICTURES / "report.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
