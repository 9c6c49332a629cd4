"""What an operator does with the stack after the batch, by the command line: each permission is to be used once."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from deployed_app import WITHIN_SECONDS, DeployedApp, await_parking, dropped_events, open_breaker, until

from assay.ledger import ending

FILES = {
    "cards/cards.csv": "id,client_id,card_brand,card_number,credit_limit\n1,7,Visa,4111111111111111,$100.00\n",
    "users/users.csv": "id,gender,yearly_income\n7,F,$10\n",
    "mcc_codes/codes.json": '{"5411": "Grocery Stores"}',
    "mcc_codes/codes.csv": "mcc,description\n5812,Restaurants\n",
    "transactions/june/LOAD00000001.csv": "dms_id,amount,date\n900001,1.00,2020-01-01\n",
}
BESIDE, PARKED = "transactions/beside.csv", "transactions/parked.csv"
MORE = {
    BESIDE: "dms_id,amount,date\n900002,2.00,2020-01-01\n",
    PARKED: "dms_id,amount,date\n900003,3.00,2020-01-01\n",
}
# With these draws a replay of the batch takes the fewest runs.
SEED = 48


def operate(app: DeployedApp) -> list[str]:
    """Run the operations; return those that failed, with what they said."""
    for key, text in (FILES | MORE).items():
        path = app.project / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    uploads = [f"upload {key} --prefix {key.rpartition('/')[0]}" for key in FILES]
    uploads[-1] += " --wait"
    # The load lacks all rows of the batch: Silver refuses it, and no layer changes.
    now = datetime.now(UTC).isoformat()
    files = len(app.ledger.whole()) + len(FILES) + 1
    failed = _run(app, *uploads, f"load declare june --start {now}")
    until(lambda: _ended(app) == files, seconds=WITHIN_SECONDS, what="the end of all files")
    until(lambda: not _running(app), seconds=WITHIN_SECONDS, what="the end of all executions")
    reading = ("status", "status transactions/good.csv", "passport transactions/good.csv", "audit --full", "query")
    asking = "query SELECT(count(*))FROM(gold.fact_transactions)"
    _let_the_clock_strike(app)
    _lose_an_event(app)
    expecting = [f"expect {folder} {{date}}.csv --yes" for folder in ("transactions", "users", "mcc_codes")]
    sweeping = (*expecting, "sweep --older-than 0 --yes", "status --expected")
    deciding = ("undo transactions/good.csv --yes", "redo transactions/good.csv --yes")
    failed += _park_and_resume(app)
    failed += _run(app, *reading, asking, *sweeping, *deciding, "verify", "maintain") + _check_beside_an_arrival(app)
    return failed + _run(app, f"replay --apply --seed {SEED}", "verify")


def _park_and_resume(app: DeployedApp) -> list[str]:
    """Have a file meet an open breaker, which ends its execution, and let it go on; return what failed."""
    open_breaker(app, "silver")
    failed = _run(app, f"upload {PARKED} --prefix transactions")
    item = await_parking(app, PARKED)
    failed += _run(app, "resume --layer silver --yes")
    until(
        lambda: app.ledger.get([item["file_id"]])[item["file_id"]]["status"] == "published",
        seconds=WITHIN_SECONDS,
        what="the parked file published",
    )
    until(lambda: not _running(app), seconds=WITHIN_SECONDS, what="the end of all executions")
    return failed


def _lose_an_event(app: DeployedApp) -> None:
    """Put a file without columns that the function hears nothing of: the sweep has it rejected."""
    with dropped_events(app):
        app.target.s3.put_object(Bucket=app.target.stack.bronze_bucket, Key="transactions/lost.csv", Body=b"x")


def _let_the_clock_strike(app: DeployedApp) -> None:
    """Call the function as its schedules do, with a publication to mail."""
    sns = app.client("sns")
    (topic,) = (each["TopicArn"] for each in sns.list_subscriptions()["Subscriptions"] if each["Protocol"] == "sqs")
    sns.publish(TopicArn=topic, Subject="[assay local] a file was published", Message="Published: x")
    for task in ("waiting", "digest"):
        payload = json.dumps({"task": task}).encode()
        answer = app.client("lambda").invoke(FunctionName="assay-local-watch", Payload=payload)
        assert "FunctionError" not in answer, answer["Payload"].read()
    assert any(mail.subject == "[assay local] 1 file was published" for mail in app.all_mails())


def _check_beside_an_arrival(app: DeployedApp) -> list[str]:
    """Check by a replay while a file comes and is published; return what failed of both."""
    check = f"replay --check --seed {SEED}"
    with ThreadPoolExecutor() as pool:
        checking = pool.submit(_run, app, check)
        failed = _run(app, f"upload {BESIDE} --prefix transactions --wait")
        if checking.done():
            failed.append(f"assay {check} ended before the file beside it was published")
        failed += checking.result()
    until(lambda: not _running(app), seconds=WITHIN_SECONDS, what="the end of all executions")
    return failed


def _ended(app: DeployedApp) -> int:
    return sum(ending(item) is not None for item in app.ledger.whole())


def _running(app: DeployedApp) -> bool:
    return any(each["status"] == "RUNNING" for each in app.executions())


def _run(app: DeployedApp, *operations: str) -> list[str]:
    failed = []
    for operation in operations:
        command = [str(Path(sys.executable).with_name("assay")), *operation.split()]
        done = subprocess.run(command, cwd=app.project, capture_output=True, text=True, check=False)
        if done.returncode:
            failed.append(f"assay {operation}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return failed
