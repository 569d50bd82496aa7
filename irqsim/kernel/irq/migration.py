"""Moving lines off a CPU that goes.

A line whose interrupts went to that CPU goes to the first of its affinity that is left.  One
whose affinity is empty then gets every CPU that is online: its affinity is broken, and stays so
when the CPU comes back.

Source: kernel/irq/cpuhotplug.c: irq_migrate_all_off_this_cpu, migrate_one_irq.
Differs: no managed interrupts, which are shut down and started again instead.
"""

from __future__ import annotations

from irqsim.kernel.irq.irqdesc import IrqDesc
from irqsim.kernel.irq.manage import online_of, set_affinity
from irqsim.kernel.irq.thread import irq_set_thread_affinity
from irqsim.kernel.printk import KERN_WARNING, printk
from irqsim.kernel.state import Cpu, Kernel
from irqsim.kernel.wakeup import wake_up_by_call


def irq_migrate_all_off_this_cpu(k: Kernel, cpu: Cpu) -> None:
    """Give other CPUs the lines of this one, which is offline already."""
    for irq in sorted(k.irq_desc):
        desc = k.irq_desc[irq]
        is_started = bool(desc.actions) or desc.is_chained
        if desc.percpu or not is_started or desc.effective_cpu != cpu.number:
            continue
        if not desc.chip.has_set_affinity:
            continue
        is_broken = migrate_one_irq(k, desc)
        # Tracepoints are silent here: the CPU is not online.
        for thread in irq_set_thread_affinity(k, desc):
            wake_up_by_call(k, k.cpus[desc.effective_cpu], thread)
        if is_broken and k.release.warns_of_broken_affinity:
            printk(k, KERN_WARNING, f"IRQ {irq}: no longer affine to CPU{cpu.number}")


def migrate_one_irq(k: Kernel, desc: IrqDesc) -> bool:
    """Move a line; True if none of its CPUs was left."""
    is_broken = not online_of(k, desc.affinity)
    everywhere = online_of(k, tuple(range(len(k.cpus))))
    set_affinity(k, desc, everywhere if is_broken else desc.affinity)
    return is_broken
