"""The idle task, and the end of every other.

Source: kernel/sched/idle.c: do_idle; kernel/exit.c: do_exit.
"""

from __future__ import annotations

from irqsim.events import SCHED_PROCESS_EXIT, TASK_DEAD
from irqsim.kernel.sched import cond_resched, preempt_check_resched, sched_move_task, schedule
from irqsim.kernel.state import IDLE, Cpu, Kernel, Path, Task
from irqsim.kernel.tick import tick_nohz_idle_exit, tick_nohz_idle_stop_tick
from irqsim.kernel.trace import trace


def cpu_idle(k: Kernel, cpu: Cpu) -> Path:
    """Wait for interrupts; when one has made a task runnable, switch to it."""
    while True:
        while not cpu.tif_need_resched:
            tick_nohz_idle_stop_tick(k, cpu)
            yield IDLE
        tick_nohz_idle_exit(k, cpu)
        yield from schedule(k, cpu)


def do_exit(k: Kernel, task: Task) -> Path:
    """End a task: its last switch does not come back.

    On the way it leaves its scheduling group, where the choice of who runs is made anew: it
    may have to give way once more before its end.
    Source: kernel/exit.c: do_exit; kernel/sched/autogroup.c: sched_autogroup_exit_task.
    """
    event = k.events.intern(SCHED_PROCESS_EXIT, task.comm, task.pid, task.prio)
    trace(k, k.cpus[task.cpu], event)
    yield k.cost.exit
    cpu = k.cpus[task.cpu]
    sched_move_task(k, cpu)
    yield from cond_resched(k, cpu)
    yield from preempt_check_resched(k, k.cpus[task.cpu])
    yield k.cost.exit_last
    task.state = TASK_DEAD
    yield from schedule(k, k.cpus[task.cpu])
    raise AssertionError(f"{task.comm} runs after its end")
