"""How long things waited: softirqs, threads of interrupts, tasks that were woken.

Each class follows one log, as far as it shows the two ends; where the first end is missing
nothing is measured.
"""

from __future__ import annotations

import re
from typing import Final

from irqsim.analysis.measures import Rows
from irqsim.analysis.timeline import vector_name
from irqsim.events import (
    HARDIRQ,
    IRQ_HANDLER_EXIT,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKEUP_NEW,
    SCHED_WAKING,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_RAISE,
    TASK_PREEMPTED,
    TASK_RUNNING,
    Context,
    Event,
    Tracepoint,
)

_THREAD: Final = re.compile(r"irq/([0-9]+)-(?!s-)")
"""The name of a handler's thread.  A secondary one is woken by another thread.

Source: kernel/irq/manage.c: setup_irq_thread.
"""


class _Vectors:
    """What one CPU has raised, and not yet begun to run."""

    __slots__ = ("is_serving", "last", "pending", "snapshot")

    def __init__(self) -> None:
        self.pending: dict[int, int] = {}
        """When each vector was first raised that the next snapshot will have."""
        self.snapshot: dict[int, int] = {}
        """The same of the vectors that the present pass has yet to run."""
        self.last = -1
        self.is_serving = False

    def begin_pass(self) -> None:
        for vec, time_ns in self.pending.items():
            self.snapshot.setdefault(vec, time_ns)
        self.pending.clear()
        self.last = -1


class RaiseDelays:
    """From the raise of a vector to its run.

    A turn takes the pending vectors as a snapshot and runs them in ascending order, pass by
    pass; what is raised meanwhile, even a vector that the snapshot has already, is for the
    next one.  So a run answers the first raise since the snapshot before the one it is of.
    The log shows no snapshots: one was taken where the softirq flag appears, and where a
    vector runs that the present pass cannot run any more.

    Source: kernel/softirq.c: handle_softirqs.
    """

    __slots__ = ("_cpus", "_rows")

    on: Final[tuple[Tracepoint, ...]] = (SOFTIRQ_RAISE, SOFTIRQ_ENTRY)

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._cpus: dict[int, _Vectors] = {}

    def flags(self, context: Context) -> None:
        """Take note of whether the CPU serves softirqs; comes before feed()."""
        cpu = self._cpus.get(context.cpu)
        if cpu is None:
            cpu = self._cpus[context.cpu] = _Vectors()
        is_serving = context.flags & SOFTIRQ != 0
        if is_serving is not cpu.is_serving:
            cpu.is_serving = is_serving
            if is_serving:
                cpu.begin_pass()

    def feed(self, time_ns: int, context: Context, event: Event) -> None:
        """Take in a raise or a run."""
        cpu = self._cpus[context.cpu]
        vec = event.values[0]
        assert isinstance(vec, int)
        if event.tracepoint is SOFTIRQ_RAISE:
            cpu.pending.setdefault(vec, time_ns)
            return
        if vec <= cpu.last or vec not in cpu.snapshot:
            cpu.begin_pass()
        raised_ns = cpu.snapshot.pop(vec, None)
        cpu.last = vec
        if raised_ns is not None:
            name, delay_ns = vector_name(vec), time_ns - raised_ns
            self._rows.add(name, vec, context.cpu, delay_ns, raised_ns)

    def lost(self, cpu: int) -> None:
        """Forget what was raised."""
        self._cpus[cpu] = _Vectors()


class ThreadDelays:
    """From the end of a handler that woke its thread to the thread's start.

    The thread is woken by the handler's interrupt after irq_handler_exit; where the log has
    neither sched_waking nor sched_wakeup, the last end before the thread runs is taken.

    Source: kernel/irq/handle.c: __handle_irq_event_percpu, __irq_wake_thread.
    """

    __slots__ = ("_ends", "_has_wakeups", "_irq_of", "_rows", "_woken")

    on: Final[tuple[Tracepoint, ...]] = (
        IRQ_HANDLER_EXIT, SCHED_WAKING, SCHED_WAKEUP, SCHED_SWITCH,
    )  # fmt: skip

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._ends: dict[int, tuple[int, int]] = {}
        """By irq: when its last handler ended, and on which CPU."""
        self._woken: dict[int, int] = {}
        """By pid: the end of the handler that woke this thread."""
        self._irq_of: dict[str, int] = {}
        """By name: the irq of a thread, -1 of any other task."""
        self._has_wakeups = False

    def feed(self, time_ns: int, context: Context, event: Event) -> None:
        """Take in the next record."""
        values = event.values
        tracepoint = event.tracepoint
        if tracepoint is IRQ_HANDLER_EXIT:
            irq = values[0]
            assert isinstance(irq, int)
            self._ends[irq] = time_ns, context.cpu
        elif tracepoint is SCHED_SWITCH:
            self._start(time_ns, context, str(values[4]), values[5])
        else:
            self._has_wakeups = True
            irq = self._irq(str(values[0]))
            end = self._ends.get(irq)
            pid = values[1]
            if end is not None and isinstance(pid, int) and pid not in self._woken:
                is_by_handler = end[1] == context.cpu and context.flags & HARDIRQ
                if is_by_handler:
                    self._woken[pid] = end[0]

    def lost(self, cpu: int) -> None:
        """Forget what may have gone on meanwhile."""
        self._ends = {irq: end for irq, end in self._ends.items() if end[1] != cpu}
        self._woken.clear()

    def _start(self, time_ns: int, context: Context, comm: str, pid: object) -> None:
        irq = self._irq(comm)
        if irq < 0:
            return
        assert isinstance(pid, int)
        end_ns = self._woken.pop(pid, None)
        if end_ns is None and not self._has_wakeups and irq in self._ends:
            end_ns = self._ends.pop(irq)[0]
        if end_ns is not None:
            self._rows.add(comm, pid, context.cpu, time_ns - end_ns, end_ns)

    def _irq(self, comm: str) -> int:
        irq = self._irq_of.get(comm)
        if irq is None:
            found = _THREAD.match(comm)
            irq = -1 if found is None else int(found[1])
            if len(self._irq_of) < 1 << 16:
                self._irq_of[comm] = irq
        return irq


class _Wake:
    """A task that was woken and does not run yet."""

    __slots__ = ("wakeup_ns", "waking_ns")

    def __init__(self) -> None:
        self.waking_ns: int | None = None
        self.wakeup_ns: int | None = None


class WakeDelays:
    """From the waking of a task to its run.

    A task that is woken before it has gone to sleep runs on, and waits for nothing.

    Source: kernel/sched/core.c: try_to_wake_up, __schedule.
    """

    __slots__ = ("_dispatch", "_enqueue", "_has_wakeups", "_wakes", "_wakeup")

    on: Final[tuple[Tracepoint, ...]] = (
        SCHED_WAKING, SCHED_WAKEUP, SCHED_WAKEUP_NEW, SCHED_SWITCH,
    )  # fmt: skip

    def __init__(self, wakeup: Rows, enqueue: Rows, dispatch: Rows) -> None:
        self._wakeup, self._enqueue, self._dispatch = wakeup, enqueue, dispatch
        self._wakes: dict[int, _Wake] = {}
        self._has_wakeups = False

    def feed(self, time_ns: int, context: Context, event: Event) -> None:
        """Take in the next record."""
        values, tracepoint = event.values, event.tracepoint
        if tracepoint is SCHED_SWITCH:
            self._sleep(values[1], values[3])
            self._run(time_ns, context, str(values[4]), values[5])
            return
        pid = values[1]
        assert isinstance(pid, int)
        wake = self._wakes.setdefault(pid, _Wake())
        if tracepoint is SCHED_WAKING:
            # One that was not followed by a wake-up came to nothing.
            if wake.wakeup_ns is None:
                wake.waking_ns = time_ns
        else:
            self._has_wakeups = True
            if wake.wakeup_ns is None:
                wake.wakeup_ns = time_ns

    def lost(self, cpu: int) -> None:
        """Forget who waits: it may have run."""
        self._wakes.clear()

    def _sleep(self, pid: object, state: object) -> None:
        """A task leaves its CPU: what woke it before then came too early.

        But for a waking that has just begun: that one waits until the task has left.
        """
        assert isinstance(pid, int)
        wake = self._wakes.get(pid)
        if wake is not None:
            assert isinstance(state, int)
            is_asleep = state & ~TASK_PREEMPTED != TASK_RUNNING
            if wake.wakeup_ns is None and is_asleep and self._has_wakeups:
                return
            del self._wakes[pid]

    def _run(self, time_ns: int, context: Context, comm: str, pid: object) -> None:
        assert isinstance(pid, int)
        wake = self._wakes.pop(pid, None)
        if wake is None:
            return
        waking_ns, wakeup_ns, cpu = wake.waking_ns, wake.wakeup_ns, context.cpu
        if wakeup_ns is None and self._has_wakeups:
            return
        first_ns = wakeup_ns if waking_ns is None else waking_ns
        assert first_ns is not None
        self._wakeup.add(comm, pid, cpu, time_ns - first_ns, first_ns)
        if wakeup_ns is not None:
            self._dispatch.add(comm, pid, cpu, time_ns - wakeup_ns, wakeup_ns)
            if waking_ns is not None:
                self._enqueue.add(comm, pid, cpu, wakeup_ns - waking_ns, waking_ns)
