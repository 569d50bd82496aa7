"""Laws of PREEMPT_RT: softirqs are the business of tasks, and priorities are lent.

Source: kernel/softirq.c: invoke_softirq; kernel/sched/core.c: rt_mutex_setprio.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.invariant import Invariant, Setting, Stateless
from irqsim.events import (
    HARDIRQ,
    MIGRATE_SHIFT,
    SCHED_PI_SETPRIO,
    SCHED_SWITCH,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    Context,
    Event,
)


def _in_a_task(context: Context, event: Event) -> str:
    if context.flags & HARDIRQ:
        return "a softirq in a hard interrupt"
    if not context.pid:
        return "a softirq in the idle task"
    if not context.preempt_count >> MIGRATE_SHIFT:
        return "a softirq in a task that may be moved meanwhile"
    return ""


class _Loans:
    """Watches that a task runs at the priority that was last given to it."""

    def __init__(self, setting: Setting) -> None:
        self._prio: dict[int, int] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if event.tracepoint is SCHED_PI_SETPRIO:
            pid, old, new = event["pid"], event["oldprio"], event["newprio"]
            assert isinstance(pid, int)
            assert isinstance(new, int)
            known = self._prio.get(pid)
            self._prio[pid] = new
            if known is not None and known != old:
                return f"pid {pid} has prio {known}, and not {old}"
            return ""
        for end in ("prev", "next"):
            pid, prio = event[f"{end}_pid"], event[f"{end}_prio"]
            assert isinstance(pid, int)
            known = self._prio.get(pid)
            if known is not None and known != prio:
                return f"pid {pid} has prio {known}, and not {prio}"
        return ""

    def lost(self, cpu: int) -> None:
        self._prio.clear()


RT_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="rt_softirqs_run_in_tasks",
        law="On PREEMPT_RT a softirq runs in a task, not the idle one, that cannot migrate.",
        scope="CPU",
        source="kernel/softirq.c: invoke_softirq, __local_bh_disable_ip (CONFIG_PREEMPT_RT)",
        on=(SOFTIRQ_ENTRY, SOFTIRQ_EXIT),
        make=lambda setting: Stateless(_in_a_task),
        needs=(SOFTIRQ_ENTRY, SOFTIRQ_EXIT),
        applies=lambda setting: setting.is_rt and setting.has_flags,
    ),
    Invariant(
        name="a_lent_priority_shows",
        law="A task is switched at the priority that sched_pi_setprio last gave it.",
        scope="task",
        source="kernel/sched/core.c: rt_mutex_setprio",
        on=(SCHED_PI_SETPRIO, SCHED_SWITCH),
        make=_Loans,
        needs=(SCHED_PI_SETPRIO, SCHED_SWITCH),
        is_strict=False,
        exceptions="sched_setscheduler(), and a pid that is used again",
    ),
)
