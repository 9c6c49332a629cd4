"""What an operator decides on a file, as a ledger item: it waits for Silver, which takes it in a run of its own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from boto3.dynamodb.types import TypeSerializer
from cloud.mail import NONE, report_page
from cloud.workflows import execution_arn, start_execution
from contract.limits import REASON_CHARACTERS
from contract.vocabulary import IN_SILVER
from reading.visible import visible

from assay.errors import UserError
from assay.ledger import Item, Ledger, choose_version
from assay.target import Target
from assay.upload import instant_text

OF_THE_FILE = ("bucket", "key", "version_id", "sequencer", "etag", "size", "last_modified_at")


def verb(*, in_effect: bool) -> str:
    return "redo" if in_effect else "undo"


def action_id(file_id: str, number: int) -> str:
    """Return the identity of a decision: of the file and of how many there were before, so that two become one."""
    return hashlib.sha256(f"action\0{file_id}\0{number}".encode()).hexdigest()


def choose(versions: Sequence[Item], version: str | None, *, in_effect: bool) -> Item:
    """Return the version to undo or redo; raise UserError where it is not clear, or cannot be."""
    if version is not None:
        found = choose_version(versions, version)
        refuse(found, in_effect=in_effect)
        return found
    possible = [item for item in versions if item["status"] in IN_SILVER and item["in_effect"] is not in_effect]
    if len(possible) > 1:
        listed = ", ".join(f"{item['version_id']} (of {item['last_modified_at'][:19]})" for item in possible)
        state = "undone" if in_effect else "in effect"
        raise UserError(f"{possible[0]['key']} has {len(possible)} versions {state}: {listed}", "name one: --version")
    if not possible:
        refuse(versions[0], in_effect=in_effect)
    return possible[0]


def refuse(item: Item, *, in_effect: bool) -> None:
    """Raise UserError if a file is not in Silver, or already as it should be."""
    key = item["key"]
    if item["status"] == "rejected":
        raise UserError(f"{key} was rejected, so it is not in effect", f"see why: assay passport {item['file_id']}")
    if item["status"] not in IN_SILVER:
        raise UserError(f"{key} is not in Silver yet", f"wait until it is: assay status {item['file_id']}")
    if item["in_effect"] is in_effect:
        state = "is in effect already" if in_effect else "is undone already"
        raise UserError(f"{key} {state}", f"see who decided it: assay passport {item['file_id']}")


def item_of(file: Item, *, who: str, reason: str, at: datetime, pages: str = NONE) -> Item:
    """Return the item of the action that changes whether a file is in effect; `pages` is where its month's page is."""
    in_effect, number, instant = not file["in_effect"], len(file.get("decisions", [])), instant_text(at)
    who, reason = (visible(text, most=REASON_CHARACTERS) for text in (who, reason))
    name = verb(in_effect=in_effect)
    done = "redone" if in_effect else "undone"
    return {
        **{name: file[name] for name in OF_THE_FILE},
        "file_id": action_id(file["file_id"], number),
        "kind": "action",
        "subject": name,
        "status": "accepted",
        "in_effect": True,
        "waiting_for": "silver",
        "waiting_since": instant,
        "decides": {
            "file_id": file["file_id"],
            "in_effect": in_effect,
            "who": who,
            "at": instant,
            "reason": reason,
            "number": number,
        },
        "notice": {
            "name": visible(file["key"], most=REASON_CHARACTERS),
            "ending": done,
            "text": f"By {who} at {instant[:19]}Z: {reason or 'no reason was given'}"
            + report_page(pages, file["last_modified_at"]),
        },
        "changes": [{"status": "accepted", "at": instant}],
    }


def place(target: Target, ledger: Ledger, action: Item, file: Item) -> Item:
    """Put an action in the ledger and start its execution; raise UserError if somebody has decided before.

    An action that failed is taken up again. Of two operators one is told of the other, and nothing is done twice.
    """
    name, machine = f"{action['subject']}-{action['file_id'][:32]}", target.stack.workflow
    _announce(target, action)
    try:
        target.dynamodb.put_item(
            TableName=target.stack.ledger_table,
            Item=_stored({**action, "execution_arn": execution_arn(machine, name)}),
            ConditionExpression="attribute_not_exists(file_id)",
        )
    except target.dynamodb.exceptions.ConditionalCheckFailedException:
        held = ledger.get([action["file_id"]])[action["file_id"]]
        if "failed" not in held:
            # Who decided may have been stopped before this.
            start_execution(target.stepfunctions, machine, held, held["execution_arn"].rpartition(":")[2])
            by = held["decides"]
            raise UserError(
                f"{by['who']} has decided to {held['subject']} {file['key']} at {by['at'][:19]}Z",
                f"see how far it is: assay passport {held['file_id']}",
            ) from None
        name = _take_up(target, held, name)
        action = held
    start_execution(target.stepfunctions, machine, action, name)
    return action


def _announce(target: Target, action: Item) -> None:
    """Tell the sweep of an action first: it sees that each has its mail, whenever this command is stopped."""
    target.dynamodb.update_item(
        TableName=target.stack.ledger_table,
        Key=_stored({"file_id": "actions"}),
        UpdateExpression="SET kind = :kind ADD ids :ids",
        ExpressionAttributeValues=_stored({":kind": "actions", ":ids": {action["file_id"]}}),
    )


def _take_up(target: Target, action: Item, name: str) -> str:
    """Let an action that failed wait again; return the name of its next execution."""
    failed_at = action["failed"]["at"]
    name = f"{name}-{re.sub('[^0-9]', '', failed_at)[:20]}"
    kept = {key: value for key, value in action.items() if key not in ("failed", "last_error")}
    waits = {"waiting_for": "silver" if action["status"] == "accepted" else "gold", "waiting_since": failed_at}
    target.dynamodb.put_item(
        TableName=target.stack.ledger_table,
        Item=_stored({**kept, **waits, "execution_arn": execution_arn(target.stack.workflow, name)}),
        ConditionExpression="failed.#at = :at",
        ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues=_stored({":at": failed_at}),
    )
    return name


def _stored(item: Item) -> dict[str, Any]:
    return {name: TypeSerializer().serialize(value) for name, value in item.items()}
