"""`assay demo`: the whole pipeline in a local cloud, each figure compared with what the generator expects."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

from rich.text import Text

from assay import audit, console, passport, stages, status, upload, watch
from assay.control import control_metadata
from assay.errors import UserError
from assay.grid import Facts
from assay.ledger import OUTCOMES, Item, Ledger, ending
from assay.query import Lake, lake
from assay.report import cli as reporting
from assay.report.pages import run_shown
from assay.target import Target, local_target
from devcloud.demo.expectation import Expected, Group, Model
from devcloud.demo.files import DemoFile, generate
from devcloud.local import deploy, lifecycle

TIMEOUT_S = 600
PAGE_TIMEOUT_S = 120
POLL_S = 0.3
LAST_LINES = 30
FIRST = 6  # comparisons of the audit, the most telling ones: all are made, and would not fit a screen
SHOWN = 1  # the file whose passport is shown: an increment

NEXT = """\
What to try next (assay is .venv/bin/assay; the local cloud goes on running)
  assay status                           all files and how far they are
  {passport:<38} where each row and cent of a file went
  assay query "FROM daily_totals"        Gold, in SQL
  assay query "FROM quarantine" -x       rows that break the data contract, and why
  {explain:<38} the life of a transaction
  assay upload YOUR_FILE.csv --wait      a file of your own (docs/data-contract.md)
  assay down                             stop the local cloud, and forget its data"""


@dataclass
class Verdict:
    """Collects the differences from what is expected."""

    problems: list[str] = field(default_factory=list)

    def same(self, what: str, expected: object, found: object) -> None:
        if expected != found:
            self.problems.append(f"{what}: expected {expected}, found {found}")


@dataclass
class Stage:
    """The deployed pipeline and what is known of it."""

    target: Target
    ledger: Ledger
    model: Model
    alone: bool  # only the demo's own files are in the ledger, so every figure is known
    verdict: Verdict = field(default_factory=Verdict)


def play(project: Path) -> list[str]:
    """Run the demo; return what is wrong, nothing if every file ended as expected and every figure is right."""
    heading("1. Start the local cloud")
    with console.working("starting"):
        cloud = lifecycle.start(project)
    console.out().print(f"  it listens at {cloud.endpoint}")
    heading("2. Deploy the stack (sam build, sam deploy)")
    deploy_quietly(project, cloud)
    heading("3. Generate the files")
    files = generate(project / ".assay" / "demo")
    told = [(f"{file.path.name}", f"{file.totals.rows:,} rows: {file.story}") for file in files]
    console.out().print(Facts(told))
    target = local_target(cloud, project=project)
    stage = prepare(target, files)
    heading("4. Upload them, one after the other, and follow each to Gold")
    items = [(file, send(stage, file)) for file in files]
    heading("5. What became of each row, in seven outcomes that add up")
    show_outcomes(stage, items)
    heading("6. The passport of one file, as assay passport shows it")
    console.out().print(passport.render(items[SHOWN][1], short=True))
    with lake(target) as tables:
        heading("7. Gold")
        show_gold(stage, tables)
        heading("8. The audit: every row of both layers is read again")
        show_audit(stage, tables)
    return finish(stage, told_of="history.csv")


def heading(text: str) -> None:
    console.out().print(Text(f"\n{text}", style="bold"))


def deploy_quietly(project: Path, cloud: lifecycle.Cloud) -> None:
    """Deploy with one line of progress; the whole output goes to a file, and its end is shown if it fails."""
    log = project / ".assay" / "logs" / "deploy.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    screen = console.out()
    with log.open("w") as file, console.working("deploying"):

        def on_line(line: str) -> None:
            lines.append(line)
            file.write(line + "\n")
            file.flush()

        try:
            deploy.deploy(project, cloud, on_line=on_line)
        except deploy.DeployError:
            screen.print("\n".join(lines[-LAST_LINES:]))
            raise
    screen.print(f"  done; the whole output is in {log}", soft_wrap=True)


def prepare(target: Target, files: list[DemoFile]) -> Stage:
    """Add to the model what an earlier demo has published in this cloud."""
    ledger = Ledger(target.dynamodb, target.stack.ledger_table)
    by_key = {file.key: file for file in files}
    model, alone = Model(), True
    for item in reversed(ledger.files()):
        file = by_key.get(item["key"])
        if file and is_that(file, item):
            if not file.rejected:
                model.take(file)
        else:
            alone = False
    if not alone:
        console.note("  this cloud holds other files: outcomes and Gold's totals are shown, but not checked")
    return Stage(target, ledger, model, alone)


def is_that(file: DemoFile, item: Item) -> bool:
    """Return whether an item is an earlier, finished upload of the same file."""
    kpis = item.get("kpis", {})
    same = (kpis.get("row_count"), kpis.get("total_amount")) == (file.totals.rows, file.totals.total_amount)
    return same and ending(item) == ("rejected" if file.rejected else "published")


def send(stage: Stage, file: DemoFile) -> Item:
    """Upload a file, show its progress, and return its ledger item at the end."""
    rows, amount = file.control
    metadata = control_metadata(f"{rows}:{amount}") | upload.as_of_metadata(file.as_of)
    source = upload.Source(file.path, file.key)
    sent = upload.upload(upload.bronze(stage.target), [source], metadata)
    progress = watch.FileProgress(sent[0])
    with watch.showing(stages.Pipeline(stage.target, stage.ledger)) as show:
        watch.wait([progress], stage.ledger, stage.target.stepfunctions, show, timeout_s=TIMEOUT_S, poll_s=POLL_S)
    must = "rejected" if file.rejected else "published"
    if progress.end != must:
        logs = ", ".join(stage.target.logs())
        raise UserError(
            f"{file.key} should be {must}, but is {progress.status}: {progress.result()}", f"see the logs: {logs}"
        )
    return stage.ledger.get([sent[0].file_id])[sent[0].file_id]


def show_outcomes(stage: Stage, items: list[tuple[DemoFile, Item]]) -> None:
    """Show a line for each file, and compare its passport with what is expected."""
    names = ("file", "status", "rows", *OUTCOMES, "effect on Silver")
    grid = console.table(
        "", names, right=names[2:], keys=("file",), spare=("deleted", "stale", "superseded", "unchanged", "status")
    )
    for file, item in items:
        silver = item.get("silver", {"outcomes": {}, "effect_amount": "0.00"})
        outcomes = (console.count(silver["outcomes"].get(outcome, 0)) for outcome in OUTCOMES)
        effect = console.money(Decimal(silver["effect_amount"]))
        grid.add_row(file.path.name, status_text(item), console.count(item["kpis"]["row_count"]), *outcomes, effect)
        for check in passport.checks(item):
            stage.verdict.same(f"{file.key}: {check.what}", check.expected, check.found)
        if file.rejected:
            stage.verdict.same(f"{file.key}: reasons", ["total_amount_mismatch"], [r["code"] for r in item["reasons"]])
        else:
            compare(stage, file, item, stage.model.take(file))
    console.out().print(grid)


def status_text(item: Item) -> Text:
    state = status.status_of(item)
    return Text(state, style=status.STYLES.get(state, "yellow"))


def compare(stage: Stage, file: DemoFile, item: Item, expected: Expected) -> None:
    """Compare a published file's passport with the generator's figures."""
    kpis, silver, same = item["kpis"], item["silver"], stage.verdict.same
    same(f"{file.key}: rows", expected.rows, kpis["row_count"])
    same(f"{file.key}: total amount", expected.total_amount, Decimal(kpis["total_amount"]))
    same(f"{file.key}: total amount as generated", expected.total_amount, Decimal(file.totals.total_amount))
    same(f"{file.key}: rows to be quarantined", expected.bad_rows, kpis["bad_rows"])
    same(f"{file.key}: proven by control totals", True, item["control"]["proven"])
    if stage.alone:
        amounts = {outcome: Decimal(silver["amounts"].get(outcome, "0.00")) for outcome in OUTCOMES}
        same(f"{file.key}: outcomes", expected.outcomes, silver["outcomes"])
        same(f"{file.key}: amounts", expected.amounts, amounts)
        same(f"{file.key}: effect", expected.effect_amount, Decimal(silver["effect_amount"]))


def show_gold(stage: Stage, tables: Lake) -> None:
    """Show a few of Gold's figures, and compare all groups of two aggregates."""
    show(tables, "By channel", "SELECT channel, {sums} FROM gold.daily_totals GROUP BY ALL ORDER BY channel")
    days = "SELECT transacted_on AS day, {sums} FROM gold.daily_totals GROUP BY ALL ORDER BY day DESC LIMIT 3"
    show(tables, "The last days", days)
    merchants = """SELECT d.merchant_id, d.merchant_city, d.mcc, {sums} FROM gold.monthly_merchant_totals
        JOIN gold.dim_merchant d USING (merchant_key) GROUP BY ALL ORDER BY total_amount DESC LIMIT 5"""
    show(tables, "The merchants that sold most", merchants)
    if not stage.alone:
        return
    fact = tables.one("SELECT count(*) AS row_count, sum(amount) AS total_amount FROM gold.fact_transactions")
    stage.verdict.same("Gold's facts", stage.model.total(), group(fact))
    same_groups(stage, "daily_totals", stage.model.daily(), tables, "SELECT * FROM gold.daily_totals", by_day)
    monthly = """SELECT month, merchant_id, row_count, total_amount FROM gold.monthly_merchant_totals
        JOIN gold.dim_merchant USING (merchant_key)"""
    same_groups(stage, "monthly_merchant_totals", stage.model.monthly_merchants(), tables, monthly, by_merchant)


def show(tables: Lake, title: str, statement: str) -> None:
    sums = "sum(row_count)::BIGINT AS row_count, sum(total_amount) AS total_amount"
    answer = tables.ask(statement.format(sums=sums)).read_all()
    grid = console.table(title, answer.column_names, right=("row_count", "total_amount"))
    for row in answer.to_pylist():
        figures = console.count(row.pop("row_count")), console.money(row.pop("total_amount"))
        grid.add_row(*("" if value is None else str(value) for value in row.values()), *figures)
    console.out().print(grid)


def same_groups(
    stage: Stage,
    name: str,
    expected: dict[Any, Group],
    tables: Lake,
    statement: str,
    key: Callable[[Item], Any],
) -> None:
    found = {key(row): group(row) for row in tables.ask(statement).read_all().to_pylist()}
    wrong = sorted(k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k))
    for k in wrong[:3]:
        stage.verdict.same(f"{name} of {k}", expected.get(k), found.get(k))
    if not wrong:
        console.out().print(f"  all {len(found):,} groups of {name} are as generated, to the cent")


def by_day(row: Item) -> Any:
    return row["transacted_on"], row["channel"]


def by_merchant(row: Item) -> Any:
    return row["month"], row["merchant_id"]


def group(row: Item) -> Group:
    return Group(row["row_count"], row["total_amount"])


def show_audit(stage: Stage, tables: Lake) -> None:
    found = audit.audit(stage.ledger, tables)
    wrong = audit.differences(found)
    console.out().print(audit.render(wrong or found[:FIRST]))
    if not wrong:
        console.out().print(f"✓  and {len(found) - FIRST} more that agree: assay audit --full lists them")
    for check in wrong:
        stage.verdict.same(f"audit: {check.what}", check.expected, check.found)


def await_page(stage: Stage, month: str) -> None:
    """Wait until the page that the stack keeps of a month shows the last publication."""
    run, pause, end = stage.ledger.gold_run(), Event(), monotonic() + PAGE_TIMEOUT_S
    with console.working("the page of the month is being written"):
        while run_shown(stage.target, month) < run and monotonic() < end:
            pause.wait(POLL_S)
    stage.verdict.same("the page of the month, by its run of Gold", run, run_shown(stage.target, month))


def finish(stage: Stage, *, told_of: str) -> list[str]:
    """Say whether all is right, draw the report, and name what to try next; `told_of` is the name of a file."""
    month = reporting.period(None, None)
    await_page(stage, month.name)
    for problem in stage.verdict.problems:
        console.note(f"wrong: {problem}", style="bold red")
    if stage.verdict.problems:
        return stage.verdict.problems
    console.out().print(
        Text("\n✓ Every file ended as expected, and every figure agrees to the cent.\n", style="bold green")
    )
    page = stage.target.project.absolute() / ".assay" / "report.html"
    reporting.write(stage.target, stage.ledger, month, page)
    console.say(f"All of it on one page: {page.as_uri()}")
    kept = f"{stage.target.stack.report_pages}{month.name}.html"
    console.say(f"The stack keeps this page after each publication: {kept}\n")
    first_key = min(stage.model.state)
    console.say(NEXT.format(passport=f"assay passport {told_of}", explain=f"assay explain {first_key}"))
    return []
