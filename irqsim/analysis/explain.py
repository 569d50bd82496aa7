"""Why somebody was served late: what had the CPU meanwhile, moment by moment.

A wait goes from when something was wanted to when it began: an interrupt from its arrival,
which only a scenario knows, to its handler, and on to the handler's thread if it has one; a
softirq from its raise to its run; a thread from its waking to its run.  On the CPU where it
began each moment of the wait belongs to somebody (irqsim.analysis.timeline), and so to one of
the categories that `rtla timerlat` has.  They add up to the wait.

Source: tools/tracing/rtla, timerlat's auto-analysis (its categories).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from attrs import evolve, frozen

from irqsim.analysis.measures import MEASURES, NOBODY, Rows
from irqsim.analysis.timeline import SOFT_LEVEL, UNSEEN_PID, CpuTime, Timeline
from irqsim.analysis.timeline import vector_name as vector
from irqsim.events import (
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKEUP_NEW,
    SCHED_WAKING,
    SOFTIRQ_ENTRY,
    SOFTIRQ_RAISE,
    TASK_PREEMPTED,
    TASK_RUNNING,
    Context,
    Event,
    Record,
)
from irqsim.records import Lost

Kind: TypeAlias = Literal["irq", "softirq", "thread"]

SPANS_MAX: Final = 1 << 14
"""Changes of a CPU's owner that are remembered: a wait with more of them is told from there."""

MASKED: Final = "interrupts off or masked"
"""Nothing but that keeps a CPU from taking an interrupt: its own, the GIC's or the line's mask."""

_THREAD: Final = re.compile(r"irq/([0-9]+)-(?!s-)")


@frozen
class Span:
    """A time during which a CPU belonged to one run."""

    start_ns: int
    end_ns: int
    what: str
    """hardirq, softirq, task, idle or unseen."""
    who: str
    line: int
    """Where the log says that it begins."""


@frozen
class Link:
    """A part of a wait: who had the CPU, and in which way that stood in the way."""

    cpu: int
    span: Span
    category: str


@frozen
class Wait:
    """From when something was wanted to when it began."""

    start_ns: int
    end_ns: int
    cpu: int
    """Where it began."""
    line: int
    links: tuple[Link, ...] = ()

    @property
    def delay_ns(self) -> int:
        """How long it took."""
        return self.end_ns - self.start_ns

    def sums(self) -> dict[str, int]:
        """The time of each category; together they are the delay."""
        found: dict[str, int] = {}
        for link in self.links:
            length_ns = link.span.end_ns - link.span.start_ns
            found[link.category] = found.get(link.category, 0) + length_ns
        return found


class Trail:
    """Whom each CPU belonged to of late."""

    __slots__ = ("_lines", "_spans", "_timeline", "_who")

    def __init__(self) -> None:
        self._timeline = Timeline({each.name: Rows(each) for each in MEASURES})
        self._spans: dict[int, deque[Span]] = {}
        self._who: dict[int, tuple[str, str]] = {}
        self._lines: dict[int, int] = {}

    def feed(self, line: int, record: Record) -> None:
        """Take in the next record."""
        time_ns, context, event = record
        number = context.cpu
        known = self._timeline.cpus.get(number)
        if known is not None:
            what, who = self._who[number]
            if context.pid != known.pid:
                what, who = "unseen", "nobody knows"
            self._add(number, Span(known.last_ns, time_ns, what, who, self._lines[number]))
        cpu = self._timeline.feed(time_ns, context, event)
        now = owner(cpu)
        if now != self._who.get(number):
            self._who[number], self._lines[number] = now, line

    def lost(self, lost: Lost) -> None:
        """Nobody knows what the CPU does from now on."""
        self._timeline.lost(lost.cpu, lost.nr)
        if lost.cpu in self._who:
            self._who[lost.cpu] = "unseen", "nobody knows"

    def between(self, cpu: int, start_ns: int, end_ns: int) -> list[Span]:
        """The spans of a CPU from one time to another, without a gap."""
        found: list[Span] = []
        if end_ns <= start_ns:
            return found
        for span in reversed(self._spans.get(cpu, ())):
            if span.end_ns <= start_ns:
                break
            if span.start_ns < end_ns:
                found.append(evolve(span, start_ns=max(span.start_ns, start_ns),
                                    end_ns=min(span.end_ns, end_ns)))  # fmt: skip
        found.reverse()
        first_ns = found[0].start_ns if found else end_ns
        if first_ns > start_ns:
            found.insert(0, Span(start_ns, first_ns, "unseen", "before what the log tells", 0))
        return found

    def _add(self, cpu: int, span: Span) -> None:
        if span.end_ns <= span.start_ns:
            return
        spans = self._spans.setdefault(cpu, deque(maxlen=SPANS_MAX))
        if spans and (spans[-1].who, spans[-1].line) == (span.who, span.line):
            spans[-1] = evolve(spans[-1], end_ns=span.end_ns)
        else:
            spans.append(span)


def owner(cpu: CpuTime) -> tuple[str, str]:
    """To what and to whom a CPU belongs now."""
    what = cpu.category()
    if cpu.runs and cpu.runs[-1].level >= SOFT_LEVEL:
        run = cpu.runs[-1]
        number = "" if run.number == NOBODY or run.kind.name != "irq" else f" {run.number}"
        return what, f"{run.kind.name}{number} {run.label}"
    if cpu.pid == UNSEEN_PID:
        return what, "nobody knows"
    return what, f"{cpu.comm}-{cpu.pid}" if cpu.pid else "idle"


class Explainer:
    """Finds the longest waits of one kind in a log."""

    __slots__ = ("_arrivals", "_entry_ns", "_kind", "_name", "_next_ns", "_open", "_trail",
                 "_wanted", "_woken", "nr_waits", "top", "worst")  # fmt: skip

    def __init__(
        self,
        kind: Kind,
        name: str,
        *,
        arrivals: Iterator[int] | None = None,
        entry_ns: int = 0,
        top: int = 1,
    ) -> None:
        """`arrivals` of the interrupt, ascending, by the trace clock; None: nobody knows.
        `entry_ns`: what it takes from the signal to the handler at the least."""
        self._kind = kind
        self._name = name
        self._arrivals = arrivals
        self._next_ns = None if arrivals is None else next(arrivals, None)
        self._entry_ns = entry_ns
        self._trail = Trail()
        self._wanted: dict[int, tuple[int, int]] = {}
        """By irq, vec or pid: since when it is wanted, and on which CPU that was."""
        self._open: dict[int, Wait] = {}
        """By irq: handlers that have begun, and whose thread has not."""
        self._woken: dict[int, bool] = {}
        """By pid: its wake-up is complete."""
        self.top = top
        self.nr_waits = 0
        self.worst: list[Wait] = []

    def feed(self, line: int, record: Record) -> None:
        """Take in the next record, and the number of its line."""
        self._trail.feed(line, record)
        time_ns, context, event = record
        if self._kind == "irq":
            self._irq(line, time_ns, context, event)
        elif self._kind == "softirq":
            self._softirq(line, time_ns, context, event)
        else:
            self._thread(line, time_ns, context, event)

    def lost(self, lost: Lost) -> None:
        """Records are missing here: what was open may have gone on."""
        self._trail.lost(lost)
        self._wanted.clear()
        self._open.clear()
        self._woken.clear()

    def finish(self) -> list[Wait]:
        """End the log; returns the longest waits, the longest first."""
        for wait in self._open.values():
            self._note(wait)
        self._open.clear()
        return self.worst

    # -- what is waited for --------------------------------------------------------------

    def _irq(self, line: int, time_ns: int, context: Context, event: Event) -> None:
        values = event.values
        if event.tracepoint is IRQ_HANDLER_ENTRY and values[1] == self._name:
            irq = values[0]
            assert isinstance(irq, int)
            if irq in self._open:
                self._note(self._open.pop(irq))
            start_ns = self._arrived(time_ns)
            if start_ns is not None:
                wait = Wait(start_ns, time_ns, context.cpu, line)
                self._open[irq] = evolve(wait, links=tuple(self._to_handler(wait)))
        elif event.tracepoint is IRQ_HANDLER_EXIT and values[0] in self._open:
            irq = values[0]
            assert isinstance(irq, int)
            self._wanted[irq] = time_ns, context.cpu
        elif event.tracepoint is SCHED_SWITCH:
            found = _THREAD.match(str(values[4]))
            if found and int(found[1]) in self._open and int(found[1]) in self._wanted:
                irq = int(found[1])
                self._note(self._with_thread(line, irq, time_ns, context.cpu))

    def _arrived(self, time_ns: int) -> int | None:
        """When the interrupt that is served now was wanted first; None: it was not."""
        if self._arrivals is None:
            return time_ns
        first_ns = self._next_ns
        if first_ns is None or first_ns > time_ns:
            return None
        while self._next_ns is not None and self._next_ns <= time_ns:
            self._next_ns = next(self._arrivals, None)
        return first_ns

    def _to_handler(self, wait: Wait) -> Iterator[Link]:
        """What kept an interrupt from being taken."""
        entry_ns = max(wait.start_ns, wait.end_ns - self._entry_ns)
        for span in self._trail.between(wait.cpu, wait.start_ns, entry_ns):
            category = {"hardirq": "interrupts", "unseen": "unseen"}.get(span.what, MASKED)
            yield Link(wait.cpu, span, category)
        if entry_ns < wait.end_ns:
            span = Span(entry_ns, wait.end_ns, "hardirq", "the entry of the interrupt", wait.line)
            yield Link(wait.cpu, span, "interrupt entry")

    def _with_thread(self, line: int, irq: int, time_ns: int, cpu: int) -> Wait:
        """The wait up to the thread, which runs from now on."""
        wait = self._open.pop(irq)
        exit_ns, handler_cpu = self._wanted.pop(irq)
        links = list(wait.links)
        for span in self._trail.between(handler_cpu, wait.end_ns, exit_ns):
            category = "own handler" if span.who == f"irq {irq} {self._name}" else _blocks(span)
            links.append(Link(handler_cpu, span, category))
        links += [
            Link(cpu, span, _blocks(span)) for span in self._trail.between(cpu, exit_ns, time_ns)
        ]
        return Wait(wait.start_ns, time_ns, cpu, line, tuple(links))

    def _softirq(self, line: int, time_ns: int, context: Context, event: Event) -> None:
        if event.tracepoint not in (SOFTIRQ_RAISE, SOFTIRQ_ENTRY):
            return
        if vector(event.values[0]) != self._name:
            return
        if event.tracepoint is SOFTIRQ_RAISE:
            self._wanted.setdefault(context.cpu, (time_ns, context.cpu))
            return
        raised = self._wanted.pop(context.cpu, None)
        if raised is not None:
            self._close(raised[0], time_ns, context.cpu, line)

    def _thread(self, line: int, time_ns: int, context: Context, event: Event) -> None:
        values = event.values
        if event.tracepoint in (SCHED_WAKING, SCHED_WAKEUP, SCHED_WAKEUP_NEW):
            pid = values[1]
            if values[0] == self._name and isinstance(pid, int):
                self._wanted.setdefault(pid, (time_ns, context.cpu))
                if event.tracepoint is not SCHED_WAKING:
                    self._woken[pid] = True
        elif event.tracepoint is SCHED_SWITCH:
            left, pid = values[1], values[5]
            assert isinstance(pid, int) and isinstance(left, int)
            self._woken.pop(pid, None)
            woken = self._wanted.pop(pid, None)
            if woken is not None:
                self._close(woken[0], time_ns, context.cpu, line)
            state = values[3]
            assert isinstance(state, int)
            if self._woken.pop(left, False) or state & ~TASK_PREEMPTED == TASK_RUNNING:
                # It was woken before it slept, and went on.
                self._wanted.pop(left, None)

    def _close(self, start_ns: int, end_ns: int, cpu: int, line: int) -> None:
        spans = self._trail.between(cpu, start_ns, end_ns)
        links = tuple(Link(cpu, span, _blocks(span)) for span in spans)
        self._note(Wait(start_ns, end_ns, cpu, line, links))

    def _note(self, wait: Wait) -> None:
        self.nr_waits += 1
        self.worst.append(wait)
        self.worst.sort(key=lambda each: (-each.delay_ns, each.start_ns))
        del self.worst[self.top :]


def _blocks(span: Span) -> str:
    """How what has the CPU stands in the way of a softirq or a thread."""
    return {
        "hardirq": "interrupts", "softirq": "softirqs", "task": "blocking threads",
        "idle": "leaving idle",
    }.get(span.what, "unseen")  # fmt: skip
