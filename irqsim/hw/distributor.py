"""The distributor: the SPIs, and to which PEs each of them goes.

Source: IHI 0069 section 2.3 (the distributor) and 3.4.2 (shared peripheral interrupts),
IHI 0048 section 2.2 and 4.3.12 (GICD_ITARGETSR).
Leaves out: security states, message-based SPIs (GICD_SETSPI).
"""

from __future__ import annotations

from irqsim.hw.interrupt import Interrupt
from irqsim.hw.intid import SPI_BASE


class Distributor:
    """The SPIs."""

    __slots__ = ("interrupts", "is_enabled", "is_group0_enabled", "lost_routes")

    def __init__(self, nr_spis: int, is_grouped: bool, pes: tuple[int, ...]) -> None:
        """`pes` is where they go after reset."""
        # The registers only (GICD_CTLR).
        self.is_enabled: bool = False
        self.is_group0_enabled: bool = False
        """Read back and of no effect."""
        self.lost_routes: dict[int, int] = {}
        """By INTID, the affinities in IROUTER that no PE has."""
        # Fixed; by INTID, from SPI_BASE on.
        self.interrupts: list[Interrupt] = [
            Interrupt(SPI_BASE + number, pes, True, is_grouped) for number in range(nr_spis)
        ]
