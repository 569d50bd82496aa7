"""The ITS by itself: its commands, their errors, and what a wrong one changes: nothing."""

from __future__ import annotations

import pytest

from irqsim.hw import its as hw
from irqsim.hw.gic import Gic
from irqsim.hw.intid import SPURIOUS
from irqsim.hw.its import Its, enable_lpis, write_configuration

LPI, DEVICE, NR_PES = 8192, 8, 4


@pytest.fixture
def gic() -> Gic:
    gic = Gic(3, NR_PES, 32)
    gic.set_distributor_enabled(True)
    for pe in range(NR_PES):
        gic.set_group_enabled(pe, True)
        gic.set_pmr(pe, 0xF0)
        enable_lpis(gic, pe)
    for intid in range(LPI, LPI + 4):
        write_configuration(gic, intid, 0xA0, True)
    return gic


@pytest.fixture
def its(gic: Gic) -> Its:
    """Events 0 and 1 of the device are LPIs of PE 1, event 2 one of PE 2; collection 9 is none."""
    its = Its(gic)
    done = [its.mapd(DEVICE, 2), its.mapc(1, 1), its.mapc(2, 2)]
    done += [its.mapti(DEVICE, event, LPI + event, 1 + event // 2) for event in range(3)]
    assert not any(done)
    return its


def pending(gic: Gic) -> list[int]:
    return [gic.highest_pending(pe) for pe in range(NR_PES)]


NOTHING = [SPURIOUS] * NR_PES

ERRORS = [
    ("mapd", (1 << 16, 2), hw.E_MAPD_DEVICE_OOR),
    ("mapd", (DEVICE, 17), hw.E_MAPD_ITTSIZE_OOR),
    ("mapc", (1, NR_PES), hw.E_MAPC_PROCNUM_OOR),
    ("mapc", (1 << 16, 0), hw.E_MAPC_COLLECTION_OOR),
    ("mapti", (DEVICE + 1, 0, LPI, 1), hw.E_MAPTI_UNMAPPED_DEVICE),
    ("mapti", (DEVICE, 4, LPI, 1), hw.E_MAPTI_ID_OOR),
    ("mapti", (DEVICE, 3, 1023, 1), hw.E_MAPTI_PHYSICALID_OOR),
    ("mapti", (DEVICE, 3, 1 << 16, 1), hw.E_MAPTI_PHYSICALID_OOR),
    ("mapi", (DEVICE, 3, 1), hw.E_MAPTI_PHYSICALID_OOR),
    ("movi", (DEVICE, 3, 1), hw.E_MOVI_UNMAPPED_INTERRUPT),
    ("movi", (DEVICE, 0, 9), hw.E_MOVI_UNMAPPED_COLLECTION),
    ("movall", (0, NR_PES), hw.E_MOVALL_PROCNUM_OOR),
    ("interrupt", (DEVICE, 3), hw.E_INT_UNMAPPED_INTERRUPT),
    ("clear", (DEVICE, 3), hw.E_CLEAR_UNMAPPED_INTERRUPT),
    ("discard", (DEVICE + 1, 0), hw.E_DISCARD_UNMAPPED_INTERRUPT),
    ("inv", (DEVICE, 3), hw.E_INV_UNMAPPED_INTERRUPT),
    ("invall", (9,), hw.E_INVALL_UNMAPPED_COLLECTION),
]


@pytest.mark.parametrize(("command", "args", "error"), ERRORS)
def test_a_wrong_command_has_its_error_and_changes_nothing(
    gic: Gic, its: Its, command: str, args: tuple[int, ...], error: int
) -> None:
    """Source: include/linux/irqchip/arm-gic-v3.h: E_ITS_*."""
    its.interrupt(DEVICE, 0)
    assert getattr(its, command)(*args) == error
    its.interrupt(DEVICE, 2)
    assert pending(gic) == [SPURIOUS, LPI, LPI + 2, SPURIOUS]
    assert its.collections == {1: 1, 2: 2}
    assert sorted(its.devices) == [DEVICE]


def test_movi_takes_what_is_pending_along(gic: Gic, its: Its) -> None:
    its.interrupt(DEVICE, 0)
    assert its.movi(DEVICE, 0, 2) == 0
    assert pending(gic) == [SPURIOUS, SPURIOUS, LPI, SPURIOUS]
    gic.end_of_interrupt(2, gic.acknowledge(2))
    its.interrupt(DEVICE, 0)
    assert pending(gic) == [SPURIOUS, SPURIOUS, LPI, SPURIOUS]


def test_movall_moves_all_that_is_pending_at_a_pe(gic: Gic, its: Its) -> None:
    for event in range(3):
        its.interrupt(DEVICE, event)
    assert its.movall(1, 3) == 0
    assert pending(gic) == [SPURIOUS, SPURIOUS, LPI + 2, LPI]
    gic.end_of_interrupt(3, gic.acknowledge(3))
    assert gic.acknowledge(3) == LPI + 1


def test_clear_and_discard_take_an_interrupt_back(gic: Gic, its: Its) -> None:
    its.interrupt(DEVICE, 0)
    its.interrupt(DEVICE, 2)
    assert its.clear(DEVICE, 0) == 0
    assert its.discard(DEVICE, 2) == 0
    assert pending(gic) == NOTHING
    assert its.interrupt(DEVICE, 0) == 0
    assert its.interrupt(DEVICE, 2) == hw.E_INT_UNMAPPED_INTERRUPT
    assert pending(gic) == [SPURIOUS, LPI, SPURIOUS, SPURIOUS]


def test_an_event_whose_collection_goes_nowhere_is_lost(gic: Gic, its: Its) -> None:
    its.mapc(1, 0, valid=False)
    assert its.interrupt(DEVICE, 0) == hw.E_INT_UNMAPPED_INTERRUPT
    its.mapc(1, 3)
    assert pending(gic) == NOTHING
    its.interrupt(DEVICE, 0)
    assert pending(gic) == [SPURIOUS, SPURIOUS, SPURIOUS, LPI]


def test_mapi_maps_an_event_to_the_lpi_of_its_number(gic: Gic, its: Its) -> None:
    its.mapd(9, 14)
    assert its.mapi(9, LPI + 3, 2) == 0
    its.interrupt(9, LPI + 3)
    assert pending(gic) == [SPURIOUS, SPURIOUS, LPI + 3, SPURIOUS]
    assert its.sync(2) == 0


def test_messages_merge_until_the_acknowledge(gic: Gic, its: Its) -> None:
    assert [its.send(DEVICE, 0), its.send(DEVICE, 0)] == [True, False]
    assert gic.acknowledge(1) == LPI
    assert its.send(DEVICE, 0)


def test_a_priority_holds_from_inv_on(gic: Gic, its: Its) -> None:
    """The lower value goes first once the redistributors have read it."""
    its.interrupt(DEVICE, 0)
    its.interrupt(DEVICE, 1)
    write_configuration(gic, LPI + 1, 0x80, True)
    assert gic.highest_pending(1) == LPI
    its.inv(DEVICE, 1)
    assert gic.highest_pending(1) == LPI + 1


def test_a_redistributor_whose_lpis_are_off_takes_none() -> None:
    gic = Gic(3, 1, 32)
    its = Its(gic)
    its.mapd(DEVICE, 1)
    its.mapc(0, 0)
    its.mapti(DEVICE, 0, LPI, 0)
    its.interrupt(DEVICE, 0)
    assert not gic.lpis.get(LPI).latch
