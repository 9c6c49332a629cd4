"""Random numbers that are the same on every machine: integers only, addressed by name and position.

A stream is a 64-bit key; its n-th number is splitmix64 of the key and n. So any part of a stream can be had alone, and
neither a library's version nor the order of the calls changes a figure.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Draws: TypeAlias = NDArray[np.uint64]
Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


def stream(*names: object) -> int:
    """Return the key of the stream with this name."""
    text = "/".join(str(name) for name in names)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def scramble(values: Draws) -> Draws:
    """Hash 64-bit values one to one: distinct values give distinct results."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def draw(key: int, count: int, *, first: int = 0) -> Draws:
    """Return the numbers `first` to `first + count - 1` of a stream; no two of them are equal."""
    positions = np.arange(first + 1, first + count + 1, dtype=np.uint64)
    return scramble(positions * _GOLDEN + np.uint64(key))


def below(draws: Draws, limit: int | Integers) -> Integers:
    """Map the upper halves of draws to 0 … limit - 1, limits being under 2**31."""
    return ((draws >> _HALF) * np.asarray(limit, dtype=np.uint64) >> _HALF).astype(np.int64)


def lower(draws: Draws) -> Draws:
    """Return the lower halves of draws as upper halves: a second, independent draw."""
    return draws << _HALF


def bits(draws: Draws, mask: int) -> Integers:
    """Return the lowest bits of draws."""
    return (draws & np.uint64(mask)).astype(np.int64)


def shuffled(key: int, count: int) -> Integers:
    """Return a permutation of 0 … count - 1."""
    return np.argsort(draw(key, count)).astype(np.int64)


def evenly(key: int, count: int) -> Draws:
    """Return draws that cover the whole range evenly, in random order: shares among few then come out as meant."""
    width = (2**64 - 1) // count
    return shuffled(key, count).astype(np.uint64) * np.uint64(width) + np.uint64(key % width)


class Weighted:
    """A choice among 0 … n - 1 by integer weights."""

    def __init__(self, weights: Sequence[int] | Integers) -> None:
        running = np.cumsum(np.asarray(weights, dtype=np.int64))
        total = int(running[-1])
        self._bounds = np.array([(int(bound) << 32) // total for bound in running[:-1]], dtype=np.uint64)

    def pick(self, draws: Draws) -> Integers:
        """Choose by the upper halves of draws."""
        return np.searchsorted(self._bounds, draws >> _HALF, side="right").astype(np.int64)
