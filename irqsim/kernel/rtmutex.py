"""Locks that sleep and lend priority: what PREEMPT_RT makes of spin locks and mutexes.

Theory of operation.  Who finds a lock taken queues behind the more urgent and those of its own
priority that came first, and lends its priority to the owner, and on to the owner of what that
one waits for.  The first in the queue spins as long as the owner runs on another CPU, all
others sleep.  An unlock takes the loan back, wakes the first waiter and hands nothing over:
who is more urgent than the first waiter may still take the lock before it.

A spin lock does not disable preemption, only migration, and spin_lock_irqsave() leaves
interrupts as they are.  Its holder is an RCU reader: one that was switched away from meanwhile
reports to RCU when it lets go, and where interrupts are off there, in an interrupt that it
sends to itself.

Source: kernel/locking/rtmutex.c: rtlock_slowlock_locked, rt_mutex_slowlock_block,
task_blocks_on_rt_mutex, rt_mutex_adjust_prio_chain, try_to_take_rt_mutex, rt_mutex_steal,
mark_wakeup_next_waiter, rtmutex_spin_on_owner; kernel/locking/spinlock_rt.c;
kernel/sched/core.c: rt_mutex_setprio; kernel/rcu/tree_plugin.h: rcu_read_unlock_special.
"""

from __future__ import annotations

from typing import Final

from irqsim.errors import LimitError
from irqsim.events import SCHED_PI_SETPRIO, TASK_RUNNING, TASK_UNINTERRUPTIBLE
from irqsim.kernel import rt
from irqsim.kernel.migrate import migrate_disable, migrate_enable
from irqsim.kernel.preempt import PREEMPT_OFFSET
from irqsim.kernel.sched import (
    need_resched,
    preempt_check_resched,
    resched_curr,
    schedule,
    update_curr,
)
from irqsim.kernel.smp import SENT_BY_IRQ_WORK, ipi_to_self
from irqsim.kernel.state import (
    DEFAULT_PRIO,
    MAX_RT_PRIO,
    TASK_RTLOCK_WAIT,
    Cpu,
    Kernel,
    Path,
    Task,
)
from irqsim.kernel.trace import trace
from irqsim.kernel.wakeup import wake_up_state

_DEPTH_SETPRIO: Final = 3
"""The lock's wait_lock, the task's pi_lock and the run queue's are held there."""


class RtMutex:
    """A struct rt_mutex_base.  Changed by the functions below only."""

    __slots__ = ("name", "owner", "waiters")

    name: str
    owner: Task | None
    waiters: list[Task]
    """The most urgent first, equals in the order in which they came."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.owner = None
        self.waiters = []


# -- spin locks --------------------------------------------------------------------------


def rt_spin_lock(k: Kernel, cpu: Cpu, lock: RtMutex) -> Path:
    """Take a spin lock; the task stays on its CPU while it holds it."""
    task = cpu.current
    yield from _lock(k, task, lock, TASK_RTLOCK_WAIT)
    task.rcu_read_lock_nesting += 1
    migrate_disable(k.cpus[task.cpu])


def rt_spin_unlock(k: Kernel, cpu: Cpu, lock: RtMutex) -> Path:
    """Release a spin lock, and wake who waits for it."""
    yield from migrate_enable(k, cpu)
    yield from rt_mutex_unlock(k, cpu, lock)
    task = cpu.current
    task.rcu_read_lock_nesting -= 1
    if task.rcu_blocked and not task.rcu_read_lock_nesting:
        yield from _rcu_read_unlock_special(k, cpu)


def _rcu_read_unlock_special(k: Kernel, cpu: Cpu) -> Path:
    """Tell RCU that a reader is through that was preempted: with interrupts off, later."""
    cpu.current.rcu_blocked = False
    if not cpu.irqs_disabled or not k.rcu:
        return
    resched_curr(k, cpu, cpu)
    cpu.preempt_count += PREEMPT_OFFSET
    callback = "rcu_preempt_deferred_qs_handler+0x0/0x20"
    yield from ipi_to_self(k, cpu, k.ipi.irq_work, SENT_BY_IRQ_WORK, callback)
    cpu.preempt_count -= PREEMPT_OFFSET


# -- mutexes, and what both have in common -----------------------------------------------


def rt_mutex_lock(k: Kernel, cpu: Cpu, lock: RtMutex) -> Path:
    """Take a lock; sleep while another task holds it.

    Raises LimitError where this task holds it itself: a real one hangs there.
    """
    yield from _lock(k, cpu.current, lock, TASK_UNINTERRUPTIBLE)


def rt_mutex_unlock(k: Kernel, cpu: Cpu, lock: RtMutex) -> Path:
    """Release a lock: give back what its waiters have lent, and wake the first of them."""
    owner, lock.owner = lock.owner, None
    yield k.cost.local_irq
    if not lock.waiters:
        return
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    if owner is not None:
        owner.pi_locks.remove(lock)
        _adjust_prio(k, cpu, owner)
    cpu.preempt_count += PREEMPT_OFFSET
    cpu.irqs_disabled = saved
    yield from wake_up_state(k, cpu, lock.waiters[0], TASK_RTLOCK_WAIT | TASK_UNINTERRUPTIBLE)
    cpu.preempt_count -= PREEMPT_OFFSET
    yield from preempt_check_resched(k, cpu)


def _lock(k: Kernel, task: Task, lock: RtMutex, state: int) -> Path:
    if lock.owner is task:
        raise LimitError(
            f"INFO: task {task.comm}:{task.pid} blocked: it waits for lock {lock.name!r}, "
            "which it holds itself"
        )
    if not _may_take(task, lock, state):
        yield from _wait(k, task, lock, state)
    lock.owner = task
    if lock.waiters:
        task.pi_locks.append(lock)
        _adjust_prio(k, k.cpus[task.cpu], task)
    yield k.cost.local_irq


def _may_take(task: Task, lock: RtMutex, state: int) -> bool:
    """Whether a lock is free, and for this task.  Source: rt_mutex_steal()."""
    if lock.owner is not None:
        return False
    if not lock.waiters or lock.waiters[0] is task:
        return True
    mine, first = _waiter_prio(task), _waiter_prio(lock.waiters[0])
    is_lateral = state == TASK_RTLOCK_WAIT and mine == DEFAULT_PRIO
    return mine < first or (is_lateral and mine == first)


def _wait(k: Kernel, task: Task, lock: RtMutex, state: int) -> Path:
    """Queue up, lend the owner our priority, and spin or sleep until the lock is ours."""
    saved_state, task.saved_state = task.saved_state, task.state
    task.state = state
    task.pi_blocked_on = lock
    _enqueue(lock, task)
    cpu = k.cpus[task.cpu]
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    owner = lock.owner
    if owner is not None:
        if lock not in owner.pi_locks:
            owner.pi_locks.append(lock)
        _adjust_prio(k, cpu, owner)
    cpu.irqs_disabled = saved
    while not _may_take(task, lock, state):
        task.state = state
        cpu = k.cpus[task.cpu]
        if _spins_on_owner(k, cpu, lock):
            yield k.cost.spin
        else:
            yield from schedule(k, cpu)
    lock.waiters.remove(task)
    task.pi_blocked_on = None
    # A spin lock gives back the state in which the task was; that of a mutex is over.
    task.state = task.saved_state if state == TASK_RTLOCK_WAIT else TASK_RUNNING
    task.saved_state = saved_state


def _spins_on_owner(k: Kernel, cpu: Cpu, lock: RtMutex) -> bool:
    owner = lock.owner
    if owner is None or lock.waiters[0] is not cpu.current or need_resched(cpu):
        return False
    other = k.cpus[owner.cpu]
    return other is not cpu and other.current is owner


def _enqueue(lock: RtMutex, task: Task) -> None:
    prio = _waiter_prio(task)
    index = len(lock.waiters)
    while index and _waiter_prio(lock.waiters[index - 1]) > prio:
        index -= 1
    lock.waiters.insert(index, task)


def _waiter_prio(task: Task) -> int:
    """All fair tasks wait as equals."""
    return task.prio if task.prio < MAX_RT_PRIO else DEFAULT_PRIO


# -- priority inheritance ----------------------------------------------------------------


def _adjust_prio(k: Kernel, cpu: Cpu, task: Task) -> None:
    """Give a task the priority of the most urgent that waits for it, along the chain of locks.

    Raises LimitError where the chain comes back to where it began: a real one hangs there.
    """
    seen: list[Task] = []
    following: Task | None = task
    while following is not None:
        task, following = following, None
        if task in seen:
            names = ", ".join(f"{each.comm}/{each.pid}" for each in seen)
            raise LimitError(f"INFO: tasks blocked for ever, each by the next: {names}")
        seen.append(task)
        prio = task.prio if task.normal_prio < 0 else task.normal_prio
        for held in task.pi_locks:
            prio = min(prio, _waiter_prio(held.waiters[0]))
        if prio != task.prio:
            _setprio(k, cpu, task, prio)
        blocked_on = task.pi_blocked_on
        if blocked_on is not None:
            blocked_on.waiters.remove(task)
            _enqueue(blocked_on, task)
            following = blocked_on.owner


def _setprio(k: Kernel, cpu: Cpu, task: Task, prio: int) -> None:
    """Change the priority at which a task runs, wherever it is.

    Source: kernel/sched/core.c: rt_mutex_setprio; kernel/sched/rt.c: prio_changed_rt,
    switched_to_rt; kernel/sched/fair.c: switched_from_fair, switched_to_fair.
    """
    event = k.events.intern(SCHED_PI_SETPRIO, task.comm, task.pid, task.prio, prio)
    trace(k, cpu, event, _DEPTH_SETPRIO)
    target = k.cpus[task.cpu]
    rq = target.rq
    update_curr(k, target, cpu)
    is_queued = task in rq.rt or task in rq.fair
    if task.is_delayed:
        # It sleeps: away from the fair class it has no claim to its place in the queue.
        rq.fair.remove(task)
        task.is_delayed = task.on_rq = is_queued = False
    if is_queued:
        (rq.rt if task.prio < MAX_RT_PRIO else rq.fair).remove(task)
    old, task.prio = task.prio, prio
    if task.normal_prio < 0:
        task.normal_prio = old
    elif task.normal_prio == prio:
        task.normal_prio = -1
    if old >= MAX_RT_PRIO > prio:
        # Away from the fair class its virtual time stands still.
        task.vruntime_ns -= rq.min_vruntime_ns
    elif prio >= MAX_RT_PRIO > old:
        task.vruntime_ns += rq.min_vruntime_ns
    if is_queued and prio < MAX_RT_PRIO:
        rt.enqueue(rq, task, at_head=old < prio)
    elif is_queued:
        rq.fair.append(task)
    if is_queued and prio < target.current.prio:
        resched_curr(k, cpu, target)
    if target.current is task and old < prio:
        is_beaten = bool(rq.rt) and rq.rt[0].prio < prio
        if prio >= MAX_RT_PRIO or is_beaten:
            resched_curr(k, cpu, target)
