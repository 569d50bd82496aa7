"""Locks: spin locks, plain and with interrupts or bottom halves off.

A lock that is held makes others spin, in the order in which they came.

Source: kernel/locking/spinlock.c, kernel/locking/qspinlock.c; include/linux/spinlock_api_smp.h.
"""

from __future__ import annotations

from irqsim.errors import LimitError
from irqsim.kernel.preempt import PREEMPT_OFFSET
from irqsim.kernel.sched import preempt_check_resched
from irqsim.kernel.softirq import local_bh_disable, local_bh_enable
from irqsim.kernel.state import Cpu, Kernel, Path


class SpinLock:
    """A spinlock_t.  Changed by the functions below only."""

    __slots__ = ("flags", "name", "owner", "waiters")

    name: str
    owner: int
    """The CPU that holds it; -1 when nobody does."""
    waiters: list[int]
    flags: bool
    """What spin_lock_irqsave() found: whether interrupts were off."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.owner = -1
        self.waiters = []
        self.flags = False


def spin_lock(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    """Take a lock, spinning while another CPU holds it.

    Raises LimitError where this CPU holds it itself: a real one hangs there.
    """
    if k.preempt_count_built:
        cpu.preempt_count += PREEMPT_OFFSET
    yield from _acquire(k, cpu, lock)


def spin_unlock(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    """Release a lock."""
    lock.owner = -1
    if k.preempt_count_built:
        cpu.preempt_count -= PREEMPT_OFFSET
    yield k.cost.local_irq
    yield from preempt_check_resched(k, cpu)


def spin_lock_irqsave(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    """Switch interrupts off and take a lock."""
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    yield from spin_lock(k, cpu, lock)
    lock.flags = saved


def spin_unlock_irqrestore(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    """Release a lock and put interrupts back to what they were when it was taken."""
    lock.owner = -1
    cpu.irqs_disabled = lock.flags
    yield k.cost.local_irq
    if k.preempt_count_built:
        cpu.preempt_count -= PREEMPT_OFFSET
    yield from preempt_check_resched(k, cpu)


def spin_lock_bh(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    """Switch bottom halves off and take a lock."""
    local_bh_disable(cpu)
    yield from _acquire(k, cpu, lock)


def spin_unlock_bh(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    """Release a lock, and let softirqs run."""
    lock.owner = -1
    yield from local_bh_enable(k, cpu)


def _acquire(k: Kernel, cpu: Cpu, lock: SpinLock) -> Path:
    if lock.owner == cpu.number:
        raise LimitError(
            f"BUG: spinlock lockup on CPU#{cpu.number}, {cpu.current.comm}/{cpu.current.pid}: "
            f"it waits for lock {lock.name!r}, which it holds itself"
        )
    if lock.owner >= 0:
        lock.waiters.append(cpu.number)
        while lock.owner >= 0 or lock.waiters[0] != cpu.number:
            yield k.cost.spin
        lock.waiters.pop(0)
    lock.owner = cpu.number
    yield k.cost.local_irq
