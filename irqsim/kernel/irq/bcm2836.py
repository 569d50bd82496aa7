"""The irq_chips of the Raspberry Pi 2 and 3: the kernel's door to their two controllers.

The root is each core's local controller.  An exception serves the lowest bit of its word, once:
a timer or the PMU directly, mailbox 0 as the IPI whose bit is the lowest in it, GPU_FAST as
whatever ARMCTRL has, until it has nothing more.  Neither of the last two lines has an action or
counts: their flow handlers are chained ones.  ARMCTRL only masks and unmasks, so that its lines
are handle_level_irq()'s; it moves none of them, and what type they are nobody tells it.

The vendor's tree, which 4.19 here stands for, maps ARMCTRL first, then all of it once more for
FIQs, and no mailbox; its timer is the physical one.  Since 5.10 the mailbox is mapped first,
then 32 IPIs.

Source: drivers/irqchip/irq-bcm2836.c, irq-bcm2835.c; arch/arm/boot/dts/bcm283x.dtsi for the
order of the timers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from irqsim.hw.bcm2836 import (
    BANK0_OWN,
    BANK1_PENDING,
    BANK2_PENDING,
    BANK_BITS,
    GPU_FAST,
    MAILBOX0,
    PMU_FAST,
    SHORTCUT_SHIFT,
    SHORTCUTS,
    Armctrl,
    Bcm2836,
    Local,
    input_of,
)
from irqsim.kernel.irq.handle import handle_level_irq, handle_percpu_devid_irq
from irqsim.kernel.irq.irqdesc import IrqDesc
from irqsim.kernel.irq.irqdomain import IrqDomain
from irqsim.kernel.irq.manage import irq_set_chained_handler
from irqsim.kernel.irq.root import NO_IRQ
from irqsim.kernel.state import Cpu, Kernel, Path

NR_IPIS: Final = 32
"""Bits of a mailbox."""
TIMERS: Final = (0, 1, 3, 2)
"""The architected timer's sources in the order of its device tree node."""
PHYSICAL_TIMERS: Final = (0, 1)
VIRTUAL_TIMER: Final = 3
FIQ_BASE: Final = 96
"""Where the vendor's tree has ARMCTRL's numbers once more, for FIQs."""


class LocalChip:
    """The chip of some sources of the local controller: they differ by name."""

    __slots__ = ("has_eoi", "has_set_affinity", "has_set_type", "name", "prints_itself")

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.prints_itself: bool = False
        self.has_eoi: bool = False
        self.has_set_affinity: bool = False
        self.has_set_type: bool = False

    def irq_ack(self, cpu: Cpu, desc: IrqDesc) -> None:
        """Nothing: a source is pending while it is high."""

    def irq_mask(self, desc: IrqDesc) -> None:
        """Per-CPU sources are masked by disable_percpu(), GPU_FAST not at all."""

    def irq_unmask(self, desc: IrqDesc) -> None:
        """As irq_mask()."""

    def irq_eoi(self, cpu: Cpu, desc: IrqDesc) -> None:
        """There is none."""

    def irq_select_cpu(self, desc: IrqDesc, online: Sequence[int]) -> int:
        """The first."""
        return online[0]

    def irq_set_affinity(self, desc: IrqDesc, cpu: int) -> None:
        """There is none."""

    def irq_retrigger(self, desc: IrqDesc) -> bool:
        """There is none."""
        return False

    def irq_set_type(self, desc: IrqDesc, is_level: bool) -> None:
        """There is none."""


class IpiChip(LocalChip):
    """The bits of mailbox 0."""

    __slots__ = ("_local",)

    def __init__(self, local: Local) -> None:
        super().__init__("IPI")
        self._local: Local = local

    def irq_ack(self, cpu: Cpu, desc: IrqDesc) -> None:
        """Write to the clear register."""
        self._local.clear_mailbox(cpu.number, 0, 1 << desc.hwirq)


class ArmctrlChip(LocalChip):
    """The peripherals' lines."""

    __slots__ = ("_armctrl",)

    def __init__(self, armctrl: Armctrl) -> None:
        super().__init__("ARMCTRL-level")
        self._armctrl: Armctrl = armctrl

    def irq_mask(self, desc: IrqDesc) -> None:
        """Write to the disable register of the bank."""
        self._armctrl.set_enabled(desc.hwirq, False)

    def irq_unmask(self, desc: IrqDesc) -> None:
        """Write to the enable register of the bank."""
        self._armctrl.set_enabled(desc.hwirq, True)


class Bcm2836Chip:
    """Both controllers as Linux drives them."""

    __slots__ = (
        "_armctrl",
        "_descs",
        "_ipis",
        "_is_downstream",
        "_local",
        "_reserved",
        "armctrl_domain",
        "has_psci",
        "loops",
        "name",
    )

    name: str
    loops: bool
    has_psci: bool
    armctrl_domain: IrqDomain
    """ARMCTRL's lines; the kernel's `domain` has the local controller's."""

    def __init__(self, k: Kernel, hw: Bcm2836, irqs: dict[int, int], reserved: tuple[int, ...]):
        """`irqs`: the Linux numbers that lines of ARMCTRL are given, by their hwirq."""
        self._local: Local = hw.local
        self._armctrl: Armctrl = hw.armctrl
        self._descs: dict[int, int] = irqs
        self._reserved: tuple[int, ...] = reserved
        self._is_downstream: bool = k.release.bcm2836_is_downstream
        self._ipis: list[IrqDesc] = []
        self.name = "bcm2836"
        self.loops = self.has_psci = False
        self.armctrl_domain = IrqDomain(k.arch, len(k.cpus), reserved, is_linear=True)
        for cpu in k.cpus:
            self.set_cpu_interface(cpu.number, True)

    def map_ipis(self, k: Kernel) -> list[IrqDesc]:
        """Map mailbox 0, chained, and an interrupt for each of its bits."""
        flow = handle_percpu_devid_irq
        dummy = LocalChip("bcm2836-dummy")
        mailbox = k.domain.create_mapping(k, MAILBOX0, dummy, flow, percpu=True)
        irq_set_chained_handler(k, mailbox, self._handle_mailbox)
        domain = IrqDomain(k.arch, len(k.cpus), self._reserved)
        first = domain.first_free(k, 0, NR_IPIS)
        chip = IpiChip(self._local)
        self._ipis = [
            domain.create_mapping(k, bit, chip, flow, True, first + bit) for bit in range(NR_IPIS)
        ]
        return self._ipis

    def map_timers(self, k: Kernel) -> list[IrqDesc]:
        """Map ARMCTRL, all of it at once, and GPU_FAST behind which it stands; then the local
        timers and the PMU."""
        self._map_banks(k, 0)
        if self._is_downstream:
            self._map_banks(k, FIQ_BASE)
        flow = handle_percpu_devid_irq
        gpu = k.domain.create_mapping(k, GPU_FAST, LocalChip("bcm2836-gpu"), flow, percpu=True)
        irq_set_chained_handler(k, gpu, self._handle_gpu_fast)
        chip = LocalChip("bcm2836-timer")
        for timer in TIMERS:
            k.domain.create_mapping(k, timer, chip, flow, percpu=True)
        k.domain.create_mapping(k, PMU_FAST, LocalChip("bcm2836-pmu"), flow, percpu=True)
        used = PHYSICAL_TIMERS if self._is_downstream else (VIRTUAL_TIMER,)
        return [k.domain.descs[timer] for timer in used]

    def _map_banks(self, k: Kernel, base: int) -> None:
        domain, chip = self.armctrl_domain, ArmctrlChip(self._armctrl)
        for bank, nr_bits in enumerate(BANK_BITS):
            for bit in range(nr_bits):
                hwirq = base + input_of(bank, bit)
                irq = self._descs.get(hwirq)
                domain.create_mapping(k, hwirq, chip, handle_level_irq, False, irq)

    # What the root handler asks.

    def acknowledge(self, cpu: Cpu) -> int:
        """Read the core's word: the lowest bit, but the vendor's tree looks at mailbox 0 first."""
        pending = self._local.irq_pending(cpu.number)
        if self._is_downstream and pending >> MAILBOX0 & 1:
            return MAILBOX0
        return _lowest(pending) if pending else NO_IRQ

    def unexpected(self, k: Kernel, cpu: Cpu, hwirq: int) -> None:
        """All of its sources are mapped."""
        raise AssertionError(hwirq)

    def take_ipi(self, cpu: Cpu, hwirq: int) -> int:
        """The lowest bit of mailbox 0, which is cleared; -1 for what is no mailbox."""
        bits = self._local.mailboxes[cpu.number][0]
        if hwirq != MAILBOX0 or not bits:
            return -1
        self._local.clear_mailbox(cpu.number, 0, bits & -bits)
        return _lowest(bits)

    def send_sgi(self, source: int, sgi: int, targets: int) -> None:
        """Write to the set register of mailbox 0 of each CPU of the mask."""
        for pe in range(self._local.nr_pes):
            if targets >> pe & 1:
                self._local.set_mailbox(pe, 0, 1 << sgi)

    def enable_percpu(self, desc: IrqDesc, pe: int) -> None:
        """Unmask a timer or the PMU of one CPU."""
        self._set_percpu(desc, pe, True)

    def disable_percpu(self, desc: IrqDesc, pe: int) -> None:
        """Mask it."""
        self._set_percpu(desc, pe, False)

    def _set_percpu(self, desc: IrqDesc, pe: int, on: bool) -> None:
        local = self._local
        if desc.hwirq == PMU_FAST:
            bit = 1 << pe
            local.set_pm_routing(local.pm_routing | bit if on else local.pm_routing & ~bit)
        elif desc.hwirq in TIMERS:
            value, bit = local.timer_control[pe], 1 << desc.hwirq
            local.set_timer_control(pe, value | bit if on else value & ~bit)

    def set_cpu_interface(self, pe: int, on: bool) -> None:
        """Unmask or mask mailbox 0.  Source: bcm2836_cpu_starting, bcm2836_cpu_dying."""
        self._local.set_mailbox_control(pe, int(on))

    # Chained handlers.

    def _handle_mailbox(self, k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
        """One IPI, the lowest; the line stays high while there are others.

        Source: bcm2836_arm_irqchip_handle_ipi.
        """
        bits = self._local.mailboxes[cpu.number][0]
        if bits:
            ipi = self._ipis[_lowest(bits)]
            yield from ipi.handle_irq(k, cpu, ipi)

    def _handle_gpu_fast(self, k: Kernel, cpu: Cpu, desc: IrqDesc) -> Path:
        """All that ARMCTRL has, one after the other.

        Source: bcm2836_chained_handle_irq.
        """
        hwirq = self.next_armctrl_hwirq()
        while hwirq >= 0:
            child = self.armctrl_domain.descs[hwirq]
            yield from child.handle_irq(k, cpu, child)
            hwirq = self.next_armctrl_hwirq()
            if hwirq >= 0:
                yield k.cost.irq_entry

    def next_armctrl_hwirq(self) -> int:
        """What is served next: bank 0's own, the shortcuts, bank 1, bank 2; -1 if nothing.

        Source: get_next_armctrl_hwirq.
        """
        word = self._armctrl.pending(0)
        if word & BANK0_OWN:
            return input_of(0, _lowest(word & BANK0_OWN))
        if word >> SHORTCUT_SHIFT:
            return input_of(*SHORTCUTS[_lowest(word >> SHORTCUT_SHIFT)])
        for bank, flag in ((1, BANK1_PENDING), (2, BANK2_PENDING)):
            if word & flag:
                return input_of(bank, _lowest(self._armctrl.pending(bank)))
        return -1


def _lowest(word: int) -> int:
    return (word & -word).bit_length() - 1
