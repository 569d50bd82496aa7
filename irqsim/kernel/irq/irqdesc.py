"""irq_desc and irqaction: what Linux keeps for an interrupt line and for a handler on it.

Source: include/linux/irqdesc.h, include/linux/interrupt.h, kernel/irq/irqdesc.c.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from irqsim.events import IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT, Event

if TYPE_CHECKING:
    from irqsim.kernel.state import Cpu, HandlerPath, Kernel, Path, Task

IRQ_NONE: Final = 0
IRQ_HANDLED: Final = 1
IRQ_WAKE_THREAD: Final = 2

IRQS_SPURIOUS_DISABLED: Final = 0x2
IRQS_POLL_INPROGRESS: Final = 0x8
IRQS_ONESHOT: Final = 0x20
IRQS_REPLAY: Final = 0x40
IRQS_WAITING: Final = 0x80
IRQS_PENDING: Final = 0x200
IRQS_STORM: Final = 0x10000
"""Ours: disabled by kernel/irq/storm.py."""


class IrqChip(Protocol):
    """What a flow handler asks of the interrupt controller behind a line.

    Source: struct irq_chip, include/linux/irq.h.
    """

    name: str
    prints_itself: bool
    """It has irq_print_chip(): /proc/interrupts prints its name unpadded."""
    has_eoi: bool
    """It has irq_eoi(); one without is masked and acknowledged instead."""
    has_set_affinity: bool
    """It has irq_set_affinity(); lines of one without cannot be moved."""
    has_set_type: bool
    """It has irq_set_type(); lines of one without stay as they are, and pass for edges."""

    def irq_ack(self, cpu: Cpu, desc: IrqDesc) -> None:
        """Acknowledge: an edge latch is cleared."""

    def irq_mask(self, desc: IrqDesc) -> None:
        """Stop forwarding the line."""

    def irq_unmask(self, desc: IrqDesc) -> None:
        """Forward the line."""

    def irq_eoi(self, cpu: Cpu, desc: IrqDesc) -> None:
        """The interrupt that this CPU took last is done with."""

    def irq_select_cpu(self, desc: IrqDesc, online: Sequence[int]) -> int:
        """Which of these CPUs, ascending and at least one, the line is to go to."""

    def irq_set_affinity(self, desc: IrqDesc, cpu: int) -> None:
        """Route the line to `cpu`."""

    def irq_retrigger(self, desc: IrqDesc) -> bool:
        """Make the line pending in hardware; False where it cannot."""

    def irq_set_type(self, desc: IrqDesc, is_level: bool) -> None:
        """Configure the line as level- or edge-triggered."""


class IrqAction:
    """A handler on a line, as request_irq() installed it."""

    __slots__ = (
        "dev_id",
        "entry_event",
        "exit_events",
        "flags",
        "follows_line",
        "handler",
        "has_ended",
        "irq",
        "is_forced",
        "is_stopped",
        "name",
        "runthread",
        "secondary",
        "stopper",
        "thread",
        "thread_fn",
        "thread_mask",
        "warned_no_thread",
    )

    # Fixed by request_irq().
    name: str
    irq: int
    flags: int
    dev_id: int
    """Tells the actions of a shared line apart."""
    handler: Callable[[Kernel, Cpu, IrqAction], HandlerPath]
    entry_event: Event
    exit_events: tuple[Event, ...]
    """By whether the handler returned IRQ_NONE or anything else."""

    thread_fn: Callable[[Kernel, Task, IrqAction], HandlerPath] | None
    thread: Task | None
    is_forced: bool
    """IRQTF_FORCED_THREAD: the thread function is what the driver meant as its handler."""
    secondary: IrqAction | None
    """The driver's own thread, where the handler is forced into one as well."""
    thread_mask: int
    """Its bit in the line's threads_oneshot."""

    # kernel/irq/handle.py's.
    warned_no_thread: bool

    # kernel/irq/thread.py's.
    runthread: bool
    """IRQTF_RUNTHREAD: the thread has been asked to run."""
    follows_line: bool
    """IRQTF_AFFINITY: the line has been moved, and the thread is to go along."""
    is_stopped: bool
    """kthread_should_stop()."""
    stopper: Task | None
    """Who waits for its end."""
    has_ended: bool

    def __init__(
        self,
        k: Kernel,
        irq: int,
        name: str,
        flags: int,
        dev_id: int,
        handler: Callable[[Kernel, Cpu, IrqAction], HandlerPath],
        thread_fn: Callable[[Kernel, Task, IrqAction], HandlerPath] | None = None,
    ) -> None:
        self.name = name
        self.irq = irq
        self.flags = flags
        self.dev_id = dev_id
        self.handler = handler
        self.entry_event = k.events.intern(IRQ_HANDLER_ENTRY, irq, name)
        self.exit_events = tuple(
            k.events.intern(IRQ_HANDLER_EXIT, irq, ret) for ret in range(2)
        )
        self.thread_fn = thread_fn
        self.thread = None
        self.is_forced = False
        self.secondary = None
        self.thread_mask = 0
        self.warned_no_thread = False
        self.runthread = False
        self.follows_line = True
        self.is_stopped = self.has_ended = False
        self.stopper = None


class IrqDesc:
    """One interrupt line, by its Linux number."""

    __slots__ = (
        "actions",
        "affinity",
        "affinity_set",
        "chip",
        "depth",
        "effective_cpu",
        "handle_irq",
        "hwirq",
        "inprogress",
        "inprogress_cpu",
        "irq",
        "irq_count",
        "irqs_disabled",
        "irqs_unhandled",
        "is_chained",
        "is_level",
        "is_msi",
        "is_nested",
        "is_nmi",
        "istate",
        "kstat_irqs",
        "last_unhandled",
        "mapped_at_boot",
        "masked",
        "no_balancing",
        "percpu",
        "requested",
        "requested_at_boot",
        "threads_active",
        "threads_handled",
        "threads_handled_last",
        "threads_oneshot",
        "tot_count",
        "wait_for_threads",
    )

    # Fixed when the line is mapped.
    irq: int
    hwirq: int
    chip: IrqChip
    is_msi: bool
    """An LPI behind the ITS: IRQCHIP_ONESHOT_SAFE, IRQD_RESEND_WHEN_IN_PROGRESS."""
    percpu: bool
    """A per-CPU interrupt with a device id for each CPU (PPI, SGI)."""
    is_nested: bool
    """IRQ_NESTED_THREAD: its thread functions run in the thread of another line."""
    mapped_at_boot: bool
    """It was there before /proc was."""
    requested_at_boot: bool

    # kernel/irq/manage.py's; handle_irq also the chip's, which knows the flow of each type.
    handle_irq: Callable[[Kernel, Cpu, IrqDesc], Path]
    is_chained: bool
    """Its flow handler is another controller's: it has no action and counts nothing."""
    actions: tuple[IrqAction, ...]
    depth: int
    """How often it is disabled."""
    irqs_disabled: bool
    """IRQD_IRQ_DISABLED."""
    is_level: bool
    is_nmi: bool
    """IRQS_NMI: requested with request_nmi()."""
    affinity: tuple[int, ...]
    affinity_set: bool
    """IRQD_AFFINITY_SET: somebody chose the affinity; else the default one holds."""
    effective_cpu: int
    no_balancing: bool
    requested: bool
    """An action was installed at some time, since when the line has its files."""

    # The flow handlers' (kernel/irq/handle.py) and manage.py's.
    masked: bool
    inprogress: bool
    inprogress_cpu: int
    """Where its handlers run, or ran last."""
    istate: int
    kstat_irqs: list[int]
    """By CPU."""
    tot_count: int

    # kernel/irq/spurious.py's.
    irq_count: int
    irqs_unhandled: int
    last_unhandled: int
    """In jiffies."""
    threads_handled_last: int
    """With bit 31 set while a judgement is deferred to the threads."""

    # kernel/irq/thread.py's.
    threads_oneshot: int
    """Threads that must be done before a one-shot line is unmasked, by thread_mask."""
    threads_active: int
    threads_handled: int
    wait_for_threads: list[Task]
    """Tasks that sleep until no thread of the line runs."""

    def __init__(
        self,
        irq: int,
        hwirq: int,
        chip: IrqChip,
        handle_irq: Callable[[Kernel, Cpu, IrqDesc], Path],
        nr_cpus: int,
        percpu: bool,
    ) -> None:
        self.irq = irq
        self.hwirq = hwirq
        self.chip = chip
        self.handle_irq = handle_irq
        self.percpu = percpu
        self.is_nested = self.is_chained = False
        self.mapped_at_boot = self.requested_at_boot = False
        self.actions = ()
        self.depth = 1
        self.irqs_disabled = True
        self.is_level = True
        self.is_msi = False
        self.is_nmi = False
        self.affinity = tuple(range(nr_cpus))
        self.effective_cpu = 0
        self.no_balancing = percpu
        self.affinity_set = False
        self.requested = False
        self.masked = True
        self.inprogress = False
        self.inprogress_cpu = -1
        self.istate = 0
        self.kstat_irqs = [0] * nr_cpus
        self.tot_count = 0
        self.irq_count = 0
        self.irqs_unhandled = 0
        self.last_unhandled = 0
        self.threads_handled_last = 0
        self.threads_oneshot = 0
        self.threads_active = 0
        self.threads_handled = 0
        self.wait_for_threads = []


def kstat_incr_irq(cpu: Cpu, desc: IrqDesc) -> None:
    """Count one interrupt that passed the flow handler.

    Source: kstat_incr_irqs_this_cpu(), kernel/irq/internals.h.
    """
    desc.kstat_irqs[cpu.number] += 1
    desc.tot_count += 1
