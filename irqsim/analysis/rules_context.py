"""Laws of the flag columns: what an interrupt finds, and how it leaves it.

Whatever runs in an interrupt sees the counts of the context that it interrupted, and gives them
back as they were.  A record shows some of them: softirqs off, the depths of preempt_disable() and
migrate_disable(), need_resched, and who is current.

Source: include/linux/preempt.h, kernel/softirq.c, kernel/trace/trace.c:
tracing_gen_ctx_irq_test.
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
from irqsim.events import (
    BH_OFF,
    HARDIRQ,
    HRTIMER_CANCEL,
    IPI_ENTRY,
    IPI_EXIT,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    IRQS_OFF,
    NEED_RESCHED,
    NMI,
    PREEMPT_MASK,
    PREEMPT_RESCHED,
    SCHED_MIGRATE_TASK,
    SCHED_STAT_RUNTIME,
    SCHED_SWITCH,
    SCHED_WAKEUP_NEW,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    TASKLET_ENTRY,
    TASKLET_EXIT,
    TIMER_CANCEL,
    TIMER_START,
    WORKQUEUE_ACTIVATE_WORK,
    WORKQUEUE_EXECUTE_END,
    WORKQUEUE_EXECUTE_START,
    WORKQUEUE_QUEUE_WORK,
    Context,
    Event,
    Tracepoint,
)

_HANDLERS: Final = (IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT)
_VECTORS: Final = (SOFTIRQ_ENTRY, SOFTIRQ_EXIT)
RESCHED: Final = NEED_RESCHED | PREEMPT_RESCHED
_OTHERS_OFF: Final = (
    HRTIMER_CANCEL, TIMER_START, TIMER_CANCEL, IPI_ENTRY, IPI_EXIT, SCHED_WAKEUP_NEW,
    SCHED_MIGRATE_TASK, SCHED_STAT_RUNTIME, WORKQUEUE_QUEUE_WORK, WORKQUEUE_ACTIVATE_WORK,
)  # fmt: skip
_ON: Final = (TASKLET_ENTRY, TASKLET_EXIT, WORKQUEUE_EXECUTE_START, WORKQUEUE_EXECUTE_END)


class Bracket:
    """The context at the begin of what runs on a CPU."""

    __slots__ = ("count", "flags", "pid", "resched")

    def __init__(self, context: Context) -> None:
        self.flags = context.flags
        self.pid = context.pid
        self.count = context.preempt_count
        self.resched = context.flags & RESCHED


class Within:
    """Remembers the context in which each CPU's handler, or vector, began."""

    __slots__ = ("_entry", "_exit", "_open")

    def __init__(self, entry: Tracepoint, exit_: Tracepoint) -> None:
        self._entry, self._exit = entry, exit_
        self._open: dict[int, Bracket] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu, tracepoint = context.cpu, event.tracepoint
        if tracepoint is self._entry:
            self._open[cpu] = Bracket(context)
            return ""
        bracket = self._open.get(cpu)
        if bracket is None or not self._is_inside(context, bracket):
            return ""
        if tracepoint is self._exit:
            del self._open[cpu]
        return self._compare(context, event, bracket, tracepoint is self._exit)

    def lost(self, cpu: int) -> None:
        self._open.pop(cpu, None)

    def _is_inside(self, context: Context, bracket: Bracket) -> bool:
        """Not in a deeper one: an NMI, or an interrupt of a softirq."""
        if self._entry is IRQ_HANDLER_ENTRY:
            return context.flags & NMI == bracket.flags & NMI
        return not context.flags & (HARDIRQ | NMI)

    def _compare(self, context: Context, event: Event, bracket: Bracket, ends: bool) -> str:
        raise NotImplementedError


class _SameTask(Within):
    """The task does not change."""

    def _is_inside(self, context: Context, bracket: Bracket) -> bool:
        return True

    def _compare(self, context: Context, event: Event, bracket: Bracket, ends: bool) -> str:
        if context.pid == bracket.pid:
            return ""
        return f"{event.tracepoint.name} by pid {context.pid}, inside of what interrupts pid " \
               f"{bracket.pid}"


class _SameCounts(Within):
    """What was counted before goes on being counted, and no more at the end."""

    def _compare(self, context: Context, event: Event, bracket: Bracket, ends: bool) -> str:
        before, now = bracket.flags, context.flags
        what = event.tracepoint.name
        fixed = SOFTIRQ | HARDIRQ | (BH_OFF if self._entry is IRQ_HANDLER_ENTRY else 0)
        if (before ^ now) & fixed:
            return f"{what} in another context than that of its {self._entry.name}"
        depth, depth_before = context.preempt_count, bracket.count
        if ends and (depth != depth_before or (before ^ now) & (BH_OFF | IRQS_OFF)):
            return f"{what} with other flags than its {self._entry.name}"
        if depth & PREEMPT_MASK < depth_before & PREEMPT_MASK:
            return f"{what} at a preempt depth below that of its {self._entry.name}"
        return ""


class _Windows:
    """Consecutive records of a CPU in an interrupt: one of them at least must say which.

    `names`: handlers that must have been seen before anything is said.
    """

    __slots__ = ("_bit", "_open", "_waits_for", "_wanted", "_was_inside")

    def __init__(self, bit: int, wanted: tuple[Tracepoint, ...], names: tuple[str, ...] = ()):
        self._bit = bit
        self._wanted = [each.id for each in wanted]
        self._waits_for = names
        self._was_inside: dict[int, bool] = {}
        self._open: dict[int, str] = {}
        """The first record of a window in which nothing has been found yet."""

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu, tracepoint = context.cpu, event.tracepoint
        if self._waits_for:
            if tracepoint is IRQ_HANDLER_ENTRY and event.values[1] in self._waits_for:
                self._waits_for = ()
        is_inside = context.flags & self._bit != 0
        was_inside = self._was_inside.get(cpu)
        self._was_inside[cpu] = is_inside
        if not is_inside:
            first = self._open.pop(cpu, "")
            return "" if self._waits_for else first
        if tracepoint.id in self._wanted:
            self._open.pop(cpu, None)
        elif was_inside is False:
            self._open[cpu] = self._complaint(event)
        return ""

    def lost(self, cpu: int) -> None:
        self._was_inside.pop(cpu, None)
        self._open.pop(cpu, None)

    def _complaint(self, event: Event) -> str:
        context = "softirq" if self._bit == SOFTIRQ else "hard interrupt"
        return f"before this record was {event.tracepoint.name} in {context} context, of which " \
               "nothing else is seen"


class _InVector:
    """While a vector runs on a CPU, its context is that of a softirq."""

    __slots__ = ("_open",)

    def __init__(self, setting: Setting) -> None:
        self._open: dict[int, bool] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu = context.cpu
        if event.tracepoint is SOFTIRQ_ENTRY:
            self._open[cpu] = True
        elif event.tracepoint is SOFTIRQ_EXIT:
            self._open.pop(cpu, None)
        elif cpu in self._open and not context.flags & (SOFTIRQ | NMI):
            return f"{event.tracepoint.name} while a vector runs, without s or H"
        return ""

    def lost(self, cpu: int) -> None:
        self._open.pop(cpu, None)


class _SwitchDepth:
    """All switches show one preempt depth: 2 where it is counted, 0 where it is not."""

    __slots__ = ("_depth",)

    def __init__(self, setting: Setting) -> None:
        self._depth: int | None = None

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        depth = context.preempt_count & PREEMPT_MASK
        if self._depth is None:
            self._depth = depth
        if depth == self._depth:
            return ""
        return f"sched_switch at a preempt depth of {depth}, and others at {self._depth}"

    def lost(self, cpu: int) -> None:
        """A kernel stays what it is."""


class _Uncounted:
    """Where preempt_disable() is not counted, the depth is that of local_bh_enable() at most."""

    __slots__ = ("_is_uncounted",)

    def __init__(self, setting: Setting) -> None:
        self._is_uncounted = False

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        depth = context.preempt_count & PREEMPT_MASK
        if event.tracepoint is SCHED_SWITCH:
            self._is_uncounted = not depth
        if not self._is_uncounted or not depth or (depth == 1 and context.pid):
            return ""
        return f"a preempt depth of {depth} where sched_switch shows none"

    def lost(self, cpu: int) -> None:
        """A kernel stays what it is."""


def _off(context: Context, event: Event) -> str:
    if context.flags & IRQS_OFF:
        return ""
    return f"{event.tracepoint.name} with interrupts on"


def _on(context: Context, event: Event) -> str:
    if not context.flags & IRQS_OFF:
        return ""
    return f"{event.tracepoint.name} with interrupts off"


CONTEXT_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="an_interrupt_stays_with_its_task",
        law="From irq_handler_entry to irq_handler_exit the records of a CPU are of one task.",
        scope="CPU",
        source="kernel/irq/handle.c: __handle_irq_event_percpu; kernel/sched/core.c: current",
        on=(),
        make=lambda setting: _SameTask(*_HANDLERS),
        needs=_HANDLERS,
    ),
    Invariant(
        name="a_vector_stays_with_its_task",
        law="From softirq_entry to softirq_exit the records of a CPU are of one task.",
        scope="CPU",
        source="kernel/softirq.c: handle_softirqs; kernel/sched/core.c: current",
        on=(),
        make=lambda setting: _SameTask(*_VECTORS),
        needs=_VECTORS,
        applies=has_flags_not_rt,
        exceptions="PREEMPT_RT, where a vector can be preempted",
    ),
    Invariant(
        name="a_handler_leaves_the_context_as_it_was",
        law="A handler ends with the context, the depths and softirqs off as it began, and "
        "meanwhile the depth is not below.",
        scope="CPU",
        source="include/linux/preempt.h; include/linux/bottom_half.h: not in hard interrupts",
        on=(),
        make=lambda setting: _SameCounts(*_HANDLERS),
        needs=_HANDLERS,
        applies=has_flags,
    ),
    Invariant(
        name="a_vector_leaves_the_context_as_it_was",
        law="A vector ends with the depths as it began, and meanwhile the depth is not below.",
        scope="CPU",
        source="kernel/softirq.c: handle_softirqs compares preempt_count",
        on=(),
        make=lambda setting: _SameCounts(*_VECTORS),
        needs=_VECTORS,
        applies=has_flags_not_rt,
    ),
    Invariant(
        name="vectors_run_in_softirq_context",
        law="From softirq_entry to softirq_exit the context of a CPU is s or H.",
        scope="CPU",
        source="kernel/softirq.c: softirq_handle_begin",
        on=(),
        make=_InVector,
        needs=_VECTORS,
        applies=has_flags_not_rt,
    ),
    Invariant(
        name="softirq_context_serves_a_vector",
        law="Consecutive records of a CPU with s or H have an entry or exit of a vector among "
        "them.",
        scope="CPU",
        source="kernel/softirq.c: handle_softirqs runs one vector at least",
        on=(),
        make=lambda setting: _Windows(SOFTIRQ, _VECTORS),
        needs=_VECTORS,
        applies=has_flags_not_rt,
    ),
    Invariant(
        name="hard_interrupt_context_serves_an_interrupt",
        law="Consecutive records of a CPU with h or H have a handler's or an IPI's among them.",
        scope="CPU",
        source="kernel/irq/handle.c: __handle_irq_event_percpu; "
        "kernel/softirq.c: irq_enter_rcu, irq_exit_rcu",
        on=(),
        make=lambda setting: _Windows(
            HARDIRQ | NMI, (*_HANDLERS, IPI_ENTRY, IPI_EXIT), (TICK_NAME, IPI_NAME)
        ),
        needs=_HANDLERS,
        is_strict=False,
        applies=lambda setting: setting.has_flags and setting.release >= IPIS_ARE_IRQS_SINCE,
        exceptions="an interrupt without a handler: of a disabled line, of a chained controller, "
        "other architectures",
    ),
    Invariant(
        name="interrupts_are_off_in_bookkeeping",
        law="Timers are queued, tasks moved, work queued and IPIs handled with interrupts off.",
        scope="CPU",
        source="kernel/time/timer.c: lock_timer_base; kernel/workqueue.c: queue_work_on; "
        "kernel/sched/core.c: task_rq_lock",
        on=_OTHERS_OFF,
        make=lambda setting: Stateless(_off),
        applies=has_flags,
    ),
    Invariant(
        name="interrupts_are_on_in_bottom_halves",
        law="Tasklets and work begin and end with interrupts on.",
        scope="CPU",
        source="kernel/softirq.c: tasklet_action_common; kernel/workqueue.c: process_one_work",
        on=_ON,
        make=lambda setting: Stateless(_on),
        applies=has_flags,
    ),
    Invariant(
        name="switches_have_one_depth",
        law="All switches of a kernel show the same preempt depth.",
        scope="log",
        source="kernel/sched/core.c: __schedule: preempt_disable(), and the run queue's lock",
        on=(SCHED_SWITCH,),
        make=_SwitchDepth,
        needs=(SCHED_SWITCH,),
        applies=has_flags,
    ),
    Invariant(
        name="what_is_not_counted_is_not_shown",
        law="Where switches show no preempt depth nothing does, but for the 1 of "
        "local_bh_enable() in a task.",
        scope="log",
        source="include/linux/preempt.h: CONFIG_PREEMPT_COUNT; kernel/softirq.c: "
        "__local_bh_enable_ip",
        on=(),
        make=_Uncounted,
        needs=(SCHED_SWITCH,),
        applies=has_flags,
    ),
)
