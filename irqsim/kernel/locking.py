"""Locks: spin locks, plain and with interrupts or bottom halves off; mutexes.

A spin lock that is held makes others spin, in the order in which they came.  A mutex that is
held makes others sleep, unless its owner runs on another CPU: it may be free soon.  On
PREEMPT_RT both are what kernel/rtmutex.py says.

Source: kernel/locking/spinlock.c, kernel/locking/qspinlock.c; include/linux/spinlock_api_smp.h;
kernel/locking/mutex.c: __mutex_lock, mutex_optimistic_spin, __mutex_unlock_slowpath.
"""

from __future__ import annotations

from collections.abc import Mapping

from irqsim.events import TASK_UNINTERRUPTIBLE
from irqsim.kernel.lockup import never_wakes, spin_bug
from irqsim.kernel.preempt import PREEMPT_OFFSET
from irqsim.kernel.rtmutex import (
    RtMutex,
    rt_mutex_lock,
    rt_mutex_unlock,
    rt_spin_lock,
    rt_spin_unlock,
)
from irqsim.kernel.sched import might_sleep, preempt_check_resched, schedule
from irqsim.kernel.softirq import local_bh_disable, local_bh_enable
from irqsim.kernel.spin import spin_until
from irqsim.kernel.state import Cpu, Kernel, Path, Task
from irqsim.kernel.wakeup import wake_up_process


class SpinLock:
    """A spinlock_t.  Changed by the functions below only."""

    __slots__ = (
        "depths",
        "flags",
        "holder",
        "name",
        "others",
        "owner",
        "rtmutex",
        "waiters",
    )

    name: str
    others: Mapping[str, SpinLock]
    """All of the machine's."""
    holder: Task | None
    """Which task it was that took it, or that an interrupt which took it came upon."""
    depths: dict[int, int]
    """By CPU that waits, or has waited: on how many interrupts of its own it does."""
    owner: int
    """The CPU that holds it; -1 when nobody does."""
    waiters: list[int]
    rtmutex: RtMutex
    """What it is on PREEMPT_RT; the other fields are unused there."""
    flags: bool
    """What spin_lock_irqsave() found: whether interrupts were off."""

    def __init__(self, name: str, others: Mapping[str, SpinLock]) -> None:
        self.name = name
        self.others = others
        self.owner = -1
        self.holder = None
        self.waiters = []
        self.depths = {}
        self.flags = False
        self.rtmutex = RtMutex(name)


def spin_lock(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    """Take a lock, spinning while another CPU holds it.

    Where this CPU holds it itself, or two wait for each other, the machine panics.
    """
    if k.preempt_rt:
        yield from rt_spin_lock(k, cpu, lock.rtmutex)
        return
    if k.preempt_count_built:
        cpu.preempt_count += PREEMPT_OFFSET
    yield from _acquire(k, cpu, lock)


def spin_unlock(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    """Release a lock."""
    if k.preempt_rt:
        yield from rt_spin_unlock(k, cpu, lock.rtmutex)
        return
    lock.owner = -1
    if k.preempt_count_built:
        cpu.preempt_count -= PREEMPT_OFFSET
    yield k.cost.local_irq
    yield from preempt_check_resched(k, cpu)


def spin_lock_irqsave(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    """Switch interrupts off and take a lock; on PREEMPT_RT they stay as they are."""
    if k.preempt_rt:
        yield from spin_lock(k, cpu, lock)
        return
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    yield from spin_lock(k, cpu, lock)
    lock.flags = saved


def spin_unlock_irqrestore(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    """Release a lock and put interrupts back to what they were when it was taken."""
    if k.preempt_rt:
        yield from spin_unlock(k, cpu, lock)
        return
    lock.owner = -1
    cpu.irqs_disabled = lock.flags
    yield k.cost.local_irq
    if k.preempt_count_built:
        cpu.preempt_count -= PREEMPT_OFFSET
    yield from preempt_check_resched(k, cpu)


def spin_lock_bh(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    """Switch bottom halves off and take a lock."""
    yield from local_bh_disable(k, cpu)
    if k.preempt_rt:
        yield from spin_lock(k, cpu, lock)
    else:
        yield from _acquire(k, cpu, lock)


def spin_unlock_bh(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    """Release a lock, and let softirqs run."""
    if k.preempt_rt:
        yield from spin_unlock(k, cpu, lock)
    else:
        lock.owner = -1
    yield from local_bh_enable(k, cpu)


def _acquire(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    holder = lock.holder
    if lock.owner == cpu.number:
        assert holder is not None
        message = "recursion" if holder is cpu.current else "cpu recursion"
        yield from spin_bug(k, cpu, message, lock.name, holder, lock.owner)
    if lock.owner >= 0:
        lock.waiters.append(cpu.number)
        lock.depths[cpu.number] = len(cpu.frames)
        if _is_deadlock(k, cpu, lock):
            assert holder is not None
            yield from spin_bug(k, cpu, "lockup suspected", lock.name, holder, lock.owner)

        def is_ours() -> bool:
            return lock.owner < 0 and lock.waiters[0] == cpu.number

        yield from spin_until(k, cpu, is_ours, f"lock {lock.name!r}")
        lock.waiters.pop(0)
    lock.owner = cpu.number
    lock.holder = cpu.current
    yield k.cost.local_irq


def _is_deadlock(k: Kernel, cpu: Cpu, lock: SpinLock) -> bool:
    """Whether the CPU that holds a lock waits for one, and so on, back to this CPU.

    A CPU waits if that is what it does: not if an interrupt came in between.
    """
    owner = lock.owner
    for _ in k.cpus:
        depth = len(k.cpus[owner].frames)
        awaited = [
            each
            for each in lock.others.values()
            if owner in each.waiters and each.depths[owner] == depth
        ]
        if not awaited or awaited[0].owner < 0:
            return False
        owner = awaited[0].owner
        if owner == cpu.number:
            return True
    return False


class Mutex:
    """A struct mutex.  Changed by the functions below only."""

    __slots__ = ("name", "others", "owner", "rtmutex", "spinning", "waiters")

    name: str
    others: Mapping[str, Mutex]
    """All of the machine's."""
    spinning: Task | None
    """The last that waited for it without sleeping, as long as it is held."""
    owner: Task | None
    waiters: list[Task]
    rtmutex: RtMutex
    """What it is on PREEMPT_RT; the other fields are unused there."""

    def __init__(self, name: str, others: Mapping[str, Mutex]) -> None:
        self.name = name
        self.others = others
        self.owner = self.spinning = None
        self.waiters = []
        self.rtmutex = RtMutex(name)


def mutex_lock(k: Kernel, cpu: Cpu, mutex: Mutex) -> Path:
    """Take a mutex; sleep, or spin on an owner that runs, while another task holds it.

    Who waits for a mutex of its own, or in a circle with others, sleeps for ever.
    """
    if k.preempt_rt:
        yield from rt_mutex_lock(k, cpu, mutex.rtmutex)
        return
    task = cpu.current
    yield from might_sleep(k, cpu, "kernel/locking/mutex.c")
    while mutex.owner is not None:
        owner_cpu = k.cpus[mutex.owner.cpu]
        here = k.cpus[task.cpu]
        if owner_cpu is not here and owner_cpu.current is mutex.owner:
            # Differs: of those that spin in a circle a real one goes on until its CPU is wanted.
            if (
                not mutex.waiters
                and not here.tif_need_resched
                and not _circle(k, task, mutex)
            ):
                mutex.spinning = task
                yield k.cost.spin
                continue
        task.state = TASK_UNINTERRUPTIBLE
        mutex.waiters.append(task)
        circle = _circle(k, task, mutex)
        if circle:
            never_wakes(k, task, f"mutex {', which waits for '.join(circle)}")
        yield from schedule(k, here)
        if task in mutex.waiters:
            mutex.waiters.remove(task)
    mutex.owner, mutex.spinning = task, None
    yield k.cost.local_irq


def _circle(k: Kernel, task: Task, mutex: Mutex) -> list[str]:
    """The mutexes that stand in a circle when a task waits for this one; empty if none do."""
    owner, path = mutex.owner, []
    for _ in k.tasks:
        if owner is None:
            break
        path.append(f"{mutex.name!r} (held by {owner.comm}:{owner.pid})")
        if owner is task:
            return path
        awaited = [
            each
            for each in mutex.others.values()
            if owner in each.waiters or owner is each.spinning
        ]
        if not awaited:
            break
        mutex = awaited[0]
        owner = mutex.owner
    return []


def mutex_unlock(k: Kernel, cpu: Cpu, mutex: Mutex) -> Path:
    """Release a mutex, and wake the first that waits for it."""
    if k.preempt_rt:
        yield from rt_mutex_unlock(k, cpu, mutex.rtmutex)
        return
    mutex.owner = None
    yield k.cost.local_irq
    if mutex.waiters:
        yield from wake_up_process(k, cpu, mutex.waiters[0])
