"""Laws of what runs within what.

On a CPU there are three levels: tasks, softirqs above them, hard interrupts above both.  What
begins on a level ends there before anything of a lower level is seen again, and what began last
ends first.  So a record of a lower level tells that nothing of the higher ones is open, wherever
the log begins.

Source: kernel/softirq.c, kernel/irq/handle.c, kernel/time/hrtimer.c, kernel/time/timer.c.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.invariant import Invariant, Setting, Stateless
from irqsim.analysis.names import (
    IPI_NAME,
    IPIS_ARE_IRQS_SINCE,
    TICK_NAME,
    has_flags,
    has_flags_not_rt,
)
from irqsim.analysis.passes import KSOFTIRQD
from irqsim.events import (
    HARDIRQ,
    HRTIMER_EXPIRE_ENTRY,
    HRTIMER_EXPIRE_EXIT,
    IPI_ENTRY,
    IPI_EXIT,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    IRQS_OFF,
    NMI,
    SCHED_MIGRATE_TASK,
    SCHED_STAT_BLOCKED,
    SCHED_STAT_RUNTIME,
    SCHED_STAT_SLEEP,
    SCHED_WAKEUP,
    SCHED_WAKING,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    SOFTIRQ_RAISE,
    TASKLET_ENTRY,
    TASKLET_EXIT,
    TIMER_EXPIRE_ENTRY,
    TIMER_EXPIRE_EXIT,
    WORKQUEUE_ACTIVATE_WORK,
    WORKQUEUE_QUEUE_WORK,
    Context,
    Event,
)

_PAIRS: Final = (
    (IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT),
    (IPI_ENTRY, IPI_EXIT),
    (HRTIMER_EXPIRE_ENTRY, HRTIMER_EXPIRE_EXIT),
    (SOFTIRQ_ENTRY, SOFTIRQ_EXIT),
    (TASKLET_ENTRY, TASKLET_EXIT),
    (TIMER_EXPIRE_ENTRY, TIMER_EXPIRE_EXIT),
)
_ENTRIES: Final = tuple(entry for entry, _ in _PAIRS)
_EXITS: Final = tuple(exit_ for _, exit_ in _PAIRS)
_HANDLERS: Final = (IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT)
_IPIS: Final = (IPI_ENTRY, IPI_EXIT)
_SOFT_ONLY: Final = (TASKLET_ENTRY, TASKLET_EXIT, TIMER_EXPIRE_ENTRY, TIMER_EXPIRE_EXIT)
_EITHER: Final = (HRTIMER_EXPIRE_ENTRY, HRTIMER_EXPIRE_EXIT)
_WAKES: Final = (
    SCHED_WAKING, SCHED_WAKEUP, SCHED_MIGRATE_TASK, SCHED_STAT_BLOCKED, SCHED_STAT_SLEEP,
)  # fmt: skip
_OUTERMOST: Final = ((), (SOFTIRQ_ENTRY, SOFTIRQ_EXIT), (IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT))
"""By level, of what nothing else is around."""
_DEEDS: Final = (
    SOFTIRQ_RAISE, SCHED_WAKING, SCHED_WAKEUP, WORKQUEUE_QUEUE_WORK, WORKQUEUE_ACTIVATE_WORK,
)  # fmt: skip
_TIMER: Final = 1
_HRTIMER: Final = 8

TASK: Final = 0
SOFT: Final = 1
HARD: Final = 2


def level_of(context: Context) -> int:
    """Tasks, softirqs or hard interrupts."""
    if context.flags & (HARDIRQ | NMI):
        return HARD
    return SOFT if context.flags & SOFTIRQ else TASK


class Levels:
    """Follows what is open on each level of each CPU.

    A stack is None as long as nobody knows what began before the log did.
    """

    __slots__ = (
        "_entry_of", "_has_exit", "_ignored", "_is_complete", "_is_rt", "_stacks", "ends_open",
    )  # fmt: skip

    def __init__(self, setting: Setting) -> None:
        has_ipis = setting.release >= IPIS_ARE_IRQS_SINCE
        self._ignored = () if has_ipis else (IPI_ENTRY, IPI_EXIT)
        """Before 5.10 IPIs begin before the interrupt is accounted, and end after its softirqs."""
        self._is_complete = setting.is_complete
        self._is_rt = setting.is_rt
        self._stacks: dict[int, list[list[Event] | None]] = {}
        self._entry_of = {exit_.id: entry for entry, exit_ in _PAIRS}
        self._has_exit: dict[int, bool] = {}
        """Entries whose exits are in the log: of the others nobody knows when they end."""
        self.ends_open: Event | None = None
        """What this record's level says must have ended, and has not."""

    def open_at(self, context: Context) -> list[Event] | None:
        """What is open on the record's level, the innermost last."""
        stacks = self._stacks.get(context.cpu)
        if stacks is None:
            first: list[Event] | None = [] if self._is_complete else None
            stacks = self._stacks[context.cpu] = [first, None if first is None else [], first]
            stacks[HARD] = None if first is None else []
        level = level_of(context)
        self.ends_open = None
        for above in range(HARD, level, -1):
            if above == SOFT and (self._is_rt or context.flags & SOFTIRQ):
                continue
            left = stacks[above]
            if left:
                self._leave(left)
            if left != []:
                stacks[above] = []
        if level == HARD and not context.flags & SOFTIRQ and not self._is_rt and stacks[SOFT]:
            # A hard interrupt of a task: no softirq is being served.
            self._leave(stacks[SOFT])
            stacks[SOFT] = []
        return stacks[level]

    def _leave(self, stack: list[Event]) -> None:
        for event in stack:
            if event.tracepoint.id in self._has_exit:
                self.ends_open = event

    def follow(self, context: Context, event: Event, stack: list[Event] | None) -> str:
        """Take in an entry or exit; returns what is wrong with it."""
        if event.tracepoint in self._ignored:
            return ""
        entry = self._entry_of.get(event.tracepoint.id)
        level = level_of(context)
        if stack is None and event.tracepoint in _OUTERMOST[level]:
            # Handlers do not nest, and vectors neither: nothing is open around one.
            stacks = self._stacks[context.cpu]
            stacks[level] = stack = []
            if entry is not None:
                self._has_exit[entry.id] = True
                return ""
        if entry is None:
            if event.tracepoint in _ENTRIES and stack is not None:
                stack.append(event)
            return ""
        self._has_exit[entry.id] = True
        if stack is None:
            return ""
        while stack and stack[-1].tracepoint.id not in self._has_exit:
            stack.pop()
        if not stack:
            return f"{event.tracepoint.name}, and nothing is open"
        last = stack[-1]
        if last.tracepoint is entry and last.values[0] == event.values[0]:
            stack.pop()
            return ""
        while stack and stack[-1].tracepoint is not entry:
            stack.pop()
        if stack:
            stack.pop()
        return f"{event.tracepoint.name} while {last.tracepoint.name} {last.values[0]} is open"

    def lost(self, cpu: int) -> None:
        self._is_complete = False
        self._stacks.pop(cpu, None)


class _Nesting:
    """Says what is left open, and what is closed in the wrong order."""

    __slots__ = ("_levels",)

    def __init__(self, setting: Setting) -> None:
        self._levels = Levels(setting)

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if context.flags & NMI:
            return ""
        levels = self._levels
        stack = levels.open_at(context)
        left = levels.ends_open
        said = levels.follow(context, event, stack)
        if left is not None:
            return f"{left.tracepoint.name} {left.values[0]} was never closed"
        return said

    def lost(self, cpu: int) -> None:
        self._levels.lost(cpu)


class _BetweenVectors:
    """In softirq context, and in none of its vectors, only ksoftirqd is woken."""

    __slots__ = ("_levels",)

    def __init__(self, setting: Setting) -> None:
        self._levels = Levels(setting)

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if context.flags & NMI:
            return ""
        levels, tracepoint = self._levels, event.tracepoint
        stack = levels.open_at(context)
        levels.follow(context, event, stack)
        if level_of(context) != SOFT or stack is None or stack or tracepoint in _EXITS:
            return ""
        if tracepoint.system == "ftrace" or tracepoint in _ENTRIES:
            return ""
        if tracepoint is SCHED_STAT_RUNTIME:
            # Before it is queued, who runs is charged.
            return ""
        if tracepoint in _WAKES and str(event["comm"]).startswith(KSOFTIRQD):
            return ""
        return f"{tracepoint.name} in softirq context, and no vector runs"

    def lost(self, cpu: int) -> None:
        self._levels.lost(cpu)


class _InCallbacks:
    """What the timer's handler and TIMER do, they do in callbacks; IPIs likewise."""

    __slots__ = ("_has", "_levels")

    def __init__(self, setting: Setting) -> None:
        self._levels = Levels(setting)
        self._has: dict[int, bool] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if context.flags & NMI:
            return ""
        stack = self._levels.open_at(context)
        self._levels.follow(context, event, stack)
        tracepoint = event.tracepoint
        self._has[tracepoint.id] = True
        if not stack or tracepoint not in _DEEDS:
            return ""
        last = stack[-1]
        if last.tracepoint is IRQ_HANDLER_ENTRY and last.values[1] == TICK_NAME:
            callback, exception = HRTIMER_EXPIRE_ENTRY, _HRTIMER
        elif last.tracepoint is IRQ_HANDLER_ENTRY and last.values[1] == IPI_NAME:
            callback, exception = IPI_ENTRY, -1
        elif last.tracepoint is SOFTIRQ_ENTRY and last.values[0] == _TIMER:
            callback, exception = TIMER_EXPIRE_ENTRY, -1
        else:
            return ""
        if callback.id not in self._has:
            return ""
        if tracepoint is SOFTIRQ_RAISE and event.values[0] == exception:
            return ""
        where = f"{last.values[1]}'s handler" if len(last.values) > 1 else "TIMER"
        return f"{tracepoint.name} in {where}, and no {callback.name} before it"

    def lost(self, cpu: int) -> None:
        self._levels.lost(cpu)


class _InHandlers:
    """In hard interrupts timers expire and softirqs are raised by handlers."""

    __slots__ = ("_is_arm", "_levels")

    def __init__(self, setting: Setting) -> None:
        self._levels = Levels(setting)
        self._is_arm = False
        """Its timer and its IPIs are interrupts as others are."""

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if context.flags & NMI:
            return ""
        stack = self._levels.open_at(context)
        tracepoint = event.tracepoint
        if tracepoint is IRQ_HANDLER_ENTRY and event.values[1] in (TICK_NAME, IPI_NAME):
            self._is_arm = True
        is_outside = stack == [] and level_of(context) == HARD
        self._levels.follow(context, event, stack)
        if not self._is_arm or not is_outside:
            return ""
        if tracepoint not in (SOFTIRQ_RAISE, HRTIMER_EXPIRE_ENTRY, IPI_ENTRY):
            return ""
        return f"{tracepoint.name} in a hard interrupt, and no handler runs"

    def lost(self, cpu: int) -> None:
        self._levels.lost(cpu)


def _place(context: Context, event: Event) -> str:
    tracepoint, level = event.tracepoint, level_of(context)
    if tracepoint in _IPIS:
        is_right = level == HARD
    elif tracepoint in _HANDLERS:
        # A softirq calls handlers of lines that are polled or sent again.
        is_right = level == HARD or (level == SOFT and context.flags & IRQS_OFF != 0)
    elif tracepoint in _SOFT_ONLY:
        is_right = level == SOFT
    else:
        is_right = level != TASK
    return "" if is_right else f"{tracepoint.name} in the context of a {_LEVELS[level]}"


_LEVELS: Final = ("task", "softirq", "hard interrupt")


NEST_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="what_began_last_ends_first",
        law="Handlers, IPIs, vectors, tasklets and callbacks of timers end in the reverse order "
        "of their beginnings, and before the CPU returns to a lower level.",
        scope="CPU",
        source="kernel/irq/handle.c: __handle_irq_event_percpu; kernel/softirq.c: handle_softirqs",
        on=(),
        make=_Nesting,
        applies=has_flags,
    ),
    Invariant(
        name="interrupts_happen_in_their_context",
        law="Handlers run in hard interrupts, or in softirqs with interrupts off; tasklets and "
        "wheel timers in softirqs; hrtimers in either.",
        scope="CPU",
        source="kernel/softirq.c: tasklet_action_common; kernel/time/timer.c: run_timer_softirq; "
        "kernel/time/hrtimer.c: hrtimer_interrupt; kernel/irq/resend.c: resend_irqs",
        on=(*_HANDLERS, *_SOFT_ONLY, *_EITHER),
        make=lambda setting: Stateless(_place),
        applies=has_flags,
    ),
    Invariant(
        name="ipis_happen_in_hard_interrupts",
        law="IPIs are handled in hard interrupts.",
        scope="CPU",
        source="arch/arm64/kernel/smp.c: ipi_handler (since 5.10)",
        on=_IPIS,
        make=lambda setting: Stateless(_place),
        applies=lambda setting: setting.has_flags and setting.release >= IPIS_ARE_IRQS_SINCE,
    ),
    Invariant(
        name="softirq_context_belongs_to_vectors",
        law="In softirq context, outside of the vectors, only ksoftirqd is woken.",
        scope="CPU",
        source="kernel/softirq.c: handle_softirqs: wakeup_softirqd()",
        on=(),
        make=_BetweenVectors,
        needs=(SOFTIRQ_ENTRY, SOFTIRQ_EXIT),
        applies=has_flags_not_rt,
    ),
    Invariant(
        name="timers_work_in_callbacks",
        law="The timer's handler and TIMER raise, wake and queue in callbacks of timers only, but "
        "for HRTIMER; the handler of IPIs between ipi_entry and ipi_exit.",
        scope="CPU",
        source="kernel/time/hrtimer.c: hrtimer_interrupt; kernel/time/timer.c: __run_timers",
        on=(),
        make=_InCallbacks,
        needs=(IRQ_HANDLER_ENTRY, SOFTIRQ_ENTRY),
        is_strict=False,
        applies=has_flags_not_rt,
        exceptions="a tick without high resolution",
    ),
    Invariant(
        name="handlers_work_in_hard_interrupts",
        law="In hard interrupts softirqs are raised, hrtimers expire and IPIs are handled within "
        "handlers.",
        scope="CPU",
        source="arch/arm64/kernel/entry-common.c; drivers/clocksource/arm_arch_timer.c",
        on=(),
        make=_InHandlers,
        needs=(IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT),
        is_strict=False,
        applies=has_flags,
        exceptions="chained controllers; IPIs before 5.10; other architectures",
    ),
)
