"""Waking tasks: here, on another CPU, and from outside of what the log shows.

A wake-up is two events: sched_waking where the waker runs, and sched_wakeup where the task is
put on its run queue: here, or at the target in the interrupt that tells it.

Source: kernel/sched/core.c: try_to_wake_up, ttwu_queue, ttwu_do_activate, sched_ttwu_pending.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import (
    SCHED_MIGRATE_TASK,
    SCHED_WAKEUP,
    SCHED_WAKING,
    TASK_IDLE,
    TASK_INTERRUPTIBLE,
    TASK_RUNNING,
    TASK_UNINTERRUPTIBLE,
    Event,
    Tracepoint,
)
from irqsim.kernel.printk import KERN_WARNING, printk
from irqsim.kernel.sched import (
    activate,
    check_preempt_curr,
    preempt_check_resched,
    send,
    wake_runnable,
)
from irqsim.kernel.smp import CALLED, SENT_BY_WAKE_LIST, send_ipi
from irqsim.kernel.state import (
    MAX_RT_PRIO,
    TASK_RTLOCK_WAIT,
    Cpu,
    Kernel,
    Path,
    Task,
)
from irqsim.kernel.trace import trace

# What the locks held at a tracepoint add to the preemption depth (CONFIG_PREEMPT_COUNT).
_DEPTH_WAKING: Final = 1
_DEPTH_WAKEUP: Final = 2
_DEPTH_PENDING: Final = 1
"""Of a wake-up that the target carries out: the run queue's lock alone."""

_TASK_NORMAL: Final = TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE | TASK_IDLE


def wake_up_process(k: Kernel, cpu: Cpu, task: Task) -> Path:
    """Make a sleeping task runnable; nothing, and no event, if it is not asleep.

    One that waits for a spin lock on its way to sleep will find that it need not.
    Source: kernel/sched/core.c: try_to_wake_up, ttwu_state_match (TASK_NORMAL).
    """
    if task.state & _TASK_NORMAL:
        yield from wake_up_state(k, cpu, task, _TASK_NORMAL)
    elif task.state == TASK_RTLOCK_WAIT and task.saved_state & _TASK_NORMAL:
        task.saved_state = TASK_RUNNING


def wake_up_state(k: Kernel, cpu: Cpu, task: Task, states: int) -> Path:
    """The same for a task in one of these states.

    Source: kernel/sched/core.c: try_to_wake_up.
    """
    if not task.state & states:
        return
    saved = cpu.irqs_disabled
    cpu.irqs_disabled = True
    extra = 1 if k.release.wake_up_disables_preemption else 0
    trace(k, cpu, _wake_event(k, SCHED_WAKING, task), _DEPTH_WAKING + extra)
    task.state = TASK_RUNNING
    if task.on_rq:
        yield k.cost.wakeup
        wake_runnable(k, cpu, k.cpus[task.cpu], task)
        trace(k, cpu, _wake_event(k, SCHED_WAKEUP, task), _DEPTH_WAKEUP + extra)
    else:
        target = k.cpus[_select_task_rq(k, task)]
        if target.number != task.cpu:
            migrated = k.events.intern(
                SCHED_MIGRATE_TASK, task.comm, task.pid, task.prio, task.cpu, target.number
            )
            trace(k, cpu, migrated, _DEPTH_WAKING + extra)
            task.cpu = target.number
        if target is not cpu and _queues_at_target(k, target):
            _ttwu_queue_wakelist(k, cpu, target, task)
        else:
            yield k.cost.wakeup
            _ttwu_do_activate(k, cpu, target, task, _DEPTH_WAKEUP + extra)
    cpu.irqs_disabled = saved
    yield 0
    yield from preempt_check_resched(k, cpu)


def wake_up_from_outside(k: Kernel, task: Task) -> None:
    """A wake-up whose waker the log does not show: who typed the task's name.

    It reaches the target as any remote wake-up does.  The waker's CPU belongs to no scheduling
    domain, so that its sd_llc_id is 0, as CPU 0's is: the two count as sharing a cache.
    Source: kernel/sched/topology.c: update_top_cache_domain.
    """
    task.state = TASK_RUNNING
    if task.on_rq:
        wake_runnable(k, None, k.cpus[task.cpu], task)
        return
    task.cpu = _select_task_rq(k, task)
    target = k.cpus[task.cpu]
    shares_cache = target.number == 0 and target.current is not target.idle
    if _queues_at_target(k, target) and not shares_cache:
        _ttwu_queue_wakelist(k, None, target, task)
    else:
        activate(k, None, target, task)
        check_preempt_curr(k, None, target, task)


def wake_up_by_call(k: Kernel, target: Cpu, task: Task) -> None:
    """Have `target` wake a task in an interrupt, for somebody whom the log does not show.

    The log then has both events of the wake-up, which a real waker's CPU would have had.
    """
    target.call_queue.append(lambda cpu: wake_up_process(k, cpu, task))
    if len(target.call_queue) == 1:
        send_ipi(k, target.number, 1 << target.number, k.ipi.call_function)


def sched_ttwu_pending(k: Kernel, cpu: Cpu) -> Path:
    """Put on the run queue what others have woken for this CPU.

    Source: kernel/sched/core.c: sched_ttwu_pending.
    """
    while cpu.wake_list:
        task = cpu.wake_list.pop(0)
        yield k.cost.wakeup
        _ttwu_do_activate(k, cpu, cpu, task, _DEPTH_PENDING)


def _queues_at_target(k: Kernel, target: Cpu) -> bool:
    """Whether a remote wake-up is left to the target to carry out.

    Never on PREEMPT_RT: a list of any length would be worked off in a hard interrupt.
    Source: kernel/sched/core.c: ttwu_queue_cond (never to a CPU that comes or goes);
    kernel/sched/features.h: TTWU_QUEUE.
    """
    if k.preempt_rt:
        return False
    if k.release.wake_list == "reschedule":
        return True
    return target.is_active and (
        k.release.wake_list != "idle" or target.current is target.idle
    )


def _ttwu_queue_wakelist(k: Kernel, cpu: Cpu | None, target: Cpu, task: Task) -> None:
    target.wake_list.append(task)
    if len(target.wake_list) > 1:
        return
    by_reschedule = k.release.wake_list == "reschedule"
    number = k.ipi.reschedule if by_reschedule else k.ipi.call_function
    send(k, cpu, target, number, SENT_BY_WAKE_LIST, CALLED, _DEPTH_WAKING)


def _select_task_rq(k: Kernel, task: Task) -> int:
    """The CPU for a task that wakes: where it ran, if that is idle; an idle one; where it ran.

    A real-time task goes where it can run at once.
    Source: kernel/sched/fair.c: select_idle_sibling; kernel/sched/rt.c: select_task_rq_rt.
    """
    allowed = task.allowed
    if task.migration_disabled:
        return task.cpu
    if task.is_per_cpu:
        return allowed[0]
    if k.nr_online < len(k.cpus) or k.hotplug.moving is not None:
        allowed = tuple(number for number in task.allowed if k.cpus[number].is_active)
        if not allowed:
            return select_fallback_rq(k, task)
    if len(allowed) == 1:
        return allowed[0]
    here = task.cpu if task.cpu in allowed else allowed[0]
    candidates = (here, *(number for number in allowed if number != here))
    for number in candidates:
        other = k.cpus[number]
        if other.current is other.idle and not other.wake_list and not other.rq.fair:
            return number
    if task.prio < MAX_RT_PRIO:
        for number in candidates:
            if k.cpus[number].current.prio > task.prio:
                return number
    return here


def select_fallback_rq(k: Kernel, task: Task) -> int:
    """The first CPU of those allowed that takes tasks; with none left, any CPU is allowed.

    Source: kernel/sched/core.c: select_fallback_rq.
    Differs: what a user had allowed is forgotten, also where 6.2 and later remember it.
    """
    for number in task.allowed:
        if k.cpus[number].is_active:
            return number
    if task.has_mm:
        text = f"process {task.pid} ({task.comm}) no longer affine to cpu{task.cpu}"
        printk(k, KERN_WARNING, text)
    task.allowed = tuple(range(len(k.cpus)))
    return next(cpu.number for cpu in k.cpus if cpu.is_active)


def _ttwu_do_activate(k: Kernel, cpu: Cpu, target: Cpu, task: Task, depth: int) -> None:
    """Source: kernel/sched/core.c: ttwu_do_activate, ttwu_do_wakeup."""
    activate(k, cpu, target, task, depth)
    check_preempt_curr(k, cpu, target, task, depth)
    trace(k, cpu, _wake_event(k, SCHED_WAKEUP, task), depth)


def _wake_event(k: Kernel, tracepoint: Tracepoint, task: Task) -> Event:
    return k.events.intern(tracepoint, task.comm, task.pid, task.prio, task.cpu)
