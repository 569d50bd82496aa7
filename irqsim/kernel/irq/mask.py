"""Masking a line in its controller.

Source: kernel/irq/chip.c: mask_irq, unmask_irq.
"""

from __future__ import annotations

from irqsim.kernel.irq.irqdesc import IrqDesc


def mask_irq(desc: IrqDesc) -> None:
    """Mask the line in its controller, once.  Source: kernel/irq/chip.c: mask_irq."""
    if not desc.masked:
        desc.chip.irq_mask(desc)
        desc.masked = True


def cond_unmask_irq(desc: IrqDesc) -> None:
    """Unmask the line, unless it has been disabled or its threads are not done with it.

    Source: kernel/irq/chip.c: cond_unmask_irq, cond_unmask_eoi_irq.
    """
    if not desc.irqs_disabled and not desc.threads_oneshot:
        unmask_irq(desc)


def unmask_irq(desc: IrqDesc) -> None:
    """Unmask the line in its controller, once.  Source: kernel/irq/chip.c: unmask_irq."""
    if desc.masked:
        desc.chip.irq_unmask(desc)
        desc.masked = False
