"""The frames of registers of GICv2 and GICv3, as tables.

One entry for a register, or for an array of them, says where it stands, which accesses it takes,
and what of Gic reads and writes it.

Source: IHI 0069 chapter 12, IHI 0048 chapter 4.
Leaves out: what Gic leaves out; power management (a PE is awake); message-based SPIs.
IMPDEF: IIDR and the identification registers are those of Arm's GIC-400, and of QEMU's GICv3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irqsim.hw.gic import Gic
from irqsim.hw.intid import NR_PRIVATE, NR_SGIS
from irqsim.hw.its import enable_lpis
from irqsim.hw.lpi import LPI_IDBITS
from irqsim.hw.register import BYTES, DOUBLE, Frame, Read, Register, Write, ignore, zero

NR_LOW_REDISTRIBUTORS: Final = 123
"""How many redistributors of QEMU's virt have room in their first region."""
PES_OF_CLUSTER: Final = 16
"""Aff0 counts the PEs of a cluster, Aff1 the clusters."""
IRM: Final = 1 << 31
AFFINITY_MASK: Final = 0xFF_00FF_FFFF
_NR_BITS: Final = 1024
_IAR_MASK: Final = {2: 0x1FFF, 3: 0xFF_FFFF}


def affinity_of(pe: int) -> int:
    """Aff3 to Aff0 of a PE, as GICD_IROUTER has them."""
    return pe // PES_OF_CLUSTER << 8 | pe % PES_OF_CLUSTER


def pe_with(gic: Gic, affinity: int) -> int | None:
    """The PE of this affinity, if there is one."""
    pe = (affinity >> 8 & 0xFF) * PES_OF_CLUSTER + (affinity & 0xFF)
    return pe if pe < gic.nr_pes and affinity == affinity_of(pe) else None


# -- what the fields of an interrupt read and write ----------------------------------------


def _state(tell: Callable[[Gic, int, int], bool]) -> Read:
    return lambda gic, pe, intid: int(tell(gic, intid, pe))


def _where_one(do: Callable[[Gic, int, int], None]) -> Write:
    """A register that does something where a 1 is written, and nothing where it is a 0."""

    def write(gic: Gic, pe: int, intid: int, value: int) -> None:
        if value:
            do(gic, intid, pe)

    return write


def _enable(gic: Gic, intid: int, pe: int) -> None:
    gic.set_enabled(intid, True, pe)


def _disable(gic: Gic, intid: int, pe: int) -> None:
    gic.set_enabled(intid, False, pe)


def _group(gic: Gic, pe: int, intid: int) -> int:
    return gic.group(intid, pe)


def _set_group(gic: Gic, pe: int, intid: int, value: int) -> None:
    gic.set_group(intid, value, pe)


def _priority(gic: Gic, pe: int, intid: int) -> int:
    return gic.priority(intid, pe)


def _set_priority(gic: Gic, pe: int, intid: int, value: int) -> None:
    gic.set_priority(intid, value, pe)


def _configuration(gic: Gic, pe: int, intid: int) -> int:
    """Bit 1 of the field: edge-triggered.  Bit 0 is reserved."""
    return 2 if gic.is_edge(intid, pe) else 0


def _set_configuration(gic: Gic, pe: int, intid: int, value: int) -> None:
    gic.set_edge(intid, value & 2 != 0, pe)


def _targets(gic: Gic, pe: int, intid: int) -> int:
    """Of a private interrupt: who asks.  With one PE there are none."""
    if gic.nr_pes == 1:
        return 0
    return 1 << pe if intid < NR_PRIVATE else gic.targets(intid)


def _set_targets(gic: Gic, pe: int, intid: int, value: int) -> None:
    gic.set_targets(intid, value)


def _route(gic: Gic, pe: int, intid: int) -> int:
    pes = gic.distributor.interrupts[intid - NR_PRIVATE].pes
    if not pes:
        return gic.distributor.lost_routes[intid]
    return affinity_of(pes[0]) if len(pes) == 1 else IRM


def _set_route(gic: Gic, pe: int, intid: int, value: int) -> None:
    """IMPDEF: with an affinity that no PE has, the interrupt goes nowhere.

    IMPDEF: with one PE, IRM is RAZ/WI.
    """
    if value & IRM and gic.nr_pes > 1:
        gic.set_route(intid, None)
        return
    affinity = value & AFFINITY_MASK
    target = pe_with(gic, affinity)
    if target is None:
        gic.distributor.lost_routes[intid] = affinity
        gic.move(gic.distributor.interrupts[intid - NR_PRIVATE], ())
    else:
        gic.set_route(intid, target)


def _sgi_sources(gic: Gic, pe: int, sgi: int) -> int:
    return gic.redistributors[pe].interrupts[sgi].sources


def _set_sgi(gic: Gic, pe: int, sgi: int, value: int) -> None:
    gic.set_sgi_pending(sgi, value & (1 << gic.nr_pes) - 1, pe)


def _clear_sgi(gic: Gic, pe: int, sgi: int, value: int) -> None:
    gic.clear_sgi_pending(sgi, value, pe)


# -- what registers that stand alone read and write ----------------------------------------


def _constant(value: int) -> Read:
    return lambda gic, pe, number: value


def _gicd_ctlr(gic: Gic, pe: int, number: int) -> int:
    """GICv3 with one security state: DS, ARE and the groups.  Group 0 has no use here."""
    if gic.version == 2:
        return int(gic.distributor.is_enabled)
    enabled = 2 if gic.distributor.is_enabled else 0
    return 0x50 | enabled | int(gic.distributor.is_group0_enabled)


def _set_gicd_ctlr(gic: Gic, pe: int, number: int, value: int) -> None:
    if gic.version == 2:
        gic.set_distributor_enabled(value & 1 != 0)
    else:
        gic.set_distributor_enabled(value & 2 != 0)
        gic.distributor.is_group0_enabled = value & 1 != 0


def _gicd_typer(gic: Gic, pe: int, number: int) -> int:
    lines = (gic.nr_intids + 31) // 32 - 1
    if gic.version == 2:
        return lines | gic.nr_pes - 1 << 5
    return lines | 1 << 17 | LPI_IDBITS - 1 << 19


def _set_sgir(gic: Gic, pe: int, number: int, value: int) -> None:
    """GICD_SGIR: to a list, to all but the sender, or to the sender."""
    everybody = (1 << gic.nr_pes) - 1
    targets = value >> 16 & 0xFF & everybody
    selector = value >> 24 & 3
    if selector == 1:
        targets = everybody & ~(1 << pe)
    elif selector == 2:
        targets = 1 << pe
    if selector != 3:
        gic.send_sgi(pe, value & NR_SGIS - 1, targets)


def _gicr_typer(gic: Gic, pe: int, number: int) -> int:
    is_last = pe in (NR_LOW_REDISTRIBUTORS - 1, gic.nr_pes - 1)
    return affinity_of(pe) << 32 | pe << 8 | int(is_last) << 4 | 1


def _gicr_ctlr(gic: Gic, pe: int, number: int) -> int:
    return int(gic.redistributors[pe].is_lpi_enabled)


def _set_gicr_ctlr(gic: Gic, pe: int, number: int, value: int) -> None:
    """EnableLPIs stays on once it is."""
    if value & 1:
        enable_lpis(gic, pe)


def _iar(gic: Gic, pe: int, number: int) -> int:
    return gic.acknowledge(pe)


def _set_eoir(gic: Gic, pe: int, number: int, value: int) -> None:
    gic.end_of_interrupt(pe, value & _IAR_MASK[gic.version])


def _set_dir(gic: Gic, pe: int, number: int, value: int) -> None:
    gic.deactivate(pe, value & _IAR_MASK[gic.version])


def _hppir(gic: Gic, pe: int, number: int) -> int:
    return gic.highest_pending(pe)


def _rpr(gic: Gic, pe: int, number: int) -> int:
    return gic.running_priority(pe)


def _pmr(gic: Gic, pe: int, number: int) -> int:
    return gic.pmr(pe)


def _set_pmr(gic: Gic, pe: int, number: int, value: int) -> None:
    gic.set_pmr(pe, value & 0xFF)


def _bpr(gic: Gic, pe: int, number: int) -> int:
    return gic.bpr(pe)


def _set_bpr(gic: Gic, pe: int, number: int, value: int) -> None:
    gic.set_bpr(pe, value & 7)


def _gicc_ctlr(gic: Gic, pe: int, number: int) -> int:
    return int(gic.cpus[pe].is_enabled) | gic.eoi_mode(pe) << 9


def _set_gicc_ctlr(gic: Gic, pe: int, number: int, value: int) -> None:
    gic.set_eoi_mode(pe, value >> 9 & 1)
    gic.set_group_enabled(pe, value & 1 != 0)


def _icc_ctlr(gic: Gic, pe: int, number: int) -> int:
    """EOImode, and how many bits a priority and an INTID have."""
    return gic.eoi_mode(pe) << 1 | gic.priority_mask.bit_count() - 1 << 8


def _set_icc_ctlr(gic: Gic, pe: int, number: int, value: int) -> None:
    gic.set_eoi_mode(pe, value >> 1 & 1)


def _igrpen1(gic: Gic, pe: int, number: int) -> int:
    return int(gic.cpus[pe].is_enabled)


def _set_igrpen1(gic: Gic, pe: int, number: int, value: int) -> None:
    gic.set_group_enabled(pe, value & 1 != 0)


def _set_sgi1r(gic: Gic, pe: int, number: int, value: int) -> None:
    """ICC_SGI1R_EL1: to a list of a cluster, or with IRM to all but the sender."""
    targets = (1 << gic.nr_pes) - 1 & ~(1 << pe)
    if not value >> 40 & 1:
        aff3, aff2, aff1 = value >> 48 & 0xFF, value >> 32 & 0xFF, value >> 16 & 0xFF
        cluster = aff3 << 32 | aff2 << 16 | aff1 << 8
        targets = 0
        for aff0 in range(PES_OF_CLUSTER):
            target = pe_with(gic, cluster | aff0) if value >> aff0 & 1 else None
            targets |= 0 if target is None else 1 << target
    gic.send_sgi(pe, value >> 24 & NR_SGIS - 1, targets)


# -- the tables ----------------------------------------------------------------------------


def _by_intid(count: int, first: int = 0) -> list[Register]:
    """The registers that a distributor and an SGI_base have alike, for so many INTIDs."""

    def bits(name: str, offset: int, read: Read, write: Write = ignore) -> Register:
        return Register(name, offset, read, write, 1, count, by_intid=True, first=first)

    enabled, pending = _state(Gic.is_enabled), _state(Gic.is_pending)
    active = _state(Gic.is_active)
    return [
        bits("IGROUPR", 0x080, _group, _set_group),
        bits("ISENABLER", 0x100, enabled, _where_one(_enable)),
        bits("ICENABLER", 0x180, enabled, _where_one(_disable)),
        bits("ISPENDR", 0x200, pending, _where_one(Gic.set_pending)),
        bits("ICPENDR", 0x280, pending, _where_one(Gic.clear_pending)),
        bits("ISACTIVER", 0x300, active, _where_one(Gic.set_active)),
        bits("ICACTIVER", 0x380, active, _where_one(Gic.clear_active)),
        Register(
            "IPRIORITYR", 0x400, _priority, _set_priority, 8, count, BYTES, True, first
        ),
        Register(
            "ICFGR", 0xC00, _configuration, _set_configuration, 2, count, by_intid=True, first=first
        ),
    ]


def _identification(arch: int, part: int, at: int) -> list[Register]:
    """PIDR4-7, PIDR0-3 and CIDR0-3; PIDR2 has the version of the architecture."""
    pidr = (0x04, 0, 0, 0, part & 0xFF, 0xB0 | part >> 8, arch << 4 | 0xB, 0)
    cidr = (0x0D, 0xF0, 0x05, 0xB1)
    values = pidr + cidr
    names = [f"PIDR{n}" for n in (4, 5, 6, 7, 0, 1, 2, 3)] + [f"CIDR{n}" for n in range(4)]
    return [
        Register(name, at + 4 * index, _constant(value))
        for index, (name, value) in enumerate(zip(names, values, strict=True))
    ]


_DISTRIBUTOR: Final = (
    Register("CTLR", 0x000, _gicd_ctlr, _set_gicd_ctlr),
    Register("TYPER", 0x004, _gicd_typer),
)

GICD_V2: Final = Frame(
    [
        *_DISTRIBUTOR,
        Register("IIDR", 0x008, _constant(0x0200_143B)),
        *_by_intid(_NR_BITS),
        Register("ITARGETSR", 0x800, _targets, _set_targets, 8, _NR_BITS, BYTES, True),
        Register("SGIR", 0xF00, zero, _set_sgir),
        Register("CPENDSGIR", 0xF10, _sgi_sources, _clear_sgi, 8, NR_SGIS, BYTES, True),
        Register("SPENDSGIR", 0xF20, _sgi_sources, _set_sgi, 8, NR_SGIS, BYTES, True),
        *_identification(2, 0x390, 0xFD0),
    ]
)
"""The distributor of a GICv2."""

GICC: Final = Frame(
    [
        Register("CTLR", 0x0000, _gicc_ctlr, _set_gicc_ctlr),
        Register("PMR", 0x0004, _pmr, _set_pmr),
        Register("BPR", 0x0008, _bpr, _set_bpr),
        Register("IAR", 0x000C, _iar),
        Register("EOIR", 0x0010, zero, _set_eoir),
        Register("RPR", 0x0014, _rpr),
        Register("HPPIR", 0x0018, _hppir),
        Register("IIDR", 0x00FC, _constant(0x0202_143B)),
        Register("DIR", 0x1000, zero, _set_dir),
    ]
)
"""A PE's CPU interface of a GICv2."""

GICD_V3: Final = Frame(
    [
        *_DISTRIBUTOR,
        Register("IIDR", 0x0008, _constant(0x43B)),
        *_by_intid(_NR_BITS, NR_PRIVATE),
        Register("IROUTER", 0x6000, _route, _set_route, 64, _NR_BITS, DOUBLE, True, NR_PRIVATE),
        *_identification(3, 0x492, 0xFFD0),
    ]
)
"""The distributor of a GICv3, with affinity routing: it has no private interrupts."""

GICR_RD: Final = Frame(
    [
        Register("CTLR", 0x0000, _gicr_ctlr, _set_gicr_ctlr),
        Register("IIDR", 0x0004, _constant(0x43B)),
        Register("TYPER", 0x0008, _gicr_typer, bits=64, sizes=DOUBLE),
        *_identification(3, 0x494, 0xFFD0),
    ]
)
"""RD_base of a PE's redistributor."""

GICR_SGI: Final = Frame(_by_intid(NR_PRIVATE))
"""SGI_base of a PE's redistributor."""

SYSTEM_REGISTERS: Final[dict[str, tuple[Read, Write]]] = {
    "ICC_IAR1_EL1": (_iar, ignore),
    "ICC_EOIR1_EL1": (zero, _set_eoir),
    "ICC_DIR_EL1": (zero, _set_dir),
    "ICC_HPPIR1_EL1": (_hppir, ignore),
    "ICC_RPR_EL1": (_rpr, ignore),
    "ICC_PMR_EL1": (_pmr, _set_pmr),
    "ICC_BPR1_EL1": (_bpr, _set_bpr),
    "ICC_CTLR_EL1": (_icc_ctlr, _set_icc_ctlr),
    "ICC_IGRPEN1_EL1": (_igrpen1, _set_igrpen1),
    "ICC_SGI1R_EL1": (zero, _set_sgi1r),
}
"""A PE's CPU interface of a GICv3."""
