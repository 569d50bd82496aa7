"""The root interrupt controller, as the rest of the kernel knows it.

There is one for each kind of machine: what the exception asks for the interrupt to serve, and
what sends IPIs.

Source: set_handle_irq(), set_smp_ipi_range(), kernel/irq/irqdomain.c; drivers/irqchip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from irqsim.kernel.irq.irqdesc import IrqDesc
    from irqsim.kernel.state import Cpu, Kernel

NO_IRQ: Final = 1 << 24
"""What acknowledge() returns where there is none; no interrupt's number is as large."""


class NmiChip(Protocol):
    """A root controller that masks interrupts by priority, and has NMIs that come through."""

    pmr_on: int
    """What PMR is while interrupts are on, and while they are off."""
    pmr_off: int

    def irq_nmi_setup(self, desc: IrqDesc) -> None:
        """Let a line through where interrupts are masked."""

    def has_nmi(self, cpu: Cpu) -> bool:
        """Whether what acknowledge() would give is an NMI."""


class RootChip(Protocol):
    """The driver of a root controller.  `domain` of the kernel has its numbers."""

    name: str
    """Of a GIC the chip column of /proc/interrupts."""
    loops: bool
    """One exception serves all that is pending."""
    has_psci: bool
    """The firmware of its machines takes CPUs down and up; a Raspberry Pi's does not."""

    def map_ipis(self, k: Kernel) -> list[IrqDesc]:
        """Map the IPIs, where they are interrupts: by their numbers."""

    def map_timers(self, k: Kernel) -> list[IrqDesc]:
        """Map what else is mapped at boot; the lines that the architected timer requests."""

    def acknowledge(self, cpu: Cpu) -> int:
        """The hwirq to serve now, or NO_IRQ."""

    def unexpected(self, k: Kernel, cpu: Cpu, hwirq: int) -> None:
        """Do what the driver does with an interrupt that nobody has mapped."""

    def take_ipi(self, cpu: Cpu, hwirq: int) -> int:
        """Where IPIs are no interrupts, the number of the IPI that this is, taken; or -1."""

    def send_sgi(self, source: int, sgi: int, targets: int) -> None:
        """Raise an IPI on the CPUs of the mask."""

    def enable_percpu(self, desc: IrqDesc, pe: int) -> None:
        """enable_percpu_irq() on one CPU."""

    def disable_percpu(self, desc: IrqDesc, pe: int) -> None:
        """disable_percpu_irq() on one CPU."""

    def set_cpu_interface(self, pe: int, on: bool) -> None:
        """What a CPU does with its own part when it starts, or is about to be off."""
