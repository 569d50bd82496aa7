"""The periodic tick: jiffies, the running task's share, and the softirqs it raises.

A CPU that runs a task ticks on every multiple of the jiffy; an idle one stops its tick when
nothing needs it, and sleeps until its first timer.  Jiffies are advanced by one CPU, the first
that ticks; when it stops, the next that ticks takes over.  With all CPUs idle nobody advances
them, and an interrupt that wakes one catches up.

Source: kernel/time/tick-sched.c: tick_sched_timer (tick_nohz_handler since 6.8),
tick_nohz_stop_tick, tick_nohz_irq_enter; kernel/time/timer.c: update_process_times.
Differs: RCU wants a CPU's tick once after each time it switched to a task, ksoftirqd left out;
the idle load balancer is not kicked.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import HRTIMER_MODE_ABS, HRTIMER_MODE_HARD, HRTIMER_MODE_PINNED, TICK_STOP
from irqsim.kernel.hrtimer import (
    HRTIMER_NORESTART,
    HRTIMER_RESTART,
    HrTimer,
    TimerPath,
    hrtimer_cancel,
    hrtimer_start,
    next_expiry,
)
from irqsim.kernel.sched import scheduler_tick
from irqsim.kernel.softirq import (
    RCU_SOFTIRQ,
    SCHED_SOFTIRQ,
    TIMER_SOFTIRQ,
    raise_softirq_no_wake,
)
from irqsim.kernel.state import Cpu, Kernel
from irqsim.kernel.timer import timers_due
from irqsim.kernel.timersd import raise_timer_softirq, wake_timersd
from irqsim.kernel.trace import trace
from irqsim.kernel.wakeup import wake_up_process

NO_DEPENDENCY: Final = 0


class TickSched:
    """One CPU's tick."""

    __slots__ = ("is_stopped", "next_balance", "rcu_wanted", "timer", "wants_look")

    timer: HrTimer
    is_stopped: bool
    wants_look: bool
    """A timer has been armed while the tick is stopped: when to wake is to be worked out."""
    rcu_wanted: bool
    """RCU waits for this CPU: set by each switch to a task, cleared by the tick that raises RCU."""
    next_balance: int
    """In jiffies: SCHED is raised from then on."""

    def __init__(self, address: int | str, symbol: str) -> None:
        mode = HRTIMER_MODE_ABS | HRTIMER_MODE_PINNED | HRTIMER_MODE_HARD
        self.timer = HrTimer(address, symbol, tick_sched_timer, mode)
        self.is_stopped = True
        self.wants_look = False
        self.rcu_wanted = False
        self.next_balance = 0


def tick_sched_timer(k: Kernel, cpu: Cpu, timer: HrTimer) -> TimerPath:
    """One tick.  The softirqs are raised in the order TIMER, RCU, SCHED.

    Source: kernel/time/tick-sched.c: tick_sched_timer; kernel/time/timer.c:
    update_process_times.
    """
    tick = cpu.tick
    yield k.cost.tick
    if k.tick_do_timer_cpu < 0:
        k.tick_do_timer_cpu = cpu.number
    if k.tick_do_timer_cpu == cpu.number:
        update_jiffies(k)
    if timers_due(k, cpu):
        raise_timer_softirq(k, cpu, TIMER_SOFTIRQ)
        yield from wake_timersd(k, cpu)
        yield k.cost.softirq_raise
    if k.rcu and tick.rcu_wanted:
        tick.rcu_wanted = False
        if cpu.rcuc is not None:
            yield from wake_up_process(k, cpu, cpu.rcuc)
        else:
            raise_softirq_no_wake(k, cpu, RCU_SOFTIRQ)
        yield k.cost.softirq_raise
    scheduler_tick(k, cpu)
    if k.rcu and k.jiffies >= tick.next_balance:
        raise_softirq_no_wake(k, cpu, SCHED_SOFTIRQ)
        yield k.cost.softirq_raise
    if tick.is_stopped:
        return HRTIMER_NORESTART
    timer.expires_ns = _next_tick(k)
    return HRTIMER_RESTART


def tick_nohz_idle_stop_tick(k: Kernel, cpu: Cpu) -> None:
    """This CPU has nothing to run: stop its tick unless something needs it.

    It then sleeps until its first timer, or until an interrupt.
    Source: kernel/time/tick-sched.c: tick_nohz_next_event, tick_nohz_stop_tick.
    """
    tick = cpu.tick
    if not k.nohz or (tick.is_stopped and not tick.wants_look):
        return
    if k.rcu and tick.rcu_wanted and not tick.is_stopped:
        return
    tick.wants_look = False
    cpu.timers.stale = None
    wheel = cpu.timers.next_expiry
    wake_ns = None if wheel is None else max(wheel * k.tick_ns, _next_tick(k))
    other_ns = next_expiry(cpu, without=tick.timer)
    first_ns = min((t for t in (wake_ns, other_ns) if t is not None), default=None)
    if not tick.is_stopped:
        if first_ns is not None and first_ns <= _next_tick(k):
            return
        tick.is_stopped = True
        if k.tick_do_timer_cpu == cpu.number:
            k.tick_do_timer_cpu = -1
        cpu.irqs_disabled = True
        trace(k, cpu, k.events.intern(TICK_STOP, 1, NO_DEPENDENCY))
        cpu.irqs_disabled = False
    if wake_ns is None:
        hrtimer_cancel(k, cpu, tick.timer)
    elif not tick.timer.is_queued or tick.timer.expires_ns != wake_ns:
        hrtimer_start(k, cpu, tick.timer, wake_ns, cpu)


def tick_nohz_idle_exit(k: Kernel, cpu: Cpu) -> None:
    """This CPU has a task to run: start its tick.

    Source: kernel/time/tick-sched.c: tick_nohz_idle_exit.
    """
    if cpu.tick.is_stopped:
        hrtimer_cancel(k, cpu, cpu.tick.timer)
        start_tick(k, cpu)


def start_tick(k: Kernel, cpu: Cpu) -> None:
    """Tick from the next multiple of the jiffy on."""
    cpu.tick.is_stopped = False
    update_jiffies(k)
    hrtimer_start(k, cpu, cpu.tick.timer, _next_tick(k), cpu)


def tick_cpu_dying(k: Kernel, cpu: Cpu) -> None:
    """A CPU that goes has no tick any more, and does not advance jiffies.

    Source: kernel/time/tick-common.c: tick_handover_do_timer; kernel/time/tick-sched.c:
    tick_cancel_sched_timer, can_stop_idle_tick.
    Differs: the next CPU that ticks advances them, where the kernel names the first one.
    """
    timer = cpu.tick.timer
    if timer.is_queued:
        cpu.hrtimers.hard.remove(timer)
        timer.is_queued = False
    cpu.tick.is_stopped = True
    if k.tick_do_timer_cpu == cpu.number:
        k.tick_do_timer_cpu = -1


def tick_irq_enter(k: Kernel, cpu: Cpu) -> None:
    """An interrupt has ended this CPU's idling: catch up with time.

    Source: kernel/time/tick-sched.c: tick_nohz_irq_enter.
    """
    if cpu.tick.is_stopped:
        cpu.tick.wants_look = True
        update_jiffies(k)


def update_jiffies(k: Kernel) -> None:
    """Advance jiffies to now.  Source: kernel/time/tick-sched.c: tick_do_update_jiffies64."""
    k.jiffies = k.now_ns // k.tick_ns


def _next_tick(k: Kernel) -> int:
    return (k.now_ns // k.tick_ns + 1) * k.tick_ns
