"""The redistributor of one PE: its own SGIs and PPIs, and its switch for LPIs.

GICv2 has no such part; there the distributor banks the registers of INTIDs 0-31 for each
CPU interface, which is the same thing under another address.

Source: IHI 0069 section 2.3 (redistributors) and 8.11, IHI 0048 section 2.2.2 and 4.3.16
(GICD_SPENDSGIR).
Leaves out: power management (GICR_WAKER).
"""

from __future__ import annotations

from irqsim.hw.interrupt import Interrupt
from irqsim.hw.intid import NR_PRIVATE, NR_SGIS


class Redistributor:
    """One PE's private interrupts.

    An SGI of a GICv2 is pending once for each PE that sent it; with GICv3 all senders share
    one latch.
    """

    __slots__ = ("interrupts", "is_lpi_enabled", "pending_table")

    def __init__(self, pe: int, is_grouped: bool) -> None:
        # The registers only (GICR_CTLR).
        self.is_lpi_enabled: bool = False
        # Whoever writes its memory: the LPIs that are pending there when it is switched on.
        self.pending_table: list[int] = []
        # Fixed; by INTID.
        self.interrupts: list[Interrupt] = [
            Interrupt(intid, (pe,), intid >= NR_SGIS, is_grouped) for intid in range(NR_PRIVATE)
        ]
