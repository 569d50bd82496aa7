"""What a report measures: every table declared once, and how its rows are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from attrs import frozen

from irqsim.analysis.distribution import Distribution, LinearHistogram

NOBODY: Final = -1
"""In a key: no number, or all CPUs together."""
ROWS_MAX: Final = 1 << 14
"""Rows that a table keeps; whatever comes later is counted in one row for all."""
OTHERS: Final = "(others)"

Key: TypeAlias = tuple[str, int, int]
"""A name, a number (irq, vec, pid; or NOBODY) and a CPU (or NOBODY)."""
Number: TypeAlias = Literal["irq", "vec", "pid", ""]


@frozen
class Measure:
    """A table of durations."""

    name: str
    """As it begins its lines, and as `--table` names it."""
    what: str
    number: Number = ""
    """What the number of a row is."""
    is_run: bool = False
    """Time of the CPU that somebody used, and not time that somebody waited."""
    is_detail: bool = False
    """Printed only if it is asked for."""


MEASURES: Final[tuple[Measure, ...]] = (
    Measure("irq", "handlers: irq_handler_entry to irq_handler_exit", "irq", is_run=True),
    Measure("ipi", "inter-processor interrupts: ipi_entry to ipi_exit, within irq's IPI rows",
            is_run=True),
    Measure("softirq", "vectors: softirq_entry to softirq_exit", "vec", is_run=True),
    Measure("tasklet", "tasklets, within their vectors", is_run=True),
    Measure("timer", "functions of timers, within vector TIMER", is_run=True),
    Measure("hrtimer", "functions of hrtimers, within handlers or vector HRTIMER", is_run=True),
    Measure("work", "works, within their kworkers", is_run=True),
    Measure("thread", "tasks: from one sched_switch to the next", "pid", is_run=True),
    Measure("raise", "delay from softirq_raise, the first that the run answers, to softirq_entry",
            "vec"),
    Measure("irqthread", "delay from the end of the handler to the start of its thread", "pid"),
    Measure("wakeup", "delay from sched_waking (or sched_wakeup) until the task runs", "pid"),
    Measure("enqueue", "the part of it from sched_waking to sched_wakeup", "pid",
            is_detail=True),
    Measure("dispatch", "the part of it from sched_wakeup until the task runs", "pid",
            is_detail=True),
    Measure("irqsoff", "stretches with interrupts off, as far as the log shows them"),
    Measure("bhstretch", "stretches of softirqs with all that interrupts them"),
)  # fmt: skip

MEASURE_NAMED: Final[dict[str, Measure]] = {each.name: each for each in MEASURES}


class Rows:
    """The rows of one table."""

    __slots__ = ("_linear_us", "_per_cpu", "_rename", "_renamed", "by_key", "measure")

    def __init__(
        self,
        measure: Measure,
        per_cpu: bool = False,
        linear_us: int = 0,
        rename: Callable[[str], str] | None = None,
    ) -> None:
        """`linear_us`: besides, count in microseconds up to this limit.  `rename`: tell rows
        by what this makes of their names, and not by their numbers."""
        self.measure = measure
        self._rename = rename
        self._renamed: dict[str, str] = {}
        self.by_key: dict[Key, Distribution] = {}
        self._per_cpu = per_cpu
        self._linear_us = linear_us

    def add(self, name: str, number: int, cpu: int, value_ns: int, at_ns: int) -> None:
        """Count a duration that began at a time, on a CPU."""
        if self._rename is not None:
            known = self._renamed.get(name)
            if known is None:
                known = self._rename(name)
                if len(self._renamed) < ROWS_MAX:
                    self._renamed[name] = known
            name, number = known, NOBODY
        key = (name, number, cpu if self._per_cpu else NOBODY)
        row = self.by_key.get(key)
        if row is None:
            row = self._new(key)
        row.add(value_ns, at_ns)

    def in_order(self) -> list[tuple[Key, Distribution]]:
        """The rows: who used the most, or waited the longest, first."""
        if self.measure.is_run:
            return sorted(self.by_key.items(), key=lambda row: (-row[1].total, row[0]))
        return sorted(self.by_key.items(), key=lambda row: (-row[1].max, row[0]))

    def _new(self, key: Key) -> Distribution:
        if len(self.by_key) >= ROWS_MAX:
            key = (OTHERS, NOBODY, NOBODY)
        linear = LinearHistogram(self._linear_us) if self._linear_us else None
        return self.by_key.setdefault(key, Distribution(linear))
