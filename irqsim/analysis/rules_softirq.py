"""Laws of softirqs, tasklets, and what runs in them.

A vector that is raised becomes pending; a pass takes what is pending as its snapshot and runs
it in ascending order; what is raised meanwhile waits for the next pass.  The log shows neither
the snapshot nor the end of a pass, so each law here speaks only where both are certain.

Source: kernel/softirq.c.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.automaton import Automaton, closing, nesting, on_cpu
from irqsim.analysis.invariant import Invariant, Setting, Stateless
from irqsim.analysis.passes import KSOFTIRQD, PassOrder, RestartLimit
from irqsim.analysis.rules_sched import is_runnable
from irqsim.events import (
    HARDIRQ,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    IRQS_OFF,
    SCHED_SWITCH,
    SCHED_WAKING,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    SOFTIRQ_RAISE,
    Context,
    Event,
)

NR_SOFTIRQS: Final = 10
OWED_MAX: Final = 2
HI: Final = 0
TIMER: Final = 1
NET_RX: Final = 3
TASKLET: Final = 6
HRTIMER: Final = 8
NEVER_DEFERS_SINCE: Final = (6, 5)

_VECTORS: Final = (SOFTIRQ_ENTRY, SOFTIRQ_EXIT)
_OUTSIDE: Final = "no vector runs"
_INSIDE: Final = "a vector runs"


def _softirq_context(context: Context, event: Event) -> str:
    if context.flags & (SOFTIRQ | HARDIRQ | IRQS_OFF) == SOFTIRQ:
        return ""
    return f"{event.tracepoint.name} not in softirq context with interrupts on"


def _own_cpu(context: Context, event: Event) -> str:
    number = context.comm.removeprefix(KSOFTIRQD)
    if number == context.comm or not number.isdigit() or int(number) == context.cpu:
        return ""
    return f"{context.comm} serves softirqs on CPU {context.cpu}"


class _Credit:
    """Counts the runs that each vector owes.

    One at most for its pending bit and one for the snapshot; none when the CPU idles.
    """

    __slots__ = ("_first", "_owed")

    def __init__(self, setting: Setting) -> None:
        self._first = 0 if setting.is_complete else OWED_MAX
        self._owed: dict[int, list[int]] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu = context.cpu
        owed = self._owed.get(cpu)
        if owed is None:
            owed = self._owed[cpu] = [self._first] * NR_SOFTIRQS
        if event.tracepoint is SCHED_SWITCH:
            if event["next_pid"] == 0:
                self._owed[cpu] = [0] * NR_SOFTIRQS
            return ""
        vec = event.values[0]
        assert isinstance(vec, int)
        if vec >= NR_SOFTIRQS:
            return f"vec {vec} does not exist"
        if event.tracepoint is SOFTIRQ_RAISE:
            owed[vec] = min(OWED_MAX, owed[vec] + 1)
        elif not owed[vec]:
            return f"vec {vec} runs, and nobody has raised it"
        else:
            owed[vec] -= 1
        return ""

    def lost(self, cpu: int) -> None:
        self._owed[cpu] = [OWED_MAX] * NR_SOFTIRQS


class _RaisedBeforeIdle:
    """Remembers what each CPU has raised since it last ran."""

    __slots__ = ("_raised",)

    def __init__(self, setting: Setting) -> None:
        self._raised: dict[int, int] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu, raised = context.cpu, self._raised.get(context.cpu, 0)
        if event.tracepoint is SCHED_SWITCH:
            if event["next_pid"] != 0 or not raised:
                return ""
            return f"CPU {cpu} idles with vec {(raised & -raised).bit_length() - 1} pending"
        vec = event.values[0]
        assert isinstance(vec, int)
        if event.tracepoint is SOFTIRQ_RAISE:
            self._raised[cpu] = raised | 1 << vec
        else:
            self._raised[cpu] = raised & ~(1 << vec)
        return ""

    def lost(self, cpu: int) -> None:
        self._raised.pop(cpu, None)


class _Deferral:
    """Follows ksoftirqd/N, and whether HI or TASKLET may be pending while it is runnable."""

    __slots__ = ("_is_exempt", "_owed", "_pid")

    def __init__(self, setting: Setting) -> None:
        self._pid: dict[int, int] = {}
        """Of the ksoftirqd that is runnable, by CPU."""
        self._owed: dict[int, dict[int, int]] = {}
        """Runs that HI and TASKLET owe at most, by CPU."""
        self._is_exempt: dict[int, bool] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu, tracepoint = context.cpu, event.tracepoint
        owed = self._owed.setdefault(cpu, {HI: 2, TASKLET: 2})
        if tracepoint is SCHED_WAKING:
            if event["comm"] == f"{KSOFTIRQD}{cpu}":
                pid = event["pid"]
                assert isinstance(pid, int)
                self._pid[cpu] = pid
                self._is_exempt[cpu] = any(owed.values())
            return ""
        if tracepoint is SCHED_SWITCH:
            if event["prev_pid"] == self._pid.get(cpu) and not is_runnable(event):
                del self._pid[cpu]
            if not event["next_pid"]:
                self._owed[cpu] = {HI: 0, TASKLET: 0}
            return ""
        vec = event.values[0]
        assert isinstance(vec, int)
        if tracepoint is SOFTIRQ_RAISE:
            if vec in owed:
                owed[vec] = min(2, owed[vec] + 1)
                self._is_exempt[cpu] = True
            return ""
        if vec in owed:
            owed[vec] = max(0, owed[vec] - 1)
        pid = self._pid.get(cpu)
        is_wrong = pid is not None and context.pid != pid and not self._is_exempt[cpu]
        return f"vec {vec} runs while ksoftirqd/{cpu} is runnable" if is_wrong else ""

    def lost(self, cpu: int) -> None:
        self._pid.pop(cpu, None)
        self._owed.pop(cpu, None)
        self._is_exempt.pop(cpu, None)


_NESTING: Final = nesting(*_VECTORS, _OUTSIDE, _INSIDE)
_CLOSING: Final = closing(*_VECTORS, _OUTSIDE, _INSIDE)
_HANDLER: Final = "a handler runs"
_NO_SOFTIRQ_IN_HANDLER: Final = Automaton(
    reads={
        IRQ_HANDLER_ENTRY: on_cpu("handler"),
        IRQ_HANDLER_EXIT: on_cpu("end"),
        SOFTIRQ_ENTRY: on_cpu("softirq"),
    },
    moves={
        ("no handler runs", "handler"): _HANDLER,
        (_HANDLER, "handler"): _HANDLER,
        (_HANDLER, "end"): "no handler runs",
        ("no handler runs", "end"): "no handler runs",
        ("no handler runs", "softirq"): "no handler runs",
    },
    start="no handler runs",
)

SOFTIRQ_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="softirqs_do_not_nest",
        law="On a CPU no vector begins before the last one has ended.",
        scope="CPU",
        source="kernel/softirq.c: __irq_exit_rcu: in_interrupt()",
        on=_NESTING.on,
        make=_NESTING.watch,
        needs=_VECTORS,
    ),
    Invariant(
        name="softirq_exit_closes_its_entry",
        law="softirq_exit has the vec of the softirq_entry before it on its CPU.",
        scope="CPU",
        source="kernel/softirq.c: handle_softirqs",
        on=_CLOSING.on,
        make=_CLOSING.watch,
        needs=_VECTORS,
    ),
    Invariant(
        name="no_softirq_inside_a_hard_interrupt",
        law="No vector begins between irq_handler_entry and irq_handler_exit on its CPU.",
        scope="CPU",
        source="kernel/softirq.c: __irq_exit_rcu runs them when the hard interrupt is over",
        on=_NO_SOFTIRQ_IN_HANDLER.on,
        make=_NO_SOFTIRQ_IN_HANDLER.watch,
        needs=_NO_SOFTIRQ_IN_HANDLER.on,
    ),
    Invariant(
        name="softirqs_run_with_interrupts_on",
        law="A vector begins and ends in softirq context, with interrupts on.",
        scope="CPU",
        source="kernel/softirq.c: handle_softirqs: local_irq_enable()",
        on=_VECTORS,
        make=lambda setting: Stateless(_softirq_context),
        applies=lambda setting: setting.has_flags,
    ),
    Invariant(
        name="every_run_of_a_vector_was_raised",
        law="A vector that was raised runs once, or twice if it was raised again after the "
        "snapshot; it does not run unless it was raised.",
        scope="vector",
        source="kernel/softirq.c: handle_softirqs: pending and its snapshot",
        on=(SOFTIRQ_RAISE, SOFTIRQ_ENTRY, SCHED_SWITCH),
        make=_Credit,
        needs=(SOFTIRQ_RAISE, SOFTIRQ_ENTRY),
    ),
    Invariant(
        name="vectors_ascend_within_a_pass",
        law="A pass runs what was pending when it began, in ascending order, each vector once.",
        scope="CPU",
        source="kernel/softirq.c: handle_softirqs: ffs() over the snapshot",
        on=(),
        make=PassOrder,
        needs=(SOFTIRQ_RAISE, *_VECTORS),
        applies=lambda setting: setting.has_flags and not setting.is_rt,
        exceptions="vectors that were pending on a CPU when it went offline; PREEMPT_RT",
    ),
    Invariant(
        name="a_raised_vector_runs_before_its_cpu_idles",
        law="A CPU switches to its idle task only when every vector that was raised has run.",
        scope="CPU",
        source="kernel/softirq.c: raise_softirq_irqoff, invoke_softirq: ksoftirqd is runnable; "
        "kernel/time/tick-sched.c: report_idle_softirq",
        on=(SOFTIRQ_RAISE, SOFTIRQ_ENTRY, SCHED_SWITCH),
        make=_RaisedBeforeIdle,
        needs=(SOFTIRQ_RAISE, SOFTIRQ_ENTRY, SCHED_SWITCH),
        applies=lambda setting: not setting.is_rt,
        exceptions="PREEMPT_RT keeps HRTIMER for ktimers until an interrupt ends outside of "
        "bottom halves",
    ),
    Invariant(
        name="softirq_passes_are_limited",
        law="A turn of softirqs at the end of an interrupt has at most MAX_SOFTIRQ_RESTART passes.",
        scope="CPU",
        source="kernel/softirq.c: handle_softirqs: MAX_SOFTIRQ_RESTART",
        on=(),
        make=RestartLimit,
        needs=(SOFTIRQ_RAISE, *_VECTORS, IRQ_HANDLER_ENTRY),
        is_strict=False,
        applies=lambda setting: setting.has_flags and not setting.is_rt,
        exceptions="an interrupt between two turns that leaves no record: of a disabled line, or "
        "an IPI before 5.10 without ipi:*",
    ),
    Invariant(
        name="ksoftirqd_serves_its_own_cpu",
        law="What runs in ksoftirqd/N runs on CPU N.",
        scope="CPU",
        source="kernel/softirq.c: softirq_threads; kernel/smpboot.c",
        on=(SOFTIRQ_ENTRY,),
        make=lambda setting: Stateless(_own_cpu),
    ),
    Invariant(
        name="softirqs_wait_for_a_runnable_ksoftirqd",
        law="While ksoftirqd is runnable and neither HI nor TASKLET is pending, no other task's "
        "interrupt runs softirqs on its CPU.",
        scope="CPU",
        source="kernel/softirq.c: ksoftirqd_running (until 6.4)",
        on=(SOFTIRQ_RAISE, SOFTIRQ_ENTRY, SCHED_WAKING, SCHED_SWITCH),
        make=_Deferral,
        needs=(SOFTIRQ_RAISE, SOFTIRQ_ENTRY, SCHED_WAKING, SCHED_SWITCH),
        applies=lambda setting: setting.latest < NEVER_DEFERS_SINCE and not setting.is_rt,
    ),
)
