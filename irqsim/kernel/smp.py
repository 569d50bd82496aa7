"""Sending to other CPUs.

Source: arch/arm64/kernel/smp.c: smp_cross_call; kernel/smp.c.
"""

from __future__ import annotations

from collections.abc import Callable

from irqsim.events import IPI_RAISE
from irqsim.kernel.state import Cpu, Kernel, Path
from irqsim.kernel.trace import trace


def smp_cross_call(k: Kernel, cpu: Cpu, targets: int, number: int) -> None:
    """Raise IPI `number` on the CPUs of the mask; the signal arrives a moment later."""
    trace(k, cpu, k.events.intern(IPI_RAISE, targets, k.ipi.reasons[number]))
    send_ipi(k, cpu.number, targets, number)


def send_ipi(k: Kernel, source: int, targets: int, number: int) -> None:
    """The SGI alone: also for a sender whose code the log does not show."""
    gic = k.gic
    k.queue.schedule(k.now_ns + k.cost.ipi, lambda now_ns: gic.send_sgi(source, number, targets))


def smp_call_function_single_async(
    k: Kernel, cpu: Cpu, target: Cpu, function: Callable[[Cpu], Path | None]
) -> None:
    """Have `function` run on `target`, in its interrupt; does not wait for it.

    Source: kernel/smp.c: generic_exec_single, __smp_call_single_queue.
    """
    target.call_queue.append(function)
    if len(target.call_queue) == 1:
        smp_cross_call(k, cpu, 1 << target.number, k.ipi.call_function)
