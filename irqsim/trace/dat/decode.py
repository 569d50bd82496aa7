"""Entries of the ring buffer as records.

What is declared in ``irqsim.events`` is found by its system and name, and its fields by
theirs, wherever the machine that wrote the file had them; all else keeps the text that its
own print format gives, as an UNKNOWN event.

Source: include/linux/trace_events.h: struct trace_entry; kernel/trace/trace_entries.h;
kernel/trace/trace_output.c: trace_fn_trace(), trace_stack_print(), trace_print_print().
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from irqsim.events import (
    FUNCTION,
    KERNEL_STACK,
    NEED_RESCHED_LAZY,
    PREEMPT_LAZY_SHIFT,
    PREEMPT_MASK,
    PRINT,
    TRACEPOINTS,
    UNKNOWN,
    UNKNOWN_TGID,
    Context,
    Event,
    EventTable,
    Tracepoint,
    Value,
)
from irqsim.trace.dat.event_format import EventFormat, FieldFormat, FieldReader
from irqsim.trace.dat.print_fmt import Printer, PrintFormat, binary_print
from irqsim.trace.dat.stream import text_of
from irqsim.trace.dat.symbols import Symbols
from irqsim.trace.kinds import default_kind
from irqsim.trace.payload import MARKER

Get: TypeAlias = Callable[[bytes], Value]
Decode: TypeAlias = Callable[[bytes], Event]

CACHE_MAX: Final = 1 << 16
IDLE: Final = "<idle>"
NOBODY: Final = "<...>"

_LAZY_FLAG: Final = 2
"""TRACE_FLAG_NEED_RESCHED_LAZY of PREEMPT_RT, and of all since 6.13; elsewhere that irqs-off
is not known."""
_COMMON_SIZE: Final = 8
_STATE_MASK: Final = 0x1FF
_U32: Final = 1 << 32
_U64: Final = 1 << 64
_S64_MAX: Final = (1 << 63) - 1
_TEXTS: Final = ("s", "p", "sym", "symoff", "mask")
"""Kinds whose values may be strings."""
_PLACE: Final = re.compile(r"\{(\w+)(?::(\w+))?\}")


class Decoder:
    """Makes records of the entries of one file."""

    def __init__(
        self,
        formats: list[EventFormat],
        fields: FieldReader,
        symbols: Symbols,
        comms: dict[int, str],
        *,
        has_migrate: bool,
        has_lazy: bool,
        table: EventTable,
    ) -> None:
        self._fields = fields
        self._symbols = symbols
        self._comms = comms
        self._has_lazy = has_lazy
        self._depth_mask = 0xFF if has_migrate else PREEMPT_MASK
        self._table = table
        self._printer = Printer(fields, symbols)
        self._formats = {each.id: each for each in formats}
        self._decoders: dict[int, Decode] = {}
        self._events: dict[tuple[int, bytes], Event] = {}
        self._contexts: dict[tuple[int, bytes], Context] = {}
        common = formats[0].field_of if formats else {}
        # PREEMPT_RT has one byte more.
        self._head_end = _COMMON_SIZE + ("common_preempt_lazy_count" in common)
        self._common = {name: common.get(f"common_{name}") for name in _COMMONS}

    def decode(self, cpu: int, entry: bytes) -> tuple[Context, Event]:
        """Who and what.  Raises ValueError for an entry that no event of the file has."""
        kind = self._common_number(entry, "type")
        key = (cpu, entry[2 : self._head_end])
        context = self._contexts.get(key)
        if context is None:
            context = self._context(cpu, entry)
            if len(self._contexts) < CACHE_MAX:
                self._contexts[key] = context
        event = self._events.get((kind, entry[_COMMON_SIZE:]))
        if event is None:
            decode = self._decoders.get(kind) or self._decoder(kind)
            event = decode(entry)
            if event.index >= 0 and len(self._events) < CACHE_MAX:
                self._events[kind, entry[_COMMON_SIZE:]] = event
        return context, event

    def _context(self, cpu: int, entry: bytes) -> Context:
        flags = self._common_number(entry, "flags") & 0xFF
        count = self._common_number(entry, "preempt_count") & self._depth_mask
        pid = self._common_number(entry, "pid")
        if self._common["preempt_lazy_count"] is not None:
            lazy = self._common_number(entry, "preempt_lazy_count")
            flags |= (lazy & PREEMPT_MASK) << PREEMPT_LAZY_SHIFT
        if self._has_lazy and flags & _LAZY_FLAG:
            flags |= NEED_RESCHED_LAZY
        comm = IDLE if pid == 0 else self._comms.get(pid, NOBODY)
        return self._table.context(comm, pid, UNKNOWN_TGID, cpu, flags & ~_LAZY_FLAG, count)

    def _common_number(self, entry: bytes, name: str) -> int:
        place = self._common[name]
        return 0 if place is None else self._fields.integer(entry, place)

    def _decoder(self, kind: int) -> Decode:
        form = self._formats.get(kind)
        if form is None:
            raise ValueError(f"an event with the number {kind}, which has no format")
        tracepoint = _TRACEPOINTS.get((form.system, form.name))
        special = _SPECIAL.get((form.system, form.name))
        if special is not None and all(name in form.field_of for name in special[1]):
            decode = special[0](self, form)
        elif tracepoint is None or not _is_alike(form, tracepoint):
            decode = self._unknown(form)
        else:
            decode = self._declared(form, tracepoint)
        self._decoders[kind] = decode
        return decode

    # -- what is declared ----------------------------------------------------------------

    def _declared(self, form: EventFormat, tracepoint: Tracepoint) -> Decode:
        kinds = kinds_of(tracepoint)
        getters = [self._getter(form, each.name, kinds[each.name]) for each in tracepoint.fields]
        intern = self._table.intern

        def decode(entry: bytes) -> Event:
            return intern(tracepoint, *[get(entry) for get in getters])

        return decode

    def _getter(self, form: EventFormat, name: str, kind: str) -> Get:
        place = form.field_of.get(name)
        if place is None:
            return _none
        fields, symbols, long_size = self._fields, self._symbols, self._fields.long_size
        if place.is_string:
            return lambda entry: text_of(fields.data(entry, place))
        if kind == "mask":
            return lambda entry: _mask(fields, fields.data(entry, place))
        if kind == "s":
            return lambda entry: _string(symbols, fields.integer(entry, place))
        if kind == "p" or (place.ctype.endswith("*") and not kind.startswith("sym")):
            if long_size == 4:
                return lambda entry: f"{fields.integer(entry, place) % _U32:08x}"
            return lambda entry: fields.integer(entry, place) % _U64
        if kind in ("sym", "symoff"):
            find = symbols.function if kind == "sym" else symbols.offset
            return lambda entry: _symbol(find, fields.number(entry, place.offset, place.size))
        return self._number_getter(place, kind)

    def _number_getter(self, place: FieldFormat, kind: str) -> Get:
        fields = self._fields
        if kind == "state":
            return lambda entry: fields.integer(entry, place) & _STATE_MASK
        if kind in ("u", "04u"):
            return lambda entry: fields.integer(entry, place) % _U32
        if kind == "llu":
            return lambda entry: _wrapped(fields.integer(entry, place))
        return lambda entry: fields.integer(entry, place)

    # -- what is not ---------------------------------------------------------------------

    def _unknown(self, form: EventFormat) -> Decode:
        shown = PrintFormat(form, self._printer)
        return lambda entry: self._table.intern(UNKNOWN, form.name, shown.text(entry))

    def _function(self, form: EventFormat) -> Decode:
        ip, parent = form.field_of["ip"], form.field_of["parent_ip"]

        def decode(entry: bytes) -> Event:
            return self._table.intern(
                FUNCTION, self._symbol_at(entry, ip), self._symbol_at(entry, parent)
            )

        return decode

    def _stack(self, form: EventFormat) -> Decode:
        """The functions, innermost first, up to the end or what marks it."""
        caller, size = form.field_of["caller"], form.field_of.get("size")
        fields = self._fields
        last = (1 << 8 * fields.long_size) - 1

        def decode(entry: bytes) -> Event:
            addresses = fields.array(entry[caller.offset :], fields.long_size)
            if size is not None:
                addresses = addresses[: max(0, fields.integer(entry, size))]
            if last in addresses:
                addresses = addresses[: addresses.index(last)]
            names = [self._symbols.function(each) or f"{each:#x}" for each in addresses]
            return self._table.intern(KERNEL_STACK, "\n".join(names))

        return decode

    def _print(self, form: EventFormat) -> Decode:
        buf = form.field_of["buf"]
        return self._printed(form, lambda entry: text_of(entry[buf.offset :]))

    def _bputs(self, form: EventFormat) -> Decode:
        place = form.field_of["str"]
        return self._printed(
            form, lambda entry: _string(self._symbols, self._fields.integer(entry, place))
        )

    def _bprint(self, form: EventFormat) -> Decode:
        fmt, buf = form.field_of["fmt"], form.field_of["buf"]

        def text(entry: bytes) -> str:
            shown = _string(self._symbols, self._fields.integer(entry, fmt))
            return binary_print(shown, entry[buf.offset :], self._printer)

        return self._printed(form, text)

    def _printed(self, form: EventFormat, text: Callable[[bytes], str]) -> Decode:
        """A message, and from where; only that of trace_marker is known by its sender."""
        ip = form.field_of["ip"]

        def decode(entry: bytes) -> Event:
            name = str(self._symbol_at(entry, ip))
            body = text(entry).removesuffix("\n")
            return self._table.intern(PRINT if name == MARKER else UNKNOWN, name, body)

        return decode

    def _symbol_at(self, entry: bytes, place: FieldFormat) -> Value:
        return _symbol(
            self._symbols.function, self._fields.number(entry, place.offset, place.size)
        )


_COMMONS: Final = ("type", "flags", "preempt_count", "pid", "preempt_lazy_count")
_TRACEPOINTS: Final = {(each.system, each.name): each for each in TRACEPOINTS}
_Special: TypeAlias = tuple[Callable[[Decoder, EventFormat], Decode], tuple[str, ...]]
_SPECIAL: Final[dict[tuple[str, str], _Special]] = {
    ("ftrace", "function"): (Decoder._function, ("ip", "parent_ip")),
    ("ftrace", "kernel_stack"): (Decoder._stack, ("caller",)),
    ("ftrace", "print"): (Decoder._print, ("ip", "buf")),
    ("ftrace", "bputs"): (Decoder._bputs, ("ip", "str")),
    ("ftrace", "bprint"): (Decoder._bprint, ("ip", "fmt", "buf")),
}
"""ftrace's own entries: how they are read, and what they need for it."""


def kinds_of(tracepoint: Tracepoint) -> dict[str, str]:
    """How each field is printed, in the newest format that has it."""
    defaults = {each.name: default_kind(each) for each in tracepoint.fields}
    kinds = dict(defaults)
    for form in reversed(tracepoint.formats):
        for place in _PLACE.finditer(form.template):
            kinds[place[1]] = place[2] or defaults[place[1]]
    return kinds


def _is_alike(form: EventFormat, tracepoint: Tracepoint) -> bool:
    """Whether what are numbers to us are none of its strings."""
    kinds = kinds_of(tracepoint)
    return not any(
        place is not None and place.is_string and kinds[each.name] not in _TEXTS
        for each in tracepoint.fields
        for place in (form.field_of.get(each.name),)
    )


def _none(entry: bytes) -> Value:
    return None


def _wrapped(value: int) -> int:
    return value if value <= _S64_MAX else value - _U64


def _string(symbols: Symbols, address: int) -> str:
    """A constant string, by its address; the address in hex where it was not exported."""
    found = symbols.string(address)
    return f"{address:#x}" if found is None else found


def _symbol(find: Callable[[int], str | None], address: int) -> Value:
    found = find(address)
    return address if found is None else found


def _mask(fields: FieldReader, data: bytes) -> Value:
    """As the kernel prints it: 32-bit words, the highest first; two of them are a number."""
    long_size = fields.long_size
    longs = fields.array(data, long_size)
    cpus = sum(value << 8 * long_size * index for index, value in enumerate(longs))
    nr_words = len(longs) * long_size // 4
    if nr_words == 2:
        return cpus
    words = [f"{cpus >> 32 * index & _U32 - 1:08x}" for index in range(nr_words)]
    return ",".join(reversed(words))
