"""Laws of waking: of tasks, of interrupt threads, and of the work that workers do.

Source: kernel/sched/core.c: try_to_wake_up; kernel/irq/handle.c; kernel/workqueue.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from irqsim.analysis.automaton import UNKNOWN, Automaton, Key, Move, Reader, closing
from irqsim.analysis.invariant import Invariant, Setting
from irqsim.analysis.rules_sched import ENDED, is_runnable
from irqsim.events import (
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    SCHED_SWITCH,
    SCHED_WAKEUP,
    SCHED_WAKEUP_NEW,
    SCHED_WAKING,
    SOFTIRQ,
    WORKQUEUE_EXECUTE_END,
    WORKQUEUE_EXECUTE_START,
    Context,
    Event,
    Value,
)

STATE_LETTERS_ARE_RIGHT_SINCE: Final = (4, 20)
_IRQ_THREAD: Final = re.compile(r"irq/([0-9]+)-")


def _task(symbol: str) -> Reader:
    def read(context: Context, event: Event) -> Iterable[Move]:
        return ((f"pid {event['pid']}", symbol, None),)

    return read


_WAKEUPS: Final = Automaton(
    reads={SCHED_WAKING: _task("waking"), SCHED_WAKEUP: _task("wakeup")},
    moves={
        ("nobody wakes it", "waking"): "somebody wakes it",
        # It was running still: nothing more to do.
        ("somebody wakes it", "waking"): "somebody wakes it",
        ("somebody wakes it", "wakeup"): "nobody wakes it",
    },
    # The first waker of a task may be outside of the log.
    start=UNKNOWN,
)


def _switch(context: Context, event: Event) -> Iterable[Move]:
    previous, following = event["prev_pid"], event["next_pid"]
    if is_runnable(event):
        symbol = "gives way"
    else:
        state = event["prev_state"]
        assert isinstance(state, int)
        symbol = "ends" if state & ENDED else "sleeps"
    if previous:
        yield f"pid {previous}", symbol, None
    if following:
        yield f"pid {following}", "runs", None


_SLEEPERS: Final = Automaton(
    reads={
        SCHED_SWITCH: _switch,
        SCHED_WAKING: _task("wake"),
        SCHED_WAKEUP: _task("wake"),
        SCHED_WAKEUP_NEW: _task("wake"),
    },
    moves={
        ("it is runnable", "runs"): "it runs",
        ("it is runnable", "wake"): "it is runnable",
        ("it sleeps", "wake"): "it is runnable",
        ("it runs", "gives way"): "it is runnable",
        ("it runs", "sleeps"): "it sleeps",
        ("it runs", "ends"): "it has ended",
        ("it runs", "wake"): "it runs and is woken",
        ("it runs and is woken", "wake"): "it runs and is woken",
        ("it runs and is woken", "gives way"): "it is runnable",
        # Woken on its way to sleep.
        ("it runs and is woken", "sleeps"): "it is runnable",
        ("it runs and is woken", "ends"): "it has ended",
        # Its number is used again.
        ("it has ended", "wake"): "it is runnable",
        # A task that runs twice is the business of other laws.
        ("it runs", "runs"): "it runs",
        ("it runs and is woken", "runs"): "it runs",
        ("it is runnable", "gives way"): "it is runnable",
        ("it is runnable", "sleeps"): "it sleeps",
        ("it is runnable", "ends"): "it has ended",
    },
    start=UNKNOWN,
)


class _IrqThreads:
    """Remembers the handler that runs on each CPU."""

    __slots__ = ("_irq",)

    def __init__(self, setting: Setting) -> None:
        self._irq: dict[int, Value] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if event.tracepoint is IRQ_HANDLER_ENTRY:
            self._irq[context.cpu] = event.values[0]
        elif event.tracepoint is IRQ_HANDLER_EXIT:
            self._irq.pop(context.cpu, None)
        else:
            comm = event["comm"]
            assert isinstance(comm, str)
            match = _IRQ_THREAD.match(comm)
            if match is not None and int(match[1]) == self._irq.get(context.cpu):
                return f"{comm} is woken before the handler of irq {match[1]} has returned"
        return ""

    def lost(self, cpu: int) -> None:
        self._irq.pop(cpu, None)


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

WAKE_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="wakeup_follows_waking",
        law="sched_wakeup of a task follows a sched_waking of it.",
        scope="task",
        source="kernel/sched/core.c: try_to_wake_up",
        on=_WAKEUPS.on,
        make=_WAKEUPS.watch,
        needs=_WAKEUPS.on,
    ),
    Invariant(
        name="who_sleeps_is_woken_before_it_runs",
        law="A task that went to sleep runs again only after it was woken.",
        scope="task",
        source="kernel/sched/core.c: try_to_wake_up",
        on=_SLEEPERS.on,
        make=_SLEEPERS.watch,
        needs=(SCHED_SWITCH, SCHED_WAKING, SCHED_WAKEUP),
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
        name="work_end_closes_its_start",
        law="A worker ends the work that it has started.",
        scope="task",
        source="kernel/workqueue.c: process_one_work",
        on=_WORK.on,
        make=_WORK.watch,
        needs=_WORK.on,
    ),
)
