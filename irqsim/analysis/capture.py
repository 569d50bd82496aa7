"""A capture, read whole: its records in each CPU's order, and what its lines and threads are.

Times of a log are often whole microseconds; two records of a CPU that carry the same time are
set apart by a nanosecond, so that their order is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from statistics import median
from typing import Final

from attrs import define, field

from irqsim.events import (
    BH_OFF,
    FUNCTION,
    HARDIRQ,
    IPI_ENTRY,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    IRQS_OFF,
    KERNEL_STACK,
    SCHED_SWITCH,
    SOFTIRQ,
    UNKNOWN,
    Event,
    Record,
)
from irqsim.records import Lost, TraceHeader

IPI: Final = "IPI"
TIMER: Final = "arch_timer"
THREAD: Final = re.compile(r"irq/([0-9]+)-(s-)?(.*)")
KSOFTIRQD: Final = re.compile(r"ksoftirqd/([0-9]+)")
_FORCED: Final = IRQS_OFF | BH_OFF
"""Of a task: it runs a handler that was forced into a thread."""
_TRACERS: Final = (FUNCTION, KERNEL_STACK)
_HZ: Final = (100, 250, 300, 1000)
_PHASE_NS: Final = 50_000
_WIDTH: Final = 8
"""A tick is late by less than so many times _PHASE_NS, mostly."""
QUICK_NS: Final = 3_000
"""A handler that is shorter does nothing but wake its thread."""

ARM_REASONS: Final = (
    "CPU wakeup interrupts",
    "Timer broadcast interrupts",
    "Rescheduling interrupts",
    "Function call interrupts",
    "CPU stop interrupts",
    "IRQ work interrupts",
    "completion interrupts",
)
ARM64_REASONS: Final = (
    "Rescheduling interrupts",
    "Function call interrupts",
    "CPU stop interrupts",
    "CPU stop (for crash dump) interrupts",
    "Timer broadcast interrupts",
    "IRQ work interrupts",
    "CPU wake-up interrupts",
)
"""By number.  Source: ipi_types[] of arch/arm/kernel/smp.c and arch/arm64/kernel/smp.c."""


@define
class LineFacts:
    """What the log as a whole says of an interrupt line."""

    irq: int
    names: list[str] = field(factory=list)
    """Of its actions, in the order in which they are called."""
    durations: dict[str, list[int]] = field(factory=dict)
    """From entry to exit, in ns, by name."""
    threads: list[int] = field(factory=list)
    """The pids of its threads, but for secondary ones."""
    secondary: list[int] = field(factory=list)
    is_percpu: bool = False
    """It is served on several CPUs at once: each has its own."""
    is_forced: bool = False
    """Its threads run with interrupts off: handlers that were forced into them."""

    def is_default(self, name: str) -> bool:
        """Whether the action's handler is the kernel's own, which only wakes the thread."""
        if not self.threads:
            return False
        return self.is_forced or median(self.durations.get(name) or [0]) < QUICK_NS


@define
class Capture:
    """A log with what must be known of it before it is taken apart."""

    name: str
    header: TraceHeader
    records: list[Record]
    nr_lost: int
    nr_tracer: int
    """Records of functions and stacks, which are left out."""
    lines: dict[int, LineFacts]
    events: list[str]
    """The names of the events that are in it, in the order of their first records."""
    thread_of: dict[int, tuple[int, str, bool]]
    """By pid: the line, the action and whether it is a secondary thread."""
    arch: str
    first_ipi: int
    """The interrupt number of IPI 0."""
    nr_cpus: int

    @property
    def start_ns(self) -> int:
        return self.records[0][0] if self.records else 0

    @property
    def reasons(self) -> tuple[str, ...]:
        return ARM_REASONS if self.arch == "arm" else ARM64_REASONS

    @property
    def release(self) -> str:
        """The release, as far as events and columns tell."""
        return "6.12" if self.has("ipi_send_cpu") else self.header.layout.split("-")[0]

    def has(self, event: str) -> bool:
        """Whether the log has such events at all."""
        return event in self.events

    @property
    def is_threaded(self) -> bool:
        """Whether the kernel ran with `threadirqs`, as far as it can be seen."""
        return any(line.secondary or line.is_forced for line in self.lines.values())


def read_capture(name: str, header: TraceHeader, items: Iterable[Record | Lost]) -> Capture:
    """Take in a whole log."""
    records: list[Record] = []
    last_ns: dict[int, int] = {}
    nr_lost = nr_tracer = 0
    for item in items:
        if isinstance(item, Lost):
            nr_lost += max(item.nr, 1)
            continue
        time_ns, context, event = item
        if event.tracepoint in _TRACERS or (event.tracepoint is UNKNOWN and not _is_event(event)):
            nr_tracer += 1
            continue
        time_ns = max(time_ns, last_ns.get(context.cpu, -1) + 1)
        last_ns[context.cpu] = time_ns
        records.append((time_ns, context, event))
    records.sort(key=lambda record: record[0])
    lines = _survey(records)
    arch, first_ipi = _ipis(records, lines)
    return Capture(
        name,
        header,
        records,
        nr_lost,
        nr_tracer,
        lines,
        list(dict.fromkeys(event_name(record) for record in records)),
        _threads(records, lines),
        arch,
        first_ipi,
        max((header.nr_cpus or 1, *(record[1].cpu + 1 for record in records))),
    )


def _is_event(event: Event) -> bool:
    """Whether something that is not declared here is one line of an event all the same."""
    name, text = str(event.values[0]), str(event.values[1])
    return name.isidentifier() and text.isprintable()


def event_name(record: Record) -> str:
    """The name of a record's event, declared or not."""
    event = record[2]
    return str(event.values[0]) if event.tracepoint is UNKNOWN else event.tracepoint.name


def _survey(records: list[Record]) -> dict[int, LineFacts]:
    lines: dict[int, LineFacts] = {}
    open_on: dict[int, list[tuple[int, int, str]]] = {}
    for time_ns, context, event in records:
        if event.tracepoint is IRQ_HANDLER_ENTRY:
            irq, name = event.values
            assert isinstance(irq, int)
            line = lines.setdefault(irq, LineFacts(irq))
            line.is_percpu = line.is_percpu or name == TIMER or any(
                entry[0] == irq for cpu, stack in open_on.items() if cpu != context.cpu
                for entry in stack
            )
            if name not in line.names:
                line.names.append(str(name))
            open_on.setdefault(context.cpu, []).append((irq, time_ns, str(name)))
        elif event.tracepoint is IRQ_HANDLER_EXIT:
            stack = open_on.get(context.cpu)
            if stack and stack[-1][0] == event.values[0]:
                irq, began_ns, name = stack.pop()
                lines[irq].durations.setdefault(name, []).append(time_ns - began_ns)
    return lines


def _ipis(records: list[Record], lines: dict[int, LineFacts]) -> tuple[str, int]:
    """Architecture, and the number of the interrupt that is IPI 0.

    What the reasons and the numbers of IPIs say; arm64 numbers them from 1, arm from 16.
    """
    irqs = sorted(irq for irq, line in lines.items() if line.names == [IPI])
    arch = "arm" if irqs and irqs[0] >= 16 else "arm64"
    inside: dict[int, int] = {}
    for _, context, event in records:
        if event.tracepoint is IRQ_HANDLER_ENTRY:
            inside[context.cpu] = int(str(event.values[0]))
        elif event.tracepoint is IPI_ENTRY and context.cpu in inside:
            reason = str(event.values[0])
            if inside[context.cpu] in irqs:
                reasons = ARM_REASONS if arch == "arm" else ARM64_REASONS
                if reason in reasons:
                    return arch, inside[context.cpu] - reasons.index(reason)
    return arch, 16 if arch == "arm" else 1


def _threads(
    records: list[Record], lines: dict[int, LineFacts]
) -> dict[int, tuple[int, str, bool]]:
    """The interrupt threads that ran: of equals on a line, the first made is the first action's."""
    comms: dict[int, str] = {}
    for _, context, event in records:
        if event.tracepoint is SCHED_SWITCH:
            comms[int(str(event["next_pid"]))] = str(event["next_comm"])
        comms.setdefault(context.pid, context.comm)
        match = THREAD.fullmatch(context.comm)
        if match is not None and context.flags & _FORCED == _FORCED:
            line = lines.get(int(match[1]))
            if line is not None and not context.flags & (HARDIRQ | SOFTIRQ):
                line.is_forced = True
    threads: dict[int, tuple[int, str, bool]] = {}
    for pid in sorted(comms):
        match = THREAD.fullmatch(comms[pid])
        line = lines.get(int(match[1])) if match is not None else None
        if match is None or line is None:
            continue
        (line.secondary if match[2] else line.threads).append(pid)
        cut = match[3]
        names = [name for name in line.names if name.startswith(cut)] or line.names
        taken = [threads[other][1] for other in line.threads + line.secondary if other in threads
                 and threads[other][2] is bool(match[2])]
        free = [name for name in names if name not in taken] or names
        threads[pid] = (line.irq, free[0], bool(match[2]))
    for line in lines.values():
        line.is_forced = line.is_forced or bool(line.secondary)
    return threads



def tick_of(records: list[Record]) -> tuple[int, int]:
    """HZ, and the trace clock at some tick, in ns: where most of the timer's interrupts are.

    Ticks of all CPUs fall on one grid, and whatever else the timer is for falls anywhere.
    """
    times = [
        time_ns for time_ns, _, event in records
        if event.tracepoint is IRQ_HANDLER_ENTRY and event.values[1] == TIMER
    ]
    best = (0, _HZ[1], times[0] if times else 0)
    for hz in _HZ:
        tick_ns = 1_000_000_000 // hz
        bins: dict[int, int] = {}
        for time_ns in times:
            phase = time_ns % tick_ns // _PHASE_NS
            bins[phase] = bins.get(phase, 0) + 1
        nr_bins = -(-tick_ns // _PHASE_NS)
        sums = {phase: sum(bins.get((phase + i) % nr_bins, 0) for i in range(_WIDTH))
                for phase in bins}
        phase = max(sums, key=lambda each: (sums[each], bins[each], -each), default=0)
        nr_ticks = sums.get(phase, 0)
        # A grid that is four times as fine has all of them too, and more besides.
        if nr_ticks * 2 > best[0] * 3:
            best = (nr_ticks, hz, phase * _PHASE_NS)
    return best[1:]
