"""High-resolution timers: per CPU a queue in the order of expiry, behind one clock event.

A hard timer's function runs in the clock event's interrupt, a soft one's in the HRTIMER
softirq.  The tick is a hard one.

Source: kernel/time/hrtimer.c: hrtimer_interrupt, __hrtimer_run_queues, hrtimer_start_range_ns,
hrtimer_run_softirq.
Differs: one clock (CLOCK_MONOTONIC); no slack between soft expiry and expiry; the interrupt
is not retried when it runs long.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, Protocol

from irqsim.events import (
    HRTIMER_CANCEL,
    HRTIMER_EXPIRE_ENTRY,
    HRTIMER_EXPIRE_EXIT,
    HRTIMER_MODE_ABS,
    HRTIMER_MODE_HARD,
    HRTIMER_MODE_REL,
    HRTIMER_MODE_SOFT,
    HRTIMER_START,
)
from irqsim.kernel.irq.irqdesc import IRQ_HANDLED, IrqAction
from irqsim.kernel.migrate import migrate_disable, migrate_enable
from irqsim.kernel.softirq import HRTIMER_SOFTIRQ
from irqsim.kernel.spin import spin_until
from irqsim.kernel.state import Cpu, HandlerPath, Kernel, Path
from irqsim.kernel.timersd import raise_timer_softirq
from irqsim.kernel.trace import trace

HRTIMER_NORESTART: Final = 0
HRTIMER_RESTART: Final = 1

TimerPath = Generator[int, None, int]
"""A timer's function: returns HRTIMER_RESTART when it has set a new expiry."""


class ClockEvent(Protocol):
    """A CPU's timer hardware.

    Source: struct clock_event_device, include/linux/clockchips.h.
    """

    def set_next_event(self, time_ns: int) -> None:
        """Interrupt at this time, once."""

    def shutdown(self) -> None:
        """Do not interrupt."""


class HrTimer:
    """A struct hrtimer.  Changed by the functions below only."""

    __slots__ = (
        "address",
        "cpu",
        "expires_ns",
        "function",
        "is_queued",
        "is_running",
        "is_soft",
        "mode",
        "running_cpu",
        "symbol",
    )

    # Fixed.
    address: int | str
    """What traces print for it."""
    symbol: str
    function: Callable[[Kernel, Cpu, HrTimer], TimerPath]
    is_soft: bool
    mode: int
    """The bits of enum hrtimer_mode that hrtimer_start prints."""

    expires_ns: int
    is_queued: bool
    is_running: bool
    running_cpu: int
    """Where its function runs, or ran last."""
    cpu: int

    def __init__(
        self,
        address: int | str,
        symbol: str,
        function: Callable[[Kernel, Cpu, HrTimer], TimerPath],
        mode: int,
        is_soft: bool = False,
    ) -> None:
        self.address = address
        self.symbol = symbol
        self.function = function
        self.mode = mode
        self.is_soft = is_soft
        self.expires_ns = 0
        self.is_queued = False
        self.is_running = False
        self.running_cpu = -1
        self.cpu = 0


class HrTimerBase:
    """One CPU's queues."""

    __slots__ = ("clock_event", "hard", "soft")

    clock_event: ClockEvent
    hard: list[HrTimer]
    """In the order of expiry, then of queueing."""
    soft: list[HrTimer]

    def __init__(self, clock_event: ClockEvent) -> None:
        self.clock_event = clock_event
        self.hard = []
        self.soft = []


def hrtimer_mode(k: Kernel, mode: str | None) -> tuple[bool, int]:
    """Whether an hrtimer is a soft one, and its mode as hrtimer_start prints it.

    One that does not say is hard; on PREEMPT_RT, soft.
    Source: kernel/time/hrtimer.c: __hrtimer_init.
    """
    if mode is None:
        if k.preempt_rt:
            return True, HRTIMER_MODE_REL
        mode = "hard"
    bit = HRTIMER_MODE_SOFT if mode == "soft" else HRTIMER_MODE_HARD
    return mode == "soft", HRTIMER_MODE_REL | bit


def hrtimer_start(
    k: Kernel, cpu: Cpu, timer: HrTimer, expires_ns: int, target: Cpu, mode: int | None = None
) -> None:
    """Arm a timer for `target`, called on `cpu`; one that is armed is moved.

    `mode` is what the event says; None: the timer's own.
    """
    was_armed = timer.is_queued
    if was_armed:
        _queue(k.cpus[timer.cpu], timer).remove(timer)
    timer.expires_ns = expires_ns
    timer.cpu = target.number
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    if was_armed and k.release.hrtimer_cancels_first:
        trace(k, cpu, k.events.intern(HRTIMER_CANCEL, timer.address), depth=1)
    event = k.events.intern(
        HRTIMER_START,
        timer.address,
        timer.symbol,
        expires_ns + k.trace_clock_ns,
        expires_ns + k.trace_clock_ns,
        timer.mode if mode is None else mode,
        int(was_armed),
    )
    trace(k, cpu, event, depth=1)
    cpu.irqs_disabled = saved
    _enqueue(target, timer)
    _reprogram(target)


def hrtimer_cancel(k: Kernel, cpu: Cpu, timer: HrTimer) -> bool:
    """Disarm a timer; False if it was not armed.  Does not wait for one that runs."""
    if not timer.is_queued:
        return False
    owner = k.cpus[timer.cpu]
    _queue(owner, timer).remove(timer)
    timer.is_queued = False
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    trace(k, cpu, k.events.intern(HRTIMER_CANCEL, timer.address), depth=1)
    cpu.irqs_disabled = saved
    _reprogram(owner)
    return True


def hrtimer_cancel_sync(k: Kernel, cpu: Cpu, timer: HrTimer) -> Path:
    """Disarm a timer, and wait until its function does not run: hrtimer_cancel() of drivers.

    Called by the timer's own function it never returns, as in the kernel.
    Source: kernel/time/hrtimer.c: hrtimer_cancel, hrtimer_try_to_cancel.
    """
    what = f"the function of hrtimer {timer.symbol} to return"
    in_vain = timer.running_cpu == cpu.number and not k.preempt_rt
    yield from spin_until(k, cpu, lambda: not timer.is_running, what, in_vain)
    hrtimer_cancel(k, cpu, timer)


def next_expiry(cpu: Cpu, without: HrTimer) -> int | None:
    """When the first timer of this CPU expires, `without` left out; None without any."""
    times = [
        timer.expires_ns
        for queue in (cpu.hrtimers.hard, cpu.hrtimers.soft)
        for timer in queue[:2]
        if timer is not without
    ]
    return min(times, default=None)


def hrtimer_interrupt(k: Kernel, cpu: Cpu, action: IrqAction) -> HandlerPath:
    """The clock event's interrupt: raise HRTIMER for the soft ones, run the hard ones."""
    base = cpu.hrtimers
    if base.soft and base.soft[0].expires_ns <= k.now_ns:
        # Under the base's lock.
        raise_timer_softirq(k, cpu, HRTIMER_SOFTIRQ, depth=1)
    while base.hard and base.hard[0].expires_ns <= k.now_ns:
        yield from _run_hrtimer(k, cpu, base.hard.pop(0))
    _reprogram(cpu, in_interrupt=True)
    return IRQ_HANDLED


def hrtimer_run_softirq(k: Kernel, cpu: Cpu) -> Path:
    """The action of HRTIMER: run the soft timers that have expired."""
    base = cpu.hrtimers
    yield k.cost.timer_softirq
    if k.preempt_rt:
        # softirq_expiry_lock, which hrtimer_cancel() waits for.
        migrate_disable(cpu)
    while base.soft and base.soft[0].expires_ns <= k.now_ns:
        yield from _run_hrtimer(k, cpu, base.soft.pop(0))
    _reprogram(cpu)
    if k.preempt_rt:
        yield from migrate_enable(k, cpu)


def _run_hrtimer(k: Kernel, cpu: Cpu, timer: HrTimer) -> Path:
    timer.is_queued = False
    timer.is_running, timer.running_cpu = True, cpu.number
    saved = cpu.irqs_disabled
    if k.release.hrtimer_cancels_first:
        cpu.irqs_disabled = True
        trace(k, cpu, k.events.intern(HRTIMER_CANCEL, timer.address), depth=1)
        cpu.irqs_disabled = saved
    event = k.events.intern(
        HRTIMER_EXPIRE_ENTRY, timer.address, k.now_ns + k.trace_clock_ns, timer.symbol
    )
    trace(k, cpu, event)
    result = yield from timer.function(k, cpu, timer)
    trace(k, cpu, k.events.intern(HRTIMER_EXPIRE_EXIT, timer.address))
    cpu.irqs_disabled = True
    timer.is_running = False
    if result == HRTIMER_RESTART and not timer.is_queued:
        # Whatever its mode: __run_hrtimer() puts it back as an absolute one.
        hrtimer_start(k, cpu, timer, timer.expires_ns, cpu, HRTIMER_MODE_ABS)
    cpu.irqs_disabled = saved


def hrtimers_cpu_dying(k: Kernel, cpu: Cpu, target: Cpu) -> None:
    """Put the timers of a CPU that goes on another's queues, and stop its clock event.

    The other CPU has to look at its queues then.
    Source: kernel/time/hrtimer.c: hrtimers_cpu_dying, migrate_hrtimer_list.
    Differs: in releases before 6.7, without a back-port of it, the timers stay until the CPU is
    dead.
    """
    for queue in (cpu.hrtimers.hard, cpu.hrtimers.soft):
        for timer in queue:
            timer.cpu = target.number
            _enqueue(target, timer)
        queue.clear()
    cpu.hrtimers.clock_event.shutdown()


def retrigger_next_event(cpu: Cpu) -> Path:
    """Set this CPU's clock event anew.  Source: kernel/time/hrtimer.c."""
    _reprogram(cpu)
    yield 0


def _queue(cpu: Cpu, timer: HrTimer) -> list[HrTimer]:
    return cpu.hrtimers.soft if timer.is_soft else cpu.hrtimers.hard


def _enqueue(cpu: Cpu, timer: HrTimer) -> None:
    queue = _queue(cpu, timer)
    index = len(queue)
    while index and queue[index - 1].expires_ns > timer.expires_ns:
        index -= 1
    queue.insert(index, timer)
    timer.is_queued = True


def _reprogram(cpu: Cpu, in_interrupt: bool = False) -> None:
    """Set the clock event to the first expiry; soft timers that wait for HRTIMER do not count.

    Within the interrupt a time that has passed meanwhile makes it come again at once.
    """
    base = cpu.hrtimers
    times = [queue[0].expires_ns for queue in (base.hard, base.soft) if queue]
    pending = cpu.softirq_pending | cpu.pending_timer_softirq
    if pending >> HRTIMER_SOFTIRQ & 1 and base.soft:
        times = [queue[0].expires_ns for queue in (base.hard,) if queue]
    if times:
        base.clock_event.set_next_event(min(times))
    elif in_interrupt or not times:
        base.clock_event.shutdown()
