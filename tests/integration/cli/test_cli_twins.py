"""Content that Bronze has under the same key is not sent twice by accident: its rows would be the newest of all."""

import json
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from deployed_stack import NAMES, DeployedStack, file_item

from assay import twins

KEY = "transactions/a.csv"
CONTENT = "dms_id,amount,date\n1,1.00,2024-03-05\n"


def versions(stack: DeployedStack, key: str = KEY) -> list[str]:
    """Return the ids of a key's versions, newest first."""
    listed = stack.client("s3").list_object_versions(Bucket=NAMES["BronzeBucket"], Prefix=key)
    return [version["VersionId"] for version in listed.get("Versions", []) if version["Key"] == key]


def first_upload(stack: DeployedStack, content: str = CONTENT) -> str:
    Path("a.csv").write_text(content)
    assert stack.assay("upload", "a.csv").exit_code == 0
    return versions(stack)[0]


def test_upload_stops_and_says_where_the_content_is__published_before(stack: DeployedStack) -> None:
    version = first_upload(stack)
    item = file_item("a.csv", version=version)
    stack.put(item)

    result = stack.assay("upload", "a.csv", "--wait")

    assert result.exit_code == 2
    assert f"Bronze has this content under the same key: version {version}, published" in result.stderr
    assert f"assay passport {item['file_id']}" in result.stderr
    assert versions(stack) == [version]


def test_upload_sends_it_all_the_same__again(stack: DeployedStack) -> None:
    version = first_upload(stack)

    assert stack.assay("upload", "a.csv", "--again").exit_code == 0
    assert len(versions(stack)) == 2
    assert version in versions(stack)


def test_upload_stops__content_of_an_older_version(stack: DeployedStack) -> None:
    version = first_upload(stack)
    first_upload(stack, CONTENT.replace("1.00", "2.00"))
    Path("a.csv").write_text(CONTENT)

    result = stack.assay("upload", "a.csv")

    assert (result.exit_code, f"version {version}" in result.stderr) == (2, True)


def test_upload_sends_what_is_new__other_content_or_another_key(stack: DeployedStack) -> None:
    first_upload(stack)
    Path("a.csv").write_text(CONTENT.replace("1.00", "2.00"))
    Path("a.csv.gz").write_text(CONTENT)

    assert stack.assay("upload", "a.csv", "a.csv.gz").exit_code == 0
    assert len(versions(stack)) == 2
    assert len(versions(stack, f"{KEY}.gz")) == 1


def test_upload_sends_the_others__one_is_there(stack: DeployedStack) -> None:
    version = first_upload(stack)
    Path("b.csv").write_text("x")

    result = stack.assay("upload", "a.csv", "b.csv")

    assert (result.exit_code, versions(stack), len(versions(stack, "transactions/b.csv"))) == (1, [version], 1)


def test_upload_sends_a_rejected_file_once_more__its_pin_is_settled_now(stack: DeployedStack) -> None:
    version = first_upload(stack)
    stack.put(file_item("a.csv", version=version) | {"status": "rejected", "in_effect": False})

    assert stack.assay("upload", "a.csv").exit_code == 0
    assert len(versions(stack)) == 2


def test_upload_knows_content_by_the_checksum_of_the_ledger__its_etag_is_none(
    stack: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = first_upload(stack)
    checksum = {"algorithm": "SHA256", "value": b64encode(sha256(CONTENT.encode()).digest()).decode()}
    real = twins._versions
    of_a_key = lambda *given: (replace(each, etag="of a key") for each in real(*given))  # noqa: E731
    monkeypatch.setattr(twins, "_versions", of_a_key)
    stack.put(file_item("a.csv", version=version) | {"checksum": checksum})

    assert (stack.assay("upload", "a.csv").exit_code, versions(stack)) == (2, [version])


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"in_effect": False}, "published, undone: take it back: assay redo transactions/a.csv --version {version}"),
        ({"failed": {"stage": "gold", "reason": "x", "attempts": 3, "at": "x"}}, "failed: have it go on: assay resume"),
        (None, "not in the ledger: wait, or have it taken: assay sweep"),
    ],
)
def test_upload_proposes_the_command_that_helps__undone_failed_or_unheard(
    stack: DeployedStack, state: dict[str, object] | None, told: str
) -> None:
    version = first_upload(stack)
    if state is not None:
        stack.put(file_item("a.csv", version=version) | state)

    result = stack.assay("upload", "a.csv")

    assert result.exit_code == 2
    assert told.format(version=version) in result.stderr.replace("\n", " ")


@pytest.mark.parametrize("part", [5 * 1024**2, 8 * 1024**2])
def test_upload_knows_content_that_was_sent_in_parts__parts_of_ours_and_of_others(
    stack: DeployedStack, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr("assay.upload.ONE_REQUEST", 1024)
    monkeypatch.setattr("assay.upload.PART", part)
    version = first_upload(stack, CONTENT * (9 * 1024**2 // len(CONTENT)))
    monkeypatch.setattr("assay.upload.PART", 5 * 1024**2)

    result = stack.assay("upload", "a.csv")

    assert (result.exit_code, versions(stack)) == (2, [version])


def test_upload_sends_computed_control_totals__side_car_before_the_file(stack: DeployedStack) -> None:
    Path("a.csv").write_text(CONTENT + "3,-2.50,2024-03-05\n")

    assert stack.assay("upload", "a.csv", "--compute-control").exit_code == 0

    s3 = stack.client("s3")
    side_car = s3.get_object(Bucket=NAMES["BronzeBucket"], Key=f"{KEY}.control.json")
    assert json.loads(side_car["Body"].read()) == {
        "row_count": 2,
        "total_amount": "-1.50",
        "positive_total": "1.00",
        "negative_total": "-2.50",
        "key_sum": 4,
        "hash_total": (100 - 750) % 10**16,
    }
    assert len(versions(stack)) == 1
    assert [path.name for path in Path().iterdir() if path.is_file()] == ["a.csv"]


def test_upload_refuses_to_compute_control_totals__they_are_given_or_the_file_is_unreadable(
    stack: DeployedStack,
) -> None:
    Path("a.csv").write_text(CONTENT)
    assert "exclude each other" in stack.assay("upload", "a.csv", "--compute-control", "--control", "1:1.00").stderr
    Path("a.csv.control.json").write_text("{}")
    assert "has a side-car already" in stack.assay("upload", "a.csv", "--compute-control").stderr
    Path("b.csv").write_text("x")
    assert "b.csv cannot be read: " in stack.assay("upload", "b.csv", "--compute-control").stderr
    assert versions(stack) == []
