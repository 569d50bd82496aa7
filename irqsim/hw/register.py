"""A register of the interrupt controller: where it stands, and what reading and writing it does.

Most of the controller's registers are arrays: a field of 1, 2, 8 or 64 bits for each interrupt.
A register is then one row for all of them, and its functions are given the number of the field.
A register that stands alone is an array of one.

Source: IHI 0069 section 12.1 (register access, sizes), IHI 0048 section 4.1.2.
IMPDEF: an access of a size that the register does not have, and one to a reserved place, reads
as zero and is ignored when it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from attrs import field, frozen

from irqsim.hw.gic import Gic

Read = Callable[[Gic, int, int], int]
"""Given the PE that it belongs to and the field's number."""
Write = Callable[[Gic, int, int, int], None]
"""The same, and the field's new value."""

WORD: Final = (32,)
BYTES: Final = (8, 32)
DOUBLE: Final = (32, 64)


def zero(gic: Gic, pe: int, number: int) -> int:
    """RAZ."""
    return 0


def ignore(gic: Gic, pe: int, number: int, value: int) -> None:
    """WI."""


@frozen
class Register:
    """One entry of a frame's table.

    `bits` is the width of a field, `count` how many there are; `sizes` are those of the accesses
    that it takes.  Where the fields are `by_intid`, those of interrupts that do not exist are
    RAZ/WI, and so are those below `first`, which belong to another frame.
    """

    name: str
    offset: int
    read: Read = zero
    write: Write = ignore
    bits: int = 32
    count: int = 1
    sizes: tuple[int, ...] = WORD
    by_intid: bool = False
    first: int = 0
    end: int = field(init=False)

    @end.default
    def _end(self) -> int:
        return self.offset + self.bits * self.count // 8


class Frame:
    """The registers of one frame, by their offsets."""

    def __init__(self, registers: Sequence[Register]) -> None:
        self.registers: tuple[Register, ...] = tuple(registers)

    def register_at(self, offset: int) -> Register | None:
        """The register at this offset; None where the frame has none."""
        for register in self.registers:
            if register.offset <= offset < register.end:
                return register
        return None

    def read(self, gic: Gic, pe: int, offset: int, size: int) -> int:
        """Read `size` bits at an offset that is aligned to them."""
        register = self._for_access(offset, size)
        if register is None:
            return 0
        at = (offset - register.offset) * 8
        if register.bits >= size:
            value = _read(register, gic, pe, at // register.bits)
            return value >> at % register.bits & (1 << size) - 1
        value = 0
        for shift in range(0, size, register.bits):
            value |= _read(register, gic, pe, (at + shift) // register.bits) << shift
        return value

    def write(self, gic: Gic, pe: int, offset: int, size: int, value: int) -> None:
        """Write `size` bits at an offset that is aligned to them, field by field."""
        register = self._for_access(offset, size)
        if register is None:
            return
        at = (offset - register.offset) * 8
        if register.bits > size:
            number, shift = divmod(at, register.bits)
            rest = _read(register, gic, pe, number) & ~((1 << size) - 1 << shift)
            _write(register, gic, pe, number, rest | value << shift)
            return
        mask = (1 << register.bits) - 1
        for shift in range(0, size, register.bits):
            _write(register, gic, pe, (at + shift) // register.bits, value >> shift & mask)

    def _for_access(self, offset: int, size: int) -> Register | None:
        register = self.register_at(offset)
        if register is None or size not in register.sizes:
            return None
        return register


def _is_there(register: Register, gic: Gic, number: int) -> bool:
    return number >= register.first and (not register.by_intid or number < gic.nr_intids)


def _read(register: Register, gic: Gic, pe: int, number: int) -> int:
    return register.read(gic, pe, number) if _is_there(register, gic, number) else 0


def _write(register: Register, gic: Gic, pe: int, number: int, value: int) -> None:
    if _is_there(register, gic, number):
        register.write(gic, pe, number, value)
