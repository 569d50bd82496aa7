"""The Interrupt Translation Service: from a device's message to an LPI of one PE.

Theory of operation
-------------------

A device writes an event's number to the ITS, and with it goes the device's own number.  Three
tables lead on: the device table to the device's interrupt translation table (ITT), the ITT from
the event to an LPI and a collection, the collection table to a PE.  Commands fill the tables.

An LPI is configured by a byte in memory (priority and enable), which the redistributors keep a
copy of: what is written there holds from INV or INVALL on.  It is pending or it is not, at one
PE; the acknowledge ends that, and nothing is ever active.

A command that is wrong changes nothing and returns its error, else 0.

Source: IHI 0069 chapter 5 (LPIs and the ITS) and 5.3 (commands and their errors);
include/linux/irqchip/arm-gic-v3.h: E_ITS_*.
IMPDEF: a message that comes for a redistributor whose LPIs are off is lost, and so is one whose
interrupt or collection is not mapped.  LPIs cannot be switched off again.
Leaves out: the command queue in memory (commands take effect at once, and SYNC has nothing to
wait for), virtual LPIs.
"""

from __future__ import annotations

from typing import Final

from irqsim.hw.gic import Gic
from irqsim.hw.intid import LPI_BASE
from irqsim.hw.lpi import NR_LPIS

DEVICE_BITS: Final = 16
EVENT_BITS: Final = 16
NR_COLLECTIONS: Final = 1 << 16

LPI_ENABLED: Final = 1
LPI_PRIORITY_MASK: Final = 0xFC

E_MOVI_UNMAPPED_INTERRUPT: Final = 0x010107
E_MOVI_UNMAPPED_COLLECTION: Final = 0x010109
E_INT_UNMAPPED_INTERRUPT: Final = 0x010307
E_CLEAR_UNMAPPED_INTERRUPT: Final = 0x010507
E_MAPD_DEVICE_OOR: Final = 0x010801
E_MAPD_ITTSIZE_OOR: Final = 0x010802
E_MAPC_PROCNUM_OOR: Final = 0x010902
E_MAPC_COLLECTION_OOR: Final = 0x010903
E_MAPTI_UNMAPPED_DEVICE: Final = 0x010A04
E_MAPTI_ID_OOR: Final = 0x010A05
E_MAPTI_PHYSICALID_OOR: Final = 0x010A06
E_INV_UNMAPPED_INTERRUPT: Final = 0x010C07
E_INVALL_UNMAPPED_COLLECTION: Final = 0x010D09
E_MOVALL_PROCNUM_OOR: Final = 0x010E01
E_DISCARD_UNMAPPED_INTERRUPT: Final = 0x010F07


class Itt:
    """A device's translation table: by event, its LPI and its collection."""

    __slots__ = ("entries", "event_bits")

    def __init__(self, event_bits: int) -> None:
        self.event_bits: int = event_bits
        self.entries: dict[int, tuple[int, int]] = {}


class Its:
    """One ITS."""

    __slots__ = ("_gic", "collections", "devices")

    def __init__(self, gic: Gic) -> None:
        assert gic.version == 3
        self._gic: Gic = gic
        # Written by commands only.
        self.devices: dict[int, Itt] = {}
        self.collections: dict[int, int] = {}

    # Commands.

    def mapd(self, device: int, event_bits: int, valid: bool = True) -> int:
        """Give a device an empty translation table for so many bits of events, or take it."""
        if device >> DEVICE_BITS:
            return E_MAPD_DEVICE_OOR
        if valid and not 1 <= event_bits <= EVENT_BITS:
            return E_MAPD_ITTSIZE_OOR
        self.devices.pop(device, None)
        if valid:
            self.devices[device] = Itt(event_bits)
        return 0

    def mapc(self, collection: int, pe: int, valid: bool = True) -> int:
        """Let a collection's interrupts go to a PE, or nowhere."""
        if not 0 <= collection < NR_COLLECTIONS:
            return E_MAPC_COLLECTION_OOR
        if valid and not 0 <= pe < self._gic.nr_pes:
            return E_MAPC_PROCNUM_OOR
        self.collections.pop(collection, None)
        if valid:
            self.collections[collection] = pe
        return 0

    def mapti(self, device: int, event: int, intid: int, collection: int) -> int:
        """Let an event of a device be this LPI, in this collection."""
        itt = self.devices.get(device)
        if itt is None:
            return E_MAPTI_UNMAPPED_DEVICE
        if event >> itt.event_bits:
            return E_MAPTI_ID_OOR
        if not LPI_BASE <= intid < LPI_BASE + NR_LPIS:
            return E_MAPTI_PHYSICALID_OOR
        itt.entries[event] = (intid, collection)
        load_configuration(self._gic, intid)
        return 0

    def mapi(self, device: int, event: int, collection: int) -> int:
        """mapti() where the event and the LPI have the same number."""
        return self.mapti(device, event, event, collection)

    def movi(self, device: int, event: int, collection: int) -> int:
        """Move an event's interrupt to another collection, and what is pending with it."""
        found = self._translate(device, event)
        if found is None:
            return E_MOVI_UNMAPPED_INTERRUPT
        if collection not in self.collections:
            return E_MOVI_UNMAPPED_COLLECTION
        self.devices[device].entries[event] = (found[0], collection)
        self._gic.move(self._gic.lpis.get(found[0]), (self.collections[collection],))
        return 0

    def movall(self, source: int, target: int) -> int:
        """Move all that is pending at a PE to another."""
        if not (0 <= source < self._gic.nr_pes and 0 <= target < self._gic.nr_pes):
            return E_MOVALL_PROCNUM_OOR
        for lpi in self._gic.lpis.interrupts.values():
            if lpi.latch and lpi.pes == (source,):
                self._gic.move(lpi, (target,))
        return 0

    def interrupt(self, device: int, event: int) -> int:
        """INT: make an event's interrupt pending, as the device's own message does."""
        found = self._translate(device, event)
        if found is None or found[1] not in self.collections:
            return E_INT_UNMAPPED_INTERRUPT
        pend_lpi(self._gic, found[0], self.collections[found[1]])
        return 0

    def clear(self, device: int, event: int) -> int:
        """Take back an event's interrupt that is pending."""
        found = self._translate(device, event)
        if found is None:
            return E_CLEAR_UNMAPPED_INTERRUPT
        _set_latch(self._gic, found[0], False)
        return 0

    def discard(self, device: int, event: int) -> int:
        """Take back an event's interrupt, and unmap the event."""
        found = self._translate(device, event)
        if found is None:
            return E_DISCARD_UNMAPPED_INTERRUPT
        _set_latch(self._gic, found[0], False)
        del self.devices[device].entries[event]
        return 0

    def inv(self, device: int, event: int) -> int:
        """Read the configuration of an event's interrupt anew."""
        found = self._translate(device, event)
        if found is None:
            return E_INV_UNMAPPED_INTERRUPT
        load_configuration(self._gic, found[0])
        return 0

    def invall(self, collection: int) -> int:
        """Read the configuration of all interrupts of a collection's PE anew."""
        if collection not in self.collections:
            return E_INVALL_UNMAPPED_COLLECTION
        pe = self.collections[collection]
        for intid, lpi in self._gic.lpis.interrupts.items():
            if lpi.pes == (pe,):
                load_configuration(self._gic, intid)
        for itt in self.devices.values():
            for intid, its_collection in itt.entries.values():
                if its_collection == collection:
                    load_configuration(self._gic, intid)
        return 0

    def sync(self, pe: int) -> int:
        """Wait for what was done to a PE: it has been done."""
        assert 0 <= pe < self._gic.nr_pes
        return 0

    # Messages.

    def send(self, device: int, event: int) -> bool:
        """Take a device's message; False if it merged with one that is pending still."""
        found = self._translate(device, event)
        if found is not None and self._gic.lpis.get(found[0]).latch:
            return False
        self.interrupt(device, event)
        return True

    def _translate(self, device: int, event: int) -> tuple[int, int] | None:
        itt = self.devices.get(device)
        return None if itt is None else itt.entries.get(event)


def write_configuration(gic: Gic, intid: int, priority: int, is_enabled: bool) -> None:
    """Write an LPI's byte in memory, which nobody reads before INV or INVALL."""
    value = priority & LPI_PRIORITY_MASK | (LPI_ENABLED if is_enabled else 0)
    gic.lpis.configuration[intid - LPI_BASE] = value


def load_configuration(gic: Gic, intid: int) -> None:
    """Make the redistributors' copy of an LPI's byte what the memory holds."""
    value = gic.lpis.configuration[intid - LPI_BASE]
    lpi = gic.lpis.get(intid)
    gic.prioritize(lpi, value & LPI_PRIORITY_MASK)
    lpi.is_enabled = value & LPI_ENABLED != 0
    gic.judge(lpi)


def enable_lpis(gic: Gic, pe: int) -> None:
    """GICR_CTLR.EnableLPIs: from now on; what the PE's pending table has comes at once."""
    redistributor = gic.redistributors[pe]
    if not redistributor.is_lpi_enabled:
        redistributor.is_lpi_enabled = True
        for intid in redistributor.pending_table:
            load_configuration(gic, intid)
            pend_lpi(gic, intid, pe)
        redistributor.pending_table.clear()


def pend_lpi(gic: Gic, intid: int, pe: int) -> None:
    """Make an LPI pending at a PE, or where it is pending already."""
    if gic.redistributors[pe].is_lpi_enabled:
        lpi = gic.lpis.get(intid)
        if not lpi.latch:
            gic.move(lpi, (pe,))
        _set_latch(gic, intid, True)


def _set_latch(gic: Gic, intid: int, latch: bool) -> None:
    lpi = gic.lpis.get(intid)
    lpi.latch = latch
    gic.judge(lpi)
