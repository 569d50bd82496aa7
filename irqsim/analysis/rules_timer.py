"""Laws of timers: each runs when it is due, on the CPU that has it, and is then no longer queued.

Source: kernel/time/timer.c, kernel/time/hrtimer.c, kernel/time/tick-sched.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from irqsim.analysis.automaton import UNKNOWN, Automaton, Move, Reader, pairing
from irqsim.analysis.invariant import Invariant, Setting, Stateless
from irqsim.analysis.names import TICK_FUNCTIONS, has_flags, has_flags_not_rt
from irqsim.events import (
    HARDIRQ,
    HRTIMER_CANCEL,
    HRTIMER_EXPIRE_ENTRY,
    HRTIMER_EXPIRE_EXIT,
    HRTIMER_START,
    IRQS_OFF,
    TIMER_BASE_IDLE,
    TIMER_CANCEL,
    TIMER_EXPIRE_ENTRY,
    TIMER_EXPIRE_EXIT,
    TIMER_INIT,
    TIMER_START,
    Context,
    Event,
    Value,
)


def _number(event: Event, name: str) -> int:
    value = event[name]
    assert isinstance(value, int)
    return value


def _by_kind(symbol: str) -> Reader:
    """Callbacks in hard interrupts may interrupt those in HRTIMER."""

    def read(context: Context, event: Event) -> Iterable[Move]:
        where = "hard" if context.flags & HARDIRQ else "soft"
        return (((context.cpu, where), symbol, event.values[0]),)

    return read


def _by_timer(kind: str, symbol: str) -> Reader:
    def read(context: Context, event: Event) -> Iterable[Move]:
        return ((f"{kind} {event.values[0]}", symbol, None),)

    return read


_TIMER_PAIRS: Final = pairing(
    TIMER_EXPIRE_ENTRY, TIMER_EXPIRE_EXIT, "no timer's callback runs", "a timer's callback runs"
)
_HRTIMER_PAIRS: Final = pairing(
    HRTIMER_EXPIRE_ENTRY, HRTIMER_EXPIRE_EXIT, "no hrtimer's callback runs",
    "an hrtimer's callback runs", _by_kind,
    cpu_of=lambda key: key[0] if isinstance(key, tuple) else None,
)  # fmt: skip

_QUEUED: Final = "it is queued"
_FREE: Final = "it is not queued"
_TIMER: Final = Automaton(
    reads={
        TIMER_START: _by_timer("timer", "start"),
        TIMER_CANCEL: _by_timer("timer", "cancel"),
        TIMER_EXPIRE_ENTRY: _by_timer("timer", "expire"),
        TIMER_INIT: _by_timer("timer", "init"),
    },
    moves={
        (_FREE, "start"): _QUEUED,
        (_QUEUED, "cancel"): _FREE,
        (_FREE, "expire"): _FREE,
        (_FREE, "init"): _FREE,
    },
    start=UNKNOWN,
)
_BASE: Final = Automaton(
    reads={TIMER_BASE_IDLE: lambda context, event: (
        (event["cpu"] or 0, "idle" if event["is_idle"] else "busy", None),
    )},
    moves={
        ("the wheel's base is busy", "idle"): "the wheel's base is idle",
        ("the wheel's base is idle", "busy"): "the wheel's base is busy",
    },
    start=UNKNOWN,
)


def _start_hrtimer(context: Context, event: Event) -> Iterable[Move]:
    # Releases differ in whether a cancel stands before a new start and before an expiry.
    was_armed = event["was_armed"]
    symbol = "start" if was_armed is None else ("start again" if was_armed else "start anew")
    return ((f"hrtimer {event.values[0]}", symbol, None),)


_CANCELLED: Final = "it was taken off its queue"
_HRTIMER: Final = Automaton(
    reads={
        HRTIMER_START: _start_hrtimer,
        HRTIMER_CANCEL: _by_timer("hrtimer", "cancel"),
        HRTIMER_EXPIRE_ENTRY: _by_timer("hrtimer", "expire"),
    },
    moves={
        (_FREE, "start"): _QUEUED,
        (_CANCELLED, "start"): _QUEUED,
        (_FREE, "start anew"): _QUEUED,
        (_CANCELLED, "start anew"): _QUEUED,
        (_QUEUED, "start again"): _QUEUED,
        (_CANCELLED, "start again"): _QUEUED,
        (_QUEUED, "cancel"): _CANCELLED,
        (_CANCELLED, "expire"): _FREE,
        (_QUEUED, "expire"): _FREE,
    },
    start=UNKNOWN,
)


class _NotEarly:
    """Remembers when each timer that was started is due.

    Addresses are used again: of a timer that was cancelled nothing is known.
    """

    __slots__ = ("_due", "_due_field")

    def __init__(self, due_field: str) -> None:
        self._due_field = due_field
        self._due: dict[Value, int] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        timer = event.values[0]
        if event.tracepoint in (HRTIMER_START, TIMER_START):
            self._due[timer] = _number(event, self._due_field)
            return ""
        due = self._due.pop(timer, None)
        if due is None or event.tracepoint in (HRTIMER_CANCEL, TIMER_CANCEL):
            if due is not None and event.tracepoint is TIMER_CANCEL:
                # Expiry takes it off its queue first.
                self._due[timer] = due
            return ""
        now = _number(event, "now")
        return "" if now >= due else f"expires at {now}, and is due at {due}"

    def lost(self, cpu: int) -> None:
        self._due.clear()


class _Clock:
    """Remembers what each CPU's last timer took for now.

    `key` tells clocks apart.
    """

    __slots__ = ("_key", "_last")

    def __init__(self, key: Callable[[Context, Event], tuple[int, ...]]) -> None:
        self._key = key
        self._last: dict[tuple[int, ...], int] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        key = self._key(context, event)
        now = _number(event, "now")
        last = self._last.get(key, now)
        self._last[key] = now
        return "" if now >= last else f"now is {now}, and was {last} before"

    def lost(self, cpu: int) -> None:
        """Time goes on over what is lost."""


def _monotonic(context: Context, event: Event) -> tuple[int, ...]:
    """The clocks that count from boot, and those that tell the date, and of each CPU."""
    return context.cpu, _number(event, "now") // 10**17, context.flags & HARDIRQ


def _jiffies(context: Context, event: Event) -> tuple[int, ...]:
    return (context.cpu,)


class _TickPlaces:
    """Remembers whose the tick's timers are."""

    __slots__ = ("_cpu_of", "_running", "_timer_of")

    def __init__(self, setting: Setting) -> None:
        self._timer_of: dict[int, Value] = {}
        self._cpu_of: dict[Value, int] = {}
        self._running: dict[int, Value] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        cpu, timer = context.cpu, event["hrtimer"]
        if event.tracepoint is HRTIMER_EXPIRE_EXIT:
            self._running.pop(cpu, None)
            return ""
        if event["function"] not in TICK_FUNCTIONS:
            other = self._cpu_of.get(timer)
            return "" if other is None else f"the timer is that of CPU {other}'s tick"
        if event.tracepoint is HRTIMER_START:
            is_own = self._running.get(cpu) == timer
            return "the tick's timer is started within its callback" if is_own else ""
        self._running[cpu] = timer
        if self._timer_of.setdefault(cpu, timer) != timer:
            return "another timer than that of this CPU's tick before"
        other = self._cpu_of.setdefault(timer, cpu)
        return "" if other == cpu else f"the timer is that of CPU {other}'s tick"

    def lost(self, cpu: int) -> None:
        """A tick keeps its timer."""
        self._running.pop(cpu, None)


class _Functions:
    """Remembers the function with which each hrtimer was started, until it expires."""

    __slots__ = ("_function",)

    def __init__(self, setting: Setting) -> None:
        self._function: dict[Value, Value] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        timer, now = event["hrtimer"], event["function"]
        if event.tracepoint is HRTIMER_START:
            self._function[timer] = now
            return ""
        function = self._function.pop(timer, now)
        return "" if function == now else f"{now} is called, and {function} was to be"

    def lost(self, cpu: int) -> None:
        self._function.clear()


class _InterruptsAfter:
    """Remembers whether interrupts were off when each CPU's callback began."""

    __slots__ = ("_off",)

    def __init__(self, setting: Setting) -> None:
        self._off: dict[int, int] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        off = context.flags & IRQS_OFF
        if event.tracepoint is TIMER_EXPIRE_ENTRY:
            self._off[context.cpu] = off
        elif self._off.pop(context.cpu, off) != off:
            return f"the callback began with interrupts {'on' if off else 'off'}"
        return ""

    def lost(self, cpu: int) -> None:
        self._off.pop(cpu, None)


def _baseclk(context: Context, event: Event) -> str:
    baseclk, now = event["baseclk"], _number(event, "now")
    if baseclk is None or isinstance(baseclk, str) or baseclk <= now:
        return ""
    return f"the wheel is at {baseclk}, and now is {now}"


TIMER_INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        name="timer_expire_exit_closes_its_entry",
        law="On a CPU the callbacks of wheel timers run one after the other, from entry to exit.",
        scope="CPU",
        source="kernel/time/timer.c: call_timer_fn",
        on=_TIMER_PAIRS.on,
        make=_TIMER_PAIRS.watch,
        needs=_TIMER_PAIRS.on,
    ),
    Invariant(
        name="hrtimer_expire_exit_closes_its_entry",
        law="On a CPU the callbacks of hrtimers run one after the other, from entry to exit; "
        "those in hard interrupts may interrupt those in HRTIMER.",
        scope="CPU",
        source="kernel/time/hrtimer.c: __run_hrtimer",
        on=_HRTIMER_PAIRS.on,
        make=_HRTIMER_PAIRS.watch,
        needs=_HRTIMER_PAIRS.on,
        applies=has_flags,
    ),
    Invariant(
        name="callbacks_leave_interrupts_as_they_were",
        law="The callback of a wheel timer ends with interrupts on, or off, as it began.",
        scope="CPU",
        source="kernel/time/timer.c: expire_timers: TIMER_IRQSAFE",
        on=_TIMER_PAIRS.on,
        make=_InterruptsAfter,
        needs=_TIMER_PAIRS.on,
        applies=has_flags_not_rt,
    ),
    Invariant(
        name="timers_are_queued_once",
        law="A wheel timer is started when it is not queued, and taken off before it expires.",
        scope="timer",
        source="kernel/time/timer.c: enqueue_timer, detach_timer, expire_timers",
        on=_TIMER.on,
        make=_TIMER.watch,
        needs=(TIMER_START, TIMER_CANCEL, TIMER_EXPIRE_ENTRY),
    ),
    Invariant(
        name="hrtimers_expire_when_queued",
        law="An hrtimer expires or is cancelled only when it was started.",
        scope="timer",
        source="kernel/time/hrtimer.c: enqueue_hrtimer, __remove_hrtimer, __run_hrtimer",
        on=_HRTIMER.on,
        make=_HRTIMER.watch,
        needs=(HRTIMER_START, HRTIMER_EXPIRE_ENTRY),
    ),
    Invariant(
        name="hrtimers_call_what_was_started",
        law="An hrtimer calls the function with which it was started.",
        scope="timer",
        source="kernel/time/hrtimer.c: __run_hrtimer",
        on=(HRTIMER_START, HRTIMER_EXPIRE_ENTRY),
        make=_Functions,
        needs=(HRTIMER_START, HRTIMER_EXPIRE_ENTRY),
    ),
    Invariant(
        name="timers_are_not_early",
        law="A wheel timer expires at the jiffy for which it was started, or later.",
        scope="timer",
        source="kernel/time/timer.c: calc_index rounds up",
        on=(TIMER_START, TIMER_CANCEL, TIMER_EXPIRE_ENTRY),
        make=lambda setting: _NotEarly("expires"),
        needs=(TIMER_START, TIMER_EXPIRE_ENTRY),
    ),
    Invariant(
        name="hrtimers_are_not_early",
        law="An hrtimer expires at the time for which it was started, or later.",
        scope="timer",
        source="kernel/time/hrtimer.c: __hrtimer_run_queues",
        on=_HRTIMER.on,
        make=lambda setting: _NotEarly("softexpires"),
        needs=(HRTIMER_START, HRTIMER_EXPIRE_ENTRY),
    ),
    Invariant(
        name="jiffies_do_not_go_back",
        law="What wheel timers of a CPU take for now does not decrease.",
        scope="CPU",
        source="kernel/time/timer.c: jiffies",
        on=(TIMER_EXPIRE_ENTRY,),
        make=lambda setting: _Clock(_jiffies),
        needs=(TIMER_EXPIRE_ENTRY,),
    ),
    Invariant(
        name="the_clock_of_hrtimers_does_not_go_back",
        law="What hrtimers of a CPU take for now does not decrease.",
        scope="CPU",
        source="kernel/time/hrtimer.c: hrtimer_update_base",
        on=(HRTIMER_EXPIRE_ENTRY,),
        make=lambda setting: _Clock(_monotonic),
        needs=(HRTIMER_EXPIRE_ENTRY,),
        is_strict=False,
        exceptions="a clock of the day that was set, or that began at 1970",
    ),
    Invariant(
        name="the_wheel_is_not_ahead",
        law="The wheel's clock is not ahead of jiffies when a timer expires.",
        scope="CPU",
        source="kernel/time/timer.c: __run_timers",
        on=(TIMER_EXPIRE_ENTRY,),
        make=lambda setting: Stateless(_baseclk),
    ),
    Invariant(
        name="the_wheel_is_idle_or_busy",
        law="timer_base_idle says that a CPU's wheel is idle and busy in turn.",
        scope="CPU",
        source="kernel/time/timer.c: __get_next_timer_interrupt, timer_clear_idle (since 6.9)",
        on=_BASE.on,
        make=_BASE.watch,
    ),
    Invariant(
        name="a_tick_has_its_own_timer",
        law="The timer of a CPU's tick expires on this CPU, with the tick's function, and is "
        "started again when its callback has returned.",
        scope="CPU",
        source="kernel/time/tick-sched.c: tick_cpu_sched",
        on=(HRTIMER_START, HRTIMER_EXPIRE_ENTRY, HRTIMER_EXPIRE_EXIT),
        make=_TickPlaces,
        needs=(HRTIMER_EXPIRE_ENTRY, HRTIMER_EXPIRE_EXIT),
    ),
)
