"""The fair class: who of the SCHED_OTHER tasks runs.

Up to 6.5 CFS: the task with the least virtual runtime runs, one that slept is put a little
ahead of the others and preempts at its wake-up if it is far enough ahead.  From 6.6 on EEVDF:
of the tasks that have not had more than their share the one with the earliest deadline runs,
and it keeps the CPU until its slice is used up, whatever wakes.

Source: kernel/sched/fair.c of 6.1: place_entity, wakeup_preempt_entity, check_preempt_tick;
of 6.12: place_entity, update_entity_lag, update_deadline, pick_eevdf (RUN_TO_PARITY).
Differs: no groups and no buddies; a task that sleeps leaves its queue at once; a slice is
protected also where its task has had more than its share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from irqsim.kernel.state import MAX_RT_PRIO, SCHED_IDLE, Cpu, Kernel, Task

if TYPE_CHECKING:
    from irqsim.kernel.sched import RunQueue

NICE_0_LOAD: Final = 1024
WEIGHT_IDLEPRIO: Final = 3
WEIGHTS: Final = (
    *(88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916),
    *(9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277),
    *(1024, 820, 655, 526, 423, 335, 272, 215, 172, 137),
    *(110, 87, 70, 56, 45, 36, 29, 23, 18, 15),
)
"""Load weight by nice value, from -20 on: each step is a quarter more or less.

Source: kernel/sched/core.c: sched_prio_to_weight.
"""

SHORT_RUN_LAG_NS: Final = -50_000
"""The lag of a thread that ran for some microseconds and went back to sleep: it had a little
more than its share."""

LATENCY_NS: Final = 6_000_000
MIN_GRANULARITY_NS: Final = 750_000
WAKEUP_GRANULARITY_NS: Final = 1_000_000
BASE_SLICE_NS: Final = 750_000
NR_LATENCY: Final = 8


def weight_of(policy: int, nice: int) -> int:
    """Load weight of a task of this policy and nice value (-20 to 19)."""
    return WEIGHT_IDLEPRIO if policy == SCHED_IDLE else WEIGHTS[nice + 20]


def _factor(k: Kernel) -> int:
    """The tunables grow with the number of CPUs: 1 + log2, counted up to eight.

    Source: kernel/sched/fair.c: get_update_sysctl_factor.
    """
    return min(k.nr_online, 8).bit_length()


def charge(k: Kernel, cpu: Cpu, task: Task, delta_ns: int) -> bool:
    """Let `task` pay for `delta_ns` of CPU time; True when its slice is used up (EEVDF)."""
    task.vruntime_ns += delta_ns * NICE_0_LOAD // task.weight
    _advance_min_vruntime(cpu.rq, task)
    if k.release.fair == "eevdf" and task.vruntime_ns >= task.deadline_ns:
        _set_deadline(k, task)
        return bool(cpu.rq.fair)
    return False


def enqueue_woken(k: Kernel, target: Cpu, task: Task) -> None:
    """Place a task that slept, and queue it.

    CFS forgives half of a scheduling latency, so that who sleeps much runs soon.
    """
    rq = target.rq
    if k.release.fair == "cfs":
        floor_ns = rq.min_vruntime_ns - LATENCY_NS * _factor(k) // 2
        task.vruntime_ns = max(task.vruntime_ns, floor_ns)
    else:
        average_ns, total = _average_vruntime(target)
        # Its own weight pulls the average towards it: the lag is to be what it was then.
        lag_ns = task.vlag_ns * (total + task.weight) // total if total else 0
        task.vruntime_ns = average_ns - lag_ns
        _set_deadline(k, task)
    rq.fair.append(task)


def dequeue(k: Kernel, cpu: Cpu, task: Task) -> None:
    """The running task goes to sleep; the others' virtual time goes on without it."""
    if task.prio < MAX_RT_PRIO:
        return
    if k.release.fair == "eevdf":
        limit_ns = 2 * _slice(k, task)
        lag_ns = _average_vruntime(cpu)[0] - task.vruntime_ns
        task.vlag_ns = max(-limit_ns, min(limit_ns, lag_ns))
    if cpu.rq.fair:
        least = min(other.vruntime_ns for other in cpu.rq.fair)
        cpu.rq.min_vruntime_ns = max(cpu.rq.min_vruntime_ns, least)


def migrate(k: Kernel, source: Cpu, target: Cpu, task: Task) -> None:
    """Queue a task that waited on another CPU's queue; its place relative to the others is kept.

    Source: kernel/sched/fair.c of 6.1: dequeue_entity, enqueue_entity (renorm); of 6.12:
    update_entity_lag, place_entity.
    """
    if k.release.fair == "cfs":
        task.vruntime_ns += target.rq.min_vruntime_ns - source.rq.min_vruntime_ns
    else:
        lag_ns = _average_vruntime(source)[0] - task.vruntime_ns
        task.vruntime_ns = _average_vruntime(target)[0] - lag_ns
        task.protected_ns = -1
        _set_deadline(k, task)
    source.rq.fair.remove(task)
    target.rq.fair.append(task)


def requeue_current(k: Kernel, cpu: Cpu, task: Task) -> None:
    """Dequeue the running task and enqueue it again, its place kept relative to the others.

    CFS: the least virtual runtime of the others may have moved on while it was out.  EEVDF: its
    slice is no longer protected.
    """
    rq = cpu.rq
    if k.release.fair == "eevdf":
        task.protected_ns = -1
    elif rq.fair:
        relative_ns = task.vruntime_ns - rq.min_vruntime_ns
        least_ns = min(other.vruntime_ns for other in rq.fair)
        rq.min_vruntime_ns = max(rq.min_vruntime_ns, least_ns)
        task.vruntime_ns = rq.min_vruntime_ns + relative_ns


def preempts_at_wakeup(k: Kernel, target: Cpu, current: Task, task: Task) -> bool:
    """Whether `task`, just woken, goes before the fair task that runs."""
    if (current.policy == SCHED_IDLE) != (task.policy == SCHED_IDLE):
        return current.policy == SCHED_IDLE
    if k.release.fair == "eevdf":
        if current.protected_ns == current.deadline_ns:
            return False
        return _pick_eevdf([*target.rq.fair, current]) is task
    granularity_ns = WAKEUP_GRANULARITY_NS * _factor(k) * NICE_0_LOAD // task.weight
    return current.vruntime_ns - task.vruntime_ns > granularity_ns


def preempts_at_tick(k: Kernel, cpu: Cpu, task: Task) -> bool:
    """Whether the running task has had its share.  Source: check_preempt_tick()."""
    queue = cpu.rq.fair
    if not queue or k.release.fair == "eevdf":
        return False
    factor = _factor(k)
    nr_running = len(queue) + 1
    period_ns = max(LATENCY_NS, MIN_GRANULARITY_NS * nr_running) * factor
    if nr_running <= NR_LATENCY:
        period_ns = LATENCY_NS * factor
    total = task.weight + sum(other.weight for other in queue)
    ideal_ns = max(period_ns * task.weight // total, MIN_GRANULARITY_NS * factor)
    ran_ns = task.sum_exec_ns - task.slice_start_ns
    if ran_ns > ideal_ns:
        return True
    if ran_ns < MIN_GRANULARITY_NS * factor:
        return False
    return task.vruntime_ns - min(other.vruntime_ns for other in queue) > ideal_ns


def pick_next(k: Kernel, cpu: Cpu) -> Task:
    """Take the task that runs next off the queue.

    Ties go to the heavier one, then to who was queued first.
    """
    queue = cpu.rq.fair
    if k.release.fair == "cfs":
        task = min(queue, key=lambda each: (each.vruntime_ns, -each.weight))
    else:
        task = _pick_eevdf(queue)
        task.protected_ns = task.deadline_ns
    queue.remove(task)
    return task


def yield_task(cpu: Cpu, task: Task) -> None:
    """sched_yield(): let every other task of the queue go first, this once."""
    if cpu.rq.fair:
        last_ns = max(other.vruntime_ns for other in cpu.rq.fair)
        task.vruntime_ns = max(task.vruntime_ns, last_ns + 1)


def _slice(k: Kernel, task: Task) -> int:
    return BASE_SLICE_NS * _factor(k) * NICE_0_LOAD // task.weight


def _set_deadline(k: Kernel, task: Task) -> None:
    task.deadline_ns = task.vruntime_ns + _slice(k, task)


def _average_vruntime(cpu: Cpu) -> tuple[int, int]:
    """Weighted mean of the virtual runtimes of all that want this CPU, and their weight."""
    tasks = list(cpu.rq.fair)
    current = cpu.current
    if current is not cpu.idle and current.prio >= MAX_RT_PRIO and current not in tasks:
        tasks.append(current)
    if not tasks:
        return cpu.rq.min_vruntime_ns, 0
    total = sum(task.weight for task in tasks)
    return _mean(tasks, total), total


def _pick_eevdf(tasks: list[Task]) -> Task:
    """Of the tasks that are not ahead of the average, the one with the earliest deadline."""
    eligible = [task for task in tasks if _is_eligible(task, tasks)]
    return min(eligible, key=lambda task: task.deadline_ns)


def _is_eligible(task: Task, tasks: list[Task]) -> bool:
    """Whether a task is not ahead of the average of all.  Source: vruntime_eligible()."""
    return sum((other.vruntime_ns - task.vruntime_ns) * other.weight for other in tasks) >= 0


def _mean(tasks: list[Task], total: int) -> int:
    # Rounded up, so that the least of them is always eligible.
    return -(-sum(task.vruntime_ns * task.weight for task in tasks) // total)


def _advance_min_vruntime(rq: RunQueue, task: Task) -> None:
    least = task.vruntime_ns
    for other in rq.fair:
        least = min(least, other.vruntime_ns)
    rq.min_vruntime_ns = max(rq.min_vruntime_ns, least)
