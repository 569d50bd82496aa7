"""irq_work: a function that runs in a hard interrupt of this CPU, soon.

Source: kernel/irq_work.c: irq_work_queue, irq_work_run.
"""

from __future__ import annotations

from collections.abc import Callable

from irqsim.kernel.smp import SENT_BY_IRQ_WORK, smp_cross_call
from irqsim.kernel.state import Cpu, Kernel, Path


def irq_work_queue(
    k: Kernel, cpu: Cpu, symbol: str, function: Callable[[Cpu], Path]
) -> Path:
    """Queue a function; the first of the queue sends the CPU an IPI."""
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    cpu.irq_work_list.append(function)
    if len(cpu.irq_work_list) == 1:
        smp_cross_call(k, cpu, cpu, k.ipi.irq_work, SENT_BY_IRQ_WORK, f"{symbol}+0x0/0x48")
    cpu.irqs_disabled = saved
    yield 0


def irq_work_run(cpu: Cpu) -> Path:
    """Run what is queued, in the order of queueing."""
    while cpu.irq_work_list:
        yield from cpu.irq_work_list.pop(0)(cpu)
