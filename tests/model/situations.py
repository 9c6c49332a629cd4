"""Names what happens in a history, so that tests can tell which histories are worth the most."""

from __future__ import annotations

from histories import TWINS, History
from order_model import File
from run_model import SilverModel


def situations(history: History) -> set[str]:
    """Name what happens in a history: outcomes, what reloads do, when markers come, what becomes of tombstones."""
    model = SilverModel()
    seen = {name for name, is_so in made_of(history).items() if is_so}
    for number, batch in enumerate([*history.arrivals(), [], []]):
        earlier, tombstones = set(model.taken), dict(model.tombstones)
        living = dict(model.living)
        for name, passport in model.run(batch).items():
            seen |= set(passport.outcomes)
            seen |= {fact for fact in ("missing", "moved") if getattr(passport, fact)}
            listed = model.taken[name].listed
            seen |= {"marker after its files"} if listed and listed <= earlier else set()
            seen |= {"marker with its files"} if listed and not listed & earlier else set()
        seen |= {"marker waits"} if model.waiting else set()
        seen |= {"marker refused"} if model.refused else set()
        pairs = [{found.row.image, model.living[key].row.image} for key, found in living.items() if key in model.living]
        seen |= {"value of equal hash"} if TWINS in pairs else set()
        seen |= {"key comes back"} if tombstones.keys() & model.living.keys() else set()
        seen |= {"tombstone goes"} if tombstones.keys() - model.held().keys() else set()
        seen |= (
            {"tombstone moves"}
            if any(model.tombstones.get(key, old) != old for key, old in tombstones.items())
            else set()
        )
        for file in model.ready_repairs():
            seen |= repaired(model, file)
        for file in history.decided_after(number) if history.batches else []:
            seen |= decided(model, file) if file.name in model.taken else set()
    return seen


def decided(model: SilverModel, file: File) -> set[str]:
    """Undo or redo a file; name what happens."""
    action = "redo" if file.name in model.undone else "undo"
    floor, starts, held = model.floor, model.starts, model.held()
    passport = model.decide(file.name)
    after, of_file = model.held(), {row.key for row in file.rows}
    return {
        name
        for name, is_so in {
            action: True,
            f"{action} of a {file.kind}": True,
            f"{action} moves the floor": model.floor != floor,
            f"{action} moves a load alone": model.floor == floor and model.starts != starts,
            f"{action} takes a key": "deleted" in passport.settled,
            f"{action} gives a key back": "inserted" in passport.settled,
            f"{action} changes a value": "updated" in passport.settled,
            f"{action} keeps a value": "unchanged" in passport.settled,
            "tombstone goes with its file": any(
                held[key].row.op == "D" and key not in after for key in of_file & held.keys()
            ),
        }.items()
        if is_so
    }


def repaired(model: SilverModel, file: File) -> set[str]:
    """Take a repair; name what happens."""
    assert file.original is not None
    earlier = [each for each in model.taken.values() if each.original and each.original.name == file.original.name]
    same_rows = {row.of for each in earlier for row in each.rows} & {row.of for row in file.rows}
    passport = model.repair(file)
    return {
        name
        for name, is_so in {
            **{f"repair {outcome}": bool(passport.outcomes[outcome]) for outcome in passport.outcomes},
            "repair of an undone file": file.original.name in model.undone,
            "repair of a file of a load": file.original.name in model.starts,
            "rows repaired twice": bool(same_rows),
            "repair moves another key": bool(passport.missing or passport.moved),
        }.items()
        if is_so
    }


def made_of(history: History) -> dict[str, bool]:
    """Tell which kinds of files a history is made of."""
    files = history.arrived()
    uploads = [file for file in files if file.kind == "upload"]
    return {
        "more than six files": len(files) > 6,
        "more than four rows": any(len(file.rows) > 4 for file in files),
        "deleted card": any(row.op == "D" for file in files if file.kind == "cards" for row in file.rows),
        "upload with commit timestamps": any(row.commit_at for file in uploads for row in file.rows),
        "rejected file": any(file.rejected for file in files),
        "side-car": any(file.control == "side-car" for file in files),
        "pin": any(file.kind == "pinned" for file in files),
        "marker of a file that never comes": any(
            file.kind == "marker" and not file.listed <= {each.name for each in files} for file in files
        ),
    }
