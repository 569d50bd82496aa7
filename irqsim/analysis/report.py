"""What a log says of who used the CPUs and who waited: one pass, whose memory does not grow.

It does not matter who wrote the log, where it begins, or which events it has: what cannot be
measured is left out.  Times are of the trace clock, in ns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import Factory, define, frozen

from irqsim.analysis.delays import RaiseDelays, ThreadDelays, WakeDelays
from irqsim.analysis.identity import task_name
from irqsim.analysis.measures import MEASURES, Rows
from irqsim.analysis.rates import STORM_PER_SEC, Rates
from irqsim.analysis.stretches import IrqsOff, SoftirqStretches
from irqsim.analysis.timeline import CpuTime, Timeline
from irqsim.events import TRACEPOINTS, Context, Event, Record
from irqsim.records import Lost, TraceHeader

CATEGORIES: Final = ("hardirq", "softirq", "task", "idle", "unseen")

Follower = Callable[[int, Context, Event], None]


@frozen
class Deadline:
    """How a device's deadline was kept; only a simulation knows when the device asked."""

    device: str
    deadline_ns: int
    services: int
    missed: int
    mean_ns: int
    worst_ns: int
    """The longest time from an arrival to the end of its service."""
    worst_at_ns: int
    """When that arrived."""
    on_miss: str


@define
class Report:
    """All that was measured of one log."""

    name: str
    header: TraceHeader
    tables: dict[str, Rows]
    """By their measure's name."""
    rates: Rates
    cpus: dict[int, CpuTime] = Factory(dict)
    nr_records: int = 0
    nr_lost: int = 0
    """At least: where nobody counted, one."""
    first_ns: int = 0
    last_ns: int = 0
    has_switches: bool = False
    deadlines: tuple[Deadline, ...] = ()

    @property
    def span_ns(self) -> int:
        """From the first record to the last."""
        return self.last_ns - self.first_ns

    @property
    def nr_missed(self) -> int:
        """Deadlines that were missed."""
        return sum(each.missed for each in self.deadlines)

    def notes(self) -> list[str]:
        """What one has to know to read the figures."""
        found = []
        header = self.header
        if header.clock == "counts":
            found.append("the trace clock counts: its numbers are no times, and called ns here")
        if not header.has_context:
            found.append("the log does not say on which CPU its events were")
        if not header.has_irq_info:
            found.append("no flag columns: no stretches with interrupts off or of softirqs")
        if not self.has_switches and self.nr_records:
            found.append("no sched_switch: whom a CPU runs is known from the task column only")
        if header.has_overrun:
            found.append("the buffer was overwritten: CPUs begin at different times")
        return found


class Reporter:
    """Measures one log."""

    __slots__ = (
        "_by_tracepoint", "_has_flags", "_irqs_off", "_raises", "_softirqs", "_threads",
        "_timeline", "_wakes", "report",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        header: TraceHeader,
        *,
        per_cpu: bool = False,
        linear: tuple[str, int] | None = None,
        storm_per_sec: int = STORM_PER_SEC,
        by_name: bool = False,
    ) -> None:
        """`per_cpu`: a row for each CPU.  `linear`: a table whose values are counted by
        microseconds as well, and up to how many.  `by_name`: rows that differ in a number
        alone, such as those of all kworkers, are one."""
        rename = task_name if by_name else None
        limits = dict([linear]) if linear else {}
        tables = {
            each.name: Rows(each, per_cpu, limits.get(each.name, 0), rename) for each in MEASURES
        }
        self.report = Report(name, header, tables, Rates(storm_per_sec))
        self._has_flags = header.has_irq_info
        self._timeline = Timeline(tables)
        self._raises = RaiseDelays(tables["raise"])
        self._threads = ThreadDelays(tables["irqthread"])
        self._wakes = WakeDelays(*(tables[name] for name in ("wakeup", "enqueue", "dispatch")))
        self._irqs_off = IrqsOff(tables["irqsoff"])
        self._softirqs = SoftirqStretches(tables["bhstretch"])
        followers = (self._raises, self._threads, self._wakes, self.report.rates)
        self._by_tracepoint: list[list[Follower]] = [
            [each.feed for each in followers if tracepoint in each.on]
            for tracepoint in TRACEPOINTS
        ]

    def feed(self, record: Record) -> None:
        """Take in the next record."""
        time_ns, context, event = record
        report = self.report
        if not report.nr_records:
            report.first_ns = report.last_ns = time_ns
        elif time_ns > report.last_ns:
            report.last_ns = time_ns
        elif time_ns < report.first_ns:
            report.first_ns = time_ns
        report.nr_records += 1
        self._timeline.feed(time_ns, context, event)
        if self._has_flags:
            self._irqs_off.feed(time_ns, context, event)
            self._softirqs.feed(time_ns, context, event)
        self._raises.flags(context)
        for follower in self._by_tracepoint[event.tracepoint.id]:
            follower(time_ns, context, event)

    def lost(self, lost: Lost) -> None:
        """Records are missing here."""
        self.report.nr_lost += lost.nr or 1
        self._timeline.lost(lost.cpu, lost.nr or 1)
        for each in (self._raises, self._threads, self._wakes, self._irqs_off, self._softirqs,
                     self.report.rates):  # fmt: skip
            each.lost(lost.cpu)

    def finish(self) -> Report:
        """End the log."""
        report = self.report
        is_whole = not report.nr_lost and not report.header.has_overrun
        self._timeline.finish(report.first_ns, report.last_ns, is_whole)
        self._irqs_off.finish()
        self._softirqs.finish()
        report.rates.finish()
        report.cpus = {cpu: self._timeline.cpus[cpu] for cpu in sorted(self._timeline.cpus)}
        report.has_switches = self._timeline.has_switches
        return report


