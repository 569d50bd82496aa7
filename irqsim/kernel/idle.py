"""The idle task.

Source: kernel/sched/idle.c: do_idle.
"""

from __future__ import annotations

from irqsim.kernel.cpu import play_dead
from irqsim.kernel.cpuidle import enter_idle, leave_idle
from irqsim.kernel.sched import schedule
from irqsim.kernel.state import IDLE, Cpu, Kernel, Path
from irqsim.kernel.tick import tick_nohz_idle_exit, tick_nohz_idle_stop_tick


def cpu_idle(k: Kernel, cpu: Cpu) -> Path:
    """Wait for interrupts; when one has made a task runnable, switch to it."""
    while True:
        if not cpu.is_online:
            yield from play_dead(k, cpu)
        while not cpu.tif_need_resched:
            tick_nohz_idle_stop_tick(k, cpu)
            enter_idle(k, cpu)
            yield IDLE
            leave_idle(k, cpu)
        tick_nohz_idle_exit(k, cpu)
        yield from schedule(k, cpu)
