"""Builds the sample that the notebooks show: a history, an increment with each kind of row in it, and reference files.

`PYTHONPATH=functions/kpi:. python tests/data/notebook_sample.py` writes `tests/data/sample/`: the files as a job finds
them staged, and `items.jsonl`, as much of their ledger items as Silver reads, with the figures of the KPI function.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from admission import inspect_file
from judging.reconcile import Policy

FOLDER = Path(__file__).parent / "sample"
LAST_MODIFIED_AT = datetime(2024, 3, 1, tzinfo=UTC)
KEYS = {
    "history": "transactions/2024-01.csv",
    "increment": "transactions/2024-02.csv",
    "cards": "cards/cards.csv",
    "users": "users/users.csv",
    "codes": "mcc_codes/codes.csv",
}
AS_OF = {"history": "2024-02-01T00:00:00.000000Z"}
COLUMNS = "date,client_id,card_id,amount,use_chip,merchant_id,merchant_city,merchant_state,zip,mcc,errors"
PLACES = (
    "59935,Beulah,ND,58523,5499",
    "67570,Bettendorf,IA,52722,5311",
    "27092,Vista,CA,92084,4829",
    "50292,Woburn,MA,1801.0,5411",
    "61195,ONLINE,,,5311",
)
CHANNELS = ("Swipe Transaction", "Chip Transaction", "Online Transaction")


def amount_of(key: int) -> str:
    return f"${key % 97 + 3}.{key * 7 % 100:02d}"


def values(key: int, *, day: str = "2024-01", amount: str | None = None, errors: str = "") -> str:
    """Write the values of a transaction but its key, all of them made from the key."""
    at = f"{day}-{key % 28 + 1:02d} {key % 24:02d}:{key * 11 % 60:02d}:00"
    who = f"{key % 6 + 1},{key % 8 + 1}"
    return f'{at},{who},"{amount or amount_of(key)}",{CHANNELS[key % 3]},{PLACES[key % 5]},{errors}'


def history() -> list[str]:
    return [f"dms_id,{COLUMNS}", *(f"{key},{values(key)}" for key in range(1001, 1041))]


FORMS = ("($77.00)", "$1,412.64", "$-5.00", ".5", "33.960", "+12")
"""Amounts as they are seen in the wild."""
BROKEN = (
    f"I,{{at}},,{values(1)}",
    f"I,{{at}},key,{values(1)}",
    f"I,{{at}},1201,{values(1).replace(amount_of(1), '12.345')}",
    f"I,{{at}},1202,{values(1).replace(amount_of(1), '99999999999999999.00')}",
    f"I,{{at}},1203,{values(1).replace(amount_of(1), 'twelve')}",
    f"I,{{at}},1204,{values(1).replace(amount_of(1), '')}",
    f"I,{{at}},1205,{values(1, day='2025-01')}",
    f"I,{{at}},1206,{values(1).replace('2024-01-02', '2024-02-30')}",
    f"I,{{at}},1207,{values(1).replace('52722', '00000')}",
    f"I,{{at}},1208,{values(1).replace('Chip Transaction', 'Tap').replace('5311', 'shoes')}",
    f"X,{{at}},1209,{values(1)}",
    f"I,yesterday,1210,{values(1)}",
    "I,{at},1211,2024-01-02",
    f'I,{{at}},1212,{values(1)}"',
)


def increment() -> list[str]:
    """Return changes in the order of their commits: each outcome occurs, and each way to break the contract."""
    changes = [
        *(f"I,{{at}},{key},{values(key, day='2024-02')}" for key in range(1041, 1091)),  # inserted
        *(f"I,{{at}},{1091 + n},{values(1091 + n, day='2024-02', amount=form)}" for n, form in enumerate(FORMS)),
        *(f"U,{{at}},{key},{values(key, amount=f'${key % 50}.00')}" for key in range(1001, 1011)),  # updated
        *(f"U,{{at}},{key},{values(key)}" for key in range(1011, 1016)),  # unchanged
        *(f"D,{{at}},{key},{values(key)}" for key in range(1016, 1021)),  # deleted
        f"D,{{at}},1999,{values(1999)}",  # unchanged: it deletes what is not there
        *(f"U,2024-01-15 12:00:00.00000{n},{1021 + n},{values(1021 + n, amount='$1.00')}" for n in range(4)),  # stale
        *(f"U,{{at}},1030,{values(1030, amount=f'${n}.50')}" for n in range(1, 4)),  # superseded, but for the last
        f'I,{{at}},1097,{values(1097, day="2024-02", errors="Bad PIN").removesuffix("Bad PIN")}"Bad PIN,Bad CVV"',
        *BROKEN,
    ]
    rows = [change.format(at=f"2024-02-20 10:00:00.{number:06d}") for number, change in enumerate(changes)]
    return [f"Op,commit_ts,dms_id,{COLUMNS}", *rows]


def cards() -> list[str]:
    limits = ("$24295", "$100.50", "limitless")
    masked = [f"{key:04d}:{'0123456789abcdef' * 4}" for key in range(1, 9)]  # as staging leaves a number
    rows = [
        f"{key},{key % 6 + 1},Visa,Debit,{masked[key - 1]},12/2028,,YES,1,{limits[key % 3]},09/2002,2008,No"
        for key in range(1, 9)
    ]
    header = (
        "id,client_id,card_brand,card_type,card_number,expires,cvv,has_chip,num_cards_issued,credit_limit,"
        "acct_open_date,year_pin_last_changed,card_on_dark_web"
    )
    return [header, *rows]


def users() -> list[str]:
    header = (
        "id,current_age,retirement_age,birth_year,birth_month,gender,address,latitude,longitude,per_capita_income,"
        "yearly_income,total_debt,credit_score,num_credit_cards"
    )
    rest = "34.15,-117.76,$29278,$59696,$127613,787,5"
    rows = [f"{key},{30 + key},66,{1990 - key},11,Female,{key} Rose Lane,{rest}" for key in range(1, 7)]
    return [header, *rows]


def codes() -> list[str]:
    return ["mcc,description", "5499,Miscellaneous Food Stores", "5311,Department Stores", "4829,Money Transfer"]


def item_of(name: str, body: bytes, number: int) -> dict[str, object]:
    """Inspect a file as the KPI function does; return as much of its ledger item as Silver reads."""
    found = inspect_file(
        KEYS[name],
        io.BytesIO(body),
        last_modified_at=LAST_MODIFIED_AT,
        metadata={},
        read_side_car=lambda: None,
        read_pin=lambda: None,
        learned=lambda: None,
        policy=Policy(maximum_bad_share=Decimal(1), minimum_rows=1),
    )
    assert found.kpis is not None, found.reasons
    return {
        "file_id": name,
        "subject": KEYS[name].partition("/")[0],
        "key": KEYS[name],
        "version_id": f"version {number}",
        "sequencer": f"{number:032X}",
        "last_modified_at": "2024-03-01T00:00:00.000000Z",
        **({"as_of_at": AS_OF[name]} if name in AS_OF else {}),
        "format": found.format,
        "kpis": found.kpis.as_item(),
    }


def contents() -> dict[str, bytes]:
    """Return all files of the sample by name."""
    made = {"history": history(), "increment": increment(), "cards": cards(), "users": users(), "codes": codes()}
    bodies = {name: "".join(f"{line}\n" for line in lines).encode() for name, lines in made.items()}
    items = [item_of(name, body, number) for number, (name, body) in enumerate(bodies.items(), start=1)]
    lines = "".join(f"{json.dumps(item, sort_keys=True)}\n" for item in items)
    return {**{f"{name}.csv": body for name, body in bodies.items()}, "items.jsonl": lines.encode()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in contents().items():
        (FOLDER / name).write_bytes(content)
