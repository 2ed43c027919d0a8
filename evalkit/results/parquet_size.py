"""Counts the values that a parquet file stands for, from its footer, before anything is allocated for them.

pyarrow gives the same numbers, but ends the whole process where a damaged footer contradicts itself.
The footer is a struct of Thrift's compact protocol: FileMetaData of the parquet format.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["values_in"]

_ROW_GROUPS, _COLUMNS, _META_DATA, _NUM_VALUES = 4, 1, 3, 5
_DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 7, 8, 9, 10, 11, 12
_MOST_LEVELS = 40


class _Step(NamedTuple):
    """Where the counts stand: the fields on the way, and whether the next of them is a list."""

    field: int
    kind: int


_WAY = (_Step(_ROW_GROUPS, _LIST), _Step(_COLUMNS, _LIST), _Step(_META_DATA, _STRUCT))


def values_in(content: bytes) -> int:
    """The values of all columns together, those in lists included. ValueError if the footer can't be read."""
    length = int.from_bytes(content[-8:-4], "little")
    if content[-4:] != b"PAR1" or length > len(content) - 8:
        raise ValueError("no parquet footer")
    try:
        return _Footer(content[-8 - length : -8]).counted(0)
    except IndexError:
        raise ValueError("its footer is cut") from None


class _Footer:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def counted(self, level: int) -> int:
        """The values that the struct here stands for, which lies `level` steps on the way."""
        total = field = 0
        while True:
            head = self._byte()
            if head == 0:
                return total
            kind = head & 0x0F
            field = field + (head >> 4) if head >> 4 else self._whole()
            if level == len(_WAY):
                if field == _NUM_VALUES:
                    total += max(self._whole(), 0)
                else:
                    self._skip(kind, level)
            elif (field, kind) != _WAY[level]:
                self._skip(kind, level)
            elif kind == _STRUCT:
                total += self.counted(level + 1)
            else:
                size, inner = self._list()
                for _ in range(size):
                    if inner == _STRUCT:
                        total += self.counted(level + 1)
                    else:
                        self._skip(inner, level, in_list=True)

    def _skip(self, kind: int, level: int, *, in_list: bool = False) -> None:
        if level > _MOST_LEVELS:
            raise ValueError("its footer is nested too deeply")
        if kind in (1, 2):  # a boolean field is its own type
            self._at += in_list
        elif kind == 3:
            self._at += 1
        elif kind in (4, 5, 6):
            self._varint()
        elif kind == _DOUBLE:
            self._at += 8
        elif kind == _BINARY:
            length = self._varint()
            self._at += length
        elif kind in (_LIST, _SET):
            size, inner = self._list()
            for _ in range(size):
                self._skip(inner, level + 1, in_list=True)
        elif kind == _MAP:
            self._skip_map(level)
        elif kind == _STRUCT:
            while head := self._byte():
                if not head >> 4:
                    self._whole()
                self._skip(head & 0x0F, level + 1)
        else:
            raise ValueError("its footer is damaged")

    def _skip_map(self, level: int) -> None:
        size = self._varint()
        kinds = self._byte() if size else 0
        for _ in range(size):
            self._skip(kinds >> 4, level + 1, in_list=True)
            self._skip(kinds & 0x0F, level + 1, in_list=True)

    def _list(self) -> tuple[int, int]:
        """Its length and the type of its items."""
        head = self._byte()
        return self._varint() if head >> 4 == 15 else head >> 4, head & 0x0F

    def _byte(self) -> int:
        value = self._content[self._at]
        self._at += 1
        return value

    def _varint(self) -> int:
        value = shift = 0
        while True:
            part = self._byte()
            value |= (part & 0x7F) << shift
            if part < 0x80:
                return value
            shift += 7

    def _whole(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
