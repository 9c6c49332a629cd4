"""Read structs of Thrift's compact protocol, in which Parquet writes its footer and the headers of its pages.

A struct is a dictionary by the numbers of its fields. Whatever is wrong with the bytes ends in ThriftError.
"""

from dataclasses import dataclass
from typing import Any

Struct = dict[int, Any]
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_VARINT_BITS = 64
_MAXIMUM_DEPTH = 32


class ThriftError(Exception):
    """The bytes are no struct, or end inside of one (`is_short`)."""

    def __init__(self, why: str, *, is_short: bool = False) -> None:
        super().__init__(why)
        self.is_short = is_short


DAMAGED = (ThriftError, LookupError, TypeError, ValueError, AttributeError)
"""What reading a damaged struct and its fields raises: a field may be missing, or hold a list in a number's place."""


@dataclass
class Compact:
    """Reads one value after the other; `at` is the place in the bytes."""

    data: bytes
    at: int = 0
    _depth: int = 0

    def struct(self) -> Struct:
        """Read a struct with all that it holds."""
        if self._depth == _MAXIMUM_DEPTH:
            raise ThriftError("it is nested too deeply")
        self._depth += 1
        found: Struct = {}
        number = 0
        while head := self._byte():
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else self._integer()
            found[number] = kind == _TRUE if kind <= _FALSE else self._value(kind)
        self._depth -= 1
        return found

    def _byte(self) -> int:
        if self.at >= len(self.data):
            raise ThriftError("it ends too early", is_short=True)
        self.at += 1
        return self.data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
            if shift > _VARINT_BITS:
                raise ThriftError("a number is too long")
        return value | byte << shift

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _bytes(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise ThriftError("it ends too early", is_short=True)
        self.at += size
        return self.data[self.at - size : self.at]

    def _value(self, kind: int) -> Any:
        if kind in (_I16, _I32, _I64):
            return self._integer()
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind == _STRUCT:
            return self.struct()
        if kind in (_LIST, _SET):
            return self._list()
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _MAP:
            return self._map()
        raise ThriftError(f"it has a value of the unknown kind {kind}")

    def _list(self) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._varint()
        if size > len(self.data) - self.at:  # each element has a byte at least
            raise ThriftError("it ends too early", is_short=True)
        kind = head & 15
        return [self._value(kind) for _ in range(size)]

    def _map(self) -> dict[Any, Any]:
        size = self._varint()
        if size > len(self.data) - self.at:
            raise ThriftError("it ends too early", is_short=True)
        kinds = self._byte() if size else 0
        return {str(self._value(kinds >> 4)): self._value(kinds & 15) for _ in range(size)}
