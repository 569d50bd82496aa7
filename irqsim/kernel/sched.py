"""The scheduler: as much of it as an interrupt trace shows.

Run queues, wake-ups on this CPU and on another, preemption, and the three tracepoints of
sched.  Real-time tasks run by priority, in the order in which they became runnable; fair tasks
as kernel/fair.py says; idle when nothing else is there.

Source: kernel/sched/core.c: try_to_wake_up, ttwu_queue, __schedule, resched_curr, scheduler_tick;
kernel/sched/rt.c.
Differs: no load balancing between CPUs but the choice of a CPU at each wake-up; real-time
tasks are not throttled.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import (
    SCHED_SWITCH,
    TASK_PREEMPTED,
    TASK_RUNNING,
    TASK_UNINTERRUPTIBLE,
)
from irqsim.kernel import eevdf, fair, rt
from irqsim.kernel.atomic import might_sleep_bug, schedule_bug
from irqsim.kernel.frame import Frame
from irqsim.kernel.preempt import PREEMPT_MASK, PREEMPT_OFFSET
from irqsim.kernel.printk import KERN_ERR, dump_stack, printk
from irqsim.kernel.smp import (
    NOTHING_CALLED,
    SENT_BY_PREEMPTION,
    send_ipi,
    smp_cross_call,
)
from irqsim.kernel.state import (
    MAX_RT_PRIO,
    SWITCH,
    TASK_RTLOCK_WAIT,
    Cpu,
    Kernel,
    Path,
    Task,
)
from irqsim.kernel.trace import trace

UPTIME_NS: Final = 10_000_000_000
"""Virtual time at the start of a run: who has slept since the boot has fallen behind."""

# What the locks held at a tracepoint add to the preemption depth (CONFIG_PREEMPT_COUNT).
_DEPTH_WAKING: Final = 2
_DEPTH_WAKEUP: Final = 3
_DEPTH_SWITCH: Final = 2
_DEPTH_CHARGE: Final = 1
_DEPTH_RESCHED: Final = 3


class RunQueue:
    """One CPU's runnable tasks, without the one that runs."""

    __slots__ = ("fair", "min_vruntime_ns", "next_buddy", "rt", "skip_buddy")

    # kernel/sched.py's.
    rt: list[Task]
    """By priority, then by time of becoming runnable."""

    # kernel/fair.py's.
    fair: list[Task]
    """In the order of queueing; also who sleeps and has not paid yet (Task.is_delayed)."""
    min_vruntime_ns: int

    # kernel/cfs.py's.
    next_buddy: Task | None
    """Who asked for the preemption, and is picked first."""
    skip_buddy: Task | None
    """Who yielded, and is passed over."""

    def __init__(self) -> None:
        self.rt = []
        self.fair = []
        self.min_vruntime_ns = UPTIME_NS
        self.next_buddy = None
        self.skip_buddy = None


def new_task(
    k: Kernel, comm: str, body: Path, allowed: tuple[int, ...], pid: int | None = None
) -> Task:
    """A task that sleeps until it is woken for the first time; `body` is its code.

    The body starts behind the switch to it: `start_task` is its first step.
    """
    if pid is None:
        used = {task.pid for task in k.tasks}
        while k.next_pid in used:
            k.next_pid += 1
        pid = k.next_pid
    task = Task(comm, pid, allowed)
    task.frames.append(Frame(body, False, 0))
    k.tasks.append(task)
    return task


def start_task(k: Kernel, task: Task) -> Path:
    """The first thing that a new task does: finish the switch to it.

    Source: kernel/sched/core.c: schedule_tail.
    """
    yield k.cost.switch_to
    k.cpus[task.cpu].irqs_disabled = False
    yield 0


# -- the run queue -----------------------------------------------------------------------


def activate(
    k: Kernel, cpu: Cpu | None, target: Cpu, task: Task, depth: int = _DEPTH_WAKEUP
) -> None:
    task.on_rq = True
    task.cpu = target.number
    if task.prio < MAX_RT_PRIO:
        rt.enqueue(target.rq, task, at_head=False)
    else:
        update_curr(k, target, cpu, depth)
        fair.enqueue_woken(k, target, task)


def move_queued_task(k: Kernel, cpu: Cpu, source: Cpu, target: Cpu, task: Task) -> None:
    """Put a task that waits on one CPU's queue on another's.

    Source: kernel/sched/core.c: move_queued_task.
    """
    update_curr(k, target, cpu)
    if task.prio < MAX_RT_PRIO:
        source.rq.rt.remove(task)
        rt.enqueue(target.rq, task, at_head=False)
    else:
        fair.migrate(k, source, target, task)
    task.cpu = target.number


def wake_runnable(k: Kernel, cpu: Cpu | None, target: Cpu, task: Task) -> None:
    """Wake a task that is on its run queue still: about to sleep, or asleep and not dequeued.

    Source: kernel/sched/core.c: ttwu_runnable.
    """
    if task is target.current:
        return
    if task.is_delayed:
        update_curr(k, target, cpu, _DEPTH_WAKEUP)
        eevdf.requeue_delayed(k, target, task)
    check_preempt_curr(k, cpu, target, task)


def check_preempt_curr(
    k: Kernel, cpu: Cpu | None, target: Cpu, task: Task, depth: int = _DEPTH_RESCHED
) -> None:
    """Ask the target's task to make room if the woken one goes before it.

    `depth` is what the locks held here add to the preemption depth.

    Source: kernel/sched/core.c: check_preempt_curr (wakeup_preempt since 6.6).
    """
    current = target.current
    is_fair = False
    if current is target.idle:
        preempts = True
    elif task.prio < MAX_RT_PRIO or current.prio < MAX_RT_PRIO:
        preempts = task.prio < current.prio
    else:
        is_fair = True
        preempts = fair.preempts_at_wakeup(k, target, current, task)
    if preempts and is_fair:
        resched_curr_lazy(k, cpu, target, depth)
    elif preempts:
        resched_curr(k, cpu, target, depth)


def send(
    k: Kernel,
    cpu: Cpu | None,
    target: Cpu,
    number: int,
    callsite: str,
    callback: str,
    depth: int,
) -> None:
    if cpu is None:
        send_ipi(k, target.number, 1 << target.number, number)
    else:
        smp_cross_call(k, cpu, target, number, callsite, callback, depth)


def resched_curr(
    k: Kernel, cpu: Cpu | None, target: Cpu, depth: int = _DEPTH_RESCHED
) -> None:
    """Have the target's current task call schedule() soon.

    On another CPU only the thread's flag is set; the IPI that follows folds it.
    Source: kernel/sched/core.c: resched_curr.
    """
    if target.tif_need_resched:
        return
    target.tif_need_resched = True
    if target is cpu:
        fold_need_resched(k, target)
    else:
        send(k, cpu, target, k.ipi.reschedule, SENT_BY_PREEMPTION, NOTHING_CALLED, depth)


def resched_curr_lazy(
    k: Kernel, cpu: Cpu | None, target: Cpu, depth: int = _DEPTH_RESCHED
) -> None:
    """The same between fair tasks: with PREEMPT_LAZY not before the locks are released.

    Source: kernel/sched/core.c of the RT patches: resched_curr_lazy.
    """
    if not k.preempt_lazy:
        resched_curr(k, cpu, target, depth)
    elif not need_resched(target):
        target.tif_need_resched_lazy = True
        if target is not cpu:
            send(k, cpu, target, k.ipi.reschedule, SENT_BY_PREEMPTION, NOTHING_CALLED, depth)


def need_resched(cpu: Cpu) -> bool:
    """Whether the CPU's task has been asked to give way, lazily or not."""
    return cpu.tif_need_resched or cpu.tif_need_resched_lazy


def fold_need_resched(k: Kernel, cpu: Cpu) -> None:
    """Copy TIF_NEED_RESCHED into preempt_count, on architectures that keep both.

    Source: include/linux/sched.h: preempt_fold_need_resched.
    """
    if cpu.tif_need_resched and k.folds_need_resched:
        cpu.preempt_need_resched = True


# -- switching ---------------------------------------------------------------------------


def schedule(k: Kernel, cpu: Cpu, preempt: bool = False) -> Path:
    """Let the next task run; returns when the caller's task runs again.

    `preempt` says that the task did not ask for it (R+): it stays runnable whatever its state.
    The task may come back on another CPU: callers look at `task.cpu` anew.
    Source: kernel/sched/core.c: __schedule.
    """
    task = cpu.current
    blocks = not preempt and task.state != TASK_RUNNING
    allowed = task.allowed
    # The idle task runs with preemption disabled.
    disabled = PREEMPT_OFFSET if task is cpu.idle and k.preempt_count_built else 0
    if not preempt and cpu.preempt_count & k.atomic_mask != disabled:
        schedule_bug(k, cpu)
        # What it left open, it left open here.
        task.allowed = (cpu.number,)
    if blocks and task is cpu.idle:
        printk(k, KERN_ERR, "bad: scheduling from the idle thread!")
        dump_stack(k, cpu)
    # Waiting for a spin lock does not count as sleeping to a worker's pool.
    sleeps = blocks and task.state != TASK_RTLOCK_WAIT
    if sleeps and task.before_sleep is not None:
        yield from task.before_sleep()
    cpu.irqs_disabled = True
    yield k.cost.context_switch
    update_curr(k, cpu, cpu)
    cpu.tif_need_resched = cpu.preempt_need_resched = cpu.tif_need_resched_lazy = False
    if task.rcu_read_lock_nesting:
        task.rcu_blocked = True
    prev_state = TASK_PREEMPTED if preempt else task.state
    if prev_state == TASK_RTLOCK_WAIT:
        prev_state = TASK_UNINTERRUPTIBLE
    runs_on = preempt or task.state == TASK_RUNNING
    if not runs_on and task is not cpu.idle:
        task.is_requeued = False
        task.on_rq = not fair.dequeue(k, cpu, task)
    following = _pick_next(k, cpu, task if runs_on and task is not cpu.idle else None)
    if following is not task:
        _trace_switch(k, cpu, task, following, prev_state)
        task.preempt_count = cpu.preempt_count
        cpu.preempt_count = following.preempt_count
        cpu.current = following
        cpu.nr_switches += 1
        task.nr_switches += 1
        if following not in (cpu.idle, cpu.ksoftirqd, cpu.rcuc) and task is not cpu.rcuc:
            cpu.tick.rcu_wanted = True
        yield SWITCH
        cpu = k.cpus[task.cpu]
        yield k.cost.switch_to
    task.allowed = allowed
    cpu.irqs_disabled = False
    yield 0
    if sleeps and task.after_sleep is not None:
        task.after_sleep()


def _pick_next(k: Kernel, cpu: Cpu, task: Task | None) -> Task:
    """Take the next task off the queue; `task` is the one that runs, if it may go on."""
    rq = cpu.rq
    recorded = None if k.recorded is None else k.recorded.pick(k, cpu)
    is_rt = task is not None and task.prio < MAX_RT_PRIO
    if task is not None and is_rt:
        rt.put_prev(rq, task)
    following: Task | None
    if recorded is not None:
        following = recorded
        if task is not None and not is_rt and recorded is not task:
            rq.fair.append(task)
    elif rq.rt:
        following = rq.rt.pop(0)
        if task is not None and not is_rt:
            rq.fair.append(task)
    else:
        following = fair.pick_next(k, cpu, None if is_rt else task)
    if following is None:
        following = cpu.idle
    if following is not task:
        following.exec_start_ns = k.now_ns
        following.slice_start_ns = following.sum_exec_ns
    return following


def _trace_switch(k: Kernel, cpu: Cpu, task: Task, following: Task, prev_state: int) -> None:
    if not cpu.is_online:
        # No tracepoint speaks on a CPU that has been taken off the online mask.
        return
    event = k.events.intern(
        SCHED_SWITCH,
        task.comm,
        task.pid,
        task.prio,
        prev_state,
        following.comm,
        following.pid,
        following.prio,
    )
    trace(k, cpu, event, _DEPTH_SWITCH - (cpu.preempt_count & PREEMPT_MASK))


def sched_move_task(k: Kernel, cpu: Cpu) -> None:
    """Take the running task out of its group and into another, and choose anew who runs.

    A real-time task goes behind its equals; a fair one keeps its place relative to the others.
    Source: kernel/sched/core.c: sched_move_task.
    """
    task = cpu.current
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    update_curr(k, cpu, cpu)
    if task.prio < MAX_RT_PRIO:
        rt.yield_task(task)
    else:
        fair.requeue_current(k, cpu, task)
    resched_curr(k, cpu, cpu)
    cpu.irqs_disabled = saved


def cond_resched(k: Kernel, cpu: Cpu) -> Path:
    """Give way if asked to; a kernel that can be preempted does so anyway.

    Source: kernel/sched/core.c: __cond_resched.
    """
    if cpu.tif_need_resched and not k.preemption and not cpu.preempt_count & k.atomic_mask:
        yield from schedule(k, cpu, preempt=True)


def might_sleep(k: Kernel, cpu: Cpu, place: str) -> Path:
    """Give way where the kernel may have to sleep, if it does so of its own free will.

    Source: include/linux/kernel.h: might_sleep, might_resched (CONFIG_PREEMPT_VOLUNTARY).
    """
    might_sleep_bug(k, cpu, place)
    if k.might_resched:
        yield from cond_resched(k, cpu)


def preempt_check_resched(k: Kernel, cpu: Cpu) -> Path:
    """Where preemption becomes possible again: take it if it was asked for.

    Source: include/linux/preempt.h; kernel/sched/core.c: preempt_schedule.
    """
    if not cpu.irqs_disabled and may_be_preempted(k, cpu):
        yield from schedule(k, cpu, preempt=True)


def may_be_preempted(k: Kernel, cpu: Cpu) -> bool:
    """Whether kernel code is to give way here and now, where interrupts are on.

    Source: kernel/sched/core.c: preempt_schedule; of the RT patches: preemptible_lazy.
    """
    if not k.preemption or cpu.preempt_count & k.atomic_mask:
        return False
    return cpu.tif_need_resched or (
        cpu.tif_need_resched_lazy and not cpu.current.migration_disabled
    )


def sched_yield(k: Kernel, cpu: Cpu) -> Path:
    """Let others of the same rank go first.

    Source: kernel/sched/rt.c: yield_task_rt; kernel/sched/fair.c: yield_task_fair.
    """
    task = cpu.current
    if task.prio < MAX_RT_PRIO:
        rt.yield_task(task)
    else:
        cpu.irqs_disabled = True
        update_curr(k, cpu, cpu)
        fair.yield_task(k, cpu, task)
    yield from schedule(k, cpu)


# -- time --------------------------------------------------------------------------------


def update_curr(k: Kernel, target: Cpu, cpu: Cpu | None, depth: int = _DEPTH_CHARGE) -> None:
    """Charge the task that runs on `target` for the time since it was last charged.

    `cpu` does it, None if the log does not show who does.
    Source: kernel/sched/fair.c: update_curr.
    """
    task = target.current
    delta_ns = k.now_ns - task.exec_start_ns
    if delta_ns <= 0 or task is target.idle:
        return
    task.exec_start_ns = k.now_ns
    task.sum_exec_ns += delta_ns
    if task.prio < MAX_RT_PRIO:
        return
    is_over = fair.charge(k, target, task, delta_ns)
    fair.trace_runtime(k, cpu, task, delta_ns, depth)
    if is_over and k.recorded is None:
        resched_curr_lazy(k, target, target)


def scheduler_tick(k: Kernel, cpu: Cpu) -> None:
    """What the tick does to the task that it interrupted.

    Source: kernel/sched/core.c: scheduler_tick; kernel/sched/rt.c: task_tick_rt.
    """
    task = cpu.current
    if task is cpu.idle:
        return
    update_curr(k, cpu, cpu)
    if task.prio >= MAX_RT_PRIO:
        if fair.preempts_at_tick(k, cpu, task):
            resched_curr_lazy(k, cpu, cpu)
    elif rt.preempts_at_tick(k, cpu.rq, task):
        resched_curr(k, cpu, cpu)
