"""The distributor: the SPIs, and to which PEs each of them goes.

Source: IHI 0069 section 2.3 (the distributor) and 3.4.2 (shared peripheral interrupts),
IHI 0048 section 2.2 and 4.3.12 (GICD_ITARGETSR).
Leaves out: security states, message-based SPIs (GICD_SETSPI).
"""

from __future__ import annotations

from irqsim.hw.bank import BIT, Bank
from irqsim.hw.intid import SPI_BASE


class Distributor(Bank):
    """The bank of the SPIs, with their routes."""

    __slots__ = ("is_enabled", "routes", "targets")

    def __init__(self, nr_spis: int, nr_pes: int, grouped: bool) -> None:
        spis = (1 << nr_spis) - 1 << SPI_BASE
        Bank.__init__(self, spis, spis, spis if grouped else 0)
        # The registers only (GICD_CTLR).
        self.is_enabled: bool = False
        # set_route() only: the PEs of each SPI, and the SPIs of each PE; they agree.
        self.routes: list[tuple[int, ...]] = [()] * (SPI_BASE + nr_spis)
        self.targets: list[int] = [0] * nr_pes

    def set_route(self, intid: int, pes: tuple[int, ...]) -> None:
        """Send an SPI to these PEs; the first of them that acknowledges takes it.

        What is pending moves along.  What is active stays where it was acknowledged.
        """
        bit = BIT[intid]
        for pe in self.routes[intid]:
            self.targets[pe] &= ~bit
        for pe in pes:
            self.targets[pe] |= bit
        self.routes[intid] = pes
