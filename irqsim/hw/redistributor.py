"""The redistributor of one PE: its own SGIs and PPIs.

GICv2 has no such part; there the distributor banks the registers of INTIDs 0-31 for each
CPU interface, which is the same thing under another address.

Source: IHI 0069 section 2.3 (redistributors) and 8.11, IHI 0048 section 2.2.2 and 4.3.16
(GICD_SPENDSGIR).
Leaves out: power management (GICR_WAKER).
"""

from __future__ import annotations

from irqsim.hw.bank import BIT, Bank
from irqsim.hw.intid import NR_PRIVATE, NR_SGIS

_PRIVATE = (1 << NR_PRIVATE) - 1
_SGIS = (1 << NR_SGIS) - 1


class Redistributor(Bank):
    """The bank of one PE's private interrupts.

    With `sources` (GICv2) an SGI is pending once for each PE that sent it; without, all
    senders share one latch.
    """

    __slots__ = ("sgi_sources",)

    def __init__(self, grouped: bool) -> None:
        Bank.__init__(self, _PRIVATE, _PRIVATE & ~_SGIS, _PRIVATE if grouped else 0)
        # GICv2 only: for each SGI the PEs whose request is pending.  The latch is set
        # as long as there is one.
        self.sgi_sources: list[int] = [0] * NR_SGIS

    def set_sgi_sources(self, intid: int, sources: int) -> None:
        """Let an SGI be pending from exactly these PEs (GICv2)."""
        self.sgi_sources[intid] = sources
        if sources:
            self.latch |= BIT[intid]
        else:
            self.latch &= ~BIT[intid]
        self.update()

    def sgi_source(self, intid: int) -> int:
        """Return the PE whose request is acknowledged next (GICv2), 0 if there is none.

        IMPDEF: of several senders the lowest number first.
        """
        sources = self.sgi_sources[intid]
        return (sources & -sources).bit_length() - 1 if sources else 0
