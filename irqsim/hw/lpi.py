"""The locality-specific interrupts of a GICv3: which there are, and what memory says of them.

Source: IHI 0069 section 5.1 (LPIs).
"""

from __future__ import annotations

from typing import Final

from irqsim.hw.interrupt import Interrupt
from irqsim.hw.intid import LPI_BASE

LPI_IDBITS: Final = 16
NR_LPIS: Final = (1 << LPI_IDBITS) - LPI_BASE


class Lpis:
    """The LPIs.  They begin to be when somebody first speaks of them."""

    __slots__ = ("configuration", "interrupts")

    def __init__(self) -> None:
        # By INTID; of the redistributors (hw/its.py).
        self.interrupts: dict[int, Interrupt] = {}
        # The configuration table in memory: whoever writes it; from LPI_BASE on.
        self.configuration: bytearray = bytearray(NR_LPIS)

    def get(self, intid: int) -> Interrupt:
        """The state of an LPI."""
        lpi = self.interrupts.get(intid)
        if lpi is None:
            lpi = self.interrupts[intid] = Interrupt(intid, (), False, True)
        return lpi
