"""Makes rows of equal `content_hash`: xxHash64 of a whole number, as Spark computes it, can be inverted."""

from __future__ import annotations

from datetime import UTC, datetime

SEED = 42
BITS = 64
ALL = (1 << BITS) - 1
PRIMES = (11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261)


def _rotated(value: int, count: int) -> int:
    return (value << count | value >> (BITS - count)) & ALL


def _scrambled(number: int) -> int:
    first, second, *_ = PRIMES
    return _rotated(number * second & ALL, 31) * first & ALL


def _restored(scrambled: int) -> int:
    first, second, *_ = PRIMES
    return _rotated(scrambled * pow(first, -1, 1 << BITS) & ALL, BITS - 31) * pow(second, -1, 1 << BITS) & ALL


def _begun(seed: int) -> int:
    return (seed + PRIMES[4] + 8) & ALL


def hash_of(number: int, seed: int = SEED) -> int:
    """Return the hash of a whole number after that of what came before it."""
    first, second, third, fourth, _ = PRIMES
    mixed = (_rotated(_begun(seed) ^ _scrambled(number & ALL), 27) * first + fourth) & ALL
    mixed = (mixed ^ mixed >> 33) * second & ALL
    mixed = (mixed ^ mixed >> 29) * third & ALL
    return mixed ^ mixed >> 32


def _hash_before_client(cents: int, transacted_at: datetime) -> int:
    """Return the hash of a transaction's values that stand before `client_id`, without a channel."""
    micros = int(transacted_at.replace(tzinfo=UTC).timestamp()) * 1_000_000 + transacted_at.microsecond
    return hash_of(cents, hash_of(micros))


def twin_card(cents: int, transacted_at: datetime, client: int, card: int, other_client: int) -> int:
    """Return the card with which a transaction of another client has the same hash, all other values being the same."""
    return twin_number(_hash_before_client(cents, transacted_at), client, card, other_client)


def twin_number(seed: int, first: int, second: int, other_first: int) -> int:
    """Return the number that ends a pair which begins with another one, and has the hash of the pair given."""
    begun, other_begun = (_begun(hash_of(each, seed)) for each in (first, other_first))
    found = _restored(begun ^ _scrambled(second & ALL) ^ other_begun)
    return found - (1 << BITS) if found >> (BITS - 1) else found
