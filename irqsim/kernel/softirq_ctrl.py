"""Bottom halves off on PREEMPT_RT: a lock of the CPU's, and how deep its holder is in it.

Elsewhere bottom halves off is a matter of the CPU.  Here it belongs to a task, which may be
preempted meanwhile, even while it serves softirqs; another that wants them off waits for it
and lends it its priority.

Source: kernel/softirq.c: struct softirq_ctrl.
"""

from __future__ import annotations

from irqsim.kernel.migrate import migrate_disable, migrate_enable
from irqsim.kernel.preempt import SOFTIRQ_MASK
from irqsim.kernel.rtmutex import rt_spin_lock, rt_spin_unlock
from irqsim.kernel.state import Cpu, Kernel, Path


def bh_disable_rt(k: Kernel, cpu: Cpu, count: int) -> Path:
    """Take the CPU's local lock, at the first entry where the task may sleep for it, and count.

    Source: kernel/softirq.c: __local_bh_disable_ip (CONFIG_PREEMPT_RT); include/linux/
    local_lock_internal.h.
    """
    if not cpu.preempt_count & SOFTIRQ_MASK and is_preemptible(k, cpu):
        migrate_disable(cpu)
        yield from rt_spin_lock(k, cpu, cpu.softirq_ctrl_lock)
    cpu.preempt_count += count
    cpu.softirq_ctrl_cnt += count


def bh_enable_rt(k: Kernel, cpu: Cpu, count: int, unlocks: bool) -> Path:
    """Count down, and with `unlocks` let the next one in at the outermost level.

    Source: kernel/softirq.c: __local_bh_enable (CONFIG_PREEMPT_RT).
    """
    cpu.preempt_count -= count
    cpu.softirq_ctrl_cnt -= count
    lock = cpu.softirq_ctrl_lock
    if not cpu.softirq_ctrl_cnt and unlocks and lock.owner is cpu.current:
        yield from rt_spin_unlock(k, cpu, lock)
        yield from migrate_enable(k, cpu)


def is_preemptible(k: Kernel, cpu: Cpu) -> bool:
    """Whether the running task may be preempted here.  Source: include/linux/preempt.h."""
    return not cpu.irqs_disabled and not cpu.preempt_count & k.atomic_mask
