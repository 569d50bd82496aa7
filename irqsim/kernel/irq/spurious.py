"""The search for interrupts that nobody handles.

A line whose interrupts go unhandled 99,901 times of 100,000, each within a tenth of a second
of the one before, is disabled.

Source: kernel/irq/spurious.c: note_interrupt, __report_bad_irq.
Differs: the timer that polls a disabled shared line is not there yet.
"""

from __future__ import annotations

from typing import Final

from irqsim.kernel.irq.irqdesc import (
    IRQ_HANDLED,
    IRQ_NONE,
    IRQ_WAKE_THREAD,
    IRQS_SPURIOUS_DISABLED,
    IrqDesc,
)
from irqsim.kernel.printk import KERN_EMERG, KERN_ERR, printk
from irqsim.kernel.state import Cpu, Kernel

COUNT_MAX: Final = 100_000
UNHANDLED_MAX: Final = 99_900
SPURIOUS_DEFERRED: Final = 1 << 31
"""In threads_handled_last: the next interrupt is to judge this one."""


def note_interrupt(k: Kernel, cpu: Cpu, desc: IrqDesc, retval: int) -> None:
    """Judge one interrupt by what its actions returned together.

    Where the actions did no more than wake threads, the judgement is deferred: the next
    interrupt tells by the threads' count whether this one was handled.
    """
    if k.noirqdebug or desc.percpu:
        return
    if retval > (IRQ_HANDLED | IRQ_WAKE_THREAD):
        printk(k, KERN_ERR, f"irq event {desc.irq}: bogus return value {retval:x}")
        return
    if retval & IRQ_WAKE_THREAD:
        if retval == IRQ_WAKE_THREAD:
            if not desc.threads_handled_last & SPURIOUS_DEFERRED:
                desc.threads_handled_last |= SPURIOUS_DEFERRED
                return
            handled = desc.threads_handled | SPURIOUS_DEFERRED
            retval = IRQ_NONE if handled == desc.threads_handled_last else IRQ_HANDLED
            desc.threads_handled_last = handled
        else:
            desc.threads_handled_last &= ~SPURIOUS_DEFERRED
    if retval == IRQ_NONE:
        if k.jiffies > desc.last_unhandled + k.hz // 10:
            desc.irqs_unhandled = 1
        else:
            desc.irqs_unhandled += 1
        desc.last_unhandled = k.jiffies
    if not desc.irqs_unhandled and not k.release.spurious_counts_all:
        return
    desc.irq_count += 1
    if desc.irq_count < COUNT_MAX:
        return
    desc.irq_count = 0
    if desc.irqs_unhandled > UNHANDLED_MAX:
        _report_bad_irq(k, cpu, desc)
        printk(k, KERN_EMERG, f"Disabling IRQ #{desc.irq}")
        desc.istate |= IRQS_SPURIOUS_DISABLED
        desc.depth += 1
        desc.irqs_disabled = True
    desc.irqs_unhandled = 0


def _report_bad_irq(k: Kernel, cpu: Cpu, desc: IrqDesc) -> None:
    """Differs: the call trace between the first line and the handlers is left out."""
    task = cpu.current
    lines = [
        f'irq {desc.irq}: nobody cared (try booting with the "irqpoll" option)',
        f"CPU: {cpu.number} PID: {task.pid} Comm: {task.comm} Not tainted {k.release.version} #1",
        "handlers:",
    ]
    for action in desc.actions:
        line = f"[<{_hashed_pointer(desc.irq, action.dev_id):016x}>] {action.name}_irq"
        if action.thread_fn is not None:
            pointer = _hashed_pointer(desc.irq, ~action.dev_id)
            line += f" threaded [<{pointer:016x}>] {action.name}_thread"
        lines.append(line)
    printk(k, KERN_ERR, "\n".join(lines))


def _hashed_pointer(irq: int, dev_id: int) -> int:
    """What %p prints: 32 bits that tell nothing but sameness."""
    return (irq * 0x9E3779B1 ^ (dev_id + 1) * 0x85EBCA6B) & 0xFFFFFFFF
