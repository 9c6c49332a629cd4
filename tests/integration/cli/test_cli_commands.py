"""The commands against a stack in moto: what they print, and how they end."""

import errno
import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from deployed_stack import NAMES, DeployedStack, file_item

from assay import target, upload
from assay.ledger import file_id


def test_upload_sends_every_byte_and_keeps_the_version__folder(stack: DeployedStack, tmp_path: Path) -> None:
    (tmp_path / "batch").mkdir()
    (tmp_path / "batch" / "a b+[1].csv").write_bytes(b"id,amount,date\n1,$1.00,2010-01-01\n")
    (tmp_path / "batch" / "b.csv").write_bytes(b"id\n")

    result = stack.assay("upload", "batch", "--as-of", "2026-11-23T06:00:00Z")

    assert result.exit_code == 0, result.output
    found = stack.client("s3").get_object(Bucket=NAMES["BronzeBucket"], Key="transactions/a b+[1].csv")
    assert found["Body"].read() == b"id,amount,date\n1,$1.00,2010-01-01\n"
    assert found["Metadata"] == {"as-of": "2026-11-23T06:00:00.000000Z"}
    assert f"transactions/a b+[1].csv  version {found['VersionId']}" in result.stdout


def test_upload_sends_large_files_in_parts__same_bytes(
    stack: DeployedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.upload.ONE_REQUEST", 1024)
    monkeypatch.setattr("assay.upload.PART", 5 * 1024**2)
    content = bytes(range(256)) * (6 * 1024**2 // 256)
    (tmp_path / "large.csv").write_bytes(content)
    counted: list[int] = []
    monkeypatch.setattr("assay.console.transferring", lambda what, size: nullcontext(counted.append))

    result = stack.assay("upload", "large.csv", "--control", "10:5.5")

    found = stack.client("s3").get_object(Bucket=NAMES["BronzeBucket"], Key="transactions/large.csv")
    assert found["Body"].read() == content
    assert found["Metadata"] == {"row-count": "10", "total-amount": "5.50"}
    assert found["VersionId"] in result.stdout
    assert counted == [5 * 1024**2, 1024**2]


def test_upload_refuses__bucket_without_versions(stack: DeployedStack, tmp_path: Path) -> None:
    stack.client("s3").put_bucket_versioning(
        Bucket=NAMES["BronzeBucket"], VersioningConfiguration={"Status": "Suspended"}
    )
    (tmp_path / "a.csv").write_text("x")

    result = stack.assay("upload", "a.csv")

    assert result.exit_code == 2
    assert "keeps no versions" in result.stderr


def test_upload_ends_without_traceback__file_cannot_be_read(
    stack: DeployedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("x")

    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    result = stack.assay("upload", "a.csv")

    assert result.exit_code == 2
    assert "a.csv: Permission denied" in result.stderr


def test_upload_names_what_it_cannot_send_and_sends_the_others__line_feed_and_unreadable(
    stack: DeployedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "new\nline.csv", "locked.csv", "README.md", "z.csv"):
        (tmp_path / name).write_text("x")
    real = Path.open

    def refuse(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.name == "locked.csv":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", refuse)
    result = stack.assay("upload", "a.csv", "new\nline.csv", "locked.csv", "README.md", "z.csv")

    assert result.exit_code == 1
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["transactions/a.csv", "transactions/z.csv"]
    assert [line for line in result.stderr.splitlines() if line.startswith("not sent: ")] == [
        "not sent: new<U+000A>line.csv: its name has a line break in it: rename it",
        "not sent: locked.csv: Permission denied: check the file and your permissions",
        "not sent: README.md: this is no file of transactions: leave it out, or rename it if it holds a table",
    ]


def test_upload_puts_cards_under_their_key_in_one_request__and_nothing_else(
    stack: DeployedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "ONE_REQUEST", 1)
    (tmp_path / "a.csv").write_text("x" * 10)
    for subject in ("cards", "users"):
        assert stack.assay("upload", "a.csv", "--prefix", subject).exit_code == 0

    heads = {
        subject: stack.client("s3").head_object(Bucket=NAMES["BronzeBucket"], Key=f"{subject}/a.csv")
        for subject in ("cards", "users")
    }
    assert (heads["cards"]["SSEKMSKeyId"], "SSEKMSKeyId" in heads["users"]) == (NAMES["CardsKey"], False)
    assert ("-" in heads["cards"]["ETag"], "-" in heads["users"]["ETag"]) == (False, True)


def test_upload_names_the_file_and_sends_the_others__s3_refuses_one(
    stack: DeployedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "odd.csv"):
        (tmp_path / name).write_text("x")
    real = upload.send_bytes

    def send(to: Any, key: str, *arguments: Any, **more: Any) -> Any:
        if key.endswith("odd.csv"):
            raise ClientError({"Error": {"Code": "InvalidURI", "Message": "Couldn't parse the URI."}}, "PutObject")
        return real(to, key, *arguments, **more)

    monkeypatch.setattr(upload, "send_bytes", send)
    result = stack.assay("upload", "a.csv", "odd.csv")

    assert (result.exit_code, "transactions/a.csv  version" in result.stdout) == (1, True)
    assert "not sent: odd.csv: S3 refuses it: Couldn't parse the URI." in result.stderr


def test_upload_refuses_at_once__nothing_can_be_a_file_of_the_subject(bare: DeployedStack, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# read me")

    result = bare.assay("upload", "README.md", "--prefix", "cards/")

    assert result.exit_code == 2
    assert "README.md: this is no file of cards\n  do: leave it out" in result.stderr


def test_upload_vouches_for_unusual_figures__accept_range(stack: DeployedStack, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")

    assert stack.assay("upload", "a.csv", "--accept-range").exit_code == 0

    found = stack.client("s3").head_object(Bucket=NAMES["BronzeBucket"], Key="transactions/a.csv")
    assert found["Metadata"] == {"accept-range": "true"}


def test_upload_refuses__control_totals_for_two_files(stack: DeployedStack, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x")

    result = stack.assay("upload", "a.csv", "b.csv", "--control", "1:1.00")

    assert result.exit_code == 2
    assert "--control is for one file" in result.stderr


@pytest.fixture
def publisher(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Write the ledger as the pipeline would, the moment a file has been sent; the dict holds what is to differ."""
    more: dict[str, Any] = {}
    send = target.Target.s3.func(SimpleNamespace(session=_session(), endpoint=stack.endpoint))  # type: ignore[attr-defined]
    put_object = send.put_object

    def put_and_publish(**arguments: Any) -> Any:
        answer = put_object(**arguments)
        name = arguments["Key"].removeprefix("transactions/")
        stack.put(file_item(name, version=answer["VersionId"]) | more)
        return answer

    monkeypatch.setattr(send, "put_object", put_and_publish)
    monkeypatch.setattr(target.Target, "s3", send)
    return more


def _session() -> Any:
    import boto3

    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="eu-central-1")


def test_upload_wait_ends_well__published(stack: DeployedStack, tmp_path: Path, publisher: dict[str, Any]) -> None:
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "a.csv.control.json").write_text("{}")

    result = stack.assay("upload", "a.csv", "a.csv.control.json", "--wait")

    assert result.exit_code == 0, result.output
    assert "transactions/a.csv  published, 2 rows: 2 inserted; 1 warning" in result.stdout


def test_upload_wait_ends_well_and_names_each_warning__published(
    stack: DeployedStack, tmp_path: Path, publisher: dict[str, Any]
) -> None:
    publisher |= {"warnings": ["Its mean amount is outside.", "Unknown columns, not read: 'a\x1bb'."]}
    (tmp_path / "a.csv").write_text("x")

    result = stack.assay("upload", "a.csv", "--wait")

    assert result.exit_code == 0
    assert [line for line in result.stderr.splitlines() if line.startswith("warning: ")] == [
        "warning: transactions/a.csv: Its mean amount is outside.",
        "warning: transactions/a.csv: Unknown columns, not read: 'a<U+001B>b'.",
    ]


def test_upload_sends_pin_and_marker_as_they_are__pin_first(
    stack: DeployedStack, tmp_path: Path, publisher: dict[str, Any]
) -> None:
    (tmp_path / "full").mkdir()
    for name in ("LOAD00000001.csv", "_dialect.json", "_load.json"):
        (tmp_path / "full" / name).write_text(f'{{"about": "{name}"}}')

    result = stack.assay("upload", "full", "--prefix", "transactions/full", "--wait")

    assert result.exit_code == 0, result.output
    bucket = NAMES["BronzeBucket"]
    for name in ("_dialect.json", "_load.json"):
        sent = stack.client("s3").get_object(Bucket=bucket, Key=f"transactions/full/{name}")["Body"].read()
        assert sent == f'{{"about": "{name}"}}'.encode()
    waited_for = {line.split()[2] for line in result.stdout.splitlines() if "published" in line}
    assert waited_for == {"transactions/full/LOAD00000001.csv", "transactions/full/_load.json"}


def test_upload_wait_ends_badly_and_says_why__rejected(
    stack: DeployedStack, tmp_path: Path, publisher: dict[str, Any]
) -> None:
    reasons = [{"code": "no_rows", "text": text} for text in ("a header and nothing else", "what to do")]
    publisher |= {"status": "rejected", "reasons": reasons}
    (tmp_path / "a.csv").write_text("x")

    result = stack.assay("upload", "a.csv", "--wait")

    assert result.exit_code == 1
    assert "rejected: transactions/a.csv: a header and nothing else\n" in result.stderr
    assert "rejected: transactions/a.csv: what to do\n" in result.stderr
    assert ".assay/logs" in result.stderr


def test_upload_wait_gives_up_with_a_message__time_limit(stack: DeployedStack, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")

    result = stack.assay("upload", "a.csv", "--wait", "--timeout", "0.001")

    assert result.exit_code == 1
    assert "not ended: transactions/a.csv is uploaded" in result.stderr


def test_upload_wait_stops_cleanly__interrupted(
    stack: DeployedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("assay.watch.sleep", interrupt)
    (tmp_path / "a.csv").write_text("x")

    result = stack.assay("upload", "a.csv", "--wait")

    assert result.exit_code == 130
    assert "the files are still being processed: assay status" in result.stderr


def test_status_lists_files__newest_first(stack: DeployedStack) -> None:
    old = file_item("old[red].csv") | {"last_modified_at": "2026-11-22T06:00:00.000000Z"}
    failed = {"stage": "silver", "reason": "page is damaged", "attempts": 1, "at": "2026-11-23T06:00:09.000000Z"}
    stack.put(old, file_item("new.csv") | {"status": "accepted", "failed": failed})

    result = stack.assay("status")

    lines = [line for line in result.stdout.splitlines() if "transactions/" in line]
    assert ["new.csv" in lines[0], "old[red].csv" in lines[1]] == [True, True]
    assert "failed" in lines[0]
    assert "page is damaged" in result.stdout
    assert "10.00" in lines[1]


def test_status_lists_undos_and_redos__in_progress_and_failed_alone(stack: DeployedStack) -> None:
    decided = {"file_id": "f" * 64, "in_effect": False, "who": "ann", "at": "2026-11-24", "reason": "amounts x 10"}
    failed = {"stage": "silver", "reason": "the table is locked", "attempts": 1, "at": "2026-11-23T06:00:09.000000Z"}
    action = file_item() | {"kind": "action", "subject": "undo", "decides": decided}
    stack.put(
        file_item("new.csv"),
        action | {"file_id": "a" * 64, "key": "transactions/waits.csv", "status": "accepted"},
        action | {"file_id": "b" * 64, "key": "transactions/broken.csv", "status": "accepted", "failed": failed},
        action | {"file_id": "c" * 64, "key": "transactions/through.csv"},
    )

    result = stack.assay("status")

    shown = result.stdout.partition("Undos and redos in progress")[2]
    words = " ".join(shown.split())
    assert "waits.csv v1 undo accepted ann amounts x 10" in words
    assert "the table is locked" in words
    assert "To take it up again: assay undo" in words
    assert ("through.csv" in result.stdout, "Files: 1 of 1" in result.stdout) == (False, True)


def test_status_shows_every_version__one_key(stack: DeployedStack) -> None:
    later = {"last_modified_at": "2026-11-23T07:00:00.000000Z"}
    stack.put(file_item("a.csv"), file_item("a.csv", version="v2") | later, file_item("aa.csv"))

    result = stack.assay("status", "a.csv", "--json")

    assert [item["version_id"] for item in json.loads(result.stdout)] == ["v2", "v1"]
    assert "2026-11-23T06:00:04.000000Z  published" in stack.assay("status", "transactions/a.csv").stdout


def test_status_orders_versions_by_sequencer__same_second(stack: DeployedStack) -> None:
    stack.put(file_item(version="v1") | {"sequencer": "0a"}, file_item(version="v2") | {"sequencer": "09ff"})

    result = stack.assay("status", "a.csv", "--json")

    assert [item["version_id"] for item in json.loads(result.stdout)] == ["v1", "v2"]


def test_status_shows_what_a_published_file_is_warned_of__list_and_versions(stack: DeployedStack) -> None:
    stack.put(file_item() | {"warnings": ["Its mean amount is outside."]})

    assert "! Its mean amount is outside." in stack.assay("status").stdout
    assert "! Its mean amount is outside." in stack.assay("status", "a.csv").stdout


@pytest.mark.parametrize("command", ["status", "passport"])
def test_file_is_named_by_its_id__as_mails_do(stack: DeployedStack, command: str) -> None:
    stack.put(file_item(), file_item(version="v2"))
    identity = file_item()["file_id"]

    result = stack.assay(command, identity)

    assert result.exit_code == 0, result.output
    assert "transactions/a.csv" in result.stdout
    assert "v2" not in result.stdout


@pytest.mark.parametrize("words", [("status",), ("status", "{id}"), ("passport", "{id}")])
def test_key_is_shown_and_does_not_act__markup_and_controls(stack: DeployedStack, words: tuple[str, ...]) -> None:
    item = file_item("[red]a\x1b[31m\nb\u202e.csv")
    stack.put(item)

    result = stack.assay(*(word.format(id=item["file_id"]) for word in words))

    assert "transactions/[red]a<U+001B>[31m" in result.stdout
    assert not {"\x1b", "\u202e"} & set(result.stdout)


def test_status_says_what_to_do__ledger_is_empty(stack: DeployedStack) -> None:
    assert "assay upload" in stack.assay("status").stdout


def test_passport_adds_up__published(stack: DeployedStack) -> None:
    stack.put(file_item(outcomes={"inserted": 1200, "quarantined": 34}, amount="-51234.10"))

    result = stack.assay("passport", "a.csv")

    assert result.exit_code == 0
    assert "✓ rows in file = sum of the seven outcomes: 1,234 = 1,234" in result.stdout
    assert "✓ total amount of the file = sum over all outcomes: -51,234.10 = -51,234.10" in result.stdout
    assert "transactions 1234567890123456789" in result.stdout


@pytest.mark.parametrize(
    ("kpi", "value", "line"),
    [
        ("row_count", 3, "✗ rows in file = sum of the seven outcomes: 3 ≠ 2"),
        ("total_amount", "10.01", "✗ total amount of the file = sum over all outcomes: 10.01 ≠ 10.00"),
    ],
)
def test_passport_ends_badly__does_not_add_up(stack: DeployedStack, kpi: str, value: Any, line: str) -> None:
    item = file_item()
    item["kpis"][kpi] = value
    stack.put(item)

    result = stack.assay("passport", "a.csv")

    assert (result.exit_code, line in result.stdout) == (1, True)
    assert stack.assay("passport", "a.csv", "--json").exit_code == 1


def test_passport_keeps_money_as_text__json(stack: DeployedStack) -> None:
    stack.put(file_item(amount="9999999999999999.99"))

    passport = json.loads(stack.assay("passport", "a.csv", "--json").stdout)

    assert passport["kpis"]["total_amount"] == "9999999999999999.99"
    assert passport["checks"][1] == {
        "what": "total amount of the file = sum over all outcomes",
        "expected": "9999999999999999.99",
        "found": "9999999999999999.99",
        "equal": True,
    }
    assert passport["silver"]["snapshots"]["transactions"] == 1234567890123456789


def test_passport_shows_the_reasons__rejected(stack: DeployedStack) -> None:
    item = file_item() | {"status": "rejected", "reasons": [{"code": "no_rows", "text": "a header and nothing else"}]}
    stack.put({name: value for name, value in item.items() if name not in ("silver", "gold", "kpis")})

    result = stack.assay("passport", "a.csv")

    assert result.exit_code == 0
    assert "no_rows: a header and nothing else" in result.stdout


@pytest.mark.parametrize(
    ("control", "words"),
    [
        ({"source": "none", "proven": False}, "10.00 (unproven: no control totals)"),
        ({"source": "side-car", "proven": True, "row_count": 2}, "10.00 (proven by side-car)"),
        ({"source": "metadata", "proven": False, "total_amount": "10.01"}, "10.00 (not what its metadata says)"),
    ],
)
def test_passport_tells_the_proof__control_totals(stack: DeployedStack, control: dict[str, Any], words: str) -> None:
    stack.put(file_item() | {"control": control})

    assert words in stack.assay("passport", "a.csv").stdout


def test_passport_shows_subject_dialect_and_operations__file_of_dms(stack: DeployedStack) -> None:
    item = file_item() | {"subject": "cards", "format": {"kind": "csv", "dialect": "dms cdc"}}
    item["kpis"]["operations"] = {"insert": 1200, "update": 0, "delete": 3}
    stack.put(item)

    facts = [line.split() for line in stack.assay("passport", "a.csv").stdout.splitlines()]

    assert ["subject", "cards"] in facts
    assert ["dialect", "dms", "cdc"] in facts
    assert ["operations", "3", "delete,", "1,200", "insert"] in facts


def load_item(**more: Any) -> dict[str, Any]:
    load = {"name": "full", "start_at": "2026-11-22T06:00:00.000000Z", "files": ["a", "b"]}
    item = file_item("full/_load.json") | {"subject": "load", "load": load, "kpis": {}}
    silver = {"run_seq": 1, "outcomes": {}, "amounts": {}, "effect_amount": "-1234.50", "missing": 1200, "moved": 7}
    return item | {"silver": silver} | more


def test_passport_shows_what_a_reload_did__marker_published(stack: DeployedStack) -> None:
    stack.put(load_item())

    result = stack.assay("passport", "full/_load.json")

    facts = [line.split() for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert ["load", "full"] in facts
    assert ["start", "2026-11-22T06:00:00.000000Z"] in facts
    assert ["files", "2"] in facts
    assert ["missing", "1,200"] in [fact[:2] for fact in facts]
    assert ["moved", "7"] in [fact[:2] for fact in facts]
    assert ["effect", "on", "Silver", "-1,234.50"] in facts


def test_passport_shows_what_is_declared__marker_waits(stack: DeployedStack) -> None:
    item = load_item(status="accepted")
    del item["silver"]
    stack.put(item)

    result = stack.assay("passport", "full/_load.json")

    assert (result.exit_code, "living keys" in result.stdout, "2026-11-22T06:00:00" in result.stdout) == (
        0,
        False,
        True,
    )


def test_status_names_the_subject__not_transactions(stack: DeployedStack) -> None:
    stack.put(file_item("a.csv") | {"subject": "transactions"}, load_item())

    lines = stack.assay("status").stdout

    assert "transactions/full/_load.json (load)" in lines
    assert "transactions/a.csv " in lines
    assert "(transactions)" not in lines


def test_passport_takes_the_named_version__of_two(stack: DeployedStack) -> None:
    stack.put(file_item(version="v1"), file_item(version="v2") | {"last_modified_at": "2026-11-24T06:00:00.000000Z"})

    named = json.loads(stack.assay("passport", "a.csv", "--version", "v1", "--json").stdout)

    assert named["file_id"] == file_id(NAMES["BronzeBucket"], "transactions/a.csv", "v1")
    assert "v2, v1" in stack.assay("passport", "a.csv", "--version", "v9").stderr


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("none.csv", "the ledger knows no file none.csv"),
        ("b.csv", "did you mean transactions/x/a.csv or transactions/y/a.csv? List the files: assay status"),
        ("a.csv", "may be any of transactions/x/a.csv, transactions/y/a.csv"),
        ("a.c", "may be any of transactions/x/a.csv, transactions/y/a.csv"),
    ],
)
def test_passport_cannot_choose__no_such_key_or_several(stack: DeployedStack, key: str, message: str) -> None:
    stack.put(file_item("x/a.csv"), file_item("y/a.csv"))

    result = stack.assay("passport", key)

    assert (result.exit_code, message in result.stderr) == (2, True)


@pytest.mark.parametrize("part", ["/summer-2026.csv", "mmer-2026.csv", "summer"])
def test_file_is_named_by_a_part_of_its_key__no_other_key_has_it(stack: DeployedStack, part: str) -> None:
    stack.put(file_item("x/summer-2026.csv"), file_item("x/winter-2026.csv"))

    assert json.loads(stack.assay("passport", part, "--json").stdout)["key"] == "transactions/x/summer-2026.csv"


def test_file_is_named_by_its_whole_name__although_another_key_ends_so(stack: DeployedStack) -> None:
    stack.put(file_item("x/a.csv"), file_item("x/beta.csv"))

    assert json.loads(stack.assay("passport", "a.csv", "--json").stdout)["key"] == "transactions/x/a.csv"


@pytest.mark.parametrize("command", ["undo", "redo", "resume"])
def test_part_of_a_key_is_not_enough__nobody_is_asked(stack: DeployedStack, command: str) -> None:
    stack.put(file_item("x/beta.csv"))

    result = stack.assay(command, "a.csv", "--yes")

    assert (result.exit_code, "the ledger knows no file a.csv" in result.stderr) == (2, True)
