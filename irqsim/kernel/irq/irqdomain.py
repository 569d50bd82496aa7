"""From a controller's numbers to Linux's: irq_domains and the order of allocation.

arm64 starts at 1; arm keeps 16 legacy descriptors and starts at 16.  A hierarchical domain
takes the lowest free number; a linear one looks from the hwirq on.  The GIC driver maps the
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
    """The numbers of one controller, and their Linux numbers."""

    __slots__ = ("_first", "_is_linear", "_nr_cpus", "descs", "reserved")

    descs: dict[int, IrqDesc]
    """By hwirq: of a GIC the INTID."""
    reserved: tuple[int, ...]
    """Numbers that the scenario gives to lines of its own."""

    def __init__(
        self, arch: str, nr_cpus: int, reserved: tuple[int, ...], is_linear: bool = False
    ) -> None:
        self.descs = {}
        self.reserved = reserved
        self._first = NR_IRQS_LEGACY[arch]
        self._is_linear = is_linear
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
        """The descriptor of `hwirq`; a new one gets `irq`, or the next free number."""
        desc = self.descs.get(hwirq)
        if desc is None:
            if irq is None:
                hint = hwirq % nr_irqs(k) if self._is_linear else 0
                irq = self.first_free(k, hint)
            desc = IrqDesc(irq, hwirq, chip, flow, self._nr_cpus, percpu)
            self.descs[hwirq] = k.irq_desc[irq] = desc
        return desc

    def first_free(self, k: Kernel, hint: int, count: int = 1) -> int:
        """The first number from `hint` on of so many that are free.

        Source: kernel/irq/irqdesc.c: __irq_alloc_descs.
        """
        irq = max(hint, self._first)
        while any(irq + each in k.irq_desc or irq + each in self.reserved for each in range(count)):
            irq += 1
        return irq


def nr_irqs(k: Kernel) -> int:
    """How many interrupt numbers there are, used or not.

    Source: kernel/irq/irqdesc.c: early_irq_init, irq_expand_nr_irqs.
    """
    begin = NR_IRQS_LEGACY["arm"] if k.arch == "arm" else NR_IRQS
    return max(begin, max(k.irq_desc, default=0) + 1)
