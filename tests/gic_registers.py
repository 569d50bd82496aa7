"""A GIC as software sees it: nothing but loads and stores, and system registers.

The methods are those of ``irqsim.hw.gic.Gic`` as far as software can do what they do, so that
whatever drives a Gic can drive its registers.
"""

from __future__ import annotations

from irqsim.hw.gic import Gic
from irqsim.hw.mmio import GICC_BASE, GICD_BASE, Mmio, redistributor_base

IGROUPR, ISENABLER, ICENABLER = 0x080, 0x100, 0x180
ISPENDR, ICPENDR, ISACTIVER, ICACTIVER = 0x200, 0x280, 0x300, 0x380
IPRIORITYR, ITARGETSR, ICFGR, SGIR = 0x400, 0x800, 0xC00, 0xF00
CPENDSGIR, SPENDSGIR, IROUTER = 0xF10, 0xF20, 0x6000
SGI_BASE = 0x1_0000

GICC = {"CTLR": 0x0, "PMR": 0x4, "BPR": 0x8, "IAR": 0xC, "EOIR": 0x10, "RPR": 0x14, "HPPIR": 0x18,
        "DIR": 0x1000}  # fmt: skip
ICC = {"IAR": "ICC_IAR1_EL1", "EOIR": "ICC_EOIR1_EL1", "DIR": "ICC_DIR_EL1", "PMR": "ICC_PMR_EL1",
       "BPR": "ICC_BPR1_EL1", "RPR": "ICC_RPR_EL1", "HPPIR": "ICC_HPPIR1_EL1"}  # fmt: skip


class RegisterGic:
    """A Gic that is reached through its registers only; devices drive its wires."""

    def __init__(self, version: int, nr_pes: int, nr_spis: int, priority_bits: int = 5) -> None:
        self.gic = Gic(version, nr_pes, nr_spis, priority_bits)
        self.mmio = Mmio(self.gic)
        self.version, self.nr_pes = version, nr_pes
        self.nr_intids = self.gic.nr_intids
        self.set_line, self.pulse, self.line = self.gic.set_line, self.gic.pulse, self.gic.line

    @property
    def irq(self) -> list[bool]:
        return self.gic.irq

    @property
    def changed(self) -> list[int]:
        return self.gic.changed

    # --- Loads and stores ---------------------------------------------------------------------

    def gicd(self, offset: int, size: int = 32, pe: int = 0) -> int:
        return self.mmio.read(pe, GICD_BASE + offset, size)

    def set_gicd(self, offset: int, value: int, size: int = 32, pe: int = 0) -> None:
        self.mmio.write(pe, GICD_BASE + offset, value, size)

    def frame(self, intid: int, pe: int) -> int:
        """Where the registers of an interrupt are."""
        if self.version == 3 and intid < 32:
            return redistributor_base(pe) + SGI_BASE
        return GICD_BASE

    def field(self, offset: int, bits: int, intid: int, pe: int) -> tuple[int, int]:
        """The address of the word of a field, and the field's place in it."""
        at = intid * bits
        return self.frame(intid, pe) + offset + at // 32 * 4, at % 32

    def get(self, offset: int, bits: int, intid: int, pe: int) -> int:
        address, shift = self.field(offset, bits, intid, pe)
        return self.mmio.read(pe, address) >> shift & (1 << bits) - 1

    def put(self, offset: int, bits: int, intid: int, pe: int, value: int) -> None:
        """Read, modify, write."""
        address, shift = self.field(offset, bits, intid, pe)
        rest = self.mmio.read(pe, address) & ~((1 << bits) - 1 << shift)
        self.mmio.write(pe, address, rest | value << shift)

    def strike(self, offset: int, intid: int, pe: int) -> None:
        """Write a 1 for one interrupt."""
        address, shift = self.field(offset, 1, intid, pe)
        self.mmio.write(pe, address, 1 << shift)

    def cpu(self, name: str, pe: int) -> int:
        if self.version == 2:
            return self.mmio.read(pe, GICC_BASE + GICC[name])
        return self.mmio.read_system(pe, ICC[name])

    def set_cpu(self, name: str, pe: int, value: int) -> None:
        if self.version == 2:
            self.mmio.write(pe, GICC_BASE + GICC[name], value)
        else:
            self.mmio.write_system(pe, ICC[name], value)

    # --- Distributor and redistributors -------------------------------------------------------

    def set_distributor_enabled(self, on: bool) -> None:
        group = 1 if self.version == 2 else 2
        self.set_gicd(0, group if on else 0)

    def set_group(self, intid: int, group: int, pe: int = 0) -> None:
        self.put(IGROUPR, 1, intid, pe, group)

    def set_enabled(self, intid: int, on: bool, pe: int = 0) -> None:
        self.strike(ISENABLER if on else ICENABLER, intid, pe)

    def is_enabled(self, intid: int, pe: int = 0) -> bool:
        enabled = self.get(ISENABLER, 1, intid, pe)
        assert enabled == self.get(ICENABLER, 1, intid, pe)
        return enabled == 1

    def set_priority(self, intid: int, value: int, pe: int = 0) -> None:
        self.mmio.write(pe, self.frame(intid, pe) + IPRIORITYR + intid, value, 8)

    def priority(self, intid: int, pe: int = 0) -> int:
        return self.get(IPRIORITYR, 8, intid, pe)

    def set_edge(self, intid: int, edge: bool, pe: int = 0) -> None:
        self.put(ICFGR, 2, intid, pe, 2 if edge else 0)

    def is_edge(self, intid: int, pe: int = 0) -> bool:
        return self.get(ICFGR, 2, intid, pe) == 2

    def set_targets(self, intid: int, mask: int) -> None:
        self.mmio.write(0, GICD_BASE + ITARGETSR + intid, mask, 8)

    def targets(self, intid: int) -> int:
        return self.mmio.read(0, GICD_BASE + ITARGETSR + intid, 8)

    def set_route(self, intid: int, pe: int | None) -> None:
        value = 1 << 31 if pe is None else pe // 16 << 8 | pe % 16
        self.set_gicd(IROUTER + 8 * intid, value, 64)

    def set_pending(self, intid: int, pe: int = 0) -> None:
        self.strike(ISPENDR, intid, pe)

    def clear_pending(self, intid: int, pe: int = 0) -> None:
        self.strike(ICPENDR, intid, pe)

    def is_pending(self, intid: int, pe: int = 0) -> bool:
        return self.get(ISPENDR, 1, intid, pe) == 1

    def set_active(self, intid: int, pe: int = 0) -> None:
        self.strike(ISACTIVER, intid, pe)

    def clear_active(self, intid: int, pe: int = 0) -> None:
        self.strike(ICACTIVER, intid, pe)

    def is_active(self, intid: int, pe: int = 0) -> bool:
        return self.get(ISACTIVER, 1, intid, pe) == 1

    def send_sgi(self, source_pe: int, intid: int, targets: int) -> None:
        if self.version == 2:
            self.set_gicd(SGIR, targets << 16 | intid, pe=source_pe)
        else:
            self.mmio.write_system(source_pe, "ICC_SGI1R_EL1", intid << 24 | targets)

    # --- CPU interface ------------------------------------------------------------------------

    def set_group_enabled(self, pe: int, on: bool) -> None:
        if self.version == 3:
            self.mmio.write_system(pe, "ICC_IGRPEN1_EL1", int(on))
        else:
            ctlr = self.cpu("CTLR", pe) & ~1
            self.set_cpu("CTLR", pe, ctlr | int(on))

    def set_eoi_mode(self, pe: int, mode: int) -> None:
        if self.version == 3:
            self.mmio.write_system(pe, "ICC_CTLR_EL1", mode << 1)
        else:
            ctlr = self.cpu("CTLR", pe) & ~(1 << 9)
            self.set_cpu("CTLR", pe, ctlr | mode << 9)

    def set_pmr(self, pe: int, value: int) -> None:
        self.set_cpu("PMR", pe, value)

    def set_bpr(self, pe: int, value: int) -> None:
        self.set_cpu("BPR", pe, value)

    def acknowledge(self, pe: int) -> int:
        return self.cpu("IAR", pe)

    def end_of_interrupt(self, pe: int, iar: int) -> None:
        self.set_cpu("EOIR", pe, iar)

    def deactivate(self, pe: int, iar: int) -> None:
        self.set_cpu("DIR", pe, iar)

    def highest_pending(self, pe: int) -> int:
        return self.cpu("HPPIR", pe)

    def running_priority(self, pe: int) -> int:
        return self.cpu("RPR", pe)
