"""EEVDF, the fair class from 6.6 on: of those that have not had more than their share the task
with the earliest virtual deadline runs.

It keeps the CPU until its slice is used up, whatever wakes, as long as it is not ahead of the
average (RUN_TO_PARITY).  How far a task is behind or ahead when it goes to sleep, its lag, it
keeps.  Where the release delays dequeueing, one that is ahead stays in the queue and competes
until it has paid: then it leaves for good, with no lag.

Source: kernel/sched/fair.c of 6.12: place_entity, update_entity_lag, dequeue_entity,
requeue_delayed_entity, update_deadline, pick_eevdf, vruntime_eligible, pick_next_entity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from irqsim.events import TASK_DEAD
from irqsim.kernel.load import tunable_factor, weighted
from irqsim.kernel.state import MAX_RT_PRIO, Cpu, Kernel, Task

if TYPE_CHECKING:
    from irqsim.kernel.sched import RunQueue

BASE_SLICE_NS: Final = 750_000


def set_deadline(k: Kernel, task: Task) -> None:
    """Give a task a new slice.  Source: update_deadline()."""
    task.deadline_ns = task.vruntime_ns + _slice(k, task)


def place(k: Kernel, target: Cpu, task: Task) -> None:
    """Place a task that joins the others by the lag that it left with.

    Its own weight pulls the average towards it: the lag is to be what it was then.
    """
    tasks = competitors(target)
    task.vruntime_ns = _average_ns(target, tasks)
    if tasks and task.vlag_ns:
        load = sum(other.weight for other in tasks)
        task.vruntime_ns -= _truncated(task.vlag_ns * (load + task.weight), load)
    set_deadline(k, task)


def dequeue(k: Kernel, cpu: Cpu, task: Task) -> bool:
    """The running task goes to sleep; False if it stays in the queue for a while.

    What ends does not stay.
    """
    tasks = competitors(cpu)
    delays = k.release.delays_dequeue and task.state != TASK_DEAD
    if delays and not _is_eligible(task, tasks):
        task.is_delayed = True
        cpu.rq.fair.append(task)
        return False
    task.vlag_ns = _lag_ns(k, cpu, task, tasks)
    _advance_without(cpu.rq)
    return True


def requeue_delayed(k: Kernel, target: Cpu, task: Task) -> None:
    """A task that sleeps and is still in the queue is woken: it goes on from its place, or
    from no lag if it has paid more than it owed.
    """
    rq = target.rq
    task.is_delayed = False
    task.vlag_ns = _lag_ns(k, target, task, competitors(target))
    if task.vlag_ns > 0:
        task.vlag_ns = 0
        rq.fair.remove(task)
        place(k, target, task)
        rq.fair.append(task)


def migrate(k: Kernel, source: Cpu, target: Cpu, task: Task) -> None:
    """Place a task that leaves another CPU's queue: it keeps its lag, and what is left of its
    slice.
    """
    left_ns = task.deadline_ns - task.vruntime_ns
    task.vlag_ns = _lag_ns(k, source, task, competitors(source))
    place(k, target, task)
    task.deadline_ns = task.vruntime_ns + left_ns
    task.protected_ns = -1


def preempts_at_wakeup(rq: RunQueue, current: Task, task: Task) -> bool:
    """Whether the woken task, which is in the queue, is the one to run."""
    return _pick_eevdf(rq.fair, current) is task


def pick(k: Kernel, cpu: Cpu, current: Task | None) -> Task | None:
    """Who runs next: of those in the queue and `current`, which is not in it.

    Who sleeps and has paid leaves the queue on the way.
    """
    rq = cpu.rq
    while rq.fair:
        chosen = _pick_eevdf(rq.fair, current)
        if not chosen.is_delayed:
            if chosen is not current:
                chosen.protected_ns = chosen.deadline_ns
            return chosen
        tasks = rq.fair if current is None else [*rq.fair, current]
        chosen.vlag_ns = min(_lag_ns(k, cpu, chosen, tasks), 0)
        chosen.is_delayed = chosen.on_rq = False
        rq.fair.remove(chosen)
        _advance_without(rq, current)
    return current


def yield_task(k: Kernel, rq: RunQueue, task: Task) -> None:
    """sched_yield(): ask for the next slice only.  Source: yield_task_fair()."""
    if rq.fair:
        task.deadline_ns += _slice(k, task)


def competitors(cpu: Cpu) -> list[Task]:
    """All that count for the average: the queue, and the task that runs."""
    current = cpu.current
    if current is cpu.idle or current.prio < MAX_RT_PRIO or current in cpu.rq.fair:
        return cpu.rq.fair
    return [*cpu.rq.fair, current]


def _slice(k: Kernel, task: Task) -> int:
    """A slice, in virtual time of this task."""
    return weighted(BASE_SLICE_NS * tunable_factor(k), task)


def _lag_ns(k: Kernel, cpu: Cpu, task: Task, tasks: list[Task]) -> int:
    """How far a task is behind the average, within limits.  Source: entity_lag()."""
    limit_ns = weighted(max(2 * BASE_SLICE_NS * tunable_factor(k), k.tick_ns), task)
    return max(-limit_ns, min(limit_ns, _average_ns(cpu, tasks) - task.vruntime_ns))


def _average_ns(cpu: Cpu, tasks: list[Task]) -> int:
    """Weighted mean of the virtual runtimes, rounded down.  Source: avg_vruntime()."""
    if not tasks:
        return cpu.rq.min_vruntime_ns
    total = sum(task.vruntime_ns * task.weight for task in tasks)
    return total // sum(task.weight for task in tasks)


def _is_eligible(task: Task, tasks: list[Task]) -> bool:
    """Whether a task is not ahead of the average of all, which is not rounded for this.

    Source: vruntime_eligible().
    """
    return sum((other.vruntime_ns - task.vruntime_ns) * other.weight for other in tasks) >= 0


def _pick_eevdf(queue: list[Task], current: Task | None) -> Task:
    """Of the eligible tasks the one with the earliest deadline; of equals one in the queue.

    The queue is not empty.
    """
    tasks = queue if current is None else [*queue, current]
    if len(tasks) == 1:
        return tasks[0]
    is_eligible = current is not None and _is_eligible(current, tasks)
    if current is not None and is_eligible and current.protected_ns == current.deadline_ns:
        return current
    eligible = [task for task in queue if _is_eligible(task, tasks)]
    if current is not None and is_eligible:
        eligible.append(current)
    return min(eligible, key=lambda task: task.deadline_ns)


def _advance_without(rq: RunQueue, current: Task | None = None) -> None:
    """Virtual time goes on without who has left.  Source: update_min_vruntime()."""
    tasks = rq.fair if current is None else [*rq.fair, current]
    if tasks:
        least_ns = min(task.vruntime_ns for task in tasks)
        rq.min_vruntime_ns = max(rq.min_vruntime_ns, least_ns)


def _truncated(dividend: int, divisor: int) -> int:
    """A quotient rounded towards zero.  Source: div_s64()."""
    quotient = abs(dividend) // divisor
    return quotient if dividend >= 0 else -quotient
