"""The controllers' registers, by address: what a board engineer types behind `devmem`.

The addresses are those of QEMU's machine `virt`, whose kernels tell of them in /proc/iomem and
in their log:

    GICv2   GICD 0x08000000   GICC 0x08010000
    GICv3   GICD 0x08000000   GICR 0x080a0000, 128 KiB for each PE: RD_base, then SGI_base

The registers of a GICv2's private interrupts, and its CPU interface, are banked: an access is
that of a PE.  A GICv3's redistributors have them at addresses of their own, so that any PE
reaches them; its CPU interface has system registers, with names and without addresses.

Source: QEMU: hw/arm/virt.c; IHI 0069 section 12.1, IHI 0048 section 4.1.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from irqsim.hw.frames import (
    GICC,
    GICD_V2,
    GICD_V3,
    GICR_RD,
    GICR_SGI,
    NR_LOW_REDISTRIBUTORS,
    SYSTEM_REGISTERS,
)
from irqsim.hw.gic import Gic
from irqsim.hw.register import Frame

GICD_BASE: Final = 0x0800_0000
GICC_BASE: Final = 0x0801_0000
GICR_BASE: Final = 0x080A_0000
GICR_HIGH_BASE: Final = 0x40_0000_0000
"""Where the redistributors stand that have no room below."""
GICV2_SIZE: Final = 0x1000
FRAME_SIZE: Final = 0x1_0000


class BusError(Exception):
    """Nothing answers at this address, or not to an access that is not aligned."""


@frozen
class Region:
    """A frame at an address.  `pe` None: the frame is that of whoever asks."""

    base: int
    size: int
    frame: Frame
    pe: int | None = None


def redistributor_base(pe: int) -> int:
    """The address of a PE's RD_base; SGI_base is the next frame."""
    if pe < NR_LOW_REDISTRIBUTORS:
        return GICR_BASE + 2 * FRAME_SIZE * pe
    return GICR_HIGH_BASE + 2 * FRAME_SIZE * (pe - NR_LOW_REDISTRIBUTORS)


class Mmio:
    """A controller as its machine's address space shows it."""

    def __init__(self, gic: Gic) -> None:
        self._gic = gic
        self._regions: list[Region] = []
        if gic.version == 2:
            self._regions.append(Region(GICD_BASE, GICV2_SIZE, GICD_V2))
            self._regions.append(Region(GICC_BASE, 2 * GICV2_SIZE, GICC))
            return
        self._regions.append(Region(GICD_BASE, FRAME_SIZE, GICD_V3))
        for pe in range(gic.nr_pes):
            base = redistributor_base(pe)
            self._regions.append(Region(base, FRAME_SIZE, GICR_RD, pe))
            self._regions.append(Region(base + FRAME_SIZE, FRAME_SIZE, GICR_SGI, pe))

    def read(self, pe: int, address: int, size: int = 32) -> int:
        """What PE `pe` loads: `size` bits from an address.  Raises BusError."""
        region = self._region(address, size)
        owner = pe if region.pe is None else region.pe
        return region.frame.read(self._gic, owner, address - region.base, size)

    def write(self, pe: int, address: int, value: int, size: int = 32) -> None:
        """What PE `pe` stores: `size` bits to an address.  Raises BusError."""
        assert 0 <= value < 1 << size
        region = self._region(address, size)
        owner = pe if region.pe is None else region.pe
        region.frame.write(self._gic, owner, address - region.base, size, value)

    def read_system(self, pe: int, name: str) -> int:
        """MRS of a GICv3's CPU interface."""
        assert self._gic.version == 3
        return SYSTEM_REGISTERS[name][0](self._gic, pe, 0)

    def write_system(self, pe: int, name: str, value: int) -> None:
        """MSR of a GICv3's CPU interface."""
        assert self._gic.version == 3
        SYSTEM_REGISTERS[name][1](self._gic, pe, 0, value)

    def _region(self, address: int, size: int) -> Region:
        if address % (size // 8) == 0:
            for region in self._regions:
                if region.base <= address < region.base + region.size:
                    return region
        raise BusError
