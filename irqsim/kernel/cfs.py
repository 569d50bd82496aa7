"""CFS, the fair class up to 6.5: the task with the least virtual runtime runs.

A task that slept is put a little ahead of the others, and preempts at its wake-up if it is far
enough ahead.  Who asked for the preemption is taken first (next), who yielded is passed over
(skip), as long as that is not too unfair to the others.

Source: kernel/sched/fair.c of 6.1: place_entity, wakeup_preempt_entity, check_preempt_wakeup,
check_preempt_tick, pick_next_entity, yield_task_fair.
Differs: no last buddy, which takes eight runnable tasks on one CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from irqsim.kernel.load import tunable_factor, weighted
from irqsim.kernel.state import SCHED_IDLE, Cpu, Kernel, Task

if TYPE_CHECKING:
    from irqsim.kernel.sched import RunQueue

LATENCY_NS: Final = 6_000_000
MIN_GRANULARITY_NS: Final = 750_000
WAKEUP_GRANULARITY_NS: Final = 1_000_000
NR_LATENCY: Final = 8


def place_woken(k: Kernel, target: Cpu, task: Task) -> None:
    """Forgive a task that slept half of a scheduling latency, so that it runs soon."""
    credit_ns = MIN_GRANULARITY_NS if task.policy == SCHED_IDLE else LATENCY_NS
    floor_ns = target.rq.min_vruntime_ns - credit_ns * tunable_factor(k) // 2
    task.vruntime_ns = max(task.vruntime_ns, floor_ns)


def dequeue(cpu: Cpu, task: Task) -> None:
    """The running task goes to sleep; the others' virtual time goes on without it."""
    _clear_buddies(cpu.rq, task)
    if cpu.rq.fair:
        least_ns = min(other.vruntime_ns for other in cpu.rq.fair)
        cpu.rq.min_vruntime_ns = max(cpu.rq.min_vruntime_ns, least_ns)


def requeue_current(cpu: Cpu, task: Task) -> None:
    """Its place relative to the others is kept, whose least may have moved on meanwhile."""
    rq = cpu.rq
    if rq.fair:
        relative_ns = task.vruntime_ns - rq.min_vruntime_ns
        least_ns = min(other.vruntime_ns for other in rq.fair)
        rq.min_vruntime_ns = max(rq.min_vruntime_ns, least_ns)
        task.vruntime_ns = rq.min_vruntime_ns + relative_ns


def preempts_at_wakeup(k: Kernel, rq: RunQueue, current: Task, task: Task) -> bool:
    """Whether the woken task is far enough ahead; it is then the next to be picked."""
    if not _is_too_unfair(k, current, task):
        return False
    rq.next_buddy = task
    return True


def preempts_at_tick(k: Kernel, rq: RunQueue, task: Task) -> bool:
    """Whether the running task has had its share."""
    if not rq.fair:
        return False
    factor = tunable_factor(k)
    nr_running = len(rq.fair) + 1
    period_ns = max(LATENCY_NS, MIN_GRANULARITY_NS * nr_running) * factor
    if nr_running <= NR_LATENCY:
        period_ns = LATENCY_NS * factor
    total = task.weight + sum(other.weight for other in rq.fair)
    ideal_ns = max(period_ns * task.weight // total, MIN_GRANULARITY_NS * factor)
    ran_ns = task.sum_exec_ns - task.slice_start_ns
    if ran_ns > ideal_ns:
        _clear_buddies(rq, task)
        return True
    if ran_ns < MIN_GRANULARITY_NS * factor:
        return False
    return task.vruntime_ns - min(other.vruntime_ns for other in rq.fair) > ideal_ns


def pick(k: Kernel, rq: RunQueue, current: Task | None) -> Task:
    """Who runs next: of those in the queue and `current`, which is not in it."""
    # Of equals the first that was queued, and who runs is the last of them.
    tasks = rq.fair if current is None else [*rq.fair, current]
    left = min(tasks, key=lambda each: each.vruntime_ns)
    chosen = left
    if rq.skip_buddy is left:
        others = [each for each in tasks if each is not left]
        second = min(others, key=lambda each: each.vruntime_ns, default=left)
        if not _is_too_unfair(k, second, left):
            chosen = second
    buddy = rq.next_buddy
    if buddy is not None and not _is_too_unfair(k, buddy, left):
        chosen = buddy
    if chosen is not current:
        _clear_buddies(rq, chosen)
    return chosen


def yield_task(rq: RunQueue, task: Task) -> None:
    """sched_yield(): pass over this task, this once."""
    if rq.fair:
        _clear_buddies(rq, task)
        rq.skip_buddy = task


def _is_too_unfair(k: Kernel, task: Task, other: Task) -> bool:
    """Whether `task` is so far behind `other` that it may not run before it."""
    granularity_ns = weighted(WAKEUP_GRANULARITY_NS * tunable_factor(k), other)
    return task.vruntime_ns - other.vruntime_ns > granularity_ns


def _clear_buddies(rq: RunQueue, task: Task) -> None:
    if rq.next_buddy is task:
        rq.next_buddy = None
    if rq.skip_buddy is task:
        rq.skip_buddy = None
