"""Laws of who is who: a pid, a name, a priority, a CPU that belong together.

Source: kernel/sched/core.c, kernel/smpboot.c, kernel/kthread.c, fs/exec.c.
"""

from __future__ import annotations

import re
from typing import Final

from irqsim.analysis.invariant import Invariant, Setting, Stateless
from irqsim.analysis.names import has_flags_not_rt
from irqsim.analysis.rules_log import UNKNOWN_COMM
from irqsim.analysis.rules_sched import is_runnable
from irqsim.events import (
    SCHED_MIGRATE_TASK,
    SCHED_PI_SETPRIO,
    SCHED_PROCESS_EXIT,
    SCHED_PROCESS_FORK,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKEUP_NEW,
    SCHED_WAKING,
    Context,
    Event,
    Value,
)

IDLE_PRIO: Final = 120
NEWBORN: Final = "kthreadd"
"""What a kernel thread is called until its maker has given it a name and a priority."""
_PERCPU_THREAD: Final = re.compile(
    r"(?:ksoftirqd|ktimers|migration|cpuhp|rcuc|irq_work|idle_inject|stopper)/([0-9]+)"
)
_WAKE: Final = (SCHED_WAKING, SCHED_WAKEUP, SCHED_WAKEUP_NEW)
_NAMED: Final = (*_WAKE, SCHED_SWITCH, SCHED_MIGRATE_TASK)


def _idle_names(context: Context, event: Event) -> str:
    for side in ("prev", "next"):
        is_idle = event[f"{side}_pid"] == 0
        comm, prio = event[f"{side}_comm"], event[f"{side}_prio"]
        assert isinstance(comm, str)
        number = comm.removeprefix("swapper/")
        if is_idle and (comm != f"swapper/{context.cpu}" or prio != IDLE_PRIO):
            return f"{side} is {comm}, prio {prio}, where it is swapper/{context.cpu}"
        if not is_idle and number != comm and number.isdigit():
            return f"{comm} is pid {event[f'{side}_pid']}"
    return ""


def _percpu_threads(context: Context, event: Event) -> str:
    match = _PERCPU_THREAD.fullmatch(context.comm)
    if match is None or int(match[1]) == context.cpu:
        return ""
    return f"{context.comm} on CPU {context.cpu}"


def _nobody_wakes_idle(context: Context, event: Event) -> str:
    return "the idle task is woken" if event["pid"] == 0 else ""


class _AwakeWhatItWas:
    """Remembers name or priority of each task that does not run.

    `sleeps`: also while it sleeps; otherwise only while it is runnable.
    """

    __slots__ = ("_field", "_known", "_sleeps")

    def __init__(self, field: str, sleeps: bool) -> None:
        self._field = field
        self._sleeps = sleeps
        self._known: dict[Value, Value] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        known, tracepoint = self._known, event.tracepoint
        if tracepoint in (SCHED_PROCESS_FORK, SCHED_PROCESS_EXIT, SCHED_PI_SETPRIO):
            is_fork = tracepoint is SCHED_PROCESS_FORK
            known.pop(event["child_pid"] if is_fork else event["pid"], None)
            return ""
        if tracepoint is SCHED_SWITCH:
            before = self._switch(event)
            pid, now = event["next_pid"], event[f"next_{self._field}"]
        else:
            pid, now = event["pid"], event[self._field]
            if tracepoint is SCHED_WAKEUP_NEW:
                known.pop(pid, None)
            before = known.get(pid, now)
            if pid != context.pid:
                known[pid] = now
        if before == now or not pid:
            return ""
        return f"{self._field} of pid {pid} is {now}, and was {before} when it stopped running"

    def lost(self, cpu: int) -> None:
        self._known.clear()

    def _switch(self, event: Event) -> Value:
        """Forget the task that runs now; returns what was known of it."""
        previous = event["prev_pid"]
        if event["prev_comm"] != NEWBORN and (self._sleeps or is_runnable(event)):
            self._known[previous] = event[f"prev_{self._field}"]
        else:
            self._known.pop(previous, None)
        return self._known.pop(event["next_pid"], event[f"next_{self._field}"])


class _Columns:
    """Remembers the name that the task column shows for each pid, and the one before it."""

    __slots__ = ("_comm", "_former")

    def __init__(self, setting: Setting) -> None:
        self._comm: dict[int, str] = {}
        self._former: dict[int, str] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        pid = context.pid
        if context.comm == UNKNOWN_COMM:
            return ""
        comm = self._comm.setdefault(pid, context.comm)
        if comm == context.comm:
            return ""
        self._comm[pid] = context.comm
        former = self._former.get(pid)
        self._former[pid] = comm
        if former != context.comm:
            return ""
        return f"pid {pid} is {former} again, and was {comm} meanwhile"

    def lost(self, cpu: int) -> None:
        """The names of pids are kept apart from the records."""


TASK_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="idle_tasks_have_their_names",
        law="Pid 0 is swapper/N of its CPU, prio 120, and nobody else is.",
        scope="CPU",
        source="kernel/sched/core.c: init_idle",
        on=(SCHED_SWITCH,),
        make=lambda setting: Stateless(_idle_names),
    ),
    Invariant(
        name="nobody_wakes_the_idle_task",
        law="The idle task is never woken, because it never sleeps.",
        scope="CPU",
        source="kernel/sched/idle.c: do_idle",
        on=_WAKE,
        make=lambda setting: Stateless(_nobody_wakes_idle),
    ),
    Invariant(
        name="percpu_threads_stay_on_their_cpu",
        law="ksoftirqd/N, migration/N and the like run on CPU N.",
        scope="CPU",
        source="kernel/smpboot.c: __smpboot_create_thread: kthread_create_on_cpu",
        on=(),
        make=lambda setting: Stateless(_percpu_threads),
        is_strict=False,
        exceptions="before they are bound, and while their CPU goes down",
    ),
    Invariant(
        name="a_task_is_called_the_same_when_it_wakes",
        law="A task that did not run has the name with which it stopped.",
        scope="task",
        source="kernel/sched/core.c: trace_sched_switch; fs/exec.c: begin_new_exec",
        on=(*_NAMED, SCHED_PROCESS_FORK, SCHED_PROCESS_EXIT),
        make=lambda setting: _AwakeWhatItWas("comm", sleeps=True),
        needs=(SCHED_SWITCH,),
        is_strict=False,
        exceptions="a name that another task writes to /proc/PID/comm; a pid that is used again",
    ),
    Invariant(
        name="a_task_keeps_its_priority_while_it_waits",
        law="A task that was runnable runs with the priority with which it stopped or was woken.",
        scope="task",
        source="kernel/sched/core.c: __setscheduler_prio",
        on=(*_NAMED, SCHED_PROCESS_FORK, SCHED_PROCESS_EXIT, SCHED_PI_SETPRIO),
        make=lambda setting: _AwakeWhatItWas("prio", sleeps=False),
        needs=(SCHED_SWITCH,),
        is_strict=False,
        applies=has_flags_not_rt,
        exceptions="a priority that another task sets, or that is inherited",
    ),
    Invariant(
        name="a_pid_does_not_take_its_name_back",
        law="The task column does not go back to a name that it no longer showed for a pid.",
        scope="log",
        source="kernel/trace/trace_sched_switch.c: saved_cmdlines",
        on=(),
        make=_Columns,
        is_strict=False,
        exceptions="a task that takes a name and gives it up while the log is read",
    ),
)
