"""The periodic tick: jiffies, the running task's share, and the softirqs it raises.

A CPU that runs a task ticks on every multiple of the jiffy; an idle one stops its tick when
nothing needs it.  Jiffies are advanced by one CPU, the first that ticks; when it stops, the
next that ticks takes over.  With all CPUs idle nobody advances them, and an interrupt that
wakes one catches up.

Source: kernel/time/tick-sched.c: tick_sched_timer (tick_nohz_handler since 6.8),
tick_nohz_stop_tick, tick_irq_enter; kernel/time/timer.c: update_process_times.
Differs: RCU wants a CPU's tick once after each time it switched tasks; the idle load balancer
is not kicked.
"""

from __future__ import annotations

from typing import Protocol

from irqsim.kernel.irq.irqdesc import IRQ_HANDLED, IrqAction
from irqsim.kernel.sched import scheduler_tick
from irqsim.kernel.softirq import RCU_SOFTIRQ, SCHED_SOFTIRQ, raise_softirq_no_wake
from irqsim.kernel.state import Cpu, HandlerPath, Kernel


class ClockEvent(Protocol):
    """The timer behind a tick.  Source: struct clock_event_device, include/linux/clockchips.h."""

    def set_next_event(self, time_ns: int) -> None:
        """Interrupt at this time, once."""

    def shutdown(self) -> None:
        """Do not interrupt."""


class TickDevice:
    """One CPU's tick, and the timer that brings it about."""

    __slots__ = ("is_stopped", "next_balance", "rcu_wanted", "timer")

    timer: ClockEvent
    is_stopped: bool
    rcu_wanted: bool
    """RCU waits for this CPU: set by each task switch, cleared by the tick that raises RCU."""
    next_balance: int
    """In jiffies: SCHED is raised from then on."""

    def __init__(self, timer: ClockEvent) -> None:
        self.timer = timer
        self.is_stopped = True
        self.rcu_wanted = False
        self.next_balance = 0


def arch_timer_handler(k: Kernel, cpu: Cpu, action: IrqAction) -> HandlerPath:
    """The architected timer's interrupt: one tick.

    The softirqs are raised in the order TIMER, RCU, SCHED.
    """
    tick = cpu.tick
    yield k.cost.tick
    if k.tick_do_timer_cpu < 0:
        k.tick_do_timer_cpu = cpu.number
    if k.tick_do_timer_cpu == cpu.number:
        update_jiffies(k)
    if k.rcu and tick.rcu_wanted:
        tick.rcu_wanted = False
        raise_softirq_no_wake(k, cpu, RCU_SOFTIRQ)
        yield k.cost.softirq_raise
    scheduler_tick(k, cpu)
    if k.rcu and k.jiffies >= tick.next_balance:
        raise_softirq_no_wake(k, cpu, SCHED_SOFTIRQ)
        yield k.cost.softirq_raise
    if tick.is_stopped:
        tick.timer.shutdown()
    else:
        _program(k, cpu)
    return IRQ_HANDLED


def tick_nohz_idle_enter(k: Kernel, cpu: Cpu) -> None:
    """This CPU has nothing to run: stop its tick unless something needs it.

    Source: kernel/time/tick-sched.c: tick_nohz_idle_stop_tick.
    """
    tick = cpu.tick
    if tick.is_stopped or not k.nohz or (k.rcu and tick.rcu_wanted):
        return
    tick.is_stopped = True
    tick.timer.shutdown()
    if k.tick_do_timer_cpu == cpu.number:
        k.tick_do_timer_cpu = -1


def tick_nohz_idle_exit(k: Kernel, cpu: Cpu) -> None:
    """This CPU has a task to run: start its tick.

    Source: kernel/time/tick-sched.c: tick_nohz_idle_exit.
    """
    if cpu.tick.is_stopped:
        start_tick(k, cpu)


def start_tick(k: Kernel, cpu: Cpu) -> None:
    """Tick from the next multiple of the jiffy on."""
    cpu.tick.is_stopped = False
    update_jiffies(k)
    _program(k, cpu)


def tick_irq_enter(k: Kernel, cpu: Cpu) -> None:
    """An interrupt has ended this CPU's idling: catch up with time.

    Source: kernel/time/tick-sched.c: tick_nohz_irq_enter.
    """
    if cpu.tick.is_stopped:
        update_jiffies(k)


def update_jiffies(k: Kernel) -> None:
    """Advance jiffies to now.  Source: kernel/time/tick-sched.c: tick_do_update_jiffies64."""
    k.jiffies = k.now_ns // k.tick_ns


def _program(k: Kernel, cpu: Cpu) -> None:
    cpu.tick.timer.set_next_event((k.now_ns // k.tick_ns + 1) * k.tick_ns)
