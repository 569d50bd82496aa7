"""Interrupts that came while their line was disabled: once more, when it is enabled.

A controller that can makes the line pending again; for one that cannot, a tasklet calls the
line's flow handler.  A level line asks again by itself.

Source: kernel/irq/resend.c: check_irq_resend, irq_sw_resend, resend_irqs.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import TASKLET_ENTRY, TASKLET_EXIT
from irqsim.kernel.irq.irqdesc import IRQS_PENDING, IRQS_REPLAY, IrqDesc
from irqsim.kernel.softirq import TASKLET_SOFTIRQ, Tasklet, tasklet_schedule
from irqsim.kernel.state import Cpu, Kernel, Path

TASKLET: Final = "resend_tasklet"


class Resend:
    """The lines that wait for the tasklet (irqs_resend), and the tasklet."""

    __slots__ = ("descs", "tasklet")

    def __init__(self, k: Kernel) -> None:
        self.descs: list[IrqDesc] = []
        self.tasklet: Tasklet = Tasklet(k, TASKLET, "resend_irqs", resend_irqs, False)
        # A static one: its name is the symbol's.
        self.tasklet.entry_event = k.events.intern(TASKLET_ENTRY, TASKLET, "resend_irqs")
        self.tasklet.exit_event = k.events.intern(TASKLET_EXIT, TASKLET, "resend_irqs")


def check_irq_resend(k: Kernel, desc: IrqDesc) -> None:
    """Replay an edge that came while the line was disabled; see irq_sw_resend() as well.

    A nested line has nobody who would replay it.
    """
    if desc.is_level:
        desc.istate &= ~IRQS_PENDING
        return
    if desc.istate & IRQS_REPLAY or not desc.istate & IRQS_PENDING:
        return
    desc.istate &= ~IRQS_PENDING
    if not desc.chip.irq_retrigger(desc):
        if desc.is_nested:
            return
        k.resend.descs.append(desc)
    desc.istate |= IRQS_REPLAY


def irq_sw_resend(k: Kernel, cpu: Cpu) -> Path:
    """Schedule the tasklet for the lines that wait for it."""
    saved, cpu.irqs_disabled = cpu.irqs_disabled, True
    yield from tasklet_schedule(k, cpu, k.resend.tasklet, TASKLET_SOFTIRQ)
    cpu.irqs_disabled = saved


def resend_irqs(k: Kernel, cpu: Cpu) -> Path:
    """The tasklet's function."""
    while k.resend.descs:
        desc = k.resend.descs.pop(0)
        cpu.irqs_disabled = True
        yield from desc.handle_irq(k, cpu, desc)
        cpu.irqs_disabled = False
        yield 0
