"""What the architecture says about a GIC, of the naive model and of the Gic alike.

The naive model judges the Gic in ``test_gic_stateful.py``; here both are judged.

Source: IHI 0048B (GICv2), IHI 0069 (GICv3).
"""

from __future__ import annotations

import pytest

from irqsim.hw.gic import Gic
from tests.naive_gic import SPURIOUS, NaiveGic

Model = NaiveGic | Gic

LINUX_PRIORITY = 0xA0
SGI, PPI, SPI = 3, 27, 40


@pytest.fixture(params=[NaiveGic, Gic])
def model(request: pytest.FixtureRequest) -> type[Model]:
    chosen: type[Model] = request.param
    return chosen


@pytest.fixture(params=[2, 3], ids=["v2", "v3"])
def version(request: pytest.FixtureRequest) -> int:
    chosen: int = request.param
    return chosen


@pytest.fixture
def gic(model: type[Model], version: int) -> Model:
    """Two PEs, every interrupt enabled with one priority, every SPI to PE 0 and edge-triggered."""
    gic = model(version, 2, 32, 5)
    gic.set_distributor_enabled(True)
    for intid in range(64):
        for pe in [0, 1] if intid < 32 else [0]:
            gic.set_group(intid, 1, pe)
            gic.set_priority(intid, LINUX_PRIORITY, pe)
            if intid >= 32:
                send_to(gic, version, intid, 0)
                gic.set_edge(intid, True)
            gic.set_enabled(intid, True, pe)
    for pe in [0, 1]:
        gic.set_pmr(pe, 0xF0)
        gic.set_group_enabled(pe, True)
    return gic


def send_to(gic: Model, version: int, intid: int, pe: int) -> None:
    if version == 2:
        gic.set_targets(intid, 1 << pe)
    else:
        gic.set_route(intid, pe)


def make_level(gic: Model, intid: int) -> None:
    gic.set_enabled(intid, False)
    gic.set_edge(intid, False)
    gic.set_enabled(intid, True)


def test_after_reset_nothing_is_signalled(model: type[Model], version: int) -> None:
    gic = model(version, 2, 32)
    gic.send_sgi(0, SGI, 0b11)
    gic.set_pending(SPI)
    assert list(gic.irq) == [False, False]
    assert [gic.running_priority(pe) for pe in [0, 1]] == [0xFF, 0xFF]
    assert gic.is_pending(SGI, 1)


def test_sgi_reaches_exactly_the_listed_pes(gic: Model) -> None:
    gic.send_sgi(0, SGI, 0b10)
    assert list(gic.irq) == [False, True]
    assert gic.changed == [1]


def test_iar_names_the_source_only_in_a_gicv2(gic: Model, version: int) -> None:
    gic.send_sgi(1, SGI, 0b01)
    assert gic.acknowledge(0) == (SGI | 1 << 10 if version == 2 else SGI)


def test_nothing_pending_reads_1023(gic: Model) -> None:
    assert gic.acknowledge(0) == SPURIOUS
    assert gic.running_priority(0) == 0xFF


def test_icactiver_deactivates_but_only_the_eoi_drops_the_priority(gic: Model) -> None:
    gic.pulse(SPI)
    gic.acknowledge(0)
    gic.clear_active(SPI)
    gic.pulse(SPI)
    assert gic.running_priority(0) == LINUX_PRIORITY
    assert list(gic.irq) == [False, False]
    gic.end_of_interrupt(0, SPI)
    assert gic.acknowledge(0) == SPI


def test_disabled_interrupt_stays_pending_and_is_delivered_when_enabled(gic: Model) -> None:
    gic.set_enabled(SPI, False)
    gic.set_pending(SPI)
    assert gic.is_pending(SPI)
    assert gic.acknowledge(0) == SPURIOUS
    gic.set_enabled(SPI, True)
    assert list(gic.irq) == [True, False]


def test_cleared_pending_is_never_delivered(gic: Model) -> None:
    gic.set_enabled(SPI, False)
    gic.pulse(SPI)
    gic.clear_pending(SPI)
    gic.set_enabled(SPI, True)
    assert gic.acknowledge(0) == SPURIOUS


def test_level_that_went_away_before_the_acknowledge_is_spurious(gic: Model) -> None:
    make_level(gic, SPI)
    gic.set_line(SPI, True)
    assert list(gic.irq) == [True, False]
    gic.set_line(SPI, False)
    assert list(gic.irq) == [False, False]
    assert gic.acknowledge(0) == SPURIOUS


@pytest.mark.parametrize("level", [False, True])
def test_level_comes_again_if_still_asserted_at_the_eoi(gic: Model, level: bool) -> None:
    make_level(gic, SPI)
    gic.set_line(SPI, True)
    assert gic.acknowledge(0) == SPI
    assert gic.is_pending(SPI)
    gic.set_line(SPI, level)
    gic.end_of_interrupt(0, SPI)
    assert gic.acknowledge(0) == (SPI if level else SPURIOUS)


def test_icpendr_does_not_clear_an_asserted_level(gic: Model) -> None:
    make_level(gic, SPI)
    gic.set_line(SPI, True)
    gic.clear_pending(SPI)
    assert gic.is_pending(SPI)
    gic.set_pending(SPI)
    gic.set_line(SPI, False)
    assert gic.is_pending(SPI)
    gic.clear_pending(SPI)
    assert not gic.is_pending(SPI)


def test_edges_merge_before_the_acknowledge_and_once_more_while_active(gic: Model) -> None:
    assert [gic.pulse(SPI), gic.pulse(SPI)] == [True, False]
    assert gic.acknowledge(0) == SPI
    assert not gic.is_pending(SPI)
    assert [gic.pulse(SPI), gic.pulse(SPI), gic.pulse(SPI)] == [True, False, False]
    gic.end_of_interrupt(0, SPI)
    assert gic.acknowledge(0) == SPI
    gic.end_of_interrupt(0, SPI)
    assert gic.acknowledge(0) == SPURIOUS


def test_priority_goes_before_intid_and_intid_decides_a_tie(gic: Model) -> None:
    gic.set_priority(SPI + 2, 0x80)
    for intid in [SPI + 2, SPI + 1, SPI]:
        gic.pulse(intid)
    order = []
    for _ in range(3):
        assert gic.highest_pending(0) == gic.highest_pending(0)
        forecast = gic.highest_pending(0)
        order.append(gic.acknowledge(0))
        assert order[-1] == forecast
        gic.end_of_interrupt(0, order[-1])
    assert order == [SPI + 2, SPI, SPI + 1]


def test_priority_must_be_lower_than_the_mask(gic: Model) -> None:
    gic.set_pmr(0, LINUX_PRIORITY)
    gic.pulse(SPI)
    assert list(gic.irq) == [False, False]
    gic.set_pmr(0, LINUX_PRIORITY + 8)
    assert list(gic.irq) == [True, False]


def test_lowest_priority_is_never_delivered(gic: Model) -> None:
    gic.set_pmr(0, 0xFF)
    gic.set_priority(SPI, 0xFF)
    assert gic.priority(SPI) == 0xF8
    gic.pulse(SPI)
    assert gic.acknowledge(0) == SPURIOUS


def test_only_a_higher_group_priority_preempts_and_eois_unwind(gic: Model) -> None:
    gic.pulse(SPI)
    gic.acknowledge(0)
    gic.pulse(SPI + 1)
    assert list(gic.irq) == [False, False]
    gic.set_priority(SPI + 1, 0x98)
    assert list(gic.irq) == [True, False]
    gic.set_bpr(0, 7)
    assert list(gic.irq) == [False, False]
    gic.set_bpr(0, 0)
    assert gic.acknowledge(0) == SPI + 1
    assert gic.running_priority(0) == 0x98
    gic.end_of_interrupt(0, SPI + 1)
    assert gic.running_priority(0) == LINUX_PRIORITY
    gic.end_of_interrupt(0, SPI)
    assert gic.running_priority(0) == 0xFF


def test_running_priority_is_without_the_subpriority(gic: Model, version: int) -> None:
    gic.set_bpr(0, 4)
    gic.set_priority(SPI, 0xB8)
    gic.pulse(SPI)
    gic.acknowledge(0)
    assert gic.running_priority(0) == (0xA0 if version == 2 else 0xB0)


def test_binary_point_always_leaves_a_bit_of_subpriority(model: type[Model], version: int) -> None:
    """With all eight bits of priority: at most 128 levels of preemption."""
    gic = model(version, 1, 32, 8)
    gic.set_distributor_enabled(True)
    gic.set_group_enabled(0, True)
    gic.set_pmr(0, 0xFF)
    gic.set_group(PPI, 1)
    gic.set_priority(PPI, 0xA1)
    gic.set_enabled(PPI, True)
    gic.set_pending(PPI)
    assert gic.acknowledge(0) == PPI
    assert gic.running_priority(0) == 0xA0


def test_binary_point_cuts_the_running_priority_too(gic: Model) -> None:
    """What was acknowledged with a finer binary point is compared with the one of now."""
    gic.set_priority(SPI, 0xB0)
    gic.set_priority(SPI + 1, 0xA0)
    gic.pulse(SPI)
    assert gic.acknowledge(0) == SPI
    gic.pulse(SPI + 1)
    assert list(gic.irq) == [True, False]
    gic.set_bpr(0, 5)
    assert list(gic.irq) == [False, False]


def test_eoi_mode_1_drops_the_priority_and_dir_deactivates_in_any_order(gic: Model) -> None:
    gic.set_eoi_mode(0, 1)
    for intid in [SPI, SPI + 1]:
        gic.pulse(intid)
        assert gic.acknowledge(0) == intid
        gic.end_of_interrupt(0, intid)
        assert gic.running_priority(0) == 0xFF
        assert gic.is_active(intid)
    gic.pulse(SPI)
    assert list(gic.irq) == [False, False]
    gic.deactivate(0, SPI)
    assert list(gic.irq) == [True, False]
    gic.deactivate(0, SPI + 1)
    assert not gic.is_active(SPI + 1)


def test_isactiver_suppresses_and_icactiver_releases(gic: Model) -> None:
    gic.pulse(SPI)
    gic.set_active(SPI)
    assert gic.acknowledge(0) == SPURIOUS
    gic.clear_active(SPI)
    assert gic.acknowledge(0) == SPI


def test_one_of_n_is_acknowledged_once(gic: Model, version: int) -> None:
    if version == 2:
        gic.set_targets(SPI, 0b11)
    else:
        gic.set_route(SPI, None)
    gic.pulse(SPI)
    assert list(gic.irq) == [True, True]
    assert gic.acknowledge(1) == SPI
    assert list(gic.irq) == [False, False]
    assert gic.acknowledge(0) == SPURIOUS


def test_pending_spi_moves_and_active_one_does_not(gic: Model, version: int) -> None:
    gic.pulse(SPI)
    send_to(gic, version, SPI, 1)
    assert list(gic.irq) == [False, True]
    assert gic.acknowledge(1) == SPI
    send_to(gic, version, SPI, 0)
    assert gic.running_priority(1) == LINUX_PRIORITY
    assert list(gic.irq) == [False, False]


def test_ppis_are_banked(gic: Model) -> None:
    gic.set_line(PPI, True, 1)
    assert list(gic.irq) == [False, True]
    assert not gic.is_pending(PPI, 0)


def test_disabled_group_or_distributor_keeps_what_is_pending(gic: Model) -> None:
    gic.set_group_enabled(0, False)
    gic.pulse(SPI)
    assert gic.acknowledge(0) == SPURIOUS
    gic.set_distributor_enabled(False)
    gic.set_group_enabled(0, True)
    assert gic.acknowledge(0) == SPURIOUS
    assert gic.is_pending(SPI)
    gic.set_distributor_enabled(True)
    assert gic.acknowledge(0) == SPI


def test_sgi_of_two_sources_comes_twice_in_a_gicv2_and_once_in_a_gicv3(
    gic: Model, version: int
) -> None:
    for source in [1, 0, 1]:
        gic.send_sgi(source, SGI, 0b01)
    taken = []
    while (iar := gic.acknowledge(0)) != SPURIOUS:
        taken.append(iar)
        gic.end_of_interrupt(0, iar)
    assert taken == ([SGI, SGI | 1 << 10] if version == 2 else [SGI])


def test_in_a_gicv2_with_one_pe_every_spi_goes_there(model: type[Model]) -> None:
    """ITARGETSR is RAZ/WI in a uniprocessor implementation."""
    gic = model(2, 1, 32)
    gic.set_distributor_enabled(True)
    gic.set_group_enabled(0, True)
    gic.set_pmr(0, 0xF0)
    gic.set_targets(SPI, 0)
    gic.set_group(SPI, 1)
    gic.set_enabled(SPI, True)
    gic.set_pending(SPI)
    assert gic.acknowledge(0) == SPI
