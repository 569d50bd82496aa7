"""The GIC architecture's fifty statements, a test for each, through the registers.

The statements of the first part are those that the GIC tests of kvm-unit-tests check of a
machine, the others are the architecture's (IHI 0048, IHI 0069).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from irqsim.hw.intid import SPURIOUS
from irqsim.hw.its import Its, write_configuration
from irqsim.hw.mmio import GICC_BASE, redistributor_base
from tests.gic_registers import (
    CPENDSGIR,
    IPRIORITYR,
    IROUTER,
    ISPENDR,
    ITARGETSR,
    SGIR,
    SPENDSGIR,
    RegisterGic,
)

NR_PES = 4
NR_SPIS = 64
LAST_INTID = 32 + NR_SPIS - 1
SGI, PPI, SPI, OTHER = 3, 27, 40, 33
PRIORITY = 0xA0
IDLE = 0xFF
LPI = 8192
PROBES = (0xFFFF_FFFF, 0xA5A5_5A5A, 0)

Set = Callable[[RegisterGic], None]


def make_gic(version: int, nr_pes: int = NR_PES, priority_bits: int = 5) -> RegisterGic:
    """A GIC as Linux leaves it, but with every interrupt enabled and sent to PE 0."""
    gic = RegisterGic(version, nr_pes, NR_SPIS, priority_bits)
    gic.set_distributor_enabled(True)
    for pe in range(nr_pes):
        gic.set_group_enabled(pe, True)
        gic.set_pmr(pe, 0xF0)
        for intid in range(32):
            set_up(gic, intid, pe)
    for intid in range(32, gic.nr_intids):
        set_up(gic, intid, 0)
        send_to(gic, intid, 0)
    return gic


def set_up(gic: RegisterGic, intid: int, pe: int) -> None:
    gic.set_group(intid, 1, pe)
    gic.set_priority(intid, PRIORITY, pe)
    gic.set_enabled(intid, True, pe)


def send_to(gic: RegisterGic, intid: int, pe: int) -> None:
    if gic.version == 2:
        gic.set_targets(intid, 1 << pe)
    else:
        gic.set_route(intid, pe)


def serve(gic: RegisterGic, pe: int = 0) -> list[int]:
    """Take and end what there is; the IARs in their order."""
    taken = []
    while (iar := gic.acknowledge(pe)) != SPURIOUS:
        taken.append(iar)
        gic.end_of_interrupt(pe, iar)
    return taken


def serve_everywhere(gic: RegisterGic) -> list[list[int]]:
    return [serve(gic, pe) for pe in range(gic.nr_pes)]


def keeps_its_value(gic: RegisterGic, address: int) -> bool:
    """Whether nothing that is written changes a register."""
    before = gic.mmio.read(0, address)
    for probe in PROBES:
        gic.mmio.write(0, address, probe)
        if gic.mmio.read(0, address) != before:
            return False
    return True


@pytest.fixture(params=[2, 3], ids=["gicv2", "gicv3"])
def gic(request: pytest.FixtureRequest) -> RegisterGic:
    return make_gic(request.param)


@pytest.fixture
def v2() -> RegisterGic:
    return make_gic(2)


@pytest.fixture
def v3() -> RegisterGic:
    return make_gic(3)


# --- The registers themselves -----------------------------------------------------------------


def test_01_typer_is_read_only(gic: RegisterGic) -> None:
    """1. GICD_TYPER keeps its value whatever is written."""
    assert gic.gicd(0x004) != 0
    assert keeps_its_value(gic, gic.frame(32, 0) + 0x004)


def test_02_iidr_is_read_only(gic: RegisterGic) -> None:
    """2. GICD_IIDR keeps its value, and it is Arm's."""
    assert gic.gicd(0x008) & 0xFFF == 0x43B
    assert keeps_its_value(gic, gic.frame(32, 0) + 0x008)


def test_03_pidr2_is_read_only_and_names_the_architecture(gic: RegisterGic) -> None:
    """3. PIDR2 keeps its value; its ArchRev is 2 or 3."""
    frames = [gic.frame(32, 0) + (0xFE8 if gic.version == 2 else 0xFFE8)]
    if gic.version == 3:
        frames += [redistributor_base(pe) + 0xFFE8 for pe in range(NR_PES)]
    for address in frames:
        assert gic.mmio.read(0, address) >> 4 & 0xF == gic.version
        assert keeps_its_value(gic, address)


@pytest.mark.parametrize("nr_pes", [1, 2, 8])
def test_04_typer_counts_the_cpus_of_a_gicv2(nr_pes: int) -> None:
    """4. GICv2: GICD_TYPER[7:5] + 1 is the number of CPUs."""
    assert (RegisterGic(2, nr_pes, NR_SPIS).gicd(0x004) >> 5 & 7) + 1 == nr_pes


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("nr_spis", [0, 32, 224, 988])
def test_05_typer_counts_the_intids(version: int, nr_spis: int) -> None:
    """5. 32 * (GICD_TYPER[4:0] + 1) INTIDs are implemented; 1020 of them at most."""
    gic = RegisterGic(version, 1, nr_spis)
    assert min(32 * ((gic.gicd(0x004) & 0x1F) + 1), 1020) == 32 + nr_spis


@pytest.mark.parametrize("bits", [4, 5, 6, 7, 8])
def test_06_the_bits_of_a_priority_are_the_same_in_every_byte(bits: int) -> None:
    """6. Of IPRIORITYR with all ones written, the four bytes are the same."""
    for version in (2, 3):
        gic = RegisterGic(version, NR_PES, NR_SPIS, bits)
        gic.set_gicd(IPRIORITYR + 40, 0xFFFF_FFFF)
        mask = 0xFF & -1 << 8 - bits
        assert gic.gicd(IPRIORITYR + 40) == mask * 0x0101_0101


def test_07_a_priority_has_four_bits_at_least(gic: RegisterGic) -> None:
    """7. At least sixteen priorities are implemented."""
    gic.set_priority(SPI, 0xFF)
    assert gic.priority(SPI) & 0xF0 == 0xF0
    with pytest.raises(AssertionError):
        RegisterGic(gic.version, 1, 32, 3)


def test_08_a_priority_of_zero_reads_back(gic: RegisterGic) -> None:
    """8. IPRIORITYR with zeroes written reads as zero."""
    gic.set_gicd(IPRIORITYR + 40, 0)
    assert gic.gicd(IPRIORITYR + 40) == 0


def test_09_priorities_beyond_the_last_intid_are_raz_wi(gic: RegisterGic) -> None:
    """9. IPRIORITYR of INTIDs that do not exist reads as zero and ignores writes."""
    for offset in (LAST_INTID + 1, 1016):
        gic.set_gicd(IPRIORITYR + offset, 0xFFFF_FFFF)
        assert gic.gicd(IPRIORITYR + offset) == 0


def test_10_the_last_word_of_priorities_can_be_written(gic: RegisterGic) -> None:
    """10. The last implemented SPIs have priorities."""
    offset = IPRIORITYR + LAST_INTID - 3
    gic.set_gicd(offset, 0xFFFF_FFFF)
    assert gic.gicd(offset) == 0xF8F8_F8F8


def test_11_a_pattern_of_priorities_is_kept(gic: RegisterGic) -> None:
    """11. 0xff7fbf3f reads back with the implemented bits."""
    gic.set_gicd(IPRIORITYR + 40, 0xFF7F_BF3F)
    assert gic.gicd(IPRIORITYR + 40) == 0xFF7F_BF3F & 0xF8F8_F8F8


def test_12_priorities_can_be_read_and_written_by_the_byte(gic: RegisterGic) -> None:
    """12. A byte at offset 1 is bits 15:8; a byte written at offset 2 merges."""
    gic.set_gicd(IPRIORITYR + 40, 0xFF7F_BF3F)
    assert gic.gicd(IPRIORITYR + 41, 8) == 0xB8
    gic.set_gicd(IPRIORITYR + 42, 0x1F, 8)
    assert gic.gicd(IPRIORITYR + 40) == 0xF818_B838


def test_13_targets_that_do_not_exist_are_raz_wi(v2: RegisterGic) -> None:
    """13. ITARGETSR: bits of CPUs that are not there read as zero."""
    v2.set_gicd(ITARGETSR + 40, 0xFFFF_FFFF)
    assert v2.gicd(ITARGETSR + 40) == 0x0F0F_0F0F


def test_14_targets_beyond_the_last_intid_are_raz_wi(v2: RegisterGic) -> None:
    """14. ITARGETSR of INTIDs that do not exist reads as zero and ignores writes."""
    v2.set_gicd(ITARGETSR + LAST_INTID + 1, 0xFFFF_FFFF)
    assert v2.gicd(ITARGETSR + LAST_INTID + 1) == 0


def test_15_a_pattern_of_targets_is_kept_and_bytes_merge(v2: RegisterGic) -> None:
    """15. 0x0103020f reads back; bytes can be read and written."""
    v2.set_gicd(ITARGETSR + 40, 0x0103_020F)
    assert v2.gicd(ITARGETSR + 40) == 0x0103_020F
    assert v2.gicd(ITARGETSR + 41, 8) == 0x02
    v2.set_gicd(ITARGETSR + 42, 0x04, 8)
    assert v2.gicd(ITARGETSR + 40) == 0x0104_020F


# --- SGIs -------------------------------------------------------------------------------------


def test_16_an_sgi_to_oneself_arrives_once(gic: RegisterGic) -> None:
    """16. SGIR with filter 2, or SGI1R with one's own bit: one interrupt, here and nowhere else."""
    if gic.version == 2:
        gic.set_gicd(SGIR, 2 << 24 | SGI, pe=2)
    else:
        gic.mmio.write_system(2, "ICC_SGI1R_EL1", SGI << 24 | 1 << 2)
    sender = 2 << 10 if gic.version == 2 else 0
    assert serve_everywhere(gic) == [[], [], [SGI | sender], []]


def test_17_an_sgi_to_a_list_arrives_once_at_each(gic: RegisterGic) -> None:
    """17. To every second CPU: exactly one on each, none elsewhere."""
    gic.send_sgi(0, SGI, 0b1010)
    assert serve_everywhere(gic) == [[], [SGI], [], [SGI]]


def test_18_a_broadcast_spares_the_sender(gic: RegisterGic) -> None:
    """18. SGIR with filter 1, or SGI1R with IRM: one on every CPU but the sender."""
    if gic.version == 2:
        gic.set_gicd(SGIR, 1 << 24 | SGI, pe=1)
    else:
        gic.mmio.write_system(1, "ICC_SGI1R_EL1", 1 << 40 | SGI << 24)
    iar = SGI | (1 << 10 if gic.version == 2 else 0)
    assert serve_everywhere(gic) == [[iar], [], [iar], [iar]]


def test_19_iar_names_the_sender_of_an_sgi_and_of_nothing_else(gic: RegisterGic) -> None:
    """19. GICC_IAR.CPUID is the sender, RAZ for other interrupts; GICv3 has no sender."""
    gic.send_sgi(3, SGI, 1)
    assert gic.acknowledge(0) >> 10 == (3 if gic.version == 2 else 0)
    gic.end_of_interrupt(0, SGI | (3 << 10 if gic.version == 2 else 0))
    gic.set_pending(SPI)
    assert gic.acknowledge(0) == SPI


# --- Pending, active, enabled -----------------------------------------------------------------


def test_20_iar_with_nothing_pending_is_1023(gic: RegisterGic) -> None:
    """20. It needs no end, and changes nothing."""
    assert gic.acknowledge(0) == SPURIOUS
    assert gic.running_priority(0) == IDLE
    gic.end_of_interrupt(0, SPURIOUS)
    gic.set_pending(SPI)
    assert serve(gic) == [SPI]


def test_21_icactiver_deactivates_and_leaves_the_running_priority(gic: RegisterGic) -> None:
    """21. Inactive by ICACTIVER, a new instance is taken once the priority is dropped."""
    gic.set_pending(SPI)
    iar = gic.acknowledge(0)
    gic.clear_active(SPI)
    assert not gic.is_active(SPI)
    gic.set_pending(SPI)
    assert (gic.running_priority(0), gic.acknowledge(0)) == (PRIORITY, SPURIOUS)
    gic.end_of_interrupt(0, iar)
    assert gic.acknowledge(0) == SPI


def test_21_an_active_interrupt_is_seen_and_ended_from_another_cpu(v3: RegisterGic) -> None:
    """21. A GICv3 has a PE's private interrupts at an address that all PEs reach."""
    v3.set_line(PPI, True, 1)
    v3.acknowledge(1)
    address = redistributor_base(1) + 0x1_0000
    assert v3.mmio.read(3, address + 0x300) == 1 << PPI
    v3.mmio.write(3, address + 0x380, 1 << PPI)
    assert v3.mmio.read(3, address + 0x300) == 0


def test_22_what_is_disabled_becomes_pending_and_waits(gic: RegisterGic) -> None:
    """22. ISPENDR reads 1 and IAR 1023; enabling delivers at once."""
    gic.set_enabled(SPI, False)
    gic.set_pending(SPI)
    assert gic.is_pending(SPI)
    assert gic.acknowledge(0) == SPURIOUS
    gic.set_enabled(SPI, True)
    assert gic.irq[0]
    assert gic.acknowledge(0) == SPI


def test_23_what_is_cleared_before_it_is_enabled_never_comes(gic: RegisterGic) -> None:
    """23. ICPENDR takes a pending interrupt back."""
    gic.set_enabled(SPI, False)
    gic.set_pending(SPI)
    gic.clear_pending(SPI)
    gic.set_enabled(SPI, True)
    assert not gic.irq[0]
    assert gic.acknowledge(0) == SPURIOUS


def test_24_a_level_that_falls_before_the_acknowledge_is_spurious(gic: RegisterGic) -> None:
    """24. The CPU has vectored already, and reads 1023."""
    gic.set_line(SPI, True)
    assert gic.irq[0]
    gic.set_line(SPI, False)
    assert gic.acknowledge(0) == SPURIOUS


@pytest.mark.parametrize("stays", [True, False])
def test_25_a_level_comes_again_while_it_is_high(gic: RegisterGic, stays: bool) -> None:
    """25. Asserted still at EOI it is delivered again, deasserted before it is not."""
    gic.set_line(SPI, True)
    iar = gic.acknowledge(0)
    gic.set_line(SPI, stays)
    gic.end_of_interrupt(0, iar)
    assert gic.acknowledge(0) == (SPI if stays else SPURIOUS)


def test_26_edges_merge(gic: RegisterGic) -> None:
    """26. Two before the acknowledge are one; any number while active is one more."""
    gic.set_edge(SPI, True)
    gic.pulse(SPI)
    gic.pulse(SPI)
    iar = gic.acknowledge(0)
    for _ in range(3):
        gic.pulse(SPI)
    assert gic.acknowledge(0) == SPURIOUS
    gic.end_of_interrupt(0, iar)
    assert serve(gic) == [SPI]


# --- Priorities -------------------------------------------------------------------------------


def test_27_the_lower_priority_value_goes_first(gic: RegisterGic) -> None:
    """27. Whatever the INTIDs are."""
    gic.set_priority(SPI, 0x80)
    gic.set_pending(OTHER)
    gic.set_pending(SPI)
    assert serve(gic) == [SPI, OTHER]


def test_28_equal_priorities_go_by_intid(gic: RegisterGic) -> None:
    """28. The lower INTID first."""
    gic.set_pending(SPI)
    gic.set_pending(OTHER)
    assert serve(gic) == [OTHER, SPI]


def test_29_a_priority_must_be_below_the_mask(gic: RegisterGic) -> None:
    """29. Equal to PMR is masked, below it is delivered."""
    gic.set_priority(SPI, 0x90)
    gic.set_pending(SPI)
    gic.set_pmr(0, 0x90)
    assert gic.acknowledge(0) == SPURIOUS
    gic.set_pmr(0, 0x98)
    assert gic.acknowledge(0) == SPI


def test_30_a_higher_mask_delivers_what_is_pending(gic: RegisterGic) -> None:
    """30. Raising PMR needs no new trigger."""
    gic.set_pmr(0, 0x10)
    gic.pulse(SPI)
    gic.set_pending(SPI)
    assert not gic.irq[0]
    gic.set_pmr(0, 0xF0)
    assert gic.irq[0]


def test_31_only_another_group_priority_preempts(gic: RegisterGic) -> None:
    """31. The same group priority does not preempt, a lower one does; BPR is the boundary."""
    gic.set_bpr(0, 4 if gic.version == 2 else 5)  # the group is bits 7:5
    gic.set_priority(OTHER, 0xA8)
    gic.set_pending(OTHER)
    assert gic.acknowledge(0) == OTHER
    gic.set_priority(SPI, 0xA0)
    gic.set_pending(SPI)
    assert gic.acknowledge(0) == SPURIOUS
    gic.set_priority(SPI, 0x98)
    assert gic.acknowledge(0) == SPI
    for iar in (SPI, OTHER):
        gic.end_of_interrupt(0, iar)
    gic.set_bpr(0, 0)
    gic.set_pending(OTHER)
    assert gic.acknowledge(0) == OTHER
    gic.set_priority(SPI, 0xA0)
    gic.set_pending(SPI)
    assert gic.acknowledge(0) == SPI


def test_32_the_running_priority_nests(gic: RegisterGic) -> None:
    """32. RPR: 0xff when idle, the group priority while handling; ends restore it in order."""
    assert gic.running_priority(0) == IDLE
    taken = []
    for intid, priority in ((OTHER, 0xA0), (SPI, 0x80), (PPI, 0x40)):
        gic.set_priority(intid, priority)
        gic.set_pending(intid)
        taken.append(gic.acknowledge(0))
        assert gic.running_priority(0) == priority
    for left in (0x80, 0xA0, IDLE):
        gic.end_of_interrupt(0, taken.pop())
        assert gic.running_priority(0) == left


# --- Ends -------------------------------------------------------------------------------------


def test_33_in_eoi_mode_1_the_end_only_drops_the_priority(gic: RegisterGic) -> None:
    """33. The SPI stays active and is not delivered again until DIR."""
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


def test_34_in_eoi_mode_0_the_end_deactivates(gic: RegisterGic) -> None:
    """34. EOIR alone clears the active state."""
    gic.set_pending(SPI)
    iar = gic.acknowledge(0)
    assert gic.is_active(SPI)
    gic.end_of_interrupt(0, iar)
    assert not gic.is_active(SPI)


def test_35_deactivation_may_come_in_any_order(gic: RegisterGic) -> None:
    """35. DIRs need no order; one in EOImode 0 is UNPREDICTABLE, and does nothing here."""
    gic.set_pending(OTHER)
    first = gic.acknowledge(0)
    gic.deactivate(0, first)
    assert gic.is_active(OTHER)
    gic.end_of_interrupt(0, first)
    gic.set_eoi_mode(0, 1)
    for intid in (OTHER, SPI):
        gic.set_pending(intid)
        gic.end_of_interrupt(0, gic.acknowledge(0))
    gic.deactivate(0, OTHER)
    assert [gic.is_active(OTHER), gic.is_active(SPI)] == [False, True]
    gic.deactivate(0, SPI)
    assert not gic.is_active(SPI)


def test_36_isactiver_holds_a_pending_interrupt_back(gic: RegisterGic) -> None:
    """36. ICACTIVER releases it."""
    gic.set_pending(SPI)
    gic.set_active(SPI)
    assert gic.acknowledge(0) == SPURIOUS
    gic.clear_active(SPI)
    assert gic.acknowledge(0) == SPI


# --- Targets ----------------------------------------------------------------------------------


def test_37_one_of_n_takes_an_spi(gic: RegisterGic) -> None:
    """37. Of the CPUs that it goes to one IAR returns it, the others 1023 or the next."""
    for intid in (OTHER, SPI):
        if gic.version == 2:
            gic.set_targets(intid, 0b0011)
        else:
            gic.set_route(intid, None)
    gic.set_pending(OTHER)
    assert gic.irq[:2] == [True, True]
    assert [gic.acknowledge(0), gic.acknowledge(1)] == [OTHER, SPURIOUS]
    gic.set_pending(SPI)
    assert gic.acknowledge(1) == SPI


def test_38_a_pending_spi_moves_and_an_active_one_stays(gic: RegisterGic) -> None:
    """38. Retargeting moves what is pending, and not what a CPU handles."""
    gic.set_line(SPI, True)
    send_to(gic, SPI, 1)
    assert gic.irq == [False, True, False, False]
    iar = gic.acknowledge(1)
    send_to(gic, SPI, 2)
    assert gic.irq == [False] * NR_PES
    assert gic.running_priority(1) == PRIORITY
    gic.end_of_interrupt(1, iar)
    assert gic.irq == [False, False, True, False]


def test_39_ppis_are_banked(gic: RegisterGic) -> None:
    """39. PPI 27 of CPU 1 is not that of CPU 0."""
    gic.set_line(PPI, True, 1)
    assert [gic.is_pending(PPI, pe) for pe in range(NR_PES)] == [False, True, False, False]
    gic.set_enabled(PPI, False, 1)
    gic.set_priority(PPI, 0x50, 1)
    assert gic.is_enabled(PPI, 0)
    assert gic.priority(PPI, 0) == PRIORITY


@pytest.mark.parametrize(
    "off", [lambda gic: gic.set_group_enabled(0, False), lambda gic: gic.set_gicd(0, 0)]
)
def test_40_a_disabled_group_keeps_what_is_pending(gic: RegisterGic, off: Set) -> None:
    """40. By IGRPEN1 or GICD_CTLR: pending is kept, and IAR reads 1023."""
    off(gic)
    gic.set_line(SPI, True)
    assert gic.is_pending(SPI)
    assert gic.acknowledge(0) == SPURIOUS
    gic.set_group_enabled(0, True)
    gic.set_distributor_enabled(True)
    assert gic.acknowledge(0) == SPI


def test_41_hppir_is_the_next_iar(gic: RegisterGic) -> None:
    """41. Reading it has no side effect."""
    gic.send_sgi(2, SGI, 1)
    gic.set_pending(SPI)
    for _ in range(3):
        forecast = gic.highest_pending(0)
        assert gic.highest_pending(0) == forecast
        iar = gic.acknowledge(0)
        assert iar == forecast
        gic.end_of_interrupt(0, iar)


def test_42_two_senders_of_an_sgi(gic: RegisterGic) -> None:
    """42. GICv2: two acknowledges with a CPUID each; GICv3: one."""
    gic.send_sgi(2, SGI, 1)
    gic.send_sgi(1, SGI, 1)
    if gic.version == 2:
        assert gic.gicd(SPENDSGIR + SGI, 8) == gic.gicd(CPENDSGIR + SGI, 8) == 0b0110
    assert serve(gic) == ([SGI | 1 << 10, SGI | 2 << 10] if gic.version == 2 else [SGI])


# --- LPIs -------------------------------------------------------------------------------------

DEVICE, EVENT, COLLECTION = 8, 1, 3


def with_its(gic: RegisterGic, nr_lpis: int = 2) -> Its:
    """An ITS with a device whose events go to PE 2, enabled with Linux's priority."""
    its = Its(gic.gic)
    for pe in range(NR_PES):
        gic.mmio.write(0, redistributor_base(pe), 1)
    for intid in range(LPI, LPI + nr_lpis):
        write_configuration(gic.gic, intid, PRIORITY, True)
    done = [its.mapd(DEVICE, 5), its.mapc(COLLECTION, 2)]
    done += [its.mapti(DEVICE, event, LPI + event, COLLECTION) for event in range(nr_lpis)]
    assert not any(done)
    return its


def test_43_an_event_is_an_lpi_of_the_collections_pe(v3: RegisterGic) -> None:
    """43. After MAPD, MAPC, MAPTI, INT delivers the LPI to that PE only."""
    its = with_its(v3)
    assert its.interrupt(DEVICE, EVENT) == 0
    assert serve_everywhere(v3) == [[], [], [LPI + EVENT], []]


def test_44_a_disabled_lpi_stays_pending(v3: RegisterGic) -> None:
    """44. Disabled and INV: kept; enabled and INVALL: delivered."""
    its = with_its(v3)
    write_configuration(v3.gic, LPI, PRIORITY, False)
    assert its.inv(DEVICE, 0) == 0
    its.interrupt(DEVICE, 0)
    assert v3.acknowledge(2) == SPURIOUS
    write_configuration(v3.gic, LPI, PRIORITY, True)
    assert v3.acknowledge(2) == SPURIOUS
    assert its.invall(COLLECTION) == 0
    assert v3.acknowledge(2) == LPI


def test_45_a_device_that_is_unmapped_does_not_interrupt(v3: RegisterGic) -> None:
    """45. MAPD with V=0: INT has no effect."""
    its = with_its(v3)
    its.mapd(DEVICE, 0, valid=False)
    assert its.interrupt(DEVICE, EVENT) != 0
    assert serve_everywhere(v3) == [[], [], [], []]


def test_46_the_pending_table_is_read_with_enable_lpis() -> None:
    """46. What is set there is delivered when GICR_CTLR.EnableLPIs is: 128 of each PE."""
    gic = make_gic(3)
    for intid in range(LPI, LPI + 128 * NR_PES):
        write_configuration(gic.gic, intid, PRIORITY, True)
    expected = [list(range(LPI + 128 * pe, LPI + 128 * (pe + 1))) for pe in range(NR_PES)]
    for pe in range(NR_PES):
        gic.gic.redistributors[pe].pending_table.extend(expected[pe])
    assert gic.irq == [False] * NR_PES
    for pe in range(NR_PES):
        gic.mmio.write(0, redistributor_base(pe), 1)
        assert gic.mmio.read(0, redistributor_base(pe)) == 1
    assert serve_everywhere(gic) == expected


def test_47_an_lpi_is_never_active(v3: RegisterGic) -> None:
    """47. INT while its handler runs makes it pending again, and so it comes after EOIR."""
    its = with_its(v3)
    v3.set_eoi_mode(2, 1)
    its.interrupt(DEVICE, 0)
    assert v3.acknowledge(2) == LPI
    assert not v3.gic.lpis.get(LPI).is_active
    its.interrupt(DEVICE, 0)
    assert v3.acknowledge(2) == SPURIOUS
    v3.end_of_interrupt(2, LPI)
    assert v3.acknowledge(2) == LPI


# --- The signal -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3])
def test_48_the_lowest_priority_is_never_delivered(version: int) -> None:
    """48. A priority of 0xff is below no mask."""
    gic = make_gic(version, priority_bits=8)
    gic.set_priority(SPI, 0xFF)
    gic.set_pmr(0, 0xFF)
    gic.set_line(SPI, True)
    assert gic.is_pending(SPI)
    assert (gic.irq[0], gic.acknowledge(0)) == (False, SPURIOUS)


def test_49_the_signal_falls_with_the_last_candidate(gic: RegisterGic) -> None:
    """49. A CPU's signal is deasserted when nothing is left to acknowledge."""
    gic.set_pending(SPI)
    gic.set_pending(OTHER)
    gic.clear_pending(SPI)
    assert gic.irq[0]
    gic.set_enabled(OTHER, False)
    assert not gic.irq[0]


def test_50_a_disabled_distributor_forwards_nothing(gic: RegisterGic) -> None:
    """50. States latch all the same."""
    gic.set_distributor_enabled(False)
    gic.set_pending(SPI)
    gic.set_line(PPI, True, 1)
    assert gic.irq == [False] * NR_PES
    assert gic.gicd(ISPENDR + 4) == 1 << SPI - 32
    gic.set_distributor_enabled(True)
    assert gic.irq == [True, True, False, False]


def test_every_statement_has_its_test() -> None:
    """The numbers 1 to 50 are all there."""
    numbers = {int(name[5:7]) for name in globals() if name[:5] == "test_" and name[5:7].isdigit()}
    assert sorted(numbers) == list(range(1, 51))


# --- What the statements leave to the registers -----------------------------------------------


def test_irouter_is_read_as_it_was_written(v3: RegisterGic) -> None:
    """An affinity, IRM, and an affinity that no PE has: the interrupt then goes nowhere."""
    offset = IROUTER + 8 * SPI
    for value in (2, 1 << 31, 0x0101, 0):
        v3.set_gicd(offset, value, 64)
        assert v3.gicd(offset, 64) == value
    v3.set_gicd(offset, 0x0101, 64)
    v3.set_pending(SPI)
    assert v3.irq == [False] * NR_PES
    v3.set_gicd(offset, 3)
    assert (v3.gicd(offset), v3.gicd(offset + 4)) == (3, 0)
    assert v3.irq == [False, False, False, True]


def test_a_gicv3s_distributor_has_no_private_interrupts(v3: RegisterGic) -> None:
    """With affinity routing they are the redistributors': RAZ/WI here."""
    for offset in (0x080, 0x100, 0x200, 0x300, 0x400, 0x41C, 0xC00, 0xC04):
        v3.set_gicd(offset, 0xFFFF_FFFF)
        assert v3.gicd(offset) == 0
    assert v3.irq == [False] * NR_PES
    assert v3.mmio.read(0, redistributor_base(0) + 0x1_0100) == 0xFFFF_FFFF


def test_a_redistributor_says_whose_it_is(v3: RegisterGic) -> None:
    """GICR_TYPER: affinity, number, Last; 64 bits, or two words."""
    values = [v3.mmio.read(0, redistributor_base(pe) + 8, 64) for pe in range(NR_PES)]
    assert values == [0x0_0000_0001, 0x1_0000_0101, 0x2_0000_0201, 0x3_0000_0311]
    assert v3.mmio.read(0, redistributor_base(2) + 8 + 4) == 2


def test_sgis_of_a_gicv2_are_set_and_cleared_by_their_senders(v2: RegisterGic) -> None:
    """SPENDSGIR and CPENDSGIR, by the byte; ISPENDR of an SGI is read-only."""
    v2.set_gicd(SPENDSGIR + SGI, 0xFF, 8, pe=1)
    assert v2.gicd(SPENDSGIR, pe=1) == 0x0F00_0000
    assert v2.gicd(SPENDSGIR, pe=0) == 0
    v2.clear_pending(SGI, 1)
    v2.set_gicd(CPENDSGIR, 0x0B00_0000, pe=1)
    assert serve_everywhere(v2) == [[], [SGI | 2 << 10], [], []]


def test_an_access_of_another_size_does_nothing(gic: RegisterGic) -> None:
    """Bytes are for priorities and targets, double words for 64-bit registers."""
    gic.set_gicd(0x100 + 4, 0, 8)
    assert gic.gicd(0x100 + 4, 8) == 0
    assert gic.gicd(0x100, 64) == 0
    gic.set_gicd(ISPENDR + 5, 1, 8)
    assert not gic.is_pending(SPI)


def test_gicc_is_that_of_whoever_asks(v2: RegisterGic) -> None:
    """The CPU interfaces of a GICv2 share an address."""
    v2.mmio.write(1, GICC_BASE + 4, 0x80)
    assert [v2.mmio.read(pe, GICC_BASE + 4) for pe in range(2)] == [0xF0, 0x80]
