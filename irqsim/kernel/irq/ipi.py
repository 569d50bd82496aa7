"""Inter-processor interrupts: SGIs with a meaning.

Since 5.10 each is an interrupt of its own, named IPI, with an irq_desc that is hidden from
/proc/interrupts; before, the GIC's root handler served them itself.

Source: arch/arm64/kernel/smp.c, arch/arm/kernel/smp.c: do_handle_IPI.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import IPI_ENTRY, IPI_EXIT, Event
from irqsim.kernel.irq.irqdesc import IRQ_HANDLED, IrqAction, IrqDesc
from irqsim.kernel.irq_work import irq_work_run
from irqsim.kernel.sched import fold_need_resched
from irqsim.kernel.state import Cpu, HandlerPath, Kernel, Path
from irqsim.kernel.trace import trace
from irqsim.kernel.wakeup import sched_ttwu_pending

RESCHEDULE: Final = "Rescheduling interrupts"
CALL_FUNCTION: Final = "Function call interrupts"
IRQ_WORK: Final = "IRQ work interrupts"

NR_ARM_IPIS: Final = 8
"""IPIs that arm requests: one more than have a row (MAX_IPI)."""

IPI_REASONS: Final[dict[str, tuple[str, ...]]] = {
    "arm64": (
        RESCHEDULE,
        CALL_FUNCTION,
        "CPU stop interrupts",
        "CPU stop (for crash dump) interrupts",
        "Timer broadcast interrupts",
        IRQ_WORK,
        "CPU wake-up interrupts",
    ),
    "arm": (
        "CPU wakeup interrupts",
        "Timer broadcast interrupts",
        RESCHEDULE,
        CALL_FUNCTION,
        "CPU stop interrupts",
        IRQ_WORK,
        "completion interrupts",
    ),
}
"""By architecture and SGI number.

Source: ipi_types[] of arch/arm64/kernel/smp.c and arch/arm/kernel/smp.c.
"""


class IpiTable:
    """The machine's IPIs: their numbers, their events, their counts."""

    __slots__ = (
        "call_function", "counts", "descs", "entry", "exit", "irq_work", "reasons", "reschedule",
    )  # fmt: skip

    # Fixed when the machine is built.
    reschedule: int
    call_function: int
    irq_work: int
    reasons: tuple[str, ...]
    entry: tuple[Event, ...]
    exit: tuple[Event, ...]
    descs: list[IrqDesc]
    """By number, where IPIs are interrupts."""

    counts: list[list[int]]
    """By IPI number and CPU; do_handle_IPI()'s."""

    def __init__(self, k: Kernel) -> None:
        reasons = self.reasons = IPI_REASONS[k.arch]
        self.descs = []
        self.reschedule = reasons.index(RESCHEDULE)
        self.call_function = reasons.index(CALL_FUNCTION)
        self.irq_work = reasons.index(IRQ_WORK)
        self.entry = tuple(k.events.intern(IPI_ENTRY, reason) for reason in reasons)
        self.exit = tuple(k.events.intern(IPI_EXIT, reason) for reason in reasons)
        self.counts = [[0] * len(k.cpus) for _ in reasons]


def init_ipis(k: Kernel) -> None:
    """Map the IPIs and install the action IPI on those in use, where they are interrupts."""
    k.ipi = IpiTable(k)
    if not k.release.ipi_is_irq:
        return
    k.ipi.descs = k.gic.map_ipis(k)
    nr_used = k.release.nr_arm64_ipis if k.arch == "arm64" else NR_ARM_IPIS
    for number, desc in enumerate(k.ipi.descs):
        desc.is_level = False
        if number < nr_used:
            action = IrqAction(k, desc.irq, "IPI", 0, number, ipi_handler)
            desc.actions = (action,)
            desc.depth = 0
            desc.irqs_disabled = desc.masked = False


def ipi_handler(k: Kernel, cpu: Cpu, action: IrqAction) -> HandlerPath:
    """The handler of every IPI's interrupt."""
    yield from do_handle_ipi(k, cpu, action.dev_id)
    return IRQ_HANDLED


def do_handle_ipi(k: Kernel, cpu: Cpu, number: int) -> Path:
    """What an IPI makes its target do, between ipi_entry and ipi_exit."""
    if number >= len(k.ipi.counts):
        # KGDB's: it rounds up nobody who was not asked for.  Source: kgdb_nmicallback.
        return
    k.ipi.counts[number][cpu.number] += 1
    trace(k, cpu, k.ipi.entry[number])
    yield k.cost.irq_handler
    if k.recorded is not None:
        yield from k.recorded.run_ipi(k, cpu, number)
    if number == k.ipi.reschedule:
        fold_need_resched(k, cpu)
    else:
        yield from ipi_work(k, cpu, number)
    trace(k, cpu, k.ipi.exit[number])


def ipi_work(k: Kernel, cpu: Cpu, number: int) -> Path:
    """What an IPI has to do in a hard interrupt: wake tasks, call functions.

    The wake list belongs to the reschedule IPI until 5.7, to the function call IPI since.
    """
    if number == k.ipi.irq_work:
        yield from irq_work_run(k, cpu)
        return
    yield from sched_ttwu_pending(k, cpu)
    while number == k.ipi.call_function and cpu.call_queue:
        path = cpu.call_queue.pop(0)(cpu)
        if path is not None:
            yield from path
