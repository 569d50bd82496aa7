"""Laws of what runs in which vector: tasklets, NAPI, timers.

Source: kernel/softirq.c, net/core/dev.c, kernel/time/timer.c, kernel/time/hrtimer.c.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from irqsim.analysis.automaton import Automaton, Move, closing
from irqsim.analysis.invariant import Invariant, Setting, Stateless
from irqsim.events import (
    HARDIRQ,
    HRTIMER_EXPIRE_ENTRY,
    NAPI_POLL,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
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

_VECTORS: Final = (SOFTIRQ_ENTRY, SOFTIRQ_EXIT)
_OUTSIDE: Final = "no vector runs"


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


def _budget(context: Context, event: Event) -> str:
    work, budget = event["work"], event["budget"]
    assert isinstance(work, int) and isinstance(budget, int)
    return "" if work <= budget else f"work {work} of a budget of {budget}"


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
_TASKLET_CLOSING: Final = closing(
    TASKLET_ENTRY, TASKLET_EXIT, "no tasklet runs", "a tasklet runs"
)

VECTOR_INVARIANTS: Final[tuple[Invariant, ...]] = (
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
        name="napi_polls_keep_their_budget",
        law="A poll does not do more work than its budget.",
        scope="CPU",
        source="net/core/dev.c: __napi_poll: exceeding its budget",
        on=(NAPI_POLL,),
        make=lambda setting: Stateless(_budget),
        is_strict=False,
        exceptions="a driver's fault, which the kernel reports",
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
