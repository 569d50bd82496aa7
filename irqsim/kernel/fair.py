"""The fair class: who of the SCHED_OTHER and SCHED_IDLE tasks runs.

One interface, two policies: CFS (kernel/cfs.py) up to 6.5, EEVDF (kernel/eevdf.py) since.  The
queue of a CPU holds the runnable tasks but the one that runs, in the order of queueing.

Source: kernel/sched/fair.c: update_curr, enqueue_task_fair, dequeue_task_fair,
check_preempt_wakeup (check_preempt_wakeup_fair since 6.6), pick_next_task_fair, task_tick_fair.
Differs: no groups.
"""

from __future__ import annotations

from irqsim.events import SCHED_STAT_RUNTIME
from irqsim.kernel import cfs, eevdf
from irqsim.kernel.load import NICE_0_LOAD
from irqsim.kernel.state import MAX_RT_PRIO, SCHED_IDLE, Cpu, Kernel, Task
from irqsim.kernel.trace import trace


def charge(k: Kernel, cpu: Cpu, task: Task, delta_ns: int) -> bool:
    """Let `task`, which runs, pay for `delta_ns` of CPU time; True when it is to give way.

    Source: kernel/sched/fair.c: update_curr, update_min_vruntime.
    """
    rq = cpu.rq
    task.vruntime_ns += delta_ns * NICE_0_LOAD // task.weight
    least_ns = task.vruntime_ns
    for other in rq.fair:
        least_ns = min(least_ns, other.vruntime_ns)
    rq.min_vruntime_ns = max(rq.min_vruntime_ns, least_ns)
    if k.release.fair == "eevdf" and task.vruntime_ns >= task.deadline_ns:
        eevdf.set_deadline(k, task)
        return bool(rq.fair)
    return False


def trace_runtime(k: Kernel, cpu: Cpu | None, task: Task, delta_ns: int, depth: int) -> None:
    """Record what a task was charged for; `cpu` does it, if the log shows who does.

    Source: kernel/sched/fair.c: update_curr.
    """
    if cpu is not None and k.trace_enabled[SCHED_STAT_RUNTIME.id]:
        values = task.comm, task.pid, delta_ns, task.vruntime_ns
        trace(k, cpu, k.events.intern(SCHED_STAT_RUNTIME, *values), depth)


def enqueue_woken(k: Kernel, target: Cpu, task: Task) -> None:
    """Place a task that slept, and queue it."""
    if k.release.fair == "cfs":
        cfs.place_woken(k, target, task)
    else:
        eevdf.place(k, target, task)
    target.rq.fair.append(task)


def dequeue(k: Kernel, cpu: Cpu, task: Task) -> bool:
    """The running task goes to sleep; False if it stays in the queue all the same."""
    if task.prio < MAX_RT_PRIO:
        return True
    if k.release.fair == "eevdf" and k.recorded is None:
        return eevdf.dequeue(k, cpu, task)
    cfs.dequeue(cpu, task)
    return True


def requeue_current(k: Kernel, cpu: Cpu, task: Task) -> None:
    """Dequeue the running task and enqueue it again, its place kept relative to the others."""
    if k.release.fair == "cfs":
        cfs.requeue_current(cpu, task)
    task.protected_ns = task.deadline_ns
    task.slice_start_ns = task.sum_exec_ns


def migrate(k: Kernel, source: Cpu, target: Cpu, task: Task) -> None:
    """Queue a task that waits in another CPU's queue, its place relative to the others kept.

    Source: kernel/sched/fair.c of 6.1: dequeue_entity, enqueue_entity (renorm); of 6.12:
    update_entity_lag, place_entity.
    """
    if k.release.fair == "cfs":
        cfs.dequeue(source, task)
        task.vruntime_ns += target.rq.min_vruntime_ns - source.rq.min_vruntime_ns
    else:
        eevdf.migrate(k, source, target, task)
    source.rq.fair.remove(task)
    target.rq.fair.append(task)


def preempts_at_wakeup(k: Kernel, target: Cpu, current: Task, task: Task) -> bool:
    """Whether `task`, just woken and queued, goes before the fair task that runs."""
    if (current.policy == SCHED_IDLE) != (task.policy == SCHED_IDLE):
        return current.policy == SCHED_IDLE
    if task.policy == SCHED_IDLE or target.tif_need_resched:
        return False
    if k.release.fair == "eevdf":
        return eevdf.preempts_at_wakeup(target.rq, current, task)
    return cfs.preempts_at_wakeup(k, target.rq, current, task)


def preempts_at_tick(k: Kernel, cpu: Cpu, task: Task) -> bool:
    """Whether the running task has had its share; EEVDF counts that as it runs."""
    return k.release.fair == "cfs" and cfs.preempts_at_tick(k, cpu.rq, task)


def pick_next(k: Kernel, cpu: Cpu, current: Task | None) -> Task | None:
    """Take the task that runs next off the queue, and put `current` in its place if it is
    another.

    `current` is the task that runs, if it is a fair one that may go on; None is returned when
    there is nobody.
    """
    rq = cpu.rq
    chosen = current
    if rq.fair:
        is_cfs = k.release.fair == "cfs"
        chosen = cfs.pick(k, rq, current) if is_cfs else eevdf.pick(k, cpu, current)
    if chosen is None or chosen is current:
        return chosen
    rq.fair.remove(chosen)
    if current is not None:
        rq.fair.append(current)
    return chosen


def yield_task(k: Kernel, cpu: Cpu, task: Task) -> None:
    """sched_yield(): let others go first."""
    if k.release.fair == "cfs":
        cfs.yield_task(cpu.rq, task)
    else:
        eevdf.yield_task(k, cpu.rq, task)
