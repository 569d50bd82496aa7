"""Laws of any log: its times, its tasks' numbers, its priorities.

Source: kernel/trace/trace.c, kernel/trace/ring_buffer.c.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.invariant import Invariant, Setting, Stateless
from irqsim.events import SCHED_SWITCH, SCHED_WAKEUP, SCHED_WAKING, Context, Event

PRIO_MAX: Final = 139
PRIO_DEADLINE: Final = -1
IDLE_COMM: Final = "<idle>"
UNKNOWN_COMM: Final = "<...>"


def _idle_is_pid_0(context: Context, event: Event) -> str:
    if (context.comm == IDLE_COMM) == (context.pid == 0) or context.comm == UNKNOWN_COMM:
        return ""
    return f"{context.comm} is pid {context.pid}"


def _priority_exists(context: Context, event: Event) -> str:
    names = ("prev_prio", "next_prio") if event.tracepoint is SCHED_SWITCH else ("prio",)
    for name in names:
        prio = event[name]
        assert isinstance(prio, int)
        if not PRIO_DEADLINE <= prio <= PRIO_MAX:
            return f"{name} is {prio}"
    return ""


class _Time:
    """Remembers the time of the last record, of each CPU or of the log."""

    __slots__ = ("_is_per_cpu", "_last_ns")

    def __init__(self, setting: Setting, is_per_cpu: bool) -> None:
        self._is_per_cpu = is_per_cpu
        self._last_ns: dict[int, int] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        key = context.cpu if self._is_per_cpu else 0
        last_ns = self._last_ns.get(key, time_ns)
        self._last_ns[key] = time_ns
        return "" if time_ns >= last_ns else f"{time_ns} ns after {last_ns} ns"

    def lost(self, cpu: int) -> None:
        """Time goes on over what is lost."""


LOG_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="the_idle_task_is_pid_0",
        law="<idle> is pid 0, and nobody else is.",
        scope="log",
        source="kernel/trace/trace.c: trace_find_cmdline",
        on=(),
        make=lambda setting: Stateless(_idle_is_pid_0),
    ),
    Invariant(
        name="priorities_exist",
        law="A priority is 0 to 139, or -1 for a deadline task.",
        scope="task",
        source="include/linux/sched/prio.h",
        on=(SCHED_SWITCH, SCHED_WAKING, SCHED_WAKEUP),
        make=lambda setting: Stateless(_priority_exists),
    ),
    Invariant(
        name="time_never_goes_back_on_a_cpu",
        law="The records of a CPU are in the order of their times.",
        scope="CPU",
        source="kernel/trace/ring_buffer.c: rb_reserve_next_event",
        on=(),
        make=lambda setting: _Time(setting, is_per_cpu=True),
    ),
    Invariant(
        name="the_log_is_in_the_order_of_time",
        law="The merged log is in the order of time.",
        scope="log",
        source="kernel/trace/trace.c: __find_next_entry",
        on=(),
        make=lambda setting: _Time(setting, is_per_cpu=False),
    ),
)
