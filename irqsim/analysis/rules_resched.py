"""Laws of need_resched: who sets it, and how long it lasts.

Source: kernel/sched/core.c: resched_curr, __schedule; kernel/sched/idle.c.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.invariant import Invariant, Setting
from irqsim.analysis.names import IPI_NAME, TICK_FUNCTIONS, has_flags, has_flags_not_rt
from irqsim.analysis.rules_context import RESCHED, Bracket, Within
from irqsim.events import (
    HARDIRQ,
    HRTIMER_EXPIRE_ENTRY,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    IRQS_OFF,
    PREEMPT_RESCHED,
    SCHED_MIGRATE_TASK,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    Context,
    Event,
    Tracepoint,
)

SETTERS: Final = (*TICK_FUNCTIONS, "hrtick", "sched_rt_period_timer", "dl_task_timer")
"""Callbacks that may set it without a wake-up."""

_HANDLERS: Final = (IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT)
_VECTORS: Final = (SOFTIRQ_ENTRY, SOFTIRQ_EXIT)


class _ReschedStays(Within):
    """need_resched, once set, is not cleared before the interrupt is over.

    With interrupts on a record's flags are read before its place in the buffer is taken: an
    interrupt may come between.
    """

    __slots__ = ("_was_hard",)

    def __init__(self, entry: Tracepoint, exit_: Tracepoint) -> None:
        super().__init__(entry, exit_)
        self._was_hard: dict[int, bool] = {}

    def _is_inside(self, context: Context, bracket: Bracket) -> bool:
        # Of another task only if the handler sleeps, which it must not.
        return context.pid == bracket.pid

    def _compare(self, context: Context, event: Event, bracket: Bracket, ends: bool) -> str:
        was_hard = self._was_hard.get(context.cpu, False)
        self._was_hard[context.cpu] = context.flags & HARDIRQ != 0
        if was_hard and not context.flags & IRQS_OFF:
            return ""
        resched = context.flags & RESCHED
        is_less = bracket.resched & ~resched
        bracket.resched = resched
        return f"{event.tracepoint.name} without need_resched, which was set" if is_less else ""


class _Reason:
    """Within a handler that is neither the tick's nor an IPI's, only a wake-up sets need_resched.

    Another CPU sets the flag alone (n); both (N) are set here.
    """

    __slots__ = ("_is_set", "_may_set")

    def __init__(self, setting: Setting) -> None:
        self._is_set: dict[int, bool] = {}
        """By CPU; only while its handler runs."""
        self._may_set: dict[int, bool] = {}
        """What runs may set it without a record."""

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu, tracepoint = context.cpu, event.tracepoint
        is_set = context.flags & PREEMPT_RESCHED != 0
        if tracepoint is IRQ_HANDLER_ENTRY:
            self._is_set[cpu] = is_set
            self._may_set[cpu] = event.values[1] == IPI_NAME
            return ""
        was_set = self._is_set.get(cpu)
        if was_set is None:
            return ""
        if tracepoint is SCHED_SWITCH:
            # The handler sleeps, which it must not: its exit comes another time.
            del self._is_set[cpu]
            return ""
        self._is_set[cpu] = is_set
        if tracepoint is HRTIMER_EXPIRE_ENTRY:
            self._may_set[cpu] = event["function"] in SETTERS
        may_set = self._may_set[cpu] or tracepoint is SCHED_WAKEUP
        if tracepoint is IRQ_HANDLER_EXIT:
            del self._is_set[cpu]
        if was_set or not is_set or may_set:
            return ""
        return f"{tracepoint.name} with need_resched, which nobody has set since " \
               "irq_handler_entry"

    def lost(self, cpu: int) -> None:
        self._is_set.pop(cpu, None)


class _IdleGivesWay:
    """Once a task is runnable on an idle CPU, need_resched is set until the CPU switches.

    Of records with interrupts on see _ReschedStays.
    """

    __slots__ = ("_is_woken", "_was_hard")

    def __init__(self, setting: Setting) -> None:
        self._is_woken: dict[int, bool] = {}
        self._was_hard: dict[int, bool] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu = context.cpu
        was_hard = self._was_hard.get(cpu, False)
        self._was_hard[cpu] = context.flags & HARDIRQ != 0
        if event.tracepoint is SCHED_SWITCH:
            self._is_woken.pop(cpu, None)
            return ""
        if event.tracepoint is SCHED_MIGRATE_TASK:
            # Another CPU has taken it.
            self._is_woken.clear()
        elif event.tracepoint is SCHED_WAKEUP and context.pid == 0:
            if event["target_cpu"] == cpu:
                self._is_woken[cpu] = True
        if context.pid or cpu not in self._is_woken or context.flags & RESCHED:
            return ""
        if was_hard and not context.flags & IRQS_OFF:
            return ""
        return f"{event.tracepoint.name} in the idle task without need_resched, though a task " \
               "was woken"

    def lost(self, cpu: int) -> None:
        self._is_woken.pop(cpu, None)


RESCHED_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="need_resched_outlasts_a_handler",
        law="need_resched, once set, stays set until irq_handler_exit.",
        scope="CPU",
        source="kernel/sched/core.c: only __schedule clears it",
        on=(),
        make=lambda setting: _ReschedStays(*_HANDLERS),
        needs=_HANDLERS,
        applies=has_flags,
    ),
    Invariant(
        name="need_resched_outlasts_a_vector",
        law="need_resched, once set, stays set until softirq_exit.",
        scope="CPU",
        source="kernel/sched/core.c: only __schedule clears it",
        on=(),
        make=lambda setting: _ReschedStays(*_VECTORS),
        needs=_VECTORS,
        applies=has_flags_not_rt,
    ),
    Invariant(
        name="an_idle_cpu_gives_way",
        law="When a task is woken on an idle CPU, need_resched is set until the CPU switches.",
        scope="CPU",
        source="kernel/sched/core.c: check_preempt_curr, do_idle",
        on=(),
        make=_IdleGivesWay,
        needs=(SCHED_SWITCH, SCHED_WAKEUP),
        is_strict=False,
        applies=has_flags,
        exceptions="a task that another CPU takes away at once, without sched_migrate_task",
    ),
    Invariant(
        name="need_resched_has_a_reason",
        law="Within a handler need_resched is set by a wake-up, by a tick or by an IPI.",
        scope="CPU",
        source="kernel/sched/core.c: resched_curr; kernel/sched/idle.c: preempt_fold_need_resched",
        on=(),
        make=_Reason,
        needs=(*_HANDLERS, SCHED_WAKEUP, HRTIMER_EXPIRE_ENTRY),
        is_strict=False,
        applies=has_flags_not_rt,
        exceptions="a driver that calls into the scheduler otherwise",
    ),
)
