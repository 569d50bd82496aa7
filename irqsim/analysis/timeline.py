"""Who has each CPU at each moment, as far as a log shows it.

Interrupts come on top of softirqs, and both on top of tasks: on each CPU there is a stack of
runs, and each moment belongs to the run on top.  The time of a run is its own: what lands on
it from above - an NMI on a handler, an interrupt on a softirq, either on a task, another task
in the middle of a work - is taken off.  What belongs to it is not: a tasklet is part of its
vector, and the softirqs that ksoftirqd serves are what ksoftirqd does.

Runs of tasks, and on PREEMPT_RT softirqs too, are put aside with their task when it is
switched away from, and go on where it runs again.  Where a log begins in the middle, or lost
records, an end without a beginning is counted as partial and measures nothing.

Source: kernel/sched/cputime.c: irqtime_account_irq (what ksoftirqd does is its own);
kernel/softirq.c, kernel/irq/handle.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

from irqsim.analysis.measures import NOBODY, Rows
from irqsim.events import (
    HRTIMER_EXPIRE_ENTRY,
    HRTIMER_EXPIRE_EXIT,
    IPI_ENTRY,
    IPI_EXIT,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    NMI,
    SCHED_SWITCH,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    TASKLET_ENTRY,
    TASKLET_EXIT,
    TIMER_EXPIRE_ENTRY,
    TIMER_EXPIRE_EXIT,
    TRACEPOINTS,
    WORKQUEUE_EXECUTE_END,
    WORKQUEUE_EXECUTE_START,
    Context,
    Event,
    Tracepoint,
    Value,
)
from irqsim.units import SOFTIRQ_NAMES

# What may interrupt what: the higher the lower.
TASK_LEVEL: Final = 0
SOFT_LEVEL: Final = 1
HARD_LEVEL: Final = 2
NMI_LEVEL: Final = 3

UNSEEN_PID: Final = -2
"""Nobody knows who runs."""

SERVANTS: Final = ("ksoftirqd/", "ktimers/")
"""Threads whose softirqs are their own work."""

DEPTH_MAX: Final = 64
"""Runs on one stack; more than a kernel can nest."""


@frozen
class RunKind:
    """A kind of run: the tracepoints at its ends, and how it is called."""

    name: str
    """That of its table."""
    entry: Tracepoint
    exit: Tracepoint
    level: int
    label: Callable[[Event], str]
    key: int = 0
    """The position of the value that both ends share."""
    number: int = NOBODY
    """The position of the number of its row; NOBODY: it has none."""
    is_outermost: bool = False
    """Never within another one of its level."""


def symbol(value: Value) -> str:
    """A function's name, or its address where the log has no name."""
    return f"{value:#x}" if isinstance(value, int) else str(value)


def vector_name(value: Value) -> str:
    """NET_RX of 3."""
    assert isinstance(value, int)
    return SOFTIRQ_NAMES[value] if 0 <= value < len(SOFTIRQ_NAMES) else str(value)


def _last(event: Event) -> str:
    return symbol(event.values[-1])


def _second(event: Event) -> str:
    return symbol(event.values[1])


RUN_KINDS: Final[tuple[RunKind, ...]] = (
    RunKind("irq", IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT, HARD_LEVEL,
            lambda event: str(event.values[1]), number=0, is_outermost=True),
    RunKind("ipi", IPI_ENTRY, IPI_EXIT, HARD_LEVEL, lambda event: str(event.values[0])),
    RunKind("softirq", SOFTIRQ_ENTRY, SOFTIRQ_EXIT, SOFT_LEVEL,
            lambda event: vector_name(event.values[0]), number=0, is_outermost=True),
    RunKind("tasklet", TASKLET_ENTRY, TASKLET_EXIT, SOFT_LEVEL, _second),
    RunKind("timer", TIMER_EXPIRE_ENTRY, TIMER_EXPIRE_EXIT, SOFT_LEVEL,
            lambda event: symbol(event["function"])),
    RunKind("hrtimer", HRTIMER_EXPIRE_ENTRY, HRTIMER_EXPIRE_EXIT, SOFT_LEVEL, _last),
    RunKind("work", WORKQUEUE_EXECUTE_START, WORKQUEUE_EXECUTE_END, TASK_LEVEL, _second),
)  # fmt: skip


class Run:
    """Something that has begun."""

    __slots__ = ("is_own", "key", "kind", "label", "level", "number", "start_ns", "stolen_ns")

    def __init__(
        self, kind: RunKind, event: Event, level: int, is_own: bool, time_ns: int
    ) -> None:
        self.kind = kind
        self.key = event.values[kind.key]
        self.label = kind.label(event)
        number = NOBODY if kind.number == NOBODY else event.values[kind.number]
        self.number = number if isinstance(number, int) else NOBODY
        self.level = level
        self.is_own = is_own
        """Part of what it runs on, and not an interruption of it."""
        self.start_ns = time_ns
        self.stolen_ns = 0
        """What of the time since was not its own."""


class CpuTime:
    """What runs on one CPU, and where its time has gone."""

    __slots__ = (
        "comm", "first_ns", "first_pid", "last_ns", "nr_lost", "nr_partial", "nr_records", "pid",
        "runs", "start_ns", "starts_inside", "stolen_ns", "times",
    )  # fmt: skip

    def __init__(self, time_ns: int) -> None:
        self.runs: list[Run] = []
        self.pid = UNSEEN_PID
        self.comm = ""
        self.start_ns: int | None = None
        """When the task was switched to, if that was seen."""
        self.stolen_ns = 0
        self.first_ns = self.last_ns = time_ns
        self.first_pid = UNSEEN_PID
        self.starts_inside = False
        """Its first record is the end of something."""
        self.times = {"hardirq": 0, "softirq": 0, "task": 0, "idle": 0, "unseen": 0}
        self.nr_records = self.nr_lost = self.nr_partial = 0

    def category(self) -> str:
        """To whom the present moment belongs."""
        if self.runs:
            level = self.runs[-1].level
            if level >= HARD_LEVEL:
                return "hardirq"
            if level == SOFT_LEVEL:
                return "softirq"
        return category_of(self.pid)


def category_of(pid: int) -> str:
    """To what a task's time belongs."""
    if pid == UNSEEN_PID:
        return "unseen"
    return "task" if pid else "idle"


class Timeline:
    """Follows one log, and fills the tables of runs."""

    __slots__ = ("_aside", "_roles", "_rows", "cpus", "has_switches")

    def __init__(self, tables: dict[str, Rows]) -> None:
        self._rows = tables
        self.cpus: dict[int, CpuTime] = {}
        self.has_switches = False
        self._aside: dict[int | tuple[int, int], tuple[list[Run], int]] = {}
        """Runs of tasks that are not running, and since when, by pid (idle: and CPU)."""
        self._roles: list[tuple[RunKind, bool] | None] = [None] * len(TRACEPOINTS)
        for kind in RUN_KINDS:
            self._roles[kind.entry.id] = (kind, True)
            self._roles[kind.exit.id] = (kind, False)

    def feed(self, time_ns: int, context: Context, event: Event) -> CpuTime:
        """Take in the next record; returns its CPU."""
        cpu = self.cpus.get(context.cpu)
        if cpu is None:
            cpu = self._begin(time_ns, context, event)
        pid = context.pid
        if pid != cpu.pid:
            self._account(cpu, time_ns, "unseen")
            self._switch(cpu, context.cpu, time_ns, pid, context.comm, is_seen=False)
        else:
            self._account(cpu, time_ns, cpu.category())
        cpu.nr_records += 1
        tracepoint = event.tracepoint
        role = self._roles[tracepoint.id]
        if role is not None:
            kind, is_entry = role
            if is_entry:
                self._enter(cpu, kind, time_ns, context, event)
            else:
                self._leave(cpu, kind, time_ns, context, event)
        elif tracepoint is SCHED_SWITCH:
            self.has_switches = True
            next_comm, next_pid = event.values[4], event.values[5]
            assert isinstance(next_pid, int)
            self._switch(cpu, context.cpu, time_ns, next_pid, str(next_comm), is_seen=True)
        return cpu

    def lost(self, number: int, nr: int) -> None:
        """Records of this CPU are missing here: nobody knows what runs on it."""
        cpu = self.cpus.get(number)
        if cpu is None:
            return
        cpu.nr_lost += nr
        self._forget(cpu)
        cpu.pid = UNSEEN_PID
        cpu.start_ns = None

    def finish(self, first_ns: int, last_ns: int, is_whole: bool) -> None:
        """End the log, which goes from one time to the other.

        Before its first record and after its last one a CPU runs whom it ran then, if the log
        has every switch (`is_whole`: nothing was overwritten or lost); otherwise nobody knows.
        """
        for cpu in self.cpus.values():
            known = self.has_switches and is_whole
            head = "unseen"
            if known and not cpu.starts_inside:
                head = category_of(cpu.first_pid)
            cpu.times[head] += cpu.first_ns - first_ns
            tail = cpu.category() if self.has_switches else "unseen"
            cpu.times[tail] += last_ns - cpu.last_ns

    # -- runs ----------------------------------------------------------------------------

    def _begin(self, time_ns: int, context: Context, event: Event) -> CpuTime:
        cpu = self.cpus[context.cpu] = CpuTime(time_ns)
        cpu.first_pid = context.pid
        role = self._roles[event.tracepoint.id]
        cpu.starts_inside = role is not None and not role[1]
        return cpu

    def _account(self, cpu: CpuTime, time_ns: int, category: str) -> None:
        # Clocks of trace files that were merged may go back; time does not.
        if time_ns > cpu.last_ns:
            cpu.times[category] += time_ns - cpu.last_ns
            cpu.last_ns = time_ns

    def _enter(
        self, cpu: CpuTime, kind: RunKind, time_ns: int, context: Context, event: Event
    ) -> None:
        level = kind.level
        if level == HARD_LEVEL and context.flags & NMI:
            level = NMI_LEVEL
        runs = cpu.runs
        if kind.is_outermost:
            while runs and runs[-1].level >= level:
                # Its end is missing, and nothing said that records were lost.
                self._drop(cpu)
        elif runs and runs[-1].level > level:
            level = runs[-1].level
        if len(runs) >= DEPTH_MAX:
            self._forget(cpu)
        if runs:
            is_own = runs[-1].level == level
        else:
            is_own = level == TASK_LEVEL or (
                level == SOFT_LEVEL and cpu.comm.startswith(SERVANTS)
            )
        runs.append(Run(kind, event, level, is_own, time_ns))

    def _leave(
        self, cpu: CpuTime, kind: RunKind, time_ns: int, context: Context, event: Event
    ) -> None:
        runs, key = cpu.runs, event.values[kind.key]
        if not runs or runs[-1].kind is not kind or runs[-1].key != key:
            if not any(run.kind is kind and run.key == key for run in runs):
                cpu.nr_partial += 1
                return
            while runs[-1].kind is not kind or runs[-1].key != key:
                self._drop(cpu)
        run = runs.pop()
        wall_ns = time_ns - run.start_ns
        taken_ns = run.stolen_ns if run.is_own else wall_ns
        if runs:
            runs[-1].stolen_ns += taken_ns
        else:
            cpu.stolen_ns += taken_ns
        own_ns = wall_ns - run.stolen_ns
        self._rows[kind.name].add(run.label, run.number, context.cpu, own_ns, run.start_ns)

    def _drop(self, cpu: CpuTime) -> None:
        """Forget the run on top, whose end was not seen."""
        cpu.runs.pop()
        cpu.nr_partial += 1

    def _forget(self, cpu: CpuTime) -> None:
        cpu.nr_partial += len(cpu.runs)
        cpu.runs.clear()

    # -- tasks ---------------------------------------------------------------------------

    def _switch(
        self, cpu: CpuTime, number: int, time_ns: int, pid: int, comm: str, is_seen: bool
    ) -> None:
        """Another task runs from now on.  `is_seen`: a record says that it does so only now."""
        while cpu.runs and cpu.runs[-1].level >= HARD_LEVEL:
            self._drop(cpu)
        if cpu.start_ns is not None and is_seen and cpu.pid:
            own_ns = time_ns - cpu.start_ns - cpu.stolen_ns
            self._rows["thread"].add(cpu.comm, cpu.pid, number, own_ns, cpu.start_ns)
        if cpu.runs:
            self._aside[cpu.pid or (0, number)] = cpu.runs, time_ns
        cpu.runs = []
        kept = self._aside.pop(pid or (0, number), None)
        if kept is not None:
            cpu.runs, since_ns = kept
            cpu.runs[-1].stolen_ns += time_ns - since_ns
        cpu.pid, cpu.comm = pid, comm
        cpu.start_ns = time_ns if is_seen else None
        cpu.stolen_ns = 0
