"""One interrupt of the controller: its wire, its state, its configuration.

An SPI is one of these, held by the distributor; an SGI or PPI is one for each PE, held by that
PE's redistributor.

Source: IHI 0069 section 4.1 (interrupt states), IHI 0048 section 3.2.
"""

from __future__ import annotations

from typing import Final

from irqsim.hw.intid import SPURIOUS

IDLE_PRIORITY: Final = 0xFF

# A ranking is one integer, priority above INTID: the smaller one is served first, and
# among equal priorities it is the lowest INTID.
# IMPDEF: the order of equal priorities; this is the usual choice.
RANK_SHIFT: Final = 16
RANK_INTID: Final = (1 << RANK_SHIFT) - 1
NOTHING: Final = (IDLE_PRIORITY << RANK_SHIFT) | SPURIOUS


class Interrupt:
    """The state of an interrupt.  It is judged anew, by Gic, after any change."""

    __slots__ = (
        "is_active",
        "is_enabled",
        "is_grouped",
        "is_level",
        "is_ready",
        "latch",
        "line",
        "pes",
        "rank",
        "sources",
    )

    def __init__(self, intid: int, pes: tuple[int, ...], is_level: bool, is_grouped: bool) -> None:
        # The wire: whoever drives it.
        self.line: bool = False
        # State: the wire, the CPU interfaces and the registers.
        self.latch: bool = False
        """Pending, other than by a level: an edge that came, or by software."""
        self.is_active: bool = False
        self.sources: int = 0
        """An SGI of GICv2: the PEs whose request is pending, and with any the latch is set."""
        # Configuration: the registers only.
        self.is_level: bool = is_level
        self.is_enabled: bool = False
        self.is_grouped: bool = is_grouped
        """In the group that is signalled as IRQ."""
        self.rank: int = intid
        """Its ranking; the priority is 0 after reset."""
        self.pes: tuple[int, ...] = pes
        """The PEs that it goes to; the first of them that acknowledges takes it."""
        # Derived: by Gic.
        self.is_ready: bool = False
        """It is among the CpuInterface.ready of its PEs."""

    def is_pending(self) -> bool:
        """Tell whether it is pending (ISPENDR): latched, or its level is high."""
        return self.latch or (self.is_level and self.line)

    def is_forwardable(self) -> bool:
        """Tell whether it may be forwarded to its targets.

        It is pending, enabled, in the group that is signalled as IRQ, and not active: an
        active interrupt is not signalled again until it is deactivated.
        """
        return (
            not self.is_active
            and (self.latch or (self.is_level and self.line))
            and self.is_enabled
            and self.is_grouped
        )

    def set_sources(self, sources: int) -> None:
        """Let an SGI be pending from exactly these PEs (GICv2)."""
        self.sources = sources
        self.latch = sources != 0

    def source(self) -> int:
        """Return the PE whose request is acknowledged next (GICv2), 0 if there is none.

        IMPDEF: of several senders the lowest number first.
        """
        return (self.sources & -self.sources).bit_length() - 1 if self.sources else 0
