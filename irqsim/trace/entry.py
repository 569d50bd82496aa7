"""Events as the binary entries of the kernel's ring buffer: where each field lies.

This says how much room an event takes in the buffer, and what its ``format`` file would
say of it.

Source: include/trace/trace_events.h; the offsets of the format files of 6.1 and 6.12 on
arm, arm64 and with PREEMPT_RT.
Differs: the field ``success`` that sched_wakeup still had in 4.19 takes no room here.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from irqsim.events import (
    KERNEL_STACK,
    PRINT,
    TRACEPOINTS,
    UNKNOWN,
    Event,
    Field,
    Tracepoint,
    release_number,
)

_LONG: Final = 0
_SCALARS: Final[dict[str, tuple[int, bool]]] = {
    "bool": (1, False),
    "clockid_t": (4, True),
    "enum hrtimer_mode": (4, False),
    "int": (4, True),
    "long": (_LONG, True),
    "pid_t": (4, True),
    "s64": (8, True),
    "u32": (4, False),
    "u64": (8, False),
    "unsigned char": (1, False),
    "unsigned int": (4, False),
    "unsigned long": (_LONG, False),
    "unsigned short": (2, False),
}
"""Size (_LONG: that of a long) and whether it is signed."""

_COMMON: Final = (
    Field("unsigned short", "common_type"),
    Field("unsigned char", "common_flags"),
    Field("unsigned char", "common_preempt_count"),
    Field("int", "common_pid"),
)
_COMMON_RT: Final = (*_COMMON, Field("unsigned char", "common_preempt_lazy_count"))

DYNAMIC: Final = "__data_loc "
"""Fields of such types lie behind the entry; in it is where, and how long."""


@frozen
class Placed:
    """A field at its place."""

    field: Field
    offset: int
    size: int
    is_signed: bool


@frozen
class EntryLayout:
    """The fixed part of one tracepoint's entries."""

    common: tuple[Placed, ...]
    fields: tuple[Placed, ...]
    size: int


class Entries:
    """The entries of all tracepoints on one kind of machine."""

    __slots__ = ("_layouts", "is_rt", "long_size", "release")

    def __init__(self, release: str, long_bits: int = 64) -> None:
        self.release = release_number(release)
        self.is_rt = release.endswith("-rt")
        self.long_size = long_bits // 8
        self._layouts: list[EntryLayout | None] = [None] * len(TRACEPOINTS)

    @property
    def common_size(self) -> int:
        """The bytes of the fields that all entries share."""
        return 12 if self.is_rt else 8

    @property
    def callers_offset(self) -> int:
        """Where the addresses of a stack trace begin: behind their number, an int."""
        return -(-(self.common_size + 4) // self.long_size) * self.long_size

    def layout(self, tracepoint: Tracepoint) -> EntryLayout:
        """Where a tracepoint's fields lie."""
        known = self._layouts[tracepoint.id]
        if known is None:
            known = self._layouts[tracepoint.id] = self._place(tracepoint)
        return known

    def size(self, event: Event) -> int:
        """The bytes of an event's entry, without the buffer's own header."""
        tracepoint = event.tracepoint
        if tracepoint is UNKNOWN:
            return self.common_size + 4 + _string_size(event.values[1])
        if tracepoint is KERNEL_STACK:
            nr_callers = str(event.values[0]).count("\n") + 1 if event.values[0] else 0
            return self.callers_offset + self.long_size * nr_callers
        size = self.layout(tracepoint).size
        if tracepoint is PRINT:
            return size + _string_size(event.values[1])
        for field, value in zip(tracepoint.fields, event.values, strict=True):
            if field.ctype.startswith(DYNAMIC) and value is not None:
                size += _string_size(value) if "char" in field.ctype else _mask_size(value)
        return size

    def _place(self, tracepoint: Tracepoint) -> EntryLayout:
        offset = 0
        align_max = 4
        placed: list[Placed] = []
        common = _COMMON_RT if self.is_rt else _COMMON
        for field in (*common, *tracepoint.fields_in(self.release)):
            size, align, is_signed = self._measure(field.ctype)
            if len(placed) == len(common):
                align = max(align, 4)  # struct trace_entry ends with its own padding.
            offset = -(-offset // align) * align
            placed.append(Placed(field, offset, size, is_signed))
            offset += size
            align_max = max(align_max, align)
        return EntryLayout(
            common=tuple(placed[: len(common)]),
            fields=tuple(placed[len(common) :]),
            size=-(-offset // align_max) * align_max,
        )

    def _measure(self, ctype: str) -> tuple[int, int, bool]:
        """Size, alignment, signedness."""
        if ctype.startswith(DYNAMIC):
            return 4, 4, False
        if ctype == "char[16]":
            return 16, 1, False
        if ctype.endswith("[]"):
            return 0, 1 if ctype == "char[]" else self.long_size, False
        if ctype.endswith("*"):
            return self.long_size, self.long_size, False
        size, is_signed = _SCALARS[ctype]
        size = size or self.long_size
        return size, size, is_signed


def _string_size(value: object) -> int:
    return len(str(value).encode("utf-8", "surrogateescape")) + 1


def _mask_size(value: object) -> int:
    """Masks print as 32-bit words; the plain form has two."""
    return 4 * (value.count(",") + 1) if isinstance(value, str) else 8
