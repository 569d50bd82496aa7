"""Laws of waking: of tasks, of interrupt threads, and of the work that workers do.

Source: kernel/sched/core.c: try_to_wake_up; kernel/irq/handle.c; kernel/workqueue.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from irqsim.analysis.automaton import UNKNOWN, Automaton, Key, Move, Reader, closing
from irqsim.analysis.invariant import Invariant, Setting
from irqsim.analysis.names import IPI_NAME, IPIS_ARE_IRQS_SINCE
from irqsim.analysis.rules_sched import ENDED
from irqsim.events import (
    HARDIRQ,
    HRTIMER_CANCEL,
    HRTIMER_START,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    NMI,
    SCHED_MIGRATE_TASK,
    SCHED_STAT_BLOCKED,
    SCHED_STAT_IOWAIT,
    SCHED_STAT_RUNTIME,
    SCHED_STAT_SLEEP,
    SCHED_STAT_WAIT,
    SCHED_SWITCH,
    SCHED_WAKE_IDLE_WITHOUT_IPI,
    SCHED_WAKEUP,
    SCHED_WAKEUP_NEW,
    SCHED_WAKING,
    SOFTIRQ,
    TASK_PREEMPTED,
    TASK_RUNNING,
    WORKQUEUE_ACTIVATE_WORK,
    WORKQUEUE_EXECUTE_END,
    WORKQUEUE_EXECUTE_START,
    WORKQUEUE_QUEUE_WORK,
    Context,
    Event,
    Value,
)

STATE_LETTERS_ARE_RIGHT_SINCE: Final = (4, 20)
BARRIER: Final = "wq_barrier_func"
BETWEEN: Final = (
    HRTIMER_START, HRTIMER_CANCEL,
    SCHED_MIGRATE_TASK, SCHED_STAT_BLOCKED, SCHED_STAT_IOWAIT, SCHED_STAT_RUNTIME,
    SCHED_STAT_SLEEP, SCHED_STAT_WAIT, SCHED_WAKE_IDLE_WITHOUT_IPI,
)  # fmt: skip
"""What a waker may record between sched_waking and sched_wakeup."""
OUTSIDE: Final = ("ftrace", "ipi")
"""Systems whose records may stand between them as well."""
_IRQ_THREAD: Final = re.compile(r"irq/([0-9]+)-")


def _task(symbol: str) -> Reader:
    def read(context: Context, event: Event) -> Iterable[Move]:
        return ((f"pid {event['pid']}", symbol, None),)

    return read


def _wake(symbol: str) -> Reader:
    """Whoever wakes, wakes a task with a name and a priority."""

    def read(context: Context, event: Event) -> Iterable[Move]:
        return ((f"pid {event['pid']}", symbol, f"{event['comm']}, prio {event['prio']}"),)

    return read


_WAKEUPS: Final = Automaton(
    reads={SCHED_WAKING: _wake("waking"), SCHED_WAKEUP: _wake("wakeup")},
    moves={
        ("nobody wakes it", "waking"): "somebody wakes it",
        ("somebody wakes it", "wakeup"): "nobody wakes it",
    },
    # The first waker of a task may be outside of the log.
    start=UNKNOWN,
    keeps=("waking",),
    compares=("wakeup",),
)


class _BehindWaking:
    """Remembers whom each CPU is waking, and whose handler runs there.

    Between sched_waking and the sched_wakeup of the same CPU stand only records of the scheduler.
    """

    __slots__ = ("_is_ipi", "_pid")

    def __init__(self, setting: Setting) -> None:
        self._pid: dict[int, Value] = {}
        self._is_ipi: dict[int, bool] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if context.flags & NMI:
            # It may land anywhere, also in a wake-up.
            return ""
        cpu, tracepoint = context.cpu, event.tracepoint
        if tracepoint is IRQ_HANDLER_ENTRY:
            self._is_ipi[cpu] = event.values[1] == IPI_NAME
        if tracepoint is SCHED_WAKING:
            self._pid[cpu] = event["pid"]
        elif tracepoint is not SCHED_WAKEUP:
            if tracepoint not in BETWEEN and tracepoint.system not in OUTSIDE:
                self._pid.pop(cpu, None)
        elif self._pid.pop(cpu, None) != event["pid"] and self._is_local(context):
            return f"pid {event['pid']} is woken, and no sched_waking stands before"
        return ""

    def lost(self, cpu: int) -> None:
        self._pid.pop(cpu, None)
        self._is_ipi.pop(cpu, None)

    def _is_local(self, context: Context) -> bool:
        """Wake-ups that come from another CPU are done in an IPI, or by the idle task."""
        if context.flags & HARDIRQ:
            return not self._is_ipi.get(context.cpu, True)
        return context.pid != 0 or context.flags & SOFTIRQ != 0


def _switch(context: Context, event: Event) -> Iterable[Move]:
    previous, following = event["prev_pid"], event["next_pid"]
    state = event["prev_state"]
    assert isinstance(state, int)
    if state == TASK_PREEMPTED:
        symbol = "is preempted"
    elif state == TASK_RUNNING:
        symbol = "gives way"
    else:
        symbol = "ends" if state & ENDED else "sleeps"
    if previous:
        yield f"pid {previous}", symbol, None
    if following:
        yield f"pid {following}", "runs", None


_SLEEPERS: Final = Automaton(
    reads={
        SCHED_SWITCH: _switch,
        SCHED_WAKING: _task("waking"),
        SCHED_WAKEUP: _task("wakeup"),
        SCHED_WAKEUP_NEW: _task("new"),
    },
    moves={
        ("it is runnable", "runs"): "it runs",
        ("it runs", "gives way"): "it is runnable",
        ("it runs", "sleeps"): "it sleeps",
        ("it sleeps", "waking"): "it is being woken",
        ("it is being woken", "wakeup"): "it is runnable",
        # Preempted on its way to sleep, it is woken while it is runnable.
        ("it runs", "is preempted"): "it is preempted",
        ("it is preempted", "runs"): "it runs",
        ("it is preempted", "waking"): "it is preempted and being woken",
        ("it is preempted and being woken", "wakeup"): "it is runnable",
        # Woken on its way to sleep.
        ("it runs", "waking"): "it runs and is being woken",
        ("it runs and is being woken", "wakeup"): "it runs",
        ("it runs and is being woken", "gives way"): "it is runnable and being woken",
        ("it runs and is being woken", "is preempted"): "it is preempted and being woken",
        ("it runs and is being woken", "sleeps"): "it is being woken",
        ("it is runnable and being woken", "wakeup"): "it is runnable",
        # Its number may be used again.
        ("it runs", "ends"): "it has ended",
        ("it runs and is being woken", "ends"): "it has ended",
        ("it has ended", "wakeup"): "it has ended",
        ("it has ended", "new"): "it is runnable",
        ("it has ended", "waking"): "it is being woken",
        ("it sleeps", "new"): "it is runnable",
        # Where sched_waking is not in the log.
        ("it sleeps", "wakeup"): "it is runnable",
        ("it is preempted", "wakeup"): "it is runnable",
        ("it runs", "wakeup"): "it runs",
        # What is known of a task begins with its waking: it may run meanwhile.
        ("it is being woken", "gives way"): "it is runnable and being woken",
        ("it is being woken", "is preempted"): "it is preempted and being woken",
        ("it is being woken", "sleeps"): "it is being woken",
        ("it is being woken", "ends"): "it has ended",
        ("it is runnable", "gives way"): "it is runnable",
        ("it is runnable", "is preempted"): "it is preempted",
        ("it is runnable", "sleeps"): "it sleeps",
        ("it is runnable", "ends"): "it has ended",
    },
    start=UNKNOWN,
    settles={"waking": "it is being woken", "wakeup": "it is runnable"},
)


class _IrqThreads:
    """Remembers the handler that runs on each CPU, and the line that was not for its handler."""

    __slots__ = ("_irq", "_unhandled")

    def __init__(self, setting: Setting) -> None:
        self._irq: dict[int, Value] = {}
        self._unhandled: dict[int, Value] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if event.tracepoint is IRQ_HANDLER_ENTRY:
            self._irq[context.cpu] = event.values[0]
            self._unhandled.pop(context.cpu, None)
        elif event.tracepoint is IRQ_HANDLER_EXIT:
            self._irq.pop(context.cpu, None)
            if not event.values[1]:
                self._unhandled[context.cpu] = event.values[0]
        else:
            comm = event["comm"]
            assert isinstance(comm, str)
            match = _IRQ_THREAD.match(comm)
            if match is not None and int(match[1]) == self._irq.get(context.cpu):
                return f"{comm} is woken before the handler of irq {match[1]} has returned"
            irq = self._unhandled.get(context.cpu)
            if match is not None and context.flags & HARDIRQ and int(match[1]) == irq:
                return f"{comm} is woken, but the handler of irq {irq} has returned unhandled"
        return ""

    def lost(self, cpu: int) -> None:
        self._irq.pop(cpu, None)
        self._unhandled.pop(cpu, None)


def _work(symbol: str) -> Reader:
    def read(context: Context, event: Event) -> Iterable[Move]:
        # BH workqueues (6.9) run their work in softirqs, whatever task they interrupt.
        if context.flags & SOFTIRQ:
            return ()
        return ((f"pid {context.pid}", symbol, event.values[0]),)

    return read


def _no_cpu(key: Key) -> Value:
    return None


_WORK: Final = closing(
    WORKQUEUE_EXECUTE_START,
    WORKQUEUE_EXECUTE_END,
    "it does no work",
    "it works",
    _work,
    _no_cpu,
)

def _by_work(symbol: str) -> Reader:
    def read(context: Context, event: Event) -> Iterable[Move]:
        if symbol == "start" and event["function"] == BARRIER:
            return ()
        return ((f"work {event.values[0]}", symbol, None),)

    return read


_QUEUED_WORK: Final = Automaton(
    reads={
        WORKQUEUE_QUEUE_WORK: _by_work("queue"),
        WORKQUEUE_ACTIVATE_WORK: _by_work("activate"),
        WORKQUEUE_EXECUTE_START: _by_work("start"),
    },
    moves={
        ("it is not queued", "queue"): "it is queued",
        ("it is queued", "activate"): "it is active",
        ("it is active", "start"): "it is not queued",
    },
    start=UNKNOWN,
)

WAKE_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="wakeup_follows_waking",
        law="Each sched_waking of a task is followed by one sched_wakeup of it, with its name "
        "and priority.",
        scope="task",
        source="kernel/sched/core.c: try_to_wake_up",
        on=_WAKEUPS.on,
        make=_WAKEUPS.watch,
        needs=_WAKEUPS.on,
    ),
    Invariant(
        name="a_local_wakeup_stands_behind_its_waking",
        law="A sched_wakeup that is not due to an IPI stands behind its sched_waking on the same "
        "CPU, with nothing but the scheduler's records between.",
        scope="CPU",
        source="kernel/sched/core.c: try_to_wake_up, ttwu_queue",
        on=(),
        make=_BehindWaking,
        needs=_WAKEUPS.on,
        applies=lambda setting: setting.has_flags and setting.release >= IPIS_ARE_IRQS_SINCE,
    ),
    Invariant(
        name="who_sleeps_is_woken_before_it_runs",
        law="A task that went to sleep runs again only after it was woken, and only who sleeps, "
        "or is on its way, is woken.",
        scope="task",
        source="kernel/sched/core.c: try_to_wake_up",
        on=_SLEEPERS.on,
        make=_SLEEPERS.watch,
        needs=(SCHED_SWITCH, SCHED_WAKEUP),
        is_strict=False,
        applies=lambda setting: setting.release >= STATE_LETTERS_ARE_RIGHT_SINCE,
        exceptions="a signal keeps a task runnable whose switch says S; state letters of 4.14-4.19",
    ),
    Invariant(
        name="irq_threads_are_woken_behind_their_handler",
        law="The thread irq/N-... is woken after the handler of irq N has returned.",
        scope="irq",
        source="kernel/irq/handle.c: __handle_irq_event_percpu: __irq_wake_thread",
        on=(IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT, SCHED_WAKING),
        make=_IrqThreads,
        needs=(IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT, SCHED_WAKING),
    ),
    Invariant(
        name="work_is_queued_before_it_runs",
        law="A work is queued, activated and started in this order, each once.",
        scope="work",
        source="kernel/workqueue.c: __queue_work, insert_work, process_one_work",
        on=_QUEUED_WORK.on,
        make=_QUEUED_WORK.watch,
        needs=_QUEUED_WORK.on,
        is_strict=False,
        exceptions="a work that is cancelled while it waits; the barriers of flush_work()",
    ),
    Invariant(
        name="work_end_closes_its_start",
        law="A worker ends the work that it has started.",
        scope="task",
        source="kernel/workqueue.c: process_one_work",
        on=_WORK.on,
        make=_WORK.watch,
        needs=_WORK.on,
    ),
)
