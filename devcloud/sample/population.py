"""Who pays: clients with their volume, hours, home and cards; a function of the seed and the number of clients."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devcloud.sample import figures, places
from devcloud.sample.draws import Draws, Flags, Integers, Weighted, below, draw, evenly, shuffled, stream


@dataclass(frozen=True)
class Population:
    """The clients, by position; a card is its id."""

    key: int
    client_id: Integers
    volume: Weighted
    hour: NDArray[np.uint8]  # client by 64 slots
    card: Integers  # client by 64 slots
    has_chip: Flags  # by card id
    home: Integers
    risk: Integers
    sends_zero: Flags


def _slots(sizes: tuple[int, ...]) -> Integers:
    return np.repeat(np.arange(len(sizes)), sizes)


def _hours(key: int, clients: int) -> NDArray[np.uint8]:
    choice = Weighted(figures.HOUR_COUNTS)
    own = [choice.pick(evenly(stream(key, "hour", slot), clients)) for slot in range(len(figures.HOUR_SLOTS))]
    return np.stack(own, axis=1)[:, _slots(figures.HOUR_SLOTS)].astype(np.uint8)


def _cards(key: int, client_id: Integers) -> tuple[Integers, Flags]:
    counts = np.repeat(list(figures.CARDS_PER_CLIENT), list(figures.CARDS_PER_CLIENT.values()))
    counts = counts[shuffled(stream(key, "card count"), figures.CLIENT_IDS)]
    start = np.cumsum(counts) - counts
    ids = shuffled(stream(key, "card id"), int(counts.sum()))
    slots = np.stack([start[client] + _slots(figures.CARD_SLOTS[int(counts[client])]) for client in client_id])
    # A client's main card has a chip more often than the others: 10.5 % of all cards have none.
    without = np.full(len(ids), 122)
    without[start] = 70
    has_chip = np.empty(len(ids), dtype=np.bool_)
    has_chip[ids] = below(draw(stream(key, "chip"), len(ids)), 1000) >= without
    return ids[slots], has_chip


def _at_ranks(figures_at_ranks: tuple[int, ...], draws: Draws) -> Integers:
    return np.array(figures_at_ranks, dtype=np.int64)[below(draws, len(figures_at_ranks))]


def populate(seed: int, clients: int) -> Population:
    """Make `clients` (at most 1,219) clients out of the 2,000 possible ids."""
    key = stream("population", seed)
    client_id = np.sort(shuffled(stream(key, "client"), figures.CLIENT_IDS)[:clients])
    card, has_chip = _cards(key, client_id)
    return Population(
        key=key,
        client_id=client_id,
        volume=Weighted(_at_ranks(figures.CLIENT_VOLUMES, evenly(stream(key, "volume"), clients))),
        hour=_hours(key, clients),
        card=card,
        has_chip=has_chip,
        home=places.HOMES.pick(evenly(stream(key, "home"), clients)),
        risk=_at_ranks(figures.CLIENT_RISKS, evenly(stream(key, "risk"), clients)),
        sends_zero=below(evenly(stream(key, "zero"), clients), 100) < 8,
    )
