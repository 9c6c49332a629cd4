"""Which files a replay takes, and in which batches: each as it was when it was accepted, none is judged again.

Undone files come along, and so do the decisions on them: each in a run of its own, once its file is in Silver.
"""

from collections.abc import Mapping, Sequence
from random import Random

from contract.vocabulary import IN_SILVER

from assay.errors import UserError
from assay.ledger import Item

MOST_A_BATCH = 2_000  # no run takes more files
AFTER_ACCEPTANCE = frozenset({"silver", "gold", "failed", "reasons", "execution_arn", "decisions", "repaired"})
SHOWN = 3


def in_silver(items: Sequence[Item]) -> list[Item]:
    """Return the files and actions that make up Silver; refuse while one is still being processed.

    A file that never got further than `received` was not accepted: it is passed over (`never_accepted`).
    """
    under_way = [item["key"] for item in items if _is_under_way(item)]
    if under_way:
        named = ", ".join(sorted(under_way)[:SHOWN]) + (", …" if len(under_way) > SHOWN else "")
        raise UserError(
            f"{len(under_way):,} files are still being processed: {named}", "wait until they have ended: assay status"
        )
    return [item for item in items if item["status"] in IN_SILVER]


def due(decisions: Sequence[Item], replayed: Mapping[str, Item]) -> list[Item]:
    """Return the decisions that can be carried out: of files that the replay has in Silver, the first one of each."""
    in_order = sorted(decisions, key=_number, reverse=True)
    first = {action["decides"]["file_id"]: action for action in in_order}
    return [action for file_id, action in first.items() if replayed.get(file_id, {}).get("status") in IN_SILVER]


def _number(action: Item) -> int:
    return int(action["decides"]["number"])


def up_to(items: Sequence[Item], silver_run: int) -> list[Item]:
    """Return the files and actions that made up Silver after a run; later ones may be anywhere."""
    return [item for item in items if item.get("silver", {}).get("run_seq", silver_run + 1) <= silver_run]


def undone(decided: Sequence[Item]) -> set[str]:
    """Return the files that are not in effect after these decisions."""
    newest = {action["decides"]["file_id"]: action["decides"] for action in sorted(decided, key=_number)}
    return {file_id for file_id, decision in newest.items() if not decision["in_effect"]}


def _is_under_way(item: Item) -> bool:
    return not item.get("failed") and item["status"] in ("accepted", "in_silver")


def never_accepted(items: Sequence[Item], before: str | None = None) -> list[Item]:
    """Return the files that the KPI function has not decided on, or could not; of those that came before an instant."""
    received = [item for item in items if item["status"] == "received"]
    return [item for item in received if before is None or item["changes"][0]["at"] < before]


def as_accepted(item: Item) -> Item:
    """Return the item as the KPI function left it."""
    kept = {name: value for name, value in item.items() if name not in AFTER_ACCEPTANCE}
    statuses = [change["status"] for change in item["changes"]]
    changes = item["changes"][: statuses.index("accepted") + 1]
    return {
        **kept,
        "status": "accepted",
        "in_effect": True,
        "changes": changes,
        "waiting_for": "silver",
        "waiting_since": changes[-1]["at"],
    }


def batches(items: Sequence[Item], random: Random) -> list[list[Item]]:
    """Shuffle the files and cut them into batches of random size, about six of them."""
    left = sorted(items, key=lambda item: str(item["file_id"]))
    random.shuffle(left)
    largest = min(MOST_A_BATCH, max(1, len(left) // 3))
    found = []
    while left:
        size = random.randint(1, largest)
        found.append(left[:size])
        left = left[size:]
    return found
