"""Events as bytes: the entries that the kernel's ring buffer holds.

What is a name in a record is an address in an entry: functions and strings get addresses in
the order in which they are first met, and the tables that say which is which go along with
the entries (kallsyms and printk_formats).

Source: include/trace/stages/stage5_get_offsets.h, stage6_event_callback.h; kernel/trace/
trace.h: struct print_entry, struct stack_entry; include/linux/trace_events.h: struct
trace_entry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Final

from irqsim.events import (
    KERNEL_STACK,
    NEED_RESCHED_LAZY,
    PREEMPT_LAZY_SHIFT,
    PRINT,
    TRACEPOINTS,
    UNKNOWN,
    Context,
    Event,
    Field,
    Tracepoint,
    Value,
)
from irqsim.records import Lost, Record
from irqsim.trace.dat.format_file import event_id, unknown_id
from irqsim.trace.entry import DYNAMIC, Entries
from irqsim.trace.kinds import mask_value, pointer_value

_SYMBOL: Final = re.compile(
    r"(?P<name>[^ +]+)(?:\+(?P<offset>0x[0-9a-f]+)(?:/(?P<size>0x[0-9a-f]+))?)?"
    r"(?P<module> \[[^\]]+\])?"
)
_WORD_32: Final = re.compile("[0-9a-f]{8}")
_ADDRESS: Final = re.compile("0x[0-9a-f]+")
_SYMBOL_KINDS: Final = re.compile(r"\{(\w+):symoff|\{(\w+):sym\b")
_SYMBOL_SIZE: Final = 0x10000
"""The room between two functions: no offset within one reaches the next."""
_STRING_ALIGN: Final = 16

_TEXT_64: Final = 0xFFFF800008000000
_TEXT_32: Final = 0xC0008000
_RODATA_64: Final = 0xFFFF800080000000
_RODATA_32: Final = 0xE0008000
"""Where the kernel's functions and its strings begin, far enough from each other."""

_LAZY_BIT: Final = 0x02
"""TRACE_FLAG_NEED_RESCHED_LAZY in common_flags of the PREEMPT_RT patches."""

_INTEGERS: Final[dict[tuple[int, bool], str]] = {
    (1, False): "B", (1, True): "b", (2, False): "H", (2, True): "h",
    (4, False): "I", (4, True): "i", (8, False): "Q", (8, True): "q",
}

_COMMON: Final = Struct("<HBBi")
_COMMON_RT: Final = Struct("<HBBiB3x")
_LOCATION: Final = Struct("<I")

Convert = Callable[[Value], int | bytes]


def long_bits_of(items: Iterable[Record | Lost], default: int) -> int:
    """The size of a machine's longs, as its pointers and CPU masks print it.

    Pointers of a 32-bit machine have eight digits, and a mask of up to 32 CPUs one word.
    """
    for item in items:
        if isinstance(item, Lost):
            continue
        event = item[2]
        for field, value in zip(event.tracepoint.fields, event.values, strict=True):
            if not isinstance(value, str) or "char" in field.ctype:
                continue
            if field.ctype.endswith("*") or "cpumask" in field.ctype or "cpus" in field.name:
                if _WORD_32.fullmatch(value):
                    return 32
    return default


class Symbols:
    """Functions, and the addresses that they are given."""

    def __init__(self, long_bits: int = 64) -> None:
        self._next = _TEXT_64 if long_bits == 64 else _TEXT_32
        self._width = long_bits // 4
        self._addresses: dict[str, int] = {}
        self._sizes: dict[str, int] = {}

    def address(self, value: Value) -> int:
        """The address of a symbol, with the offset that it may have; an int is one already."""
        if not isinstance(value, str):
            return value or 0
        if _ADDRESS.fullmatch(value):
            return int(value, 16)
        match = _SYMBOL.fullmatch(value)
        name, offset = value, 0
        if match is not None:
            name = match["name"] + (match["module"] or "")
            offset = int(match["offset"] or "0", 16)
            if match["size"]:
                self._sizes[name] = int(match["size"], 16)
        base = self._addresses.get(name)
        if base is None:
            base = self._addresses[name] = self._next
            self._next += _SYMBOL_SIZE
        return base + offset

    def kallsyms(self) -> str:
        """The file /proc/kallsyms, with an end behind the last function."""
        lines = []
        for name, address in self._addresses.items():
            symbol, blank, module = name.partition(" ")
            lines.append(f"{address:0{self._width}x} T {symbol}{blank and chr(9)}{module}\n")
            if name in self._sizes:
                # Where a function ends is where the next one begins.
                end = address + self._sizes[name]
                lines.append(f"{end:0{self._width}x} t {symbol}.end\n")
        return "".join([*lines, f"{self._next:0{self._width}x} T _end\n"])


class Strings:
    """Strings of the kernel that entries point to."""

    def __init__(self, long_bits: int = 64) -> None:
        self._next = _RODATA_64 if long_bits == 64 else _RODATA_32
        self._addresses: dict[str, int] = {}

    def address(self, value: Value) -> int:
        """The address of a string."""
        if value is None:
            return 0
        text = str(value)
        address = self._addresses.get(text)
        if address is None:
            address = self._addresses[text] = self._next
            self._next += -(-(len(text) + 1) // _STRING_ALIGN) * _STRING_ALIGN
        return address

    def printk_formats(self) -> str:
        """The file printk_formats."""
        return "".join(f'{at:#x} : "{text}"\n' for text, at in self._addresses.items())


class _Shape:
    """How one tracepoint's entries are packed."""

    __slots__ = ("converts", "dynamic", "fixed", "number", "size")

    number: int
    fixed: Struct
    """The fixed part behind the common fields, its gaps included."""
    converts: list[tuple[int, Convert]]
    """Position of a value in the event, and what is packed of it; in the order of fields.
    A dynamic field has a place here too, which is filled at the end."""
    dynamic: list[tuple[int, int, bool]]
    """Position in the event, position in `converts`, whether it is text."""
    size: int


class EntryEncoder:
    """Packs the events of one machine."""

    def __init__(self, entries: Entries) -> None:
        long_bits = entries.long_size * 8
        self.entries = entries
        self.symbols = Symbols(long_bits)
        self.strings = Strings(long_bits)
        self.unknown: dict[str, int] = {}
        """The names of events that are not declared, numbered as they are met."""
        self._shapes: list[_Shape | None] = [None] * len(TRACEPOINTS)
        self._long = "Q" if entries.long_size == 8 else "I"
        gap = entries.layout(PRINT).fields[0].offset - entries.common_size
        self._ip = Struct(f"<{gap}x{self._long}")
        gap = entries.callers_offset - entries.common_size - 4
        self._stack_head = Struct(f"<i{gap}x")

    def encode(self, context: Context, event: Event) -> bytes:
        """The entry of an event."""
        tracepoint = event.tracepoint
        if tracepoint is UNKNOWN:
            return self._encode_unknown(context, event)
        if tracepoint is PRINT:
            ip, text = event.values
            return self._common(context, event_id(PRINT)) + self._ip.pack(
                self.symbols.address(ip)
            ) + _text(f"{text}\n")
        if tracepoint is KERNEL_STACK:
            return self._encode_stack(context, event)
        shape = self._shapes[tracepoint.id] or self._shape(tracepoint)
        values = event.values
        packed = [convert(values[index]) for index, convert in shape.converts]
        end = shape.size
        tail = b""
        for index, place, is_text in shape.dynamic:
            data = _text(values[index]) if is_text else _mask(values[index])
            packed[place] = len(data) << 16 | end + len(tail)
            tail += data
        return self._common(context, shape.number) + shape.fixed.pack(*packed) + tail

    def used(self) -> list[Tracepoint]:
        """The declared tracepoints of which there was an event."""
        return [each for each in TRACEPOINTS if self._shapes[each.id] is not None]

    def _common(self, context: Context, number: int) -> bytes:
        flags = context.flags & 0xFF
        if not self.entries.is_rt:
            return _COMMON.pack(number, flags, context.preempt_count, context.pid)
        if context.flags & NEED_RESCHED_LAZY:
            flags |= _LAZY_BIT
        lazy = context.flags >> PREEMPT_LAZY_SHIFT & 15
        return _COMMON_RT.pack(number, flags, context.preempt_count, context.pid, lazy)

    def _encode_unknown(self, context: Context, event: Event) -> bytes:
        name, text = event.values
        # What had no name in its log gets one: a tool has to call it something.
        index = self.unknown.setdefault(str(name or "text"), len(self.unknown))
        data = _text(text)
        common = self._common(context, unknown_id(index))
        return common + _LOCATION.pack(len(data) << 16 | len(common) + 4) + data

    def _encode_stack(self, context: Context, event: Event) -> bytes:
        callers = str(event.values[0] or "").split("\n")
        addresses = [self.symbols.address(each) for each in callers if each]
        body = Struct(f"<{len(addresses)}{self._long}").pack(*addresses)
        head = self._stack_head.pack(len(addresses))
        return self._common(context, event_id(KERNEL_STACK)) + head + body

    def _shape(self, tracepoint: Tracepoint) -> _Shape:
        layout = self.entries.layout(tracepoint)
        symbols = _symbol_fields(tracepoint, self.entries.release)
        shape = _Shape()
        shape.number = event_id(tracepoint)
        shape.size = layout.size
        shape.converts = []
        shape.dynamic = []
        pattern, offset = ["<"], self.entries.common_size
        for placed in layout.fields:
            ctype, index = placed.field.ctype, tracepoint.index_of[placed.field.name]
            if placed.offset > offset:
                pattern.append(f"{placed.offset - offset}x")
            if ctype.startswith(DYNAMIC):
                shape.dynamic.append((index, len(shape.converts), "char" in ctype))
            convert = self._convert(placed.field, placed.size, placed.is_signed, symbols)
            is_comm = ctype == "char[16]"
            pattern.append("16s" if is_comm else _INTEGERS[placed.size, placed.is_signed])
            shape.converts.append((index, convert))
            offset = placed.offset + placed.size
        if layout.size > offset:
            pattern.append(f"{layout.size - offset}x")
        shape.fixed = Struct("".join(pattern))
        self._shapes[tracepoint.id] = shape
        return shape

    def _convert(self, field: Field, size: int, is_signed: bool, symbols: set[str]) -> Convert:
        if field.ctype.startswith(DYNAMIC):
            return lambda value: 0
        if field.ctype == "char[16]":
            return lambda value: _bytes(value)[:15]
        if field.ctype == "const char *":
            return self.strings.address
        if field.name in symbols:
            return self.symbols.address
        if field.ctype.endswith("*"):
            return pointer_value
        bits = size * 8

        def integer(value: Value) -> int:
            number = value if isinstance(value, int) else 0
            number &= (1 << bits) - 1
            return number - (1 << bits) if is_signed and number >> bits - 1 else number

        return integer


def _symbol_fields(tracepoint: Tracepoint, release: tuple[int, int]) -> set[str]:
    """The fields that print as symbols."""
    template = tracepoint.format_in(release).template
    return {match[1] or match[2] for match in _SYMBOL_KINDS.finditer(template)}


def _bytes(value: Value) -> bytes:
    return ("" if value is None else str(value)).encode("utf-8", "surrogateescape")


def _text(value: Value) -> bytes:
    return _bytes(f"{value:016x}" if isinstance(value, int) else value) + b"\0"


def _mask(value: Value) -> bytes:
    """A CPU mask as it lies in memory."""
    nr_words = value.count(",") + 1 if isinstance(value, str) else 2
    return mask_value(value).to_bytes(4 * nr_words, "little")
