"""The INTID space: which numbers are SGIs, PPIs, SPIs and LPIs.

Source: GIC architecture, IHI 0069 section 2.2 (INTIDs), IHI 0048 section 2.2.1.
Leaves out: the extended PPI and SPI ranges of GICv3.1.
"""

from __future__ import annotations

from typing import Final

NR_SGIS: Final = 16
PPI_BASE: Final = 16
NR_PRIVATE: Final = 32
SPI_BASE: Final = 32
NR_SPIS_MAX: Final = 988
SPECIAL_BASE: Final = 1020
SPURIOUS: Final = 1023
LPI_BASE: Final = 8192


def is_sgi(intid: int) -> bool:
    """Tell whether this is a software generated interrupt."""
    return 0 <= intid < NR_SGIS


def is_ppi(intid: int) -> bool:
    """Tell whether this is a private peripheral interrupt, one per PE."""
    return PPI_BASE <= intid < NR_PRIVATE


def is_private(intid: int) -> bool:
    """Tell whether every PE has its own interrupt of this number (SGI or PPI)."""
    return 0 <= intid < NR_PRIVATE


def is_spi(intid: int) -> bool:
    """Tell whether this is a shared peripheral interrupt."""
    return SPI_BASE <= intid < SPECIAL_BASE


def is_special(intid: int) -> bool:
    """Tell whether this number never names an interrupt (1023 is "spurious")."""
    return SPECIAL_BASE <= intid <= SPURIOUS


def is_lpi(intid: int) -> bool:
    """Tell whether this is a locality-specific (message signalled) interrupt."""
    return intid >= LPI_BASE
