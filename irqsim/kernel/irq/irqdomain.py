"""From the controller's numbers to Linux's: the root irq_domain and the order of allocation.

arm64 starts at 1; arm keeps 16 legacy descriptors and starts at 16.  The GIC driver maps the
SGIs that Linux uses first (5.10 and later, where IPIs are interrupts), then the architected
timer its four PPIs; what the scenario's devices use follows.

Source: kernel/irq/irqdomain.c: irq_domain_alloc_descs(); drivers/irqchip/irq-gic-v3.c:
gic_smp_init(); drivers/clocksource/arm_arch_timer.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from irqsim.kernel.irq.irqdesc import IrqChip, IrqDesc

if TYPE_CHECKING:
    from irqsim.kernel.state import Cpu, Kernel, Path

NR_IPI_SGIS: Final = 8
"""SGIs that the GIC drivers hand to Linux."""
TIMER_PPIS: Final = (29, 30, 27, 26)
"""The architected timer's interrupts in the order of its device tree node: secure,
non-secure, virtual, hypervisor."""
VIRTUAL_TIMER: Final = 27
NR_IRQS_LEGACY: Final[dict[str, int]] = {"arm64": 1, "arm": 16}
NR_IRQS: Final = 64
"""Length of /proc/stat's list to begin with; it grows with the numbers in use."""


class IrqDomain:
    """The root domain: INTIDs of the GIC and their Linux numbers."""

    __slots__ = ("_first", "_nr_cpus", "descs", "reserved")

    descs: dict[int, IrqDesc]
    """By hwirq, the INTID."""
    reserved: tuple[int, ...]
    """Numbers that the scenario gives to lines of its own."""

    def __init__(self, arch: str, nr_cpus: int, reserved: tuple[int, ...]) -> None:
        self.descs = {}
        self.reserved = reserved
        self._first = NR_IRQS_LEGACY[arch]
        self._nr_cpus = nr_cpus

    def create_mapping(
        self,
        k: Kernel,
        hwirq: int,
        chip: IrqChip,
        flow: Callable[[Kernel, Cpu, IrqDesc], Path],
        percpu: bool,
        irq: int | None = None,
    ) -> IrqDesc:
        """The descriptor of `hwirq`; a new one gets `irq`, or the lowest free number."""
        desc = self.descs.get(hwirq)
        if desc is None:
            if irq is None:
                irq = self._first
                while irq in k.irq_desc or irq in self.reserved:
                    irq += 1
            desc = IrqDesc(irq, hwirq, chip, flow, self._nr_cpus, percpu)
            self.descs[hwirq] = k.irq_desc[irq] = desc
        return desc
