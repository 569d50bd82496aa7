"""The GIC's irq_chip: the kernel's door to this controller.

All that Linux does with the distributor, the redistributors and the CPU interfaces goes
through here, in the values that the Linux drivers program.

Source: drivers/irqchip/irq-gic.c, irq-gic-v3.c, include/linux/irqchip/arm-gic-common.h.
Differs: a machine boots at EL1, so EOI and deactivation are one write (EOImode 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from irqsim.hw.gic import Gic
from irqsim.hw.intid import SPI_BASE, SPURIOUS, is_special
from irqsim.hw.priority_masking import PriorityMaskingGic
from irqsim.kernel.irq.handle import handle_percpu_devid_irq
from irqsim.kernel.irq.irqdesc import IrqDesc
from irqsim.kernel.irq.irqdomain import NR_IPI_SGIS, TIMER_PPIS, VIRTUAL_TIMER
from irqsim.kernel.irq.root import NO_IRQ
from irqsim.kernel.printk import warn_once
from irqsim.kernel.state import Cpu, Kernel

GICD_INT_DEF_PRI: Final = 0xA0
DEFAULT_PMR_THRESHOLD: Final = 0xF0
GIC_PRIO_IRQON: Final = 0xE0
"""Since 5.10; before that it was 0xc0, and 0xf0 at first."""
_IAR_INTID_MASK: Final = {2: 0x3FF, 3: 0xFF_FFFF}


class GicChip:
    """The root interrupt controller as Linux drives it."""

    __slots__ = (
        "_gic", "_iar", "_intid_mask", "_nmi", "_nmi_priority", "_nr_cpus", "has_eoi",
        "has_psci", "has_set_affinity", "has_set_type", "loops", "name", "pmr_off", "pmr_on",
        "prints_itself", "priority",
    )  # fmt: skip

    name: str
    prints_itself: bool
    has_eoi: bool
    has_set_affinity: bool
    has_set_type: bool
    loops: bool
    has_psci: bool
    priority: int
    """Of every interrupt that is no NMI, unless somebody gives it another."""
    pmr_on: int
    pmr_off: int

    def __init__(
        self,
        gic: Gic,
        nr_cpus: int,
        gicv3_loops: bool,
        priorities: tuple[int, int, int] | None = None,
    ) -> None:
        """Program the controller as the driver's probe and its CPU bring-up do.

        `priorities` None: interrupts are not masked by priority; see Release.
        """
        self.priority, self._nmi_priority, self.pmr_off = priorities or (GICD_INT_DEF_PRI, 0, 0)
        self.pmr_on = 0 if priorities is None else GIC_PRIO_IRQON
        self._nmi = gic.nmi if isinstance(gic, PriorityMaskingGic) else [False] * nr_cpus
        self._gic = gic
        self._iar = [SPURIOUS] * nr_cpus
        self._intid_mask = _IAR_INTID_MASK[gic.version]
        self._nr_cpus = nr_cpus
        self.name = "GICv3" if gic.version == 3 else "GIC-0"
        self.prints_itself = gic.version == 2
        self.has_psci = True
        self.has_eoi = self.has_set_affinity = self.has_set_type = True
        self.loops = gic.version == 2 or gicv3_loops
        gic.set_distributor_enabled(True)
        for intid in range(SPI_BASE, gic.nr_intids):
            gic.set_group(intid, 1)
            gic.set_priority(intid, self.priority)
            if gic.version == 2:
                gic.set_targets(intid, 1)
        for pe in range(nr_cpus):
            for intid in range(32):
                gic.set_priority(intid, self.priority, pe)
                gic.set_group(intid, 1, pe)
            for intid in range(8):
                gic.set_enabled(intid, True, pe)
            gic.set_pmr(pe, self.pmr_on or DEFAULT_PMR_THRESHOLD)
            if priorities is not None:
                assert isinstance(gic, PriorityMaskingGic)
                gic.set_masked_pmr(pe, self.pmr_off)
            gic.set_bpr(pe, 0)
            gic.set_group_enabled(pe, True)

    def map_ipis(self, k: Kernel) -> list[IrqDesc]:
        """Map the SGIs."""
        flow = handle_percpu_devid_irq
        return [k.domain.create_mapping(k, sgi, self, flow, True) for sgi in range(NR_IPI_SGIS)]

    def map_timers(self, k: Kernel) -> list[IrqDesc]:
        """Map the architected timer's PPIs; Linux uses the virtual one."""
        for ppi in TIMER_PPIS:
            k.domain.create_mapping(k, ppi, self, handle_percpu_devid_irq, percpu=True)
        return [k.domain.descs[VIRTUAL_TIMER]]

    def set_priority(self, desc: IrqDesc, priority: int) -> None:
        """Give a line another priority than the driver's probe did, on every CPU."""
        for pe in range(self._nr_cpus if desc.percpu else 1):
            self._gic.set_priority(desc.hwirq, priority, pe)

    def irq_nmi_setup(self, desc: IrqDesc) -> None:
        """Let a line through where interrupts are masked.

        Source: drivers/irqchip/irq-gic-v3.c: gic_irq_nmi_setup.
        """
        self.set_priority(desc, self._nmi_priority)

    def enable_percpu(self, desc: IrqDesc, pe: int) -> None:
        """enable_percpu_irq() on one CPU."""
        self._gic.set_edge(desc.hwirq, not desc.is_level, pe)
        self._gic.set_enabled(desc.hwirq, True, pe)

    def disable_percpu(self, desc: IrqDesc, pe: int) -> None:
        """disable_percpu_irq() on one CPU."""
        self._gic.set_enabled(desc.hwirq, False, pe)

    def set_cpu_interface(self, pe: int, on: bool) -> None:
        """What a CPU does with its own interface when it starts, or is about to be off.

        Source: drivers/irqchip/irq-gic-v3.c: gic_starting_cpu; irq-gic.c: gic_cpu_init.
        """
        self._gic.set_group_enabled(pe, on)

    # What the root handler and the flow handlers ask.

    def has_nmi(self, cpu: Cpu) -> bool:
        """Whether what acknowledge() would give is a pseudo-NMI."""
        return self._nmi[cpu.number]

    def acknowledge(self, cpu: Cpu) -> int:
        """Read IAR: the INTID to serve now, or NO_IRQ."""
        number = cpu.number
        iar = self._gic.acknowledge(number)
        self._iar[number] = iar
        intid = iar & self._intid_mask
        return NO_IRQ if is_special(intid) else intid

    def unexpected(self, k: Kernel, cpu: Cpu, hwirq: int) -> None:
        """Somebody has enabled it behind the kernel's back.

        The driver of a GICv3 warns and ends it.  That of a GICv2 does not: it stays active, and
        this CPU takes no interrupt of its priority any more.
        Source: drivers/irqchip/irq-gic-v3.c: gic_deactivate_unhandled and its callers;
        irq-gic.c: gic_handle_irq; kernel/irq/irqdesc.c: __handle_domain_irq.
        Differs: what ack_bad_irq() counts and 32-bit ARM prints of it, until 5.15, is left out.
        """
        if self._gic.version == 3:
            text = f"Unexpected interrupt (irqnr {hwirq})"
            if k.release.enters_each_irq:
                text = "Unexpected interrupt received!"
            warn_once(k, cpu, "drivers/irqchip/irq-gic-v3.c gic_handle_irq", text)
            self._gic.end_of_interrupt(cpu.number, self._iar[cpu.number])

    def irq_eoi(self, cpu: Cpu, desc: IrqDesc) -> None:
        """Write EOIR for a line: its number, and of an SGI the sender as well.

        A handler that lets interrupts in may have been preempted by a line of higher priority,
        and that one is what this CPU acknowledged last.  SGIs are not preempted.
        Source: drivers/irqchip/irq-gic.c: gic_eoi_irq; irq-gic-v3.c: gic_eoi_irq.
        """
        self.end(cpu, desc.hwirq)

    def end(self, cpu: Cpu, intid: int) -> None:
        """irq_eoi() for an INTID."""
        number, iar = cpu.number, self._iar[cpu.number]
        own = iar & self._intid_mask == intid
        self._gic.end_of_interrupt(number, iar if own else intid)

    def take_ipi(self, cpu: Cpu, hwirq: int) -> int:
        """The number of an IPI that has no descriptor, an SGI, and write EOIR; -1: it is none."""
        if hwirq >= NR_IPI_SGIS:
            return -1
        self._gic.end_of_interrupt(cpu.number, self._iar[cpu.number])
        return hwirq

    def irq_ack(self, cpu: Cpu, desc: IrqDesc) -> None:
        """Nothing: reading IAR acknowledged."""

    def irq_mask(self, desc: IrqDesc) -> None:
        """Write ICENABLER."""
        self._gic.set_enabled(desc.hwirq, False)

    def irq_unmask(self, desc: IrqDesc) -> None:
        """Write ISENABLER."""
        self._gic.set_enabled(desc.hwirq, True)

    def irq_select_cpu(self, desc: IrqDesc, online: Sequence[int]) -> int:
        """The first."""
        return online[0]

    def irq_set_affinity(self, desc: IrqDesc, cpu: int) -> None:
        """Route an SPI to one CPU, by ITARGETSR or IROUTER."""
        if self._gic.version == 2:
            self._gic.set_targets(desc.hwirq, 1 << cpu)
        else:
            self._gic.set_route(desc.hwirq, cpu)

    def irq_retrigger(self, desc: IrqDesc) -> bool:
        """Write ISPENDR."""
        self._gic.set_pending(desc.hwirq)
        return True

    def irq_set_type(self, desc: IrqDesc, is_level: bool) -> None:
        """Write ICFGR."""
        self._gic.set_edge(desc.hwirq, not is_level)

    def send_sgi(self, source: int, sgi: int, targets: int) -> None:
        """Write GICD_SGIR or ICC_SGI1R_EL1: raise `sgi` on the CPUs of the mask."""
        self._gic.send_sgi(source, sgi, targets)
