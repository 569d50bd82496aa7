"""Sending to other CPUs.

Source: arch/arm64/kernel/smp.c: smp_cross_call; kernel/smp.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.events import IPI_RAISE, IPI_SEND_CPU, Value
from irqsim.kernel.state import Cpu, Kernel, Path
from irqsim.kernel.trace import trace

# What ipi_send_cpu says of who sends and of what will run, in a build of 6.12.
SENT_BY_WAKE_LIST: Final = "ttwu_queue_wakelist+0x17c/0x198"
SENT_BY_PREEMPTION: Final = "wakeup_preempt+0x54/0x98"
SENT_BY_CALL: Final = "generic_exec_single+0x54/0x178"
SENT_BY_IRQ_WORK: Final = "irq_work_queue+0x2c/0x40"
CALLED: Final = "generic_smp_call_function_single_interrupt+0x0/0x30"
NOTHING_CALLED: Final = "0x0"


def smp_cross_call(
    k: Kernel, cpu: Cpu, target: Cpu, number: int, callsite: str, callback: str, depth: int = 0
) -> None:
    """Raise IPI `number` on another CPU; the signal arrives a moment later.

    `depth` is what the sender's locks add to the preemption depth.
    """
    _trace_ipi(k, cpu, target, number, callsite, callback, depth)
    send_ipi(k, cpu.number, 1 << target.number, number)


def ipi_to_self(k: Kernel, cpu: Cpu, number: int, callsite: str, callback: str) -> Path:
    """Raise IPI `number` on this CPU: where interrupts are on it is taken before the sender
    goes on.

    Source: drivers/irqchip/irq-gic-v3.c: gic_ipi_send_mask, which waits for its write.
    """
    _trace_ipi(k, cpu, cpu, number, callsite, callback)
    yield k.cost.ipi
    k.gic.send_sgi(cpu.number, number, 1 << cpu.number)
    yield 0


def _trace_ipi(
    k: Kernel, cpu: Cpu, target: Cpu, number: int, callsite: str, callback: str, depth: int = 0
) -> None:
    """Releases that have it (since 6.4) log ipi_send_cpu before ipi_raise."""
    if k.release.traces_ipi_senders:
        trace(k, cpu, k.events.intern(IPI_SEND_CPU, target.number, callsite, callback), depth)
    mask = mask_value(k, 1 << target.number)
    trace(k, cpu, k.events.intern(IPI_RAISE, mask, k.ipi.reasons[number]), depth)


def mask_value(k: Kernel, mask: int) -> Value:
    """A CPU mask as the event holds it: two words of 32 bits on arm64, one on arm."""
    return mask if k.arch == "arm64" else f"{mask:08x}"


def send_ipi(k: Kernel, source: int, targets: int, number: int) -> None:
    """The SGI alone: also for a sender whose code the log does not show."""
    gic = k.gic

    def arrive(now_ns: int) -> None:
        """Differs: what is sent to a CPU that is off is lost, and does not wait for it."""
        there = targets
        for cpu in k.cpus if k.nr_online < len(k.cpus) else ():
            if not cpu.is_online:
                there &= ~(1 << cpu.number)
        if there:
            gic.send_sgi(source, number, there)

    k.queue.schedule(k.now_ns + k.cost.ipi, arrive)


def smp_call_function_single_async(
    k: Kernel, cpu: Cpu, target: Cpu, function: Callable[[Cpu], Path]
) -> Path:
    """Have `function` run on `target`, in its interrupt, and do not wait for it; on this CPU
    it is called here, with interrupts off.

    A CPU that is not online is not called (-ENXIO).
    Source: kernel/smp.c: generic_exec_single, __smp_call_single_queue.
    """
    if target is cpu:
        saved, cpu.irqs_disabled = cpu.irqs_disabled, True
        yield from function(cpu)
        cpu.irqs_disabled = saved
        yield 0
        return
    if not target.is_online:
        return
    target.call_queue.append(function)
    if len(target.call_queue) == 1:
        # Its own preempt_disable().
        smp_cross_call(k, cpu, target, k.ipi.call_function, SENT_BY_CALL, CALLED, depth=1)
