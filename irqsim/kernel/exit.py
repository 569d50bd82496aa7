"""The end of a task.

Source: kernel/exit.c: do_exit.
"""

from __future__ import annotations

from irqsim.events import SCHED_PROCESS_EXIT, TASK_DEAD
from irqsim.kernel.sched import cond_resched, preempt_check_resched, sched_move_task, schedule
from irqsim.kernel.state import Kernel, Path, Task
from irqsim.kernel.trace import trace


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
