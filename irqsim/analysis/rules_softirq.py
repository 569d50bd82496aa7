"""Laws of softirqs, tasklets, and what runs in them.

A vector that is raised becomes pending; a pass takes what is pending as its snapshot and runs
it in ascending order; what is raised meanwhile waits for the next pass.  The log shows neither
the snapshot nor the end of a pass, so each law here speaks only where both are certain.

Source: kernel/softirq.c.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from irqsim.analysis.automaton import Automaton, Move, Reader, closing, nesting, on_cpu
from irqsim.analysis.invariant import Invariant, Setting, Stateless
from irqsim.analysis.passes import KSOFTIRQD, PassOrder, RestartLimit
from irqsim.analysis.rules_sched import is_runnable
from irqsim.events import (
    HARDIRQ,
    HRTIMER_EXPIRE_ENTRY,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    IRQS_OFF,
    NAPI_POLL,
    SCHED_SWITCH,
    SCHED_WAKING,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    SOFTIRQ_RAISE,
    TASKLET_ENTRY,
    TASKLET_EXIT,
    TIMER_EXPIRE_ENTRY,
    Context,
    Event,
)

HI: Final = 0
TIMER: Final = 1
NET_RX: Final = 3
TASKLET: Final = 6
HRTIMER: Final = 8
NEVER_DEFERS_SINCE: Final = (6, 5)

_VECTORS: Final = (SOFTIRQ_ENTRY, SOFTIRQ_EXIT)
_OUTSIDE: Final = "no vector runs"
_INSIDE: Final = "a vector runs"


class _RunningVector:
    """Remembers which vector runs on each CPU: None where that is not known."""

    __slots__ = ("_is_complete", "_vec_of")

    NOTHING: Final = -1

    def __init__(self, setting: Setting) -> None:
        self._is_complete = setting.is_complete
        self._vec_of: dict[int, int] = {}

    def vec(self, cpu: int) -> int | None:
        return self._vec_of.get(cpu, self.NOTHING if self._is_complete else None)

    def follow(self, context: Context, event: Event) -> bool:
        """Take in entry and exit; whether it was one of them."""
        if event.tracepoint is SOFTIRQ_ENTRY:
            vec = event.values[0]
            assert isinstance(vec, int)
            self._vec_of[context.cpu] = vec
        elif event.tracepoint is SOFTIRQ_EXIT:
            self._vec_of[context.cpu] = self.NOTHING
        else:
            return False
        return True

    def lost(self, cpu: int) -> None:
        self._is_complete = False
        self._vec_of.pop(cpu, None)


class _InVector:
    """An event that happens only while one of certain vectors runs.

    `elsewhere`: contexts in which it may happen besides, as flags; 0 is process context.
    """

    __slots__ = ("_elsewhere", "_running", "_vectors")

    def __init__(
        self, setting: Setting, vectors: tuple[int, ...], elsewhere: int | None = None
    ) -> None:
        self._running = _RunningVector(setting)
        self._vectors = vectors
        self._elsewhere = elsewhere

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if self._running.follow(context, event):
            return ""
        vec = self._running.vec(context.cpu)
        place = context.flags & (SOFTIRQ | HARDIRQ)
        if place == self._elsewhere or (self._elsewhere and place & self._elsewhere):
            return ""
        if vec is None or (vec in self._vectors and place == SOFTIRQ):
            return ""
        return f"{event.tracepoint.name} while {_OUTSIDE if vec < 0 else f'vec {vec} runs'}"

    def lost(self, cpu: int) -> None:
        self._running.lost(cpu)


def _softirq_context(context: Context, event: Event) -> str:
    if context.flags & (SOFTIRQ | HARDIRQ | IRQS_OFF) == SOFTIRQ:
        return ""
    return f"{event.tracepoint.name} not in softirq context with interrupts on"


def _own_cpu(context: Context, event: Event) -> str:
    number = context.comm.removeprefix(KSOFTIRQD)
    if number == context.comm or not number.isdigit() or int(number) == context.cpu:
        return ""
    return f"{context.comm} serves softirqs on CPU {context.cpu}"


def _credit(symbol: str) -> Reader:
    """A vector owes one run at most for its pending bit, and one for the snapshot."""

    def read(context: Context, event: Event) -> Iterable[Move]:
        return (((context.cpu, f"vec {event.values[0]}"), symbol, None),)

    return read


_RAISED: Final = Automaton(
    reads={SOFTIRQ_RAISE: _credit("raise"), SOFTIRQ_ENTRY: _credit("run")},
    moves={
        ("it owes no run", "raise"): "it owes a run",
        ("it owes a run", "raise"): "it owes two runs",
        ("it owes two runs", "raise"): "it owes two runs",
        ("it owes two runs", "run"): "it owes a run",
        ("it owes a run", "run"): "it owes no run",
    },
    start="it owes no run",
    ignorance="it owes two runs",
    cpu_of=lambda key: key[0] if isinstance(key, tuple) else None,
)


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


def _by_tasklet(context: Context, event: Event, symbol: str) -> Iterable[Move]:
    return ((f"tasklet {event.values[0]}, {event.values[1]}", symbol, context.cpu),)


_TASKLET_PLACES: Final = Automaton(
    reads={
        TASKLET_ENTRY: lambda context, event: _by_tasklet(context, event, "entry"),
        TASKLET_EXIT: lambda context, event: _by_tasklet(context, event, "exit"),
    },
    moves={
        ("it runs nowhere", "entry"): "it runs",
        ("it runs", "exit"): "it runs nowhere",
        # An exit without an entry on its CPU is the business of another law.
        ("it runs", "other exit"): "it runs",
        ("it runs nowhere", "exit"): "it runs nowhere",
        ("it runs nowhere", "other exit"): "it runs nowhere",
    },
    start="it runs nowhere",
    keeps=("entry",),
    compares=("exit",),
)
_NESTING: Final = nesting(*_VECTORS, _OUTSIDE, _INSIDE)
_CLOSING: Final = closing(*_VECTORS, _OUTSIDE, _INSIDE)
_TASKLET_CLOSING: Final = closing(
    TASKLET_ENTRY, TASKLET_EXIT, "no tasklet runs", "a tasklet runs"
)
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
        on=_RAISED.on,
        make=_RAISED.watch,
        needs=_RAISED.on,
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
        applies=lambda setting: setting.release < NEVER_DEFERS_SINCE and not setting.is_rt,
    ),
    Invariant(
        name="tasklet_exit_closes_its_entry",
        law="tasklet_exit names the tasklet of the tasklet_entry before it on its CPU.",
        scope="CPU",
        source="kernel/softirq.c: tasklet_action_common",
        on=_TASKLET_CLOSING.on,
        make=_TASKLET_CLOSING.watch,
        needs=_TASKLET_CLOSING.on,
    ),
    Invariant(
        name="a_tasklet_runs_on_one_cpu_at_a_time",
        law="A tasklet does not begin while it runs, on whatever CPU.",
        scope="tasklet",
        source="kernel/softirq.c: tasklet_trylock: TASKLET_STATE_RUN",
        on=_TASKLET_PLACES.on,
        make=_TASKLET_PLACES.watch,
        needs=_TASKLET_PLACES.on,
        exceptions="two tasklets with one function that the log prints by one symbol",
    ),
    Invariant(
        name="tasklets_run_in_their_vectors",
        law="Tasklets begin only while HI or TASKLET runs on their CPU.",
        scope="CPU",
        source="kernel/softirq.c: tasklet_action, tasklet_hi_action",
        on=(*_VECTORS, TASKLET_ENTRY),
        make=lambda setting: _InVector(setting, (HI, TASKLET)),
        needs=(*_VECTORS, TASKLET_ENTRY),
        applies=lambda setting: setting.has_flags,
    ),
    Invariant(
        name="napi_polls_in_net_rx",
        law="NAPI polls in NET_RX, or in process context (threaded, busy polling).",
        scope="CPU",
        source="net/core/dev.c: net_rx_action, napi_threaded_poll, napi_busy_loop",
        on=(*_VECTORS, NAPI_POLL),
        make=lambda setting: _InVector(setting, (NET_RX,), elsewhere=0),
        needs=(*_VECTORS, NAPI_POLL),
        applies=lambda setting: setting.has_flags,
        exceptions="netconsole",
    ),
    Invariant(
        name="timers_expire_in_timer",
        law="Wheel timers expire in TIMER.",
        scope="CPU",
        source="kernel/time/timer.c: run_timer_softirq",
        on=(*_VECTORS, TIMER_EXPIRE_ENTRY),
        make=lambda setting: _InVector(setting, (TIMER,)),
        needs=(*_VECTORS, TIMER_EXPIRE_ENTRY),
        applies=lambda setting: setting.has_flags,
    ),
    Invariant(
        name="soft_hrtimers_expire_in_hrtimer",
        law="hrtimers expire in a hard interrupt, or in HRTIMER.",
        scope="CPU",
        source="kernel/time/hrtimer.c: hrtimer_interrupt, hrtimer_run_softirq",
        on=(*_VECTORS, HRTIMER_EXPIRE_ENTRY),
        make=lambda setting: _InVector(setting, (HRTIMER,), elsewhere=HARDIRQ),
        needs=(*_VECTORS, HRTIMER_EXPIRE_ENTRY),
        applies=lambda setting: setting.has_flags,
    ),
)
