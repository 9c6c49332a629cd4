"""The examples at the end of each command's help: a command line, and what it is for."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("assay demo", "see the whole pipeline on this machine"),
        ("assay upload day.csv --wait", "take a file to Gold"),
        ("assay status", "see all files"),
    ),
    "up": (("assay up", "start it, then: assay deploy"), ("assay up --port 4566", "at a port of your own")),
    "down": (("assay down", "stop it, and forget its data"),),
    "deploy": (("assay deploy", "deploy to the local cloud, again after each change"),),
    "upload": (
        ("assay upload day.csv --wait", "follow it to Gold"),
        ("assay upload day.csv --control 1200:51234.10", "with its rows and its total"),
        ("assay upload june/ --prefix transactions/june/", "a folder of files"),
    ),
    "check": (
        ("assay check day.csv", "figures, warnings, broken rows"),
        ("assay check day.csv --control 1200:51234.10", "held to control totals"),
    ),
    "watch": (
        ("assay watch", "all files, until Ctrl-C"),
        ("assay watch day.csv", "one file, until it has ended"),
        ("assay watch --json | jq .key", "for programs"),
    ),
    "status": (
        ("assay status", "the newest files"),
        ("assay status day.csv", "all versions of one file"),
        ("assay status --expected", "files that are to come"),
        ("assay status --closed", "closed months, then and now"),
        ("assay status --offsets", "what came of Kafka topics"),
    ),
    "passport": (
        ("assay passport day.csv", "where each row and cent went"),
        ("assay passport day.csv --json", "for programs"),
    ),
    "query": (
        ('assay query "SELECT * FROM daily_totals LIMIT 5"', "a table"),
        ('assay query "DESCRIBE fact_transactions"', "its columns"),
        ('assay query "FROM quarantine" --format csv > bad.csv', "a file"),
        ('assay query "FROM quarantine LIMIT 1" -x', "a line for each value"),
    ),
    "audit": (
        ("assay audit", "by the running totals"),
        ("assay audit --full", "by every row of both layers"),
    ),
    "verify": (
        ("assay verify", "was anything changed since?"),
        ("assay verify --json | jq .faults", "for programs"),
    ),
    "evidence": (("assay evidence 2026-06 -o june", "then anywhere: python3 june/verify.py"),),
    "explain": (
        ("assay explain gold.daily_totals 2024-03-01 online", "a cell of Gold"),
        ("assay explain daily_totals 2024-03-01 chip --since 12", "after a run"),
        ("assay explain 4711", "the life of a key"),
    ),
    "quarantine": (
        ("assay quarantine", "which rules are broken, where"),
        ("assay quarantine export -o bad.csv", "then correct it"),
        ("assay quarantine fix bad.csv", "take it back"),
    ),
    "quarantine export": (
        ("assay quarantine export -o bad.csv", "all open rows"),
        ("assay quarantine export --file day.csv > bad.csv", "of one file"),
    ),
    "quarantine fix": (
        ("assay quarantine fix bad.csv --dry-run", "only look"),
        ("assay quarantine fix bad.csv", "look, then decide"),
    ),
    "quarantine waive": (('assay quarantine waive day.csv --rule too_many_fields --reason "a trailer"', ""),),
    "report": (
        ("assay report", "this month, as report.html"),
        ("assay report --month 2026-06 -o june.html", "another one"),
        ("assay report --since 2026-06-01T00:00:00Z", "since then"),
    ),
    "undo": (
        ('assay undo day.csv --reason "amounts x 10" --dry-run', "only look"),
        ('assay undo day.csv --reason "amounts x 10"', "look, then decide"),
    ),
    "redo": (
        ('assay redo day.csv --reason "it was right" --dry-run', "only look"),
        ('assay redo day.csv --reason "it was right"', "look, then decide"),
    ),
    "close": (
        ("assay close 2026-06 --dry-run", "only look"),
        ('assay close 2026-06 --reason "books of June"', "look, then decide"),
        ('assay close 2026-06 --again --reason "late files"', "with the totals of now"),
    ),
    "replay": (
        ("assay replay --check", "rebuild and compare"),
        ("assay replay --check --seed 5", "in an order that can be repeated"),
        ("assay replay --apply", "rebuild and replace"),
    ),
    "resume": (
        ("assay resume day.csv", "one file"),
        ("assay resume --failed --dry-run", "which ones would go on"),
        ("assay resume --layer silver", "close the breaker"),
    ),
    "maintain": (
        ("assay maintain", "compact all tables"),
        ("assay maintain --orphans", "also remove what killed runs left"),
    ),
    "smoke": (
        ("assay smoke", "in the local cloud, or in AWS"),
        ("assay smoke --profile production", "a stack in AWS"),
    ),
    "kafka": (
        ("assay kafka --bootstrap b:9092 --topic orders", "until Ctrl-C"),
        ("assay kafka --bootstrap b:9092 --topic orders --json", "a line for each object"),
    ),
    "sweep": (
        ("assay sweep --dry-run", "only look"),
        ("assay sweep --yes", "have all go on, in a script"),
    ),
    "expect": (
        ("assay expect transactions/london 'day_{date}.csv' --by 07:30", "each day"),
        ("assay expect transactions/london --from calendar.json", "from a file"),
    ),
    "demo": (("assay demo", "takes a minute or two, and leaves the cloud running"),),
    "load": (("assay load declare june --start 2026-06-01T06:00:00Z", "see declare"),),
    "load declare": (
        ("assay load declare june --start 2026-06-01T06:00:00Z", "its LOAD files"),
        ("assay load declare june --start 2026-06-01T06:00:00Z --wait", "and follow"),
    ),
    "notebooks": (("assay notebooks upload", "see upload"),),
    "notebooks upload": (("assay notebooks upload", "then open the copies in Jupyter"),),
    "sample": (("assay sample history day.csv --rows 1000", "see history"),),
    "sample history": (
        ("assay sample history past.csv", "100,000 rows"),
        ("assay sample history past.parquet --rows 1000000 --control", "with totals"),
    ),
    "sample increment": (
        ("assay sample increment day.csv", "10,000 rows that follow"),
        ("assay sample increment day.csv --changed 50", "half of known keys"),
    ),
    "sample broken": (
        ("assay sample broken bad.csv", "a row for each rule"),
        ("assay sample broken bad.csv --rule zip_impossible", "of one rule"),
    ),
}
"""By command, as it is typed after `assay`; the lines are no wider than 80 columns."""


def epilog(command: str, more: str = "") -> str:
    """Return the end of a command's help, which click is not to wrap: examples, then a paragraph of one's own."""
    examples = EXAMPLES.get(command, ())
    width = max((len(line) for line, _ in examples), default=0)
    lines = [f"  {line:<{width}}  {what}" for line, what in examples]
    shown = ["\b\nExamples:\n" + "\n".join(lines)] if lines else []
    return "\n\n".join([*shown, *([more] if more else [])])
