"""irq_work: a function that runs in a hard interrupt of this CPU, soon.

On PREEMPT_RT that interrupt wakes a thread, irq_work/N, which runs it.

Source: kernel/irq_work.c: irq_work_queue, irq_work_run.
"""

from __future__ import annotations

from collections.abc import Callable

from irqsim.kernel.sched import preempt_check_resched
from irqsim.kernel.smp import SENT_BY_IRQ_WORK, ipi_to_self
from irqsim.kernel.state import Cpu, Kernel, Path
from irqsim.kernel.wakeup import wake_up_process


def irq_work_queue(
    k: Kernel, cpu: Cpu, symbol: str, function: Callable[[Cpu], Path]
) -> Path:
    """Queue a function; the first of the queue sends the CPU an IPI."""
    cpu.irq_work_list.append(function)
    if len(cpu.irq_work_list) == 1:
        callback = f"{symbol}+0x0/0x48"
        cpu.preempt_count += k.preempt_offset
        yield from ipi_to_self(k, cpu, k.ipi.irq_work, SENT_BY_IRQ_WORK, callback)
        cpu.preempt_count -= k.preempt_offset
        yield from preempt_check_resched(k, cpu)


def irq_work_run(k: Kernel, cpu: Cpu) -> Path:
    """Run what is queued, in the order of queueing; on PREEMPT_RT have the thread run it.

    Source: kernel/irq_work.c: irq_work_run, wake_irq_workd.
    Differs: on PREEMPT_RT no function asks for a hard interrupt.
    """
    if cpu.irq_workd is not None and cpu.irq_work_list:
        yield from wake_up_process(k, cpu, cpu.irq_workd)
        return
    yield from irq_work_run_list(cpu)


def irq_work_run_list(cpu: Cpu) -> Path:
    """Call what is queued here and now."""
    while cpu.irq_work_list:
        yield from cpu.irq_work_list.pop(0)(cpu)
