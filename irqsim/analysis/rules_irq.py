"""Laws of hard interrupts: handlers, lines, IPIs, the tick.

Source: kernel/irq/handle.c, kernel/irq/chip.c, include/linux/hardirq.h, kernel/softirq.c.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.automaton import closing, nesting, on_cpu
from irqsim.analysis.invariant import PERCPU_NAMES, Invariant, Setting, Stateless
from irqsim.analysis.names import TICK_FUNCTIONS, TICK_NAME
from irqsim.events import (
    HARDIRQ,
    HRTIMER_EXPIRE_ENTRY,
    HRTIMER_EXPIRE_EXIT,
    HRTIMER_START,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    IRQS_OFF,
    NMI,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKING,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_RAISE,
    TICK_STOP,
    Context,
    Event,
    Value,
)

TICK_RAISES: Final = (8, 1, 9, 7)
"""HRTIMER, TIMER, RCU, SCHED: the order in which a tick raises them."""

_HANDLERS: Final = (IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT)
_WITH_INTERRUPTS_OFF: Final = (
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    SOFTIRQ_RAISE,
    SCHED_SWITCH,
    SCHED_WAKING,
    SCHED_WAKEUP,
    TICK_STOP,
    HRTIMER_START,
)
_OUTSIDE: Final = "no handler runs"
_INSIDE: Final = "a handler runs"


class _HandlerContext:
    """Remembers which CPUs are inside a handler."""

    __slots__ = ("_is_open",)

    def __init__(self, setting: Setting) -> None:
        self._is_open: dict[int, bool] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        is_hard = context.flags & (HARDIRQ | NMI) != 0
        is_open = self._is_open.get(context.cpu, False)
        if event.tracepoint is IRQ_HANDLER_ENTRY:
            # In a softirq: the timer that polls lines which have been disabled calls it.
            is_polled = context.flags & (HARDIRQ | SOFTIRQ | IRQS_OFF) == SOFTIRQ | IRQS_OFF
            self._is_open[context.cpu] = is_open = not is_polled
        elif event.tracepoint is IRQ_HANDLER_EXIT:
            self._is_open[context.cpu] = False
        if is_open and not is_hard:
            return f"{event.tracepoint.name} in a handler, without h or H"
        return ""

    def lost(self, cpu: int) -> None:
        self._is_open.pop(cpu, None)


class _OneCpuAtATime:
    """Remembers which CPU runs the handlers of a line; per-CPU lines are left out."""

    __slots__ = ("_cpu_of", "_percpu")

    def __init__(self, setting: Setting) -> None:
        self._cpu_of: dict[int, int] = {}
        self._percpu = dict.fromkeys(sorted(setting.percpu_irqs), True)

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        irq, name = event.values
        assert isinstance(irq, int)
        if event.tracepoint is IRQ_HANDLER_EXIT:
            if self._cpu_of.get(irq) == context.cpu:
                del self._cpu_of[irq]
            return ""
        if name in PERCPU_NAMES:
            self._percpu[irq] = True
        if irq in self._percpu:
            return ""
        cpu = self._cpu_of.setdefault(irq, context.cpu)
        if cpu == context.cpu:
            return ""
        return f"irq {irq} begins on CPU {context.cpu} while CPU {cpu} runs its handler"

    def lost(self, cpu: int) -> None:
        self._cpu_of = {irq: other for irq, other in self._cpu_of.items() if other != cpu}


def _interrupts_off(context: Context, event: Event) -> str:
    if context.flags & IRQS_OFF:
        return ""
    return f"{event.tracepoint.name} with interrupts on"


def _hardirq_means_off(context: Context, event: Event) -> str:
    if context.flags & (HARDIRQ | NMI) and not context.flags & IRQS_OFF:
        return f"{event.tracepoint.name} in a hard interrupt with interrupts on"
    return ""


class _TickOrder:
    """Watches the raises of HRTIMER, TIMER, RCU and SCHED within the tick's callback."""

    __slots__ = ("_last",)

    def __init__(self, setting: Setting) -> None:
        self._last: dict[int, int] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu = context.cpu
        if event.tracepoint is HRTIMER_EXPIRE_ENTRY:
            if event["function"] in TICK_FUNCTIONS:
                self._last[cpu] = -1
            return ""
        if event.tracepoint is not SOFTIRQ_RAISE:
            self._last.pop(cpu, None)
            return ""
        vec = event.values[0]
        if cpu not in self._last or vec not in TICK_RAISES:
            return ""
        place = TICK_RAISES.index(vec)
        if place <= self._last[cpu]:
            return f"the tick raises vec {vec} after {TICK_RAISES[self._last[cpu]]}"
        self._last[cpu] = place
        return ""

    def lost(self, cpu: int) -> None:
        self._last.pop(cpu, None)


class _Actions:
    """Remembers which action of a line runs first, and which after which.

    A record of a CPU that is in no hard interrupt tells that the next one is another.
    """

    __slots__ = ("_first", "_following", "_is_new", "_last", "_tick_irq")

    def __init__(self, setting: Setting) -> None:
        self._last: dict[Value, Value] = {}
        self._following: dict[tuple[Value, Value], Value] = {}
        self._first: dict[Value, Value] = {}
        self._tick_irq: Value = None
        self._is_new: dict[int, list[Value] | None] = {}
        """The lines that each CPU has served in this interrupt; None: nobody knows."""

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if event.tracepoint is not IRQ_HANDLER_ENTRY:
            if not context.flags & (HARDIRQ | NMI):
                self._is_new[context.cpu] = []
            return ""
        irq, name = event.values
        if name == TICK_NAME and self._tick_irq is None:
            self._tick_irq = irq
        if self._tick_irq is not None and (name == TICK_NAME) != (irq == self._tick_irq):
            return f"{TICK_NAME} is irq {self._tick_irq}"
        served = self._is_new.get(context.cpu)
        last = self._last.get(irq)
        self._last[irq] = name
        if served is not None and irq not in served:
            served.append(irq)
            first = self._first.setdefault(irq, name)
            if first != name:
                self._first[irq] = name
                return f"{first} was the first action of irq {irq} before"
        if last is None:
            return ""
        usual = self._following.setdefault((irq, last), name)
        if usual == name:
            return ""
        self._following[irq, last] = name
        return f"after {last} of irq {irq} came {usual} before"

    def lost(self, cpu: int) -> None:
        self._last.clear()
        self._is_new.pop(cpu, None)


class _IdleTimer:
    """Counts what happens within each CPU's handler of the timer."""

    __slots__ = ("_nr",)

    def __init__(self, setting: Setting) -> None:
        self._nr: dict[int, int] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu = context.cpu
        if event.tracepoint is IRQ_HANDLER_ENTRY:
            self._nr.pop(cpu, None)
            if event.values[1] == TICK_NAME:
                self._nr[cpu] = 0
        elif event.tracepoint is IRQ_HANDLER_EXIT:
            if self._nr.pop(cpu, 0) and not event.values[1]:
                return "the timer's handler returns unhandled, and something happened within it"
        elif cpu in self._nr:
            self._nr[cpu] += 1
        return ""

    def lost(self, cpu: int) -> None:
        self._nr.pop(cpu, None)


_NESTING: Final = nesting(*_HANDLERS, _OUTSIDE, _INSIDE, skips_nmi=True)
_CLOSING: Final = closing(
    *_HANDLERS, _OUTSIDE, _INSIDE, lambda symbol: on_cpu(symbol, 0, skips_nmi=True)
)

IRQ_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="hard_interrupts_do_not_nest",
        law="On a CPU no handler begins before the last one has returned.",
        scope="CPU",
        source="kernel/irq/handle.c: __handle_irq_event_percpu: handlers run with interrupts off",
        on=_NESTING.on,
        make=_NESTING.watch,
        needs=_HANDLERS,
        exceptions="NMIs; drivers before 4.1 that enabled interrupts in their handler",
    ),
    Invariant(
        name="irq_handler_exit_closes_its_entry",
        law="irq_handler_exit has the irq of the irq_handler_entry before it on its CPU.",
        scope="CPU",
        source="kernel/irq/handle.c: __handle_irq_event_percpu",
        on=_CLOSING.on,
        make=_CLOSING.watch,
        needs=_HANDLERS,
    ),
    Invariant(
        name="handlers_run_in_hard_interrupt_context",
        law="From irq_handler_entry to irq_handler_exit the context of a CPU is h, H or Z, but of "
        "handlers that a softirq calls with interrupts off.",
        scope="CPU",
        source="include/linux/hardirq.h: __irq_enter_raw; kernel/irq/spurious.c: "
        "poll_spurious_irqs",
        on=(),
        make=_HandlerContext,
        needs=_HANDLERS,
        applies=lambda setting: setting.has_flags,
    ),
    Invariant(
        name="hard_interrupts_keep_interrupts_off",
        law="In hard interrupt context interrupts are off.",
        scope="CPU",
        source="kernel/irq/handle.c: __handle_irq_event_percpu warns of a handler that does not",
        on=(),
        make=lambda setting: Stateless(_hardirq_means_off),
        applies=lambda setting: setting.has_flags,
        exceptions="a handler that enables them, which the kernel reports",
    ),
    Invariant(
        name="interrupts_are_off_where_they_must_be",
        law="Handlers begin and end, softirqs are raised, tasks woken and switched, and the tick "
        "is stopped with interrupts off.",
        scope="CPU",
        source="kernel/softirq.c: __raise_softirq_irqoff; kernel/sched/core.c: __schedule",
        on=_WITH_INTERRUPTS_OFF,
        make=lambda setting: Stateless(_interrupts_off),
        applies=lambda setting: setting.has_flags,
    ),
    Invariant(
        name="a_line_runs_on_one_cpu_at_a_time",
        law="The handlers of a line that is not per-CPU run on one CPU at a time.",
        scope="irq",
        source="kernel/irq/chip.c: irq_may_run: IRQD_IRQ_INPROGRESS",
        on=_HANDLERS,
        make=_OneCpuAtATime,
        needs=_HANDLERS,
        exceptions="per-CPU interrupts: known by name, or by Setting.percpu_irqs",
    ),
    Invariant(
        name="the_tick_raises_in_order",
        law="A tick raises HRTIMER, TIMER, RCU and SCHED in this order, each once at most.",
        scope="CPU",
        source="kernel/time/timer.c: update_process_times",
        on=(*_HANDLERS, SOFTIRQ_RAISE, HRTIMER_EXPIRE_ENTRY, HRTIMER_EXPIRE_EXIT),
        make=_TickOrder,
        needs=(SOFTIRQ_RAISE, HRTIMER_EXPIRE_ENTRY, HRTIMER_EXPIRE_EXIT),
    ),
    Invariant(
        name="a_line_keeps_its_actions",
        law="The actions of a line run in one order, which does not change; the timer has a line "
        "of its own.",
        scope="irq",
        source="kernel/irq/handle.c: __handle_irq_event_percpu: for_each_action_of_desc",
        on=(IRQ_HANDLER_ENTRY, SOFTIRQ_ENTRY, SCHED_SWITCH),
        make=_Actions,
        is_strict=False,
        exceptions="request_irq() and free_irq() while the log was written",
    ),
    Invariant(
        name="the_timer_that_was_not_due_does_nothing",
        law="Where the handler of arch_timer returns unhandled nothing happens within it.",
        scope="CPU",
        source="drivers/clocksource/arm_arch_timer.c: timer_handler",
        on=(),
        make=_IdleTimer,
        needs=_HANDLERS,
    ),
)
