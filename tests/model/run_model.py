"""What each Silver run must report: the outcome of every row, the effects in cents, what a reload deletes and moves,
what an undone or redone file takes and gives, what a repair does.

It follows the contract's section 4 from run to run, with the state, the tombstones and the floor that the runs left; it
shares the order of rows with the model of the state, and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from order_model import NEVER, File, Image, Name, Order, Row, Version, counting, start_of, version

OUTCOMES = ("quarantined", "unchanged", "stale", "superseded", "inserted", "updated", "deleted")


@dataclass
class Passport:
    """What a run says of one file."""

    outcomes: Counter[str] = field(default_factory=Counter)
    amounts: Counter[str] = field(default_factory=Counter)
    effect: int = 0
    missing: int = 0
    moved: int = 0
    settled: Counter[str] = field(default_factory=Counter)

    def count(self, row: Row, outcome: str, effect: int = 0) -> None:
        self.outcomes[outcome] += 1
        self.amounts[outcome] += row.image.cents or 0
        self.effect += effect


class SilverModel:
    """Silver between its runs; reference files have a model of their own in it, without money and markers."""

    def __init__(self, *, has_cards: bool = True) -> None:
        self.cards = SilverModel(has_cards=False) if has_cards else None
        self.rejected: set[Name] = set()
        self.refused: set[Name] = set()
        self.living: dict[int, Version] = {}
        self.tombstones: dict[int, Version] = {}
        self.floor: Order = (NEVER, 0, NEVER)
        self.starts: dict[Name, datetime] = {}
        self.taken: dict[Name, File] = {}
        self.undone: set[Name] = set()
        self.waiting: list[File] = []
        self.repairs: list[File] = []
        self.passports: dict[Name, Passport] = {}

    def held(self) -> dict[int, Version]:
        """Return living rows and tombstones, as the model of the state does."""
        return self.living | self.tombstones

    def run(self, arrived: Iterable[File]) -> dict[Name, Passport]:
        """Take what has arrived, and of the markers the one that has waited longest with all its files there.

        A marker that lists a rejected file is refused when its turn comes. Repairs have runs of their own.
        """
        every = list(arrived)
        self.repairs += [file for file in every if file.original]
        arrived = [file for file in every if not file.original]
        self.rejected |= {file.name for file in arrived if file.rejected}
        accepted = [file for file in arrived if not file.rejected]
        cards = [file for file in accepted if file.subject == "cards"] if self.cards else []
        self.waiting += [file for file in accepted if file not in cards]
        passports = self.cards.run(cards) if self.cards else {}
        self.taken |= {file.name: file for file in cards}
        marker = self._refuse_until_ready()
        batch = [file for file in self.waiting if file.kind != "marker" or file is marker]
        self.waiting = [file for file in self.waiting if file.kind == "marker" and file is not marker]
        passports |= {file.name: Passport() for file in batch}
        reload = marker if marker and not marker.listed & self.undone else None
        returning = self._declare(reload) if reload else {}
        coming = self._coming(batch, passports)
        for key in {*self.living, *self.tombstones, *returning, *coming}:
            self._settle(key, coming.get(key, []), returning.get(key, []), passports, reload)
        self.taken |= {file.name: file for file in batch}
        self.passports |= passports
        return passports

    def take(self, arrived: Iterable[File]) -> None:
        """Run until nothing is left that a run could take: of several complete loads each has a run of its own."""
        self.run(arrived)
        while self.is_ready:
            self.run([])
        for file in self.ready_repairs():
            self.repair(file)

    def ready_repairs(self) -> list[File]:
        """Return the repairs that wait and whose originals are there."""
        return [file for file in self.repairs if file.original and file.original.name in self.taken]

    def decide(self, name: Name) -> Passport:
        """Undo a file, or redo one that is undone: settle what it names, all keys where a load's place changes.

        Every key is made anew from the rows in effect, wherever its row stands.
        """
        self.undone ^= {name}
        if self.cards and name in self.cards.taken:
            self.cards.decide(name)
            return Passport()
        places = self.floor, self.starts
        self._place_loads()
        rows = self._rows_in_effect()
        named = self._keys_named(self.taken[name])
        has_moved = (self.floor, self.starts) != places
        passport = Passport()
        for key in {*rows, *self.living, *self.tombstones, *named} if has_moved else named:
            self._make_anew(key, max(rows.get(key, []), default=None), passport, is_named=key in named)
        return passport

    def _keys_named(self, file: File) -> set[int]:
        """Return the keys of a file's rows, of the repairs of its rows, and of other repairs of what it repairs."""
        of = {(file.original.name, row.of) for row in file.rows} if file.original else set()
        also = [
            row.key
            for other in self.taken.values()
            if other.original
            for row in other.rows
            if other.original.name == file.name or (other.original.name, row.of) in of
        ]
        return {*also, *(row.key for row in file.rows if not row.broken)}

    def repair(self, file: File) -> Passport:
        """Take a repair: settle the keys of its rows, and those of earlier repairs of the same rows.

        That of an undone original is recorded without effect.
        """
        assert file.original is not None
        self.repairs = [other for other in self.repairs if other is not file]
        keys = self._keys_named(file)
        passport = self.passports[file.name] = Passport()
        self.taken[file.name] = file
        rows = self._rows_in_effect()
        for key in keys:
            own = [version(file, row, start_of(file, self.starts)) for row in file.rows if row.key == key]
            self._repair_key(key, own, rows.get(key, []), passport)
        return passport

    def _repair_key(self, key: int, own: list[Version], rows: list[Version], passport: Passport) -> None:
        """Decide one key of a repair, by the rows in effect; what others name there counts as stored.

        A row that is not among them is stale: its original is undone, or a newer repair has its place.
        """
        before, newest = self.living.pop(key, None), max(rows, default=None)
        self.tombstones.pop(key, None)
        stored = max([self.floor, *(found.order for found in rows if found not in own)])
        for found in own:
            is_late = found not in rows and _value(found) != _value(before)
            outcome = "stale" if is_late else _outcome(found, before, stored, newest)
            wins = outcome in ("inserted", "updated", "deleted")
            passport.count(found.row, outcome, _cents(found) - _cents(before) if wins else 0)
        if newest not in own:
            self._count_reload(passport, before, newest)
        if newest is not None:
            (self.tombstones if newest.row.op == "D" else self.living)[key] = newest

    def _place_loads(self) -> None:
        """Set the floor and the starts of loads by the markers in effect all of whose files are in effect."""
        there = self.taken.keys() - self.undone
        complete = [self.taken[name] for name in there if self.taken[name].kind == "marker"]
        complete = [marker for marker in complete if marker.listed <= there]
        self.floor = (max((marker.start_at for marker in complete), default=NEVER), 0, NEVER)
        self.starts = {}
        for marker in complete:
            for name in marker.listed:
                self.starts[name] = max(self.starts.get(name, NEVER), marker.start_at)

    def _rows_in_effect(self) -> dict[int, list[Version]]:
        """Return the accepted rows of files in effect that do not lie below the floor, by key."""
        found: dict[int, list[Version]] = {}
        there = self.taken.keys() - self.undone - (self.cards.taken.keys() if self.cards else set())
        for file, row in counting([self.taken[name] for name in there]):
            place = version(file, row, start_of(file, self.starts))
            if place.order >= self.floor:
                found.setdefault(row.key, []).append(place)
        return found

    def _make_anew(self, key: int, newest: Version | None, passport: Passport, *, is_named: bool) -> None:
        """Give a key its newest row, or none; a key that nothing names leaves no tombstone."""
        before, _ = self.living.pop(key, None), self.tombstones.pop(key, None)
        if newest is not None:
            (self.tombstones if newest.row.op == "D" else self.living)[key] = newest
        after = self.living.get(key)
        passport.effect += _cents(after) - _cents(before)
        if _value(before) == _value(after):
            passport.settled["unchanged"] += is_named
        else:
            kind = "deleted" if after is None else "updated" if before else "inserted"
            passport.settled[kind] += 1

    @property
    def is_ready(self) -> bool:
        """Tell whether one more run would take something."""
        return any(file.kind != "marker" or self._is_decided(file) for file in self.waiting)

    def _is_decided(self, marker: File) -> bool:
        there = {*self.taken, *(file.name for file in self.waiting)}
        return bool(marker.listed <= there or marker.listed & self.rejected)

    def _refuse_until_ready(self) -> File | None:
        """Refuse markers that list a rejected file, until one is met whose files are all there."""
        for marker in [file for file in self.waiting if file.kind == "marker" and self._is_decided(file)]:
            if not marker.listed & self.rejected:
                return marker
            self.refused.add(marker.name)
            self.waiting.remove(marker)
        return None

    def _declare(self, marker: File) -> dict[int, list[Version]]:
        """Raise the floor to a complete load; return, in their new places, the rows of earlier runs that it lists."""
        self.floor = max(self.floor, (marker.start_at, 0, NEVER))
        returning: dict[int, list[Version]] = {}
        for name in marker.listed:
            self.starts[name] = max(self.starts.get(name, NEVER), marker.start_at)
        for file, row in counting([self.taken[name] for name in self.taken.keys() - self.undone]):
            if (file.original or file).name in marker.listed:
                returning.setdefault(row.key, []).append(version(file, row, start_of(file, self.starts)))
        return returning

    def _coming(self, batch: list[File], passports: dict[Name, Passport]) -> dict[int, list[Version]]:
        """Return the accepted rows of the run's files by key; count the others as quarantined."""
        coming: dict[int, list[Version]] = {}
        for file in batch:
            for row in file.rows:
                if row.broken:
                    passports[file.name].count(row, "quarantined")
                else:
                    found = version(file, row, start_of(file, self.starts))
                    coming.setdefault(row.key, []).append(found)
        return coming

    def _settle(
        self,
        key: int,
        coming: list[Version],
        returning: list[Version],
        passports: dict[Name, Passport],
        marker: File | None,
    ) -> None:
        """Decide one key: the outcome of each coming row, and what becomes of the key."""
        before = self.living.pop(key, None)
        stored = before or self.tombstones.pop(key, None)
        known = [self._moved_on(stored)] if stored else []
        stored_order = max([self.floor, *(found.order for found in known)])
        rivals = [found for found in (*known, *returning, *coming) if found.order >= self.floor]
        newest = max(rivals, default=None)
        for found in coming:
            outcome = _outcome(found, before, stored_order, newest)
            wins = outcome in ("inserted", "updated", "deleted")
            effect = _cents(found) - _cents(before) if wins else 0
            passports[found.file.name].count(found.row, outcome, effect)
        if newest not in coming and marker:
            self._count_reload(passports[marker.name], before, newest)
        if newest is not None:
            (self.tombstones if newest.row.op == "D" else self.living)[key] = newest

    def _moved_on(self, stored: Version) -> Version:
        return version(stored.file, stored.row, start_of(stored.file, self.starts))

    def _count_reload(self, passport: Passport, before: Version | None, after: Version | None) -> None:
        """Count what the reload itself does to a key that no row of the run's files decides."""
        if before is None and after is None:
            return
        passport.effect += _cents(after) - _cents(before)
        passport.missing += before is not None and after is None
        passport.moved += after is not None and _value(after) != _value(before)


def _outcome(found: Version, before: Version | None, stored_order: Order, newest: Version | None) -> str:
    if _value(found) == _value(before):
        return "unchanged"
    if found.order < stored_order:
        return "stale"
    if found != newest:
        return "superseded"
    if found.row.op == "D":
        return "deleted"
    return "updated" if before else "inserted"


def _value(found: Version | None) -> Image | None:
    """Return the value that a row gives to its key: none by a delete, or where there is no row."""
    return None if found is None or found.row.op == "D" else found.row.image


def _cents(found: Version | None) -> int:
    value = _value(found)
    return 0 if value is None else value.cents or 0
