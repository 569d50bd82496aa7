"""The real-time class: SCHED_FIFO and SCHED_RR.

The queue holds the runnable tasks but the running one, by priority and then in the order in
which they became runnable.

Source: kernel/sched/rt.c: enqueue_task_rt, put_prev_task_rt, task_tick_rt, yield_task_rt.
Differs: real-time tasks are not throttled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from irqsim.kernel.state import SCHED_RR, Kernel, Task

if TYPE_CHECKING:
    from irqsim.kernel.sched import RunQueue

RR_TIMESLICE_MS: Final = 100


def enqueue(rq: RunQueue, task: Task, at_head: bool) -> None:
    """Queue a task behind its equals, or before them."""
    queue = rq.rt
    index = 0
    while index < len(queue):
        other = queue[index]
        if other.prio > task.prio or (at_head and other.prio == task.prio):
            break
        index += 1
    queue.insert(index, task)


def put_prev(rq: RunQueue, task: Task) -> None:
    """Queue the task that ran: one that was preempted comes first among its equals, one that
    has used up its slice or yielded comes last."""
    enqueue(rq, task, at_head=not task.is_requeued)
    task.is_requeued = False


def yield_task(task: Task) -> None:
    """sched_yield(): go behind the equals."""
    task.is_requeued = True


def preempts_at_tick(k: Kernel, rq: RunQueue, task: Task) -> bool:
    """Count down a SCHED_RR task's slice; True when it is over and an equal waits."""
    if task.policy != SCHED_RR:
        return False
    if task.time_slice <= 0:
        task.time_slice = RR_TIMESLICE_MS * k.hz // 1000
    task.time_slice -= 1
    if task.time_slice > 0 or not rq.rt or rq.rt[0].prio > task.prio:
        return False
    task.is_requeued = True
    return True
