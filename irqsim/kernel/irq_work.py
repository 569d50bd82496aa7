"""irq_work: a function that runs in a hard interrupt of this CPU, soon.

Source: kernel/irq_work.c: irq_work_queue, irq_work_run.
"""

from __future__ import annotations

from collections.abc import Callable

from irqsim.kernel.preempt import PREEMPT_OFFSET
from irqsim.kernel.sched import preempt_check_resched
from irqsim.kernel.smp import SENT_BY_IRQ_WORK, ipi_to_self
from irqsim.kernel.state import Cpu, Kernel, Path


def irq_work_queue(
    k: Kernel, cpu: Cpu, symbol: str, function: Callable[[Cpu], Path]
) -> Path:
    """Queue a function; the first of the queue sends the CPU an IPI."""
    cpu.irq_work_list.append(function)
    if len(cpu.irq_work_list) == 1:
        callback = f"{symbol}+0x0/0x48"
        if k.preempt_count_built:
            cpu.preempt_count += PREEMPT_OFFSET
        yield from ipi_to_self(k, cpu, k.ipi.irq_work, SENT_BY_IRQ_WORK, callback)
        if k.preempt_count_built:
            cpu.preempt_count -= PREEMPT_OFFSET
            yield from preempt_check_resched(k, cpu)


def irq_work_run(cpu: Cpu) -> Path:
    """Run what is queued, in the order of queueing."""
    while cpu.irq_work_list:
        yield from cpu.irq_work_list.pop(0)(cpu)
