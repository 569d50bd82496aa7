"""Laws of switching: who runs, and where.

Source: kernel/sched/core.c.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.invariant import Invariant, Setting, Stateless
from irqsim.events import (
    HARDIRQ,
    KERNEL_STACK,
    NEED_RESCHED,
    NMI,
    PREEMPT_RESCHED,
    SCHED_MIGRATE_TASK,
    SCHED_PROCESS_FORK,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SOFTIRQ,
    TASK_DEAD,
    TASK_PREEMPTED,
    TASK_RUNNING,
    TASK_ZOMBIE,
    Context,
    Event,
    Value,
)

MAX_RT_PRIO: Final = 100
ENDED: Final = TASK_DEAD | TASK_ZOMBIE
"""Bits of prev_state of a task that does not come back."""


def is_runnable(switch: Event) -> bool:
    """Whether the task that is switched from can go on without being woken."""
    return switch["prev_state"] in (TASK_RUNNING, TASK_PREEMPTED)


class _Current:
    """Remembers which task runs on each CPU; a switch comes from it, all else belongs to it."""

    __slots__ = ("_checks_switches", "_pid")

    def __init__(self, setting: Setting, checks_switches: bool) -> None:
        self._checks_switches = checks_switches
        self._pid: dict[int, Value] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu = context.cpu
        current = self._pid.get(cpu)
        if event.tracepoint is SCHED_SWITCH:
            self._pid[cpu] = event["next_pid"]
            previous = event["prev_pid"]
            if self._checks_switches and current is not None and previous != current:
                return f"a switch from pid {previous} while pid {current} runs"
            if self._checks_switches:
                return ""
        if self._checks_switches or current is None or context.pid == current:
            return ""
        if event.tracepoint is KERNEL_STACK:
            # A switch's, which is still the previous task's; others' events have been judged.
            return ""
        return f"{event.tracepoint.name} by pid {context.pid} while pid {current} runs"

    def lost(self, cpu: int) -> None:
        self._pid.pop(cpu, None)


class _OneCpuPerTask:
    """Remembers on which CPU each task runs."""

    __slots__ = ("_cpu_of",)

    def __init__(self, setting: Setting) -> None:
        self._cpu_of: dict[Value, int] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu, following = context.cpu, event["next_pid"]
        if self._cpu_of.get(event["prev_pid"]) == cpu:
            del self._cpu_of[event["prev_pid"]]
        if not following:
            return ""
        other = self._cpu_of.get(following, cpu)
        self._cpu_of[following] = cpu
        return "" if other == cpu else f"pid {following} runs while it runs on CPU {other}"

    def lost(self, cpu: int) -> None:
        self._cpu_of = {pid: other for pid, other in self._cpu_of.items() if other != cpu}


def _outside_of_interrupts(context: Context, event: Event) -> str:
    if context.flags & (HARDIRQ | SOFTIRQ | NMI):
        return "sched_switch in an interrupt"
    return ""


def _resched_is_clear(context: Context, event: Event) -> str:
    if context.flags & (NEED_RESCHED | PREEMPT_RESCHED):
        return "sched_switch with need_resched set"
    return ""


class _Placement:
    """Remembers the CPU on which each task ran last, or to which it was moved."""

    __slots__ = ("_cpu_of",)

    def __init__(self, setting: Setting) -> None:
        self._cpu_of: dict[Value, int] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if event.tracepoint is SCHED_MIGRATE_TASK:
            cpu = event["dest_cpu"]
            assert isinstance(cpu, int)
            self._cpu_of[event["pid"]] = cpu
            return ""
        if event.tracepoint is SCHED_SWITCH:
            previous, following = event["prev_pid"], event["next_pid"]
            state = event["prev_state"]
            assert isinstance(state, int)
            if state & ENDED:
                self._cpu_of.pop(previous, None)
            if not following:
                return ""
            cpu = self._cpu_of.get(following, context.cpu)
            self._cpu_of[following] = context.cpu
            if cpu != context.cpu:
                return f"pid {following} runs, but was on CPU {cpu} and has not been moved"
            return ""
        # A new task: it may begin on another CPU than its number ran on before.
        self._cpu_of.pop(event["child_pid"], None)
        return ""

    def lost(self, cpu: int) -> None:
        self._cpu_of.clear()


class _RealTimeFirst:
    """Remembers the real-time tasks that are known to be runnable, and where."""

    __slots__ = ("_runnable",)

    def __init__(self, setting: Setting) -> None:
        self._runnable: dict[Value, tuple[int, int]] = {}
        """CPU and priority, by pid."""

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if event.tracepoint is SCHED_SWITCH:
            return self._switch(context.cpu, event)
        pid, prio = event["pid"], event["prio"]
        cpu = event["target_cpu" if event.tracepoint is SCHED_WAKEUP else "dest_cpu"]
        assert isinstance(cpu, int)
        assert isinstance(prio, int)
        if event.tracepoint is SCHED_MIGRATE_TASK:
            self._runnable.pop(pid, None)
        elif prio < MAX_RT_PRIO and pid != context.pid:
            self._runnable[pid] = (cpu, prio)
        return ""

    def lost(self, cpu: int) -> None:
        self._runnable.clear()

    def _switch(self, cpu: int, event: Event) -> str:
        previous, following = event["prev_pid"], event["next_pid"]
        previous_prio, following_prio = event["prev_prio"], event["next_prio"]
        assert isinstance(previous_prio, int)
        assert isinstance(following_prio, int)
        self._runnable.pop(following, None)
        self._runnable.pop(previous, None)
        if previous_prio < MAX_RT_PRIO and previous and is_runnable(event):
            self._runnable[previous] = (cpu, previous_prio)
        for pid, (place, prio) in self._runnable.items():
            if place == cpu and prio < following_prio:
                return f"pid {following}, prio {following_prio}, goes before pid {pid}, prio {prio}"
        return ""


SCHED_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="switches_chain",
        law="Each switch on a CPU comes from the task to which the last one went.",
        scope="CPU",
        source="kernel/sched/core.c: __schedule",
        on=(SCHED_SWITCH,),
        make=lambda setting: _Current(setting, checks_switches=True),
        needs=(SCHED_SWITCH,),
    ),
    Invariant(
        name="records_belong_to_the_task_that_runs",
        law="A record's pid is that of the task to which its CPU last switched.",
        scope="CPU",
        source="kernel/trace/trace.c: tracing_generic_entry_update: current",
        on=(),
        make=lambda setting: _Current(setting, checks_switches=False),
        needs=(SCHED_SWITCH,),
    ),
    Invariant(
        name="a_task_runs_on_one_cpu_at_a_time",
        law="No task but the idle ones runs on two CPUs.",
        scope="task",
        source="kernel/sched/core.c: p->on_cpu",
        on=(SCHED_SWITCH,),
        make=_OneCpuPerTask,
        needs=(SCHED_SWITCH,),
    ),
    Invariant(
        name="no_switch_in_an_interrupt",
        law="Tasks are switched in process context only.",
        scope="CPU",
        source="kernel/sched/core.c: schedule_debug: scheduling while atomic",
        on=(SCHED_SWITCH,),
        make=lambda setting: Stateless(_outside_of_interrupts),
        needs=(SCHED_SWITCH,),
        applies=lambda setting: setting.has_flags and not setting.is_rt,
        exceptions="PREEMPT_RT serves softirqs in tasks that can be preempted",
    ),
    Invariant(
        name="a_switch_clears_need_resched",
        law="At sched_switch need_resched is clear.",
        scope="CPU",
        source="kernel/sched/core.c: __schedule: clear_tsk_need_resched",
        on=(SCHED_SWITCH,),
        make=lambda setting: Stateless(_resched_is_clear),
        needs=(SCHED_SWITCH,),
        applies=lambda setting: setting.has_flags,
    ),
    Invariant(
        name="tasks_move_by_migration",
        law="A task that runs on another CPU than before has been moved by sched_migrate_task.",
        scope="task",
        source="kernel/sched/core.c: set_task_cpu",
        on=(SCHED_SWITCH, SCHED_MIGRATE_TASK, SCHED_PROCESS_FORK),
        make=_Placement,
        needs=(SCHED_SWITCH, SCHED_MIGRATE_TASK, SCHED_PROCESS_FORK),
        is_strict=False,
        exceptions="a task that is forked",
    ),
    Invariant(
        name="real_time_tasks_go_first",
        law="A CPU does not run a task while one of a higher real-time priority is runnable there.",
        scope="CPU",
        source="kernel/sched/core.c: __pick_next_task; kernel/sched/rt.c: pick_next_task_rt",
        on=(SCHED_SWITCH, SCHED_WAKEUP, SCHED_MIGRATE_TASK),
        make=_RealTimeFirst,
        needs=(SCHED_SWITCH, SCHED_WAKEUP, SCHED_MIGRATE_TASK),
        is_strict=False,
        exceptions="real-time throttling",
    ),
)
