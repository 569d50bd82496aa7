"""What a run consists of: records, which say when, who and what.

A record is ``(time_ns, Context, Event)``; an event is a tracepoint and its values.  Nothing
here knows how a line of text looks, and ``irqsim.events`` says which tracepoints there are.

Source: include/linux/trace_events.h: struct trace_entry.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from attrs import field as attrs_field
from attrs import frozen

Value: TypeAlias = int | str | None
"""What a field holds.  None: the release that wrote the record has no such field.

Pointers are ints if they print in the 64-bit form, strings (the digits) otherwise; with
symbol kinds a string is the symbol.  CPU masks are ints if they print as two 32-bit
words, strings (as printed) otherwise.
"""

Release: TypeAlias = tuple[int, int]

FIRST: Final[Release] = (0, 0)
NEVER: Final[Release] = (99, 0)

# Bits of Context.flags.  The low eight are those of struct trace_entry.
IRQS_OFF: Final = 1
NEED_RESCHED: Final = 4
HARDIRQ: Final = 8
SOFTIRQ: Final = 16
PREEMPT_RESCHED: Final = 32
NMI: Final = 64
BH_OFF: Final = 128
NEED_RESCHED_LAZY: Final = 256
PREEMPT_LAZY_SHIFT: Final = 12
"""Bits 12 to 15 of Context.flags hold the depth of preempt_lazy_disable() (PREEMPT_RT)."""

# Context.preempt_count: depth of preempt_disable() and of migrate_disable(), 0 to 15 each.
PREEMPT_MASK: Final = 0x0F
MIGRATE_SHIFT: Final = 4

UNKNOWN_TGID: Final = -1


@frozen
class Field:
    """A member of a tracepoint's binary record, with its type as the format files spell it."""

    ctype: str
    name: str
    since: Release = FIRST
    until: Release = NEVER
    """The first release that no longer has it."""


@frozen
class Format:
    """A print format and the releases that use it."""

    template: str
    since: Release = FIRST
    until: Release = NEVER
    """The first release that no longer uses it."""


@frozen(eq=False)
class Tracepoint:
    """A tracepoint: what it records and how each release prints that."""

    id: int
    system: str
    name: str
    fields: tuple[Field, ...]
    formats: tuple[Format, ...]
    """Newest first."""
    since: Release = FIRST
    is_volatile: bool = False
    """The values hardly ever repeat, so that interning its events would not pay."""
    index_of: dict[str, int] = attrs_field(init=False, repr=False)
    """Position of a field's value in Event.values."""

    @index_of.default
    def _index_of(self) -> dict[str, int]:
        return {each.name: index for index, each in enumerate(self.fields)}

    def exists_in(self, release: Release) -> bool:
        return release >= self.since

    def format_in(self, release: Release) -> Format:
        """The format that a release prints; the newest for a release that has none."""
        for each in self.formats:
            if each.since <= release < each.until:
                return each
        return self.formats[0]

    def fields_in(self, release: Release) -> tuple[Field, ...]:
        return tuple(each for each in self.fields if each.since <= release < each.until)


class Event:
    """What happened: a tracepoint and the values of its fields, in their order.

    Equal events have the same tracepoint and values; the index plays no part.
    """

    __slots__ = ("index", "tracepoint", "values")

    def __init__(self, tracepoint: Tracepoint, values: tuple[Value, ...], index: int = -1) -> None:
        self.tracepoint = tracepoint
        self.values = values
        self.index = index
        """-1, or a small number that no other event of the same table has."""

    def __getitem__(self, name: str) -> Value:
        return self.values[self.tracepoint.index_of[name]]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Event)
            and self.tracepoint is other.tracepoint
            and self.values == other.values
        )

    def __repr__(self) -> str:
        pairs = zip(self.tracepoint.fields, self.values, strict=True)
        inner = " ".join(f"{field.name}={value!r}" for field, value in pairs)
        return f"<{self.tracepoint.name} {inner}>"


class Context:
    """Who ran when it happened: task, CPU, and what the flag columns show.

    Equal contexts have the same contents; the index plays no part.
    """

    __slots__ = ("comm", "cpu", "flags", "index", "pid", "preempt_count", "tgid")

    def __init__(
        self,
        comm: str,
        pid: int,
        tgid: int,
        cpu: int,
        flags: int,
        preempt_count: int,
        index: int = -1,
    ) -> None:
        self.comm = comm
        """As the task column shows it: ``<idle>`` for pid 0."""
        self.pid = pid
        self.tgid = tgid
        """UNKNOWN_TGID where it was not recorded."""
        self.cpu = cpu
        self.flags = flags
        self.preempt_count = preempt_count
        self.index = index
        """-1, or a small number that no other context of the same machine has."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Context) and self.contents() == other.contents()

    def __repr__(self) -> str:
        return (
            f"<{self.comm}-{self.pid} ({self.tgid}) [{self.cpu:03d}]"
            f" flags={self.flags:#x} preempt_count={self.preempt_count:#x}>"
        )

    def contents(self) -> tuple[str, int, int, int, int, int]:
        return (self.comm, self.pid, self.tgid, self.cpu, self.flags, self.preempt_count)


Record: TypeAlias = tuple[int, Context, Event]


@frozen
class Lost:
    """A place in a trace where records of a CPU were overwritten before anybody read them."""

    cpu: int
    nr: int
    """0: nobody counted."""


@frozen
class TraceHeader:
    """What a trace says of itself above its records, or by the form of the first of them."""

    source: str = "trace_pipe"
    """``ftrace`` (the file trace), ``trace_pipe`` (the same lines, no header), ``latency``
    (latency-format), ``trace-cmd`` (what its report prints) or ``trace.dat``."""
    layout: str = "6.1"
    """The ``--layout`` that has its flag columns, and, as far as can be told, its events."""
    tracer: str = "nop"
    has_context: bool = True
    """Each line says which task ran on which CPU, and when."""
    has_irq_info: bool = True
    """There are flag columns; without them Context.flags and preempt_count are 0."""
    has_tgid: bool = False
    clock: str = "us"
    """How fine the times are: ``us``, ``ns``, or ``counts``, and then they are no times."""
    nr_cpus: int | None = None
    """CPUs that were online; None here and below: it does not say."""
    entries_in_buffer: int | None = None
    entries_written: int | None = None
    kernel_version: str | None = None
    """As ``uname -r`` prints it."""
    preempt_model: str | None = None
    """As the latency header spells it."""
    long_bits: int = 64
    """Of the machine that wrote it: the size of its longs and pointers, as far as known."""

    @property
    def is_rt(self) -> bool:
        """Written by a kernel with the PREEMPT_RT patches."""
        return self.layout.endswith("-rt") or self.preempt_model == "preempt_rt"

    @property
    def has_overrun(self) -> bool:
        """Records were overwritten before the trace was read."""
        return (self.entries_written or 0) > (self.entries_in_buffer or 0)


class EventTable:
    """Interns events and contexts, so that the text of what comes again is made only once.

    Volatile tracepoints are not interned, and nothing is when the table is full: such an
    event or context has the index -1.
    """

    __slots__ = ("_contexts", "_events", "limit", "nr_contexts", "nr_events")

    def __init__(self, limit: int = 1 << 17) -> None:
        self.limit = limit
        """The most events, and the most contexts, that are kept."""
        self.nr_events = 0
        self.nr_contexts = 0
        self._events: dict[Tracepoint, dict[tuple[Value, ...], Event]] = {}
        self._contexts: dict[tuple[str, int, int, int, int, int], Context] = {}

    def intern(self, tracepoint: Tracepoint, *values: Value) -> Event:
        """The event with these values: the same object for the same values."""
        try:
            return self._events[tracepoint][values]
        except KeyError:
            event = Event(tracepoint, values)
            if not tracepoint.is_volatile and self.nr_events < self.limit:
                event.index = self.nr_events
                self.nr_events += 1
                self._events.setdefault(tracepoint, {})[values] = event
            return event

    def context(
        self, comm: str, pid: int, tgid: int, cpu: int, flags: int, preempt_count: int
    ) -> Context:
        """The context with these contents: the same object for the same contents."""
        contents = (comm, pid, tgid, cpu, flags, preempt_count)
        context = self._contexts.get(contents)
        if context is None:
            context = Context(comm, pid, tgid, cpu, flags, preempt_count)
            if self.nr_contexts < self.limit:
                context.index = self.nr_contexts
                self.nr_contexts += 1
                self._contexts[contents] = context
        return context


def release_number(release: str) -> Release:
    """``"6.1-rt"`` -> ``(6, 1)``."""
    major, minor = release.split("-")[0].split(".")[:2]
    return int(major), int(minor)
