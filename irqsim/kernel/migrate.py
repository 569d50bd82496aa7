"""migrate_disable(): a task that stays on its CPU, and may be preempted there.

PREEMPT_RT uses it where other kernels switch preemption off: in spin locks, and around
softirqs.  With PREEMPT_LAZY it also keeps one fair task from preempting another.

Source: kernel/sched/core.c: migrate_disable, migrate_enable; of the RT patches:
include/linux/preempt.h: preempt_lazy_enable.
"""

from __future__ import annotations

from irqsim.kernel.sched import preempt_check_resched
from irqsim.kernel.state import Cpu, Kernel, Path


def migrate_disable(cpu: Cpu) -> None:
    """Keep the running task on this CPU."""
    cpu.current.migration_disabled += 1


def migrate_enable(k: Kernel, cpu: Cpu) -> Path:
    """Undo one migrate_disable(); at the last, give way if it was put off."""
    task = cpu.current
    task.migration_disabled -= 1
    if not task.migration_disabled:
        yield from preempt_check_resched(k, cpu)
