"""A tracepoint's ``format`` file: where its fields lie, and how it prints.

Source: kernel/trace/trace_events.c: f_show(); include/trace/stages/.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from attrs import field, frozen

_FIELD: Final = re.compile(
    r"field:([^;]+);\s*offset:([0-9]{1,6});\s*size:([0-9]{1,6});(?:\s*signed:([01]);)?"
)
_NAME: Final = re.compile(r"^name: (\S+)$", re.MULTILINE)
_ID: Final = re.compile(r"^ID: ([0-9]{1,9})$", re.MULTILINE)
_PRINT: Final = re.compile(r"^print fmt: (.*)", re.MULTILINE | re.DOTALL)
_DECLARATION: Final = re.compile(r"(.*?)\s*(\w+)(\[[^\]]*\])?")

COMMON: Final = "common_"


@frozen
class FieldFormat:
    """A field of an entry."""

    ctype: str
    """As the file spells it, with an array's brackets but without its length."""
    name: str
    offset: int
    size: int
    is_signed: bool

    @property
    def is_dynamic(self) -> bool:
        """Lies behind the entry; here is only where, and how long."""
        return self.ctype.startswith(("__data_loc ", "__rel_loc "))

    @property
    def is_string(self) -> bool:
        """Holds letters."""
        return "char" in self.ctype and self.ctype.endswith("[]") and self.element_size == 1

    @property
    def element_size(self) -> int:
        """Bytes of one element of an array, of longs unless its type says otherwise."""
        base = self.ctype.removeprefix("__data_loc ").removeprefix("__rel_loc ")
        base = base.removesuffix("[]").strip().removeprefix("const ").removeprefix("unsigned ")
        return _ELEMENTS.get(base, 0)


_ELEMENTS: Final = {
    "char": 1, "u8": 1, "__u8": 1, "s8": 1, "u16": 2, "short": 2, "s16": 2, "__u16": 2,
    "u32": 4, "int": 4, "s32": 4, "__u32": 4, "u64": 8, "s64": 8, "__u64": 8, "long long": 8,
}  # fmt: skip


@frozen
class EventFormat:
    """A tracepoint, as the machine that wrote the file had it."""

    system: str
    name: str
    id: int
    fields: tuple[FieldFormat, ...]
    print_fmt: str
    field_of: dict[str, FieldFormat] = field(init=False, repr=False, eq=False)

    @field_of.default
    def _field_of(self) -> dict[str, FieldFormat]:
        return {each.name: each for each in self.fields}


def parse_format(system: str, text: str) -> EventFormat:
    """Read a format file.  Raises ValueError for what is none."""
    name, number, shown = _NAME.search(text), _ID.search(text), _PRINT.search(text)
    if name is None or number is None:
        raise ValueError(f"not the format of an event: {text[:40]!r}")
    fields = []
    for declaration, offset, size, signed in _FIELD.findall(text):
        found = _DECLARATION.fullmatch(declaration.strip())
        if found is None:
            raise ValueError(f"not a field of {name[1]}: {declaration[:40]!r}")
        ctype = found[1] + ("[]" if found[3] else "")
        fields.append(FieldFormat(ctype, found[2], int(offset), int(size), signed == "1"))
    return EventFormat(
        system, name[1], int(number[1]), tuple(fields), shown[1].strip() if shown else ""
    )


class FieldReader:
    """Reads fields out of entries, in a machine's byte order."""

    __slots__ = ("_numbers", "is_big", "long_size")

    def __init__(self, is_big: bool, long_size: int) -> None:
        self.is_big = is_big
        self.long_size = long_size
        order = ">" if is_big else "<"
        self._numbers: dict[tuple[int, bool], struct.Struct] = {
            (size, is_signed): struct.Struct(order + (letter if is_signed else letter.upper()))
            for size, letter in ((1, "b"), (2, "h"), (4, "i"), (8, "q"))
            for is_signed in (False, True)
        }

    def number(self, entry: bytes, offset: int, size: int, is_signed: bool = False) -> int:
        """A number; 0 where the entry ends before it."""
        form = self._numbers.get((size, is_signed))
        if form is None or offset + size > len(entry):
            return 0
        value: int = form.unpack_from(entry, offset)[0]
        return value

    def integer(self, entry: bytes, place: FieldFormat) -> int:
        """The number in a field."""
        return self.number(entry, place.offset, place.size, place.is_signed)

    def data(self, entry: bytes, place: FieldFormat) -> bytes:
        """The bytes of an array, wherever they lie."""
        if not place.is_dynamic:
            end = place.offset + place.size if place.size else len(entry)
            return entry[place.offset : end]
        where = self.number(entry, place.offset, 4)
        start, size = where & 0xFFFF, where >> 16
        if place.ctype.startswith("__rel_loc"):
            start += place.offset + 4
        return entry[start : start + size]

    def array(self, data: bytes, size: int, is_signed: bool = False) -> list[int]:
        """The elements of an array."""
        return [
            self.number(data, offset, size, is_signed)
            for offset in range(0, len(data) - size + 1, size)
        ]
