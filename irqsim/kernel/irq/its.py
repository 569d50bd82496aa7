"""The ITS driver: MSIs of PCI devices as LPIs.

A device's function is named by its requester id (bus, slot, function), and each of its vectors
by an index.  Up to 6.10 a domain of all MSIs numbers them with both; later each device has its
own.  The driver gives each device a power of two of LPIs, from 8192 on, in the order in which
the devices come.

Source: drivers/irqchip/irq-gic-v3-its.c: its_create_device, its_lpi_alloc, its_select_cpu,
its_set_affinity, its_irq_domain_activate; irq-gic-v3-its-pci-msi.c; drivers/pci/msi/irqdomain.c:
pci_msi_domain_calc_hwirq.
Differs: no managed interrupts; a device's vectors are allocated when the machine is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from irqsim.hw.gic import Gic
from irqsim.hw.intid import LPI_BASE
from irqsim.hw.its import Its, enable_lpis, write_configuration
from irqsim.kernel.irq.chip import GicChip
from irqsim.kernel.irq.handle import handle_fasteoi_irq
from irqsim.kernel.irq.irqdesc import IrqDesc
from irqsim.kernel.state import Cpu, Kernel

INDEX_BITS: Final = 11
"""An MSI's number below that of its device."""


class MsiWire:
    """A vector of a device: whoever drives it sends its message."""

    __slots__ = ("_device", "_event", "_its")

    def __init__(self, its: Its, device: int, event: int) -> None:
        self._its, self._device, self._event = its, device, event

    def set_line(self, intid: int, level: bool, pe: int = 0) -> bool:
        """A message has no level."""
        raise AssertionError(intid)

    def pulse(self, intid: int, pe: int = 0) -> bool:
        """Send the message; False when it merged with one that is pending."""
        return self._its.send(self._device, self._event)


class ItsDriver:
    """The ITS of a machine, as Linux uses it."""

    __slots__ = ("_next_lpi", "chip", "gic", "its", "nr_lpis_of", "sizes")

    def __init__(self, gic: Gic, chip: GicChip, lpis: Sequence[int]) -> None:
        """`lpis` are the hwirqs that the scenario's devices have."""
        self.gic, self.chip = gic, chip
        self.its: Its = Its(gic)
        for pe in range(gic.nr_pes):
            enable_lpis(gic, pe)
            self.its.mapc(pe, pe)
        # By device, how many vectors it needs.
        self.sizes: dict[int, int] = {}
        for lpi in lpis:
            device, event = lpi >> INDEX_BITS, lpi & (1 << INDEX_BITS) - 1
            self.sizes[device] = max(self.sizes.get(device, 0), event + 1)
        self._next_lpi = {}
        free = LPI_BASE
        for device, size in self.sizes.items():
            self._next_lpi[device] = free
            bits = max((size - 1).bit_length(), 1)
            self.its.mapd(device, bits)
            free += 1 << (size - 1).bit_length()
        # How many LPIs go to each CPU.
        self.nr_lpis_of: list[int] = [0] * gic.nr_pes

    def line(
        self, k: Kernel, lpi: int, priority: int, irq: int | None
    ) -> tuple[IrqDesc, MsiWire]:
        """The descriptor of an MSI, mapped at its first use, and its wire."""
        device, event = lpi >> INDEX_BITS, lpi & (1 << INDEX_BITS) - 1
        intid = self._next_lpi[device] + event
        wire = MsiWire(self.its, device, event)
        desc = k.domain.descs.get(intid)
        if desc is None:
            chip = MsiChip(self, device, event, intid, priority, k)
            desc = k.domain.create_mapping(k, intid, chip, handle_fasteoi_irq, False, irq)
            desc.hwirq = event if k.release.msi_domains_are_per_device else lpi
            desc.is_msi, desc.is_level = True, False
            online = [cpu.number for cpu in k.cpus if cpu.is_online]
            desc.effective_cpu = chip.irq_select_cpu(desc, online)
            self.its.mapti(device, event, intid, desc.effective_cpu)
        return desc, wire


class MsiChip:
    """The irq_chip of a vector."""

    __slots__ = (
        "_cpu", "_device", "_driver", "_event", "_intid", "_is_balanced", "_priority", "has_eoi",
        "has_set_affinity", "has_set_type", "name", "prints_itself",
    )  # fmt: skip

    name: str
    prints_itself: bool
    has_eoi: bool
    has_set_affinity: bool
    has_set_type: bool

    def __init__(
        self, driver: ItsDriver, device: int, event: int, intid: int, priority: int, k: Kernel
    ) -> None:
        self._driver, self._device, self._event = driver, device, event
        self._intid, self._priority = intid, priority
        self._cpu = -1
        self._is_balanced = k.release.balances_lpis
        self.name = "ITS-MSI"
        if k.release.msi_domains_are_per_device:
            bus, slot, function = device >> 8, device >> 3 & 0x1F, device & 7
            self.name = f"ITS-PCI-MSIX-0000:{bus:02x}:{slot:02x}.{function}"
        self.prints_itself = self.has_set_type = False
        self.has_eoi = self.has_set_affinity = True

    def irq_ack(self, cpu: Cpu, desc: IrqDesc) -> None:
        """Nothing: reading IAR acknowledged."""

    def irq_mask(self, desc: IrqDesc) -> None:
        """Write the LPI's configuration, and INV."""
        self._configure(False)

    def irq_unmask(self, desc: IrqDesc) -> None:
        """Write the LPI's configuration, and INV."""
        self._configure(True)

    def irq_eoi(self, cpu: Cpu, desc: IrqDesc) -> None:
        """Drop the priority; there is nothing to deactivate."""
        self._driver.chip.end(cpu, self._intid)

    def irq_select_cpu(self, desc: IrqDesc, online: Sequence[int]) -> int:
        """The CPU with the fewest LPIs (since 5.8), or the first."""
        counts = self._driver.nr_lpis_of
        if self._cpu >= 0:
            counts[self._cpu] -= 1
        self._cpu = min(online, key=counts.__getitem__) if self._is_balanced else online[0]
        counts[self._cpu] += 1
        return self._cpu

    def irq_set_affinity(self, desc: IrqDesc, cpu: int) -> None:
        """MOVI: what is pending moves along."""
        self._driver.its.movi(self._device, self._event, cpu)

    def irq_retrigger(self, desc: IrqDesc) -> bool:
        """INT."""
        return self._driver.its.interrupt(self._device, self._event) == 0

    def irq_set_type(self, desc: IrqDesc, is_level: bool) -> None:
        """An MSI is an edge."""

    def _configure(self, is_enabled: bool) -> None:
        write_configuration(self._driver.gic, self._intid, self._priority, is_enabled)
        self._driver.its.inv(self._device, self._event)
