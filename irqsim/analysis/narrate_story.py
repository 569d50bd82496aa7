"""Which records belong to one interrupt: from its handler to the end of what it led to.

Followed are its handlers, the vectors that they raise and all that these run, the threads that
they wake, the works that they queue, and the same again of what is followed; of other tasks
that are woken, up to where they run.  What lands on a CPU on top of followed code is part of the
story as well, but what that leads to is not.
"""

from __future__ import annotations

from typing import TypeAlias

from irqsim.analysis.passes import KSOFTIRQD
from irqsim.events import (
    HARDIRQ,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKING,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    SOFTIRQ_RAISE,
    WORKQUEUE_EXECUTE_END,
    WORKQUEUE_EXECUTE_START,
    WORKQUEUE_QUEUE_WORK,
    Context,
    Event,
    Record,
    Value,
)

Owner: TypeAlias = tuple[int, Value]
"""A CPU and a vector."""


class Story:
    """The N-th interrupt of one name."""

    __slots__ = ("_hard_cpu", "_has_returned", "_irq", "_name", "_nth", "_runs", "_tasks",
                 "_threads", "_vecs", "_works", "is_over", "names", "nr")  # fmt: skip

    def __init__(self, name: str, nth: int) -> None:
        self._name = name
        self._nth = nth
        self.nr = 0
        """How many interrupts of that name there have been."""
        self.names: dict[str, None] = {}
        """All names of interrupts."""
        self.is_over = False
        self._irq: Value = None
        self._hard_cpu: int | None = None
        """Where the handlers run; None: they have not begun, or are done."""
        self._has_returned = False
        self._vecs: dict[Owner, bool] = {}
        """By CPU and vector: raised by followed code."""
        self._runs: dict[int, Value] = {}
        """By CPU: the followed vector that runs."""
        self._tasks: dict[int, bool] = {}
        """By pid: woken by followed code, and has not run since."""
        self._threads: dict[int, int] = {}
        """By CPU: the pid of a followed thread that runs there."""
        self._works: dict[Value, bool] = {}

    def takes(self, record: Record) -> bool:
        """Whether a record belongs to it.  To be asked for each, in their order."""
        _, context, event = record
        if event.tracepoint is IRQ_HANDLER_ENTRY:
            name = str(event["name"])
            self.names.setdefault(name)
            if name == self._name:
                self.nr += 1
                if self.nr == self._nth:
                    self._irq, self._hard_cpu = event["irq"], context.cpu
                    return True
        if self.nr < self._nth or self.is_over:
            return False
        self._end_hard(context, event)
        is_ours = self._is_active(context)
        if is_ours and not self._is_nested(context):
            self._owe(context, event)
        is_ours = self._follow(context, event) or is_ours
        if self._hard_cpu is None:
            owed = (self._vecs, self._runs, self._tasks, self._threads, self._works)
            self.is_over = not any(owed)
        return is_ours

    def _end_hard(self, context: Context, event: Event) -> None:
        """The handlers are done where something else than their wake-ups follows them."""
        if context.cpu != self._hard_cpu:
            return
        tracepoint = event.tracepoint
        if not self._has_returned:
            self._has_returned = tracepoint is IRQ_HANDLER_EXIT and event["irq"] == self._irq
            if self._has_returned and context.comm.startswith(f"irq/{self._irq}-"):
                # It came upon its own thread, which goes round once more.
                self._threads[context.cpu] = context.pid
            return
        is_shared = tracepoint is IRQ_HANDLER_ENTRY and event["irq"] == self._irq
        if is_shared and event["name"] != self._name:
            self._has_returned = False
        elif tracepoint not in (SCHED_WAKING, SCHED_WAKEUP, IRQ_HANDLER_EXIT):
            self._hard_cpu = None

    def _is_active(self, context: Context) -> bool:
        """Followed code has the CPU, or had it before something came on top."""
        cpu = context.cpu
        return (
            cpu == self._hard_cpu or cpu in self._runs or self._threads.get(cpu) == context.pid
        )

    def _is_nested(self, context: Context) -> bool:
        """It is not the followed code itself, but what has come on top of it."""
        cpu = context.cpu
        if cpu == self._hard_cpu:
            return False
        if cpu in self._runs:
            return bool(context.flags & HARDIRQ)
        return bool(context.flags & (HARDIRQ | SOFTIRQ))

    def _owe(self, context: Context, event: Event) -> None:
        """Note what followed code hands over."""
        tracepoint = event.tracepoint
        if tracepoint is SOFTIRQ_RAISE:
            self._vecs[context.cpu, event["vec"]] = True
        elif tracepoint in (SCHED_WAKING, SCHED_WAKEUP):
            pid = event["pid"]
            if isinstance(pid, int) and not str(event["comm"]).startswith(KSOFTIRQD):
                self._tasks[pid] = True
        elif tracepoint is WORKQUEUE_QUEUE_WORK:
            self._works[event["work"]] = True

    def _follow(self, context: Context, event: Event) -> bool:
        """See what becomes of what has been handed over; whether the record is part of that."""
        tracepoint, cpu = event.tracepoint, context.cpu
        if tracepoint is SOFTIRQ_ENTRY and self._vecs.pop((cpu, event["vec"]), False):
            self._runs[cpu] = event["vec"]
            return True
        if tracepoint is SOFTIRQ_EXIT and self._runs.get(cpu, -1) == event["vec"]:
            del self._runs[cpu]
            return True
        if tracepoint in (SCHED_WAKING, SCHED_WAKEUP):
            comm = str(event["comm"])
            if comm.startswith(KSOFTIRQD):
                return any(owner == cpu for owner, _ in self._vecs)
            return event["pid"] in self._tasks
        if tracepoint is WORKQUEUE_EXECUTE_START and event["work"] in self._works:
            self._threads[cpu] = context.pid
            return True
        if tracepoint is WORKQUEUE_EXECUTE_END and self._works.pop(event["work"], False):
            self._threads.pop(cpu, None)
            return True
        return tracepoint is SCHED_SWITCH and self._switch(cpu, event)

    def _switch(self, cpu: int, event: Event) -> bool:
        left, pid, comm = event["prev_pid"], event["next_pid"], str(event["next_comm"])
        assert isinstance(pid, int) and isinstance(left, int)
        is_ours = False
        if self._threads.get(cpu) == left:
            del self._threads[cpu]
            is_ours = True
            if not event["prev_state"] or str(event["prev_comm"]).startswith("kworker/"):
                # It goes on later.
                self._tasks[left] = True
        if self._tasks.pop(pid, False):
            is_ours = True
            if comm.startswith("irq/") or (comm.startswith("kworker/") and self._works):
                self._threads[cpu] = pid
        waits = any(owner == cpu for owner, _ in self._vecs)
        return is_ours or (comm.startswith(KSOFTIRQD) and waits)

