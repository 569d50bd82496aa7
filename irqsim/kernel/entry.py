"""From the vector to the flow handler, and back.

One path is one exception: the state is saved, irq_enter() counts the hard interrupt, the
root handler asks the controller what to serve, the line's flow handler serves it, irq_exit()
runs softirqs if this was the outermost context, and on the way back a task that should give
way does.

Source: arch/arm64/kernel/entry-common.c: el1_interrupt, el0_interrupt; arch/arm/kernel/
entry-armv.S: __irq_svc, __irq_usr; drivers/irqchip/irq-gic.c, irq-gic-v3.c: gic_handle_irq;
kernel/softirq.c: irq_enter_rcu, __irq_exit_rcu.
"""

from __future__ import annotations

from irqsim.kernel.irq.chip import FIRST_SPECIAL
from irqsim.kernel.irq.ipi import do_handle_ipi
from irqsim.kernel.irq.irqdomain import NR_IPI_SGIS
from irqsim.kernel.preempt import HARDIRQ_OFFSET, IN_INTERRUPT_MASK
from irqsim.kernel.sched import schedule
from irqsim.kernel.softirq import handle_softirqs, ksoftirqd_running, wakeup_softirqd
from irqsim.kernel.state import Cpu, Kernel, Path
from irqsim.kernel.tick import tick_irq_enter


def interrupt(k: Kernel, cpu: Cpu) -> Path:
    """One IRQ exception on `cpu`.  The processor has disabled interrupts."""
    task = cpu.current
    # The engine has put this path's frame on the stack already.
    from_user = task.in_user and len(cpu.frames) == 2
    cpu.preempt_count += HARDIRQ_OFFSET
    if task is cpu.idle and len(cpu.frames) == 2:
        tick_irq_enter(k, cpu)
    yield k.cost.irq_entry

    gic = k.gic
    descs = k.domain.descs
    hwirq = gic.acknowledge(cpu)
    while hwirq < FIRST_SPECIAL:
        if hwirq < NR_IPI_SGIS and not k.release.ipi_is_irq:
            yield from _handle_ipi_directly(k, cpu, hwirq)
        else:
            desc = descs[hwirq]
            yield from desc.handle_irq(k, cpu, desc)
        if not gic.loops:
            break
        hwirq = gic.acknowledge(cpu)
        if hwirq < FIRST_SPECIAL:
            yield k.cost.irq_entry

    cpu.preempt_count -= HARDIRQ_OFFSET
    if (
        cpu.softirq_pending
        and not cpu.preempt_count & IN_INTERRUPT_MASK
        and not ksoftirqd_running(k, cpu)
    ):
        if k.force_irqthreads:
            yield from wakeup_softirqd(k, cpu)
        else:
            yield from handle_softirqs(k, cpu)

    yield k.cost.irq_exit
    if cpu.tif_need_resched:
        if from_user:
            while cpu.tif_need_resched:
                yield from schedule(k, cpu)
                cpu = k.cpus[task.cpu]
        elif k.preemption:
            while cpu.tif_need_resched and not cpu.preempt_count:
                yield from schedule(k, cpu, preempt=True)
                cpu = k.cpus[task.cpu]


def _handle_ipi_directly(k: Kernel, cpu: Cpu, number: int) -> Path:
    """An IPI without an irq_desc: no irq_handler lines.  Source: handle_IPI() of 4.19."""
    yield from do_handle_ipi(k, cpu, number)
    k.gic.end_of_ipi(cpu)
