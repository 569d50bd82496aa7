"""The longest times with interrupts off, and with softirqs on, as far as a log shows them.

A log shows the flags at its records and nothing of what is between them.  A stretch is
therefore from the first to the last of records that belong together for certain, and the real
one was at least as long:

- with interrupts off: the records of one handler, of the actions of a shared line that come
  one after the other, and of the waking of their threads; the two of any one wake-up; and what
  is between irq_disable and irq_enable, where these are traced;
- softirqs: the records of one turn, from its first to its last, without one between them that
  lacks the softirq flag.  What interrupts the turn is part of it.

Source: kernel/irq/handle.c: __handle_irq_event_percpu; kernel/sched/core.c: try_to_wake_up
(p->pi_lock is held); include/trace/events/preemptirq.h; kernel/softirq.c: handle_softirqs.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.measures import NOBODY, Rows
from irqsim.events import (
    IPI_ENTRY,
    IPI_EXIT,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    IRQS_OFF,
    NMI,
    SCHED_WAKEUP,
    SCHED_WAKING,
    SOFTIRQ,
    UNKNOWN,
    Context,
    Event,
    Value,
)

IRQ_DISABLE: Final = "irq_disable"
IRQ_ENABLE: Final = "irq_enable"


class _Open:
    """The present stretch of a CPU with interrupts off."""

    __slots__ = ("actions", "depth", "first_ns", "irq", "is_ipi", "is_open", "is_told", "last_ns",
                 "pid")  # fmt: skip

    def __init__(self) -> None:
        self.is_open = False
        self.first_ns = self.last_ns = 0
        self.depth = 0
        """Handlers that run: one, or an NMI's on top of it."""
        self.is_ipi = False
        """An IPI outside of any handler is being served."""
        self.irq: Value = None
        """Of the last handler, while nothing but the line's actions and threads has come since."""
        self.actions: list[Value] = []
        """Of this line, those that have run."""
        self.pid: Value = None
        """Who is being woken."""
        self.is_told = False
        """It began with irq_disable: it ends with irq_enable and not before."""


class IrqsOff:
    """Stretches with interrupts off."""

    __slots__ = ("_cpus", "_rows")

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._cpus: dict[int, _Open] = {}

    def feed(self, time_ns: int, context: Context, event: Event) -> None:
        """Take in the next record."""
        cpu = self._cpus.get(context.cpu)
        if cpu is None:
            cpu = self._cpus[context.cpu] = _Open()
        tracepoint = event.tracepoint
        if tracepoint is UNKNOWN and event.values[0] in (IRQ_DISABLE, IRQ_ENABLE):
            self._told(cpu, context.cpu, time_ns, event.values[0] == IRQ_DISABLE)
        if cpu.is_told:
            cpu.last_ns = time_ns
            return
        if not context.flags & IRQS_OFF:
            if cpu.is_open:
                self._end(cpu, context.cpu)
            return
        if not cpu.is_open or not _goes_on(cpu, event):
            self._end(cpu, context.cpu)
            cpu.is_open = True
            cpu.first_ns = time_ns
        cpu.last_ns = time_ns
        _note(cpu, event)

    def lost(self, cpu: int) -> None:
        """End what is open: nobody knows what came next."""
        if (open_ := self._cpus.pop(cpu, None)) is not None and not open_.is_told:
            self._end(open_, cpu)

    def finish(self) -> None:
        """End the log."""
        for number, cpu in self._cpus.items():
            self._end(cpu, number)

    def _told(self, cpu: _Open, number: int, time_ns: int, is_off: bool) -> None:
        if is_off and not cpu.is_told:
            self._end(cpu, number)
            cpu.is_told = cpu.is_open = True
            cpu.first_ns = time_ns
        elif not is_off and cpu.is_told:
            cpu.last_ns = time_ns
            self._end(cpu, number)

    def _end(self, cpu: _Open, number: int) -> None:
        if cpu.is_open and cpu.last_ns > cpu.first_ns:
            stretch_ns = cpu.last_ns - cpu.first_ns
            self._rows.add(f"CPU {number}", NOBODY, number, stretch_ns, cpu.first_ns)
        cpu.is_open = cpu.is_told = False
        cpu.is_ipi = False
        cpu.depth = 0
        cpu.irq = cpu.pid = None
        cpu.actions = []


def _goes_on(cpu: _Open, event: Event) -> bool:
    """Whether interrupts were off since the record before, for certain."""
    tracepoint, values = event.tracepoint, event.values
    if cpu.depth or cpu.is_ipi:
        return True
    if tracepoint is IRQ_HANDLER_ENTRY:
        return cpu.irq == values[0] and values[1] not in cpu.actions
    if tracepoint is SCHED_WAKEUP:
        return cpu.pid == values[1]
    if tracepoint is SCHED_WAKING:
        return cpu.irq is not None and str(values[0]).startswith(f"irq/{cpu.irq}-")
    return False


def _note(cpu: _Open, event: Event) -> None:
    """Remember what the next record may belong to."""
    tracepoint, values = event.tracepoint, event.values
    cpu.pid = values[1] if tracepoint is SCHED_WAKING else None
    if tracepoint is IRQ_HANDLER_ENTRY:
        if cpu.irq != values[0]:
            cpu.actions = []
        cpu.irq = values[0]
        cpu.actions.append(values[1])
        cpu.depth += 1
    elif tracepoint is IRQ_HANDLER_EXIT:
        cpu.depth = max(0, cpu.depth - 1)
    elif tracepoint is IPI_ENTRY and not cpu.depth:
        cpu.is_ipi = True
    elif tracepoint is IPI_EXIT:
        cpu.is_ipi = False


class _Turn:
    """The present turn of a CPU."""

    __slots__ = ("first_ns", "is_open", "last_ns")

    def __init__(self) -> None:
        self.is_open = False
        self.first_ns = self.last_ns = 0


class SoftirqStretches:
    """Stretches of softirqs."""

    __slots__ = ("_cpus", "_rows")

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._cpus: dict[int, _Turn] = {}

    def feed(self, time_ns: int, context: Context, event: Event) -> None:
        """Take in the next record."""
        cpu = self._cpus.get(context.cpu)
        if cpu is None:
            cpu = self._cpus[context.cpu] = _Turn()
        if context.flags & NMI:
            # Its letter hides what it came upon.
            return
        if not context.flags & SOFTIRQ:
            if cpu.is_open:
                self._end(cpu, context.cpu)
            return
        if not cpu.is_open:
            cpu.is_open = True
            cpu.first_ns = time_ns
        cpu.last_ns = time_ns

    def lost(self, cpu: int) -> None:
        """End what is open."""
        if (open_ := self._cpus.pop(cpu, None)) is not None:
            self._end(open_, cpu)

    def finish(self) -> None:
        """End the log."""
        for number, cpu in self._cpus.items():
            self._end(cpu, number)

    def _end(self, cpu: _Turn, number: int) -> None:
        if cpu.is_open and cpu.last_ns > cpu.first_ns:
            stretch_ns = cpu.last_ns - cpu.first_ns
            self._rows.add(f"CPU {number}", NOBODY, number, stretch_ns, cpu.first_ns)
        cpu.is_open = False
