"""What the GIC architecture says about one interrupt controller, statement by statement.

The numbers are those of the conformance list that this project was built from.  The laws
hold for GICv2 and GICv3 alike where the `gic` fixture is used.
"""

from __future__ import annotations

import pytest

from irqsim.hw.gic import Gic
from irqsim.hw.intid import SPURIOUS

NR_PES = 3
SGI, PPI, SPI, OTHER = 3, 27, 40, 33
DEFAULT_PRIORITY = 0xA0
IDLE = 0xFF


def make_gic(version: int, nr_pes: int = NR_PES, priority_bits: int = 5) -> Gic:
    """Return a GIC as Linux programs it, every interrupt enabled and routed to PE 0."""
    gic = Gic(version, nr_pes, 32, priority_bits)
    gic.set_distributor_enabled(True)
    for pe in range(nr_pes):
        gic.set_group_enabled(pe, True)
        gic.set_pmr(pe, 0xF0)
        for intid in range(32):
            configure(gic, intid, pe)
    for intid in range(32, gic.nr_intids):
        configure(gic, intid, 0)
        route(gic, intid, 0)
    return gic


def configure(gic: Gic, intid: int, pe: int) -> None:
    gic.set_group(intid, 1, pe)
    gic.set_priority(intid, DEFAULT_PRIORITY, pe)
    gic.set_enabled(intid, True, pe)


def route(gic: Gic, intid: int, pe: int) -> None:
    """Route an SPI to one PE, in the way of this version."""
    if gic.version == 2:
        gic.set_targets(intid, 1 << pe)
    else:
        gic.set_route(intid, pe)


def serve(gic: Gic, pe: int = 0) -> list[int]:
    """Take and end interrupts until there is none; return them in their order."""
    taken = []
    while (iar := gic.acknowledge(pe)) != SPURIOUS:
        taken.append(iar)
        gic.end_of_interrupt(pe, iar)
    return taken


def signalled_are(gic: Gic, *pes: int) -> bool:
    """Tell whether these PEs are signalled and no others."""
    return [pe for pe in range(gic.nr_pes) if gic.irq[pe]] == list(pes)


@pytest.fixture(params=[2, 3], ids=["gicv2", "gicv3"])
def gic(request: pytest.FixtureRequest) -> Gic:
    return make_gic(request.param)


# Reset.


@pytest.mark.parametrize("version", [2, 3])
def test_after_reset_nothing_is_forwarded_and_everything_latches(version: int) -> None:
    """After reset interrupts are disabled, masked (PMR 0) and latch nevertheless."""
    gic = Gic(version, 2, 32)
    gic.set_line(SPI, True)
    gic.set_pending(OTHER)
    assert gic.is_pending(SPI)
    assert gic.is_pending(OTHER)
    assert gic.irq == [False, False]
    assert gic.acknowledge(0) == SPURIOUS
    assert not gic.is_enabled(SPI)
    assert gic.priority(SPI) == 0
    assert gic.pmr(0) == 0
    assert gic.is_edge(SGI)
    assert not gic.is_edge(PPI)
    assert not gic.is_edge(SPI)


def test_bits_of_a_priority_that_are_not_implemented_read_as_zero() -> None:
    """6-8, 11. Unimplemented low bits of a priority are RAZ/WI, the others are kept."""
    for bits in range(4, 9):
        gic = make_gic(3, priority_bits=bits)
        mask = 0xFF & (-1 << (8 - bits))
        for value in (0xFF, 0x7F, 0xBF, 0x3F, 0x00):
            gic.set_priority(SPI, value)
            assert gic.priority(SPI) == value & mask


def test_sgis_are_always_edge_triggered(gic: Gic) -> None:
    """The trigger of an SGI is read-only."""
    gic.set_edge(SGI, False, 0)
    assert gic.is_edge(SGI, 0)


# SGIs.


def test_sgi_to_itself_arrives_once_and_nowhere_else(gic: Gic) -> None:
    """16, 19. A self-IPI arrives exactly once; GICv2 names its sender, GICv3 does not."""
    gic.send_sgi(1, SGI, 1 << 1)
    assert signalled_are(gic, 1)
    assert serve(gic, 1) == [SGI | (1 << 10 if gic.version == 2 else 0)]
    assert serve(gic, 0) == []


def test_sgi_to_a_list_arrives_once_at_each(gic: Gic) -> None:
    """17, 18. An SGI to several PEs arrives once at each of them, and at no other."""
    gic.send_sgi(0, SGI, 0b110)
    assert signalled_are(gic, 1, 2)
    assert [serve(gic, pe) for pe in range(NR_PES)] == [[], [SGI], [SGI]]


def test_gicv2_delivers_an_sgi_once_for_each_sender() -> None:
    """42. GICv2: the same SGI from two sources is two acknowledges, lowest source first."""
    gic = make_gic(2)
    gic.send_sgi(2, SGI, 1)
    gic.send_sgi(1, SGI, 1)
    gic.send_sgi(1, SGI, 1)
    assert gic.highest_pending(0) == SGI | 1 << 10
    assert serve(gic) == [SGI | 1 << 10, SGI | 2 << 10]


def test_gicv3_merges_senders_of_an_sgi() -> None:
    """42. GICv3: the same SGI from two sources before the acknowledge is one."""
    gic = make_gic(3)
    gic.send_sgi(2, SGI, 1)
    gic.send_sgi(1, SGI, 1)
    assert serve(gic) == [SGI]


def test_gicv2_ends_an_sgi_only_with_its_sender() -> None:
    """GICv2: EOIR takes the value that IAR returned, the sender with it."""
    gic = make_gic(2)
    gic.send_sgi(1, SGI, 1)
    iar = gic.acknowledge(0)
    gic.end_of_interrupt(0, SGI)
    assert gic.is_active(SGI, 0)
    gic.end_of_interrupt(0, iar)
    assert not gic.is_active(SGI, 0)


def test_gicv2_pending_sgis_are_set_by_source_only() -> None:
    """GICv2: ISPENDR of an SGI is read-only; SPENDSGIR and CPENDSGIR name the source."""
    gic = make_gic(2)
    gic.set_pending(SGI, 0)
    assert not gic.is_pending(SGI, 0)
    gic.set_sgi_pending(SGI, 0b110, 0)
    gic.clear_pending(SGI, 0)
    assert gic.is_pending(SGI, 0)
    gic.clear_sgi_pending(SGI, 0b010, 0)
    assert serve(gic) == [SGI | 2 << 10]


# Pending.


def test_nothing_pending_reads_1023_and_changes_nothing(gic: Gic) -> None:
    """20. IAR with nothing pending returns 1023 and needs no end."""
    assert gic.acknowledge(0) == SPURIOUS
    assert gic.running_priority(0) == IDLE
    gic.end_of_interrupt(0, SPURIOUS)
    gic.set_line(SPI, True)
    assert gic.acknowledge(0) == SPI


def test_deactivating_in_the_distributor_keeps_the_running_priority(gic: Gic) -> None:
    """21. ICACTIVER makes an interrupt inactive; only EOIR restores the running priority."""
    gic.send_sgi(0, SGI, 1)
    iar = gic.acknowledge(0)
    gic.clear_active(SGI, 0)
    assert not gic.is_active(SGI, 0)
    gic.send_sgi(0, SGI, 1)
    assert gic.running_priority(0) == DEFAULT_PRIORITY
    assert gic.acknowledge(0) == SPURIOUS
    gic.end_of_interrupt(0, iar)
    assert gic.running_priority(0) == IDLE
    assert gic.acknowledge(0) == SGI


def test_a_disabled_interrupt_becomes_pending_and_waits(gic: Gic) -> None:
    """22. Pending while disabled: ISPENDR reads 1, IAR 1023; enabling delivers at once."""
    gic.set_enabled(SPI, False)
    gic.set_pending(SPI)
    assert gic.is_pending(SPI)
    assert gic.acknowledge(0) == SPURIOUS
    gic.set_enabled(SPI, True)
    assert signalled_are(gic, 0)
    assert gic.changed == [0]
    assert gic.acknowledge(0) == SPI


def test_what_is_cleared_before_it_is_enabled_is_never_delivered(gic: Gic) -> None:
    """23. ICPENDR before the enable takes the interrupt back."""
    gic.set_enabled(SPI, False)
    gic.set_pending(SPI)
    gic.clear_pending(SPI)
    gic.set_enabled(SPI, True)
    assert gic.acknowledge(0) == SPURIOUS


def test_a_level_that_falls_before_the_acknowledge_is_spurious(gic: Gic) -> None:
    """24. A level line deasserted before the acknowledge is not delivered: 1023."""
    gic.set_line(SPI, True)
    gic.set_line(SPI, False)
    assert gic.changed == [0]
    assert signalled_are(gic)
    assert gic.acknowledge(0) == SPURIOUS


def test_clearing_the_latch_does_not_lower_a_level_line(gic: Gic) -> None:
    """ICPENDR clears what software set; a high level line stays pending."""
    gic.set_line(SPI, True)
    gic.clear_pending(SPI)
    assert gic.is_pending(SPI)


def test_software_pending_of_a_level_interrupt_is_taken_once(gic: Gic) -> None:
    """The acknowledge clears the software pending state of a level interrupt."""
    gic.set_pending(SPI)
    assert serve(gic) == [SPI]


@pytest.mark.parametrize("is_high_at_the_end", [True, False])
def test_a_level_is_delivered_again_if_high_at_the_end(gic: Gic, is_high_at_the_end: bool) -> None:
    """25. A level still asserted at EOI is delivered again; deasserted before, it is not."""
    gic.set_line(SPI, True)
    iar = gic.acknowledge(0)
    assert gic.is_pending(SPI)
    assert gic.is_active(SPI)
    gic.set_line(SPI, is_high_at_the_end)
    assert signalled_are(gic)
    gic.end_of_interrupt(0, iar)
    assert gic.irq == [is_high_at_the_end, False, False]


def test_edges_before_the_acknowledge_merge(gic: Gic) -> None:
    """26. Two edges before the acknowledge are one delivery."""
    gic.set_edge(SPI, True)
    assert [gic.pulse(SPI), gic.pulse(SPI), gic.pulse(SPI)] == [True, False, False]
    assert serve(gic) == [SPI]


def test_edges_while_active_are_one_more_delivery(gic: Gic) -> None:
    """26. Edges while active: exactly one more after deactivation, however many."""
    gic.set_edge(SPI, True)
    gic.pulse(SPI)
    iar = gic.acknowledge(0)
    assert [gic.pulse(SPI), gic.pulse(SPI)] == [True, False]
    assert signalled_are(gic)
    gic.end_of_interrupt(0, iar)
    assert serve(gic) == [SPI]


def test_only_the_rising_edge_of_a_wire_is_an_edge(gic: Gic) -> None:
    """A level that stays is no edge, and neither is a falling one."""
    gic.set_edge(SPI, True)
    assert gic.set_line(SPI, True)
    assert serve(gic) == [SPI]
    assert gic.set_line(SPI, True)
    assert gic.set_line(SPI, False)
    assert signalled_are(gic)
    assert gic.set_line(SPI, True)
    assert serve(gic) == [SPI]


def test_a_pulse_on_a_level_line_is_not_noticed(gic: Gic) -> None:
    """A level interrupt whose line is low again is not pending."""
    assert gic.pulse(SPI)
    assert not gic.is_pending(SPI)
    assert gic.changed == []


# Priority.


def test_the_more_urgent_priority_goes_first(gic: Gic) -> None:
    """27. Of two pending interrupts the lower priority value goes first, whatever its INTID."""
    gic.set_priority(SPI, 0x80)
    gic.set_pending(OTHER)
    gic.set_pending(SPI)
    gic.set_pending(PPI, 0)
    assert serve(gic) == [SPI, PPI, OTHER]


def test_equal_priorities_go_by_intid(gic: Gic) -> None:
    """28. Of equal priorities the lowest INTID goes first."""
    for intid in (SPI, PPI, OTHER, 16):
        gic.set_pending(intid)
    assert serve(gic) == [16, PPI, OTHER, SPI]


def test_a_priority_equal_to_the_mask_is_not_delivered(gic: Gic) -> None:
    """29. Priority == PMR is masked; priority < PMR is delivered."""
    gic.set_pmr(0, DEFAULT_PRIORITY)
    gic.set_line(SPI, True)
    assert gic.acknowledge(0) == SPURIOUS
    gic.set_priority(SPI, DEFAULT_PRIORITY - 8)
    assert gic.acknowledge(0) == SPI


def test_raising_the_mask_delivers_what_is_pending(gic: Gic) -> None:
    """30. A higher PMR delivers what is pending without a new trigger."""
    gic.set_pmr(0, 0)
    gic.set_line(SPI, True)
    assert signalled_are(gic)
    gic.set_pmr(0, 0xF0)
    assert signalled_are(gic, 0)
    assert gic.acknowledge(0) == SPI


def test_only_a_more_urgent_group_preempts(gic: Gic) -> None:
    """31. The same group priority does not preempt, a lower one does; BPR is the boundary."""
    gic.set_line(SPI, True)
    gic.acknowledge(0)
    gic.set_line(OTHER, True)
    assert signalled_are(gic)
    gic.set_priority(OTHER, 0x98)
    assert signalled_are(gic, 0)
    gic.set_bpr(0, 5 if gic.version == 2 else 6)
    assert signalled_are(gic)
    gic.set_priority(OTHER, 0x78)
    assert gic.acknowledge(0) == OTHER


def test_subpriority_orders_but_does_not_preempt(gic: Gic) -> None:
    """31. Among pending interrupts the full priority decides, within a group as well."""
    gic.set_bpr(0, 7)
    gic.set_priority(SPI, 0x90)
    gic.set_pending(OTHER)
    gic.set_pending(SPI)
    assert serve(gic) == [SPI, OTHER]


def test_the_running_priority_returns_in_reverse_order(gic: Gic) -> None:
    """32. RPR is 0xff when idle, the group priority while handling; ends restore it LIFO."""
    gic.set_priority(OTHER, 0x40)
    gic.set_line(SPI, True)
    assert gic.running_priority(0) == IDLE
    gic.acknowledge(0)
    assert gic.running_priority(0) == 0xA0
    gic.set_line(OTHER, True)
    gic.acknowledge(0)
    assert gic.running_priority(0) == 0x40
    gic.end_of_interrupt(0, OTHER)
    assert gic.running_priority(0) == 0xA0
    gic.end_of_interrupt(0, SPI)
    assert gic.running_priority(0) == IDLE


def test_ends_out_of_order_are_ignored(gic: Gic) -> None:
    """An EOIR that is not the newest acknowledge is UNPREDICTABLE; here it does nothing."""
    gic.set_priority(OTHER, 0x40)
    gic.set_pending(SPI)
    gic.acknowledge(0)
    gic.set_pending(OTHER)
    gic.acknowledge(0)
    gic.end_of_interrupt(0, SPI)
    gic.end_of_interrupt(0, 50)
    gic.end_of_interrupt(1, OTHER)
    assert gic.running_priority(0) == 0x40
    assert gic.is_active(SPI)
    assert gic.is_active(OTHER)


# The two modes of ending.


def test_eoi_mode_1_leaves_it_active_until_deactivated(gic: Gic) -> None:
    """33. EOImode 1: EOIR drops the priority, the SPI stays active and quiet until DIR."""
    gic.set_eoi_mode(0, 1)
    gic.set_line(SPI, True)
    iar = gic.acknowledge(0)
    gic.end_of_interrupt(0, iar)
    assert gic.running_priority(0) == IDLE
    assert gic.is_active(SPI)
    assert gic.acknowledge(0) == SPURIOUS
    gic.deactivate(0, iar)
    assert not gic.is_active(SPI)
    assert gic.acknowledge(0) == SPI


def test_eoi_mode_0_deactivates_with_the_end(gic: Gic) -> None:
    """34. EOImode 0: EOIR alone clears the active state."""
    gic.set_pending(SPI)
    gic.end_of_interrupt(0, gic.acknowledge(0))
    assert not gic.is_active(SPI)


def test_deactivation_may_come_in_any_order(gic: Gic) -> None:
    """35. DIRs need not follow the order of the acknowledges."""
    gic.set_eoi_mode(0, 1)
    for intid in (OTHER, SPI):
        gic.set_pending(intid)
        gic.end_of_interrupt(0, gic.acknowledge(0))
    gic.deactivate(0, OTHER)
    assert [gic.is_active(OTHER), gic.is_active(SPI)] == [False, True]
    gic.deactivate(0, SPI)
    assert not gic.is_active(SPI)


def test_deactivation_in_eoi_mode_0_is_ignored(gic: Gic) -> None:
    """35. DIR in EOImode 0 is UNPREDICTABLE; here it does nothing."""
    gic.set_pending(SPI)
    iar = gic.acknowledge(0)
    gic.deactivate(0, iar)
    assert gic.is_active(SPI)
    assert gic.running_priority(0) == DEFAULT_PRIORITY


def test_active_interrupt_is_never_signalled(gic: Gic) -> None:
    """36. ISACTIVER on a pending interrupt suppresses it, ICACTIVER releases it."""
    gic.set_line(SPI, True)
    gic.set_active(SPI)
    assert signalled_are(gic)
    assert gic.acknowledge(0) == SPURIOUS
    gic.clear_active(SPI)
    assert signalled_are(gic, 0)
    assert gic.acknowledge(0) == SPI


# Targets.


def test_an_spi_to_any_pe_is_taken_by_one(gic: Gic) -> None:
    """37. 1-of-N: exactly one IAR returns it, the other reads 1023 or the next one."""
    if gic.version == 2:
        gic.set_targets(SPI, 0b11)
        pes = [0, 1]
    else:
        gic.set_route(SPI, None)
        pes = [0, 1, 2]
    gic.set_line(SPI, True)
    assert signalled_are(gic, *pes)
    assert gic.acknowledge(1) == SPI
    assert signalled_are(gic)
    assert gic.acknowledge(0) == SPURIOUS
    gic.changed.clear()
    gic.end_of_interrupt(1, SPI)
    assert sorted(gic.changed) == pes


def test_a_pending_spi_moves_with_its_target(gic: Gic) -> None:
    """38. Retargeting a pending SPI moves it to the new PE."""
    gic.set_edge(SPI, True)
    gic.pulse(SPI)
    route(gic, SPI, 2)
    assert signalled_are(gic, 2)
    assert gic.changed == [0, 2]
    assert gic.acknowledge(0) == SPURIOUS
    assert gic.acknowledge(2) == SPI


def test_an_active_spi_stays_where_it_was_acknowledged(gic: Gic) -> None:
    """38. Retargeting an active SPI does not move it; its next instance goes to the new PE."""
    gic.set_line(SPI, True)
    iar = gic.acknowledge(0)
    route(gic, SPI, 2)
    assert signalled_are(gic)
    assert gic.running_priority(0) == DEFAULT_PRIORITY
    gic.end_of_interrupt(2, iar)
    assert gic.is_active(SPI)
    gic.end_of_interrupt(0, iar)
    assert signalled_are(gic, 2)


def test_ppis_are_banked() -> None:
    """39. Raising a PPI of PE 1 never changes PE 0."""
    gic = make_gic(3)
    gic.set_line(PPI, True, 1)
    gic.set_priority(PPI, 0x20, 1)
    assert signalled_are(gic, 1)
    assert not gic.is_pending(PPI, 0)
    assert gic.priority(PPI, 0) == DEFAULT_PRIORITY
    assert gic.acknowledge(0) == SPURIOUS
    assert gic.acknowledge(1) == PPI


def test_gicv2_targets_of_absent_pes_and_private_interrupts_are_ignored() -> None:
    """13. ITARGETSR: bits of PEs that do not exist and bytes 0-31 are read-only."""
    gic = make_gic(2)
    gic.set_targets(SPI, 0xFF)
    assert gic.targets(SPI) == 0b111
    gic.set_targets(PPI, 0)
    gic.set_line(PPI, True, 1)
    assert signalled_are(gic, 1)


def test_gicv2_with_one_pe_has_no_targets() -> None:
    """ITARGETSR of a uniprocessor is RAZ/WI: everything goes to the only PE."""
    gic = make_gic(2, nr_pes=1)
    gic.set_targets(SPI, 0)
    gic.set_line(SPI, True)
    assert gic.acknowledge(0) == SPI


# Enables.


def test_a_disabled_group_keeps_pending_and_delivers_nothing(gic: Gic) -> None:
    """40. With the PE's group disabled the state is kept, and IAR returns 1023."""
    gic.set_group_enabled(0, False)
    gic.set_line(SPI, True)
    assert gic.is_pending(SPI)
    assert gic.acknowledge(0) == SPURIOUS
    gic.set_group_enabled(0, True)
    assert gic.changed == [0]
    assert gic.acknowledge(0) == SPI


def test_gicv3_does_not_see_group_0() -> None:
    """40. An interrupt of Group 0 is not signalled as IRQ, and is pending all the same."""
    gic = make_gic(3)
    gic.set_group(SPI, 0)
    gic.set_line(SPI, True)
    assert gic.is_pending(SPI)
    assert gic.acknowledge(0) == SPURIOUS
    gic.set_group(SPI, 1)
    assert gic.acknowledge(0) == SPI


def test_reading_the_highest_pending_changes_nothing(gic: Gic) -> None:
    """41. HPPIR equals the following IAR and has no side effect."""
    assert gic.highest_pending(0) == SPURIOUS
    gic.set_pending(SPI)
    gic.send_sgi(1, SGI, 1)
    seen = gic.highest_pending(0)
    assert gic.highest_pending(0) == seen
    assert gic.acknowledge(0) == seen
    assert gic.highest_pending(0) == SPURIOUS


@pytest.mark.parametrize("priority_bits", [4, 5, 8])
@pytest.mark.parametrize("version", [2, 3])
def test_the_lowest_priority_is_never_delivered(version: int, priority_bits: int) -> None:
    """48. A priority of 0xff is masked by every PMR."""
    gic = make_gic(version, priority_bits=priority_bits)
    gic.set_pmr(0, 0xFF)
    gic.set_priority(SPI, 0xFF)
    gic.set_line(SPI, True)
    assert gic.acknowledge(0) == SPURIOUS


def test_the_signal_falls_with_the_last_candidate(gic: Gic) -> None:
    """49. The IRQ signal of a PE is deasserted when its last candidate disappears."""
    gic.set_line(SPI, True)
    gic.set_line(OTHER, True)
    gic.set_line(SPI, False)
    assert signalled_are(gic, 0)
    gic.set_enabled(OTHER, False)
    assert signalled_are(gic)
    assert gic.changed == [0]


def test_a_disabled_distributor_forwards_nothing_and_latches(gic: Gic) -> None:
    """50. With the distributor disabled nothing is forwarded, and states still latch."""
    gic.set_distributor_enabled(False)
    gic.set_edge(SPI, True)
    gic.pulse(SPI)
    gic.send_sgi(0, SGI, 0b10)
    assert signalled_are(gic)
    assert gic.is_pending(SPI)
    gic.set_distributor_enabled(True)
    assert signalled_are(gic, 0, 1)
    assert gic.changed == [0, 1]


# Wrong use.


def test_what_does_not_exist_is_refused() -> None:
    """A number outside the machine is the caller's mistake."""
    gic = make_gic(3)
    for wrong in (64, 1020, SPURIOUS, -1):
        with pytest.raises(AssertionError):
            gic.set_pending(wrong)
        with pytest.raises(AssertionError):
            gic.set_line(wrong, True)
    with pytest.raises(AssertionError):
        gic.set_line(SGI, True)
    with pytest.raises(AssertionError):
        gic.set_targets(SPI, 1)
    with pytest.raises(AssertionError):
        Gic(2, 9, 32)
