"""The interrupt controller, GICv2 or GICv3: lines in, one IRQ signal per PE out.

Theory of operation
-------------------

An interrupt goes through three parts, and each of them applies its share of the rule for
"is this to be signalled":

1. The interrupt itself (one of the distributor's for an SPI, of the PE's redistributor for an
   SGI or PPI) knows whether it is pending, enabled, in the right group and not active:
   `Interrupt.is_forwardable`.  The result is kept in `is_ready`.
2. Each PE that it goes to has its ranking then among those in `CpuInterface.ready`, the first
   of which is the PE's candidate.  A ranking is one integer, the priority above the INTID, so
   that "smaller" means "served first" and equal priorities fall to the lowest INTID.
3. The CPU interface lets a candidate through that is below its threshold, which
   `cpu_interface.priority_limit` makes of the enables, the priority mask and the running
   priority.

This is the whole rule.  What is derived (`is_ready`, `ready`, `threshold`, and `irq`) is
computed anew after every change by the one who changed it: first all of the state, then the
signals, once.  So `irq` and `changed` show the state before and after a call and nothing in
between.

An SPI exists once, and is ready for each PE that it goes to.  Hence a pending SPI moves when
it is retargeted, and once one PE has acknowledged it, it is active and no other PE sees it
(1-of-N).  An active interrupt belongs to the PE that acknowledged it by way of that PE's list
of running priorities, whatever becomes of its route.  An LPI is an SPI without an active state.

Priority drop and deactivation are two things.  EOImode 0 does both at the write to EOIR;
EOImode 1 drops at EOIR and deactivates at DIR.

Source: IHI 0069 (GICv3) chapter 4, IHI 0048 (GICv2) chapter 3.
Leaves out: security states and Group 0 as FIQ (this is the Non-secure view: with GICv3 an
interrupt of Group 0 is never seen; GICv2 has one group, and IGROUPR is RAZ/WI),
virtualisation.
"""

from __future__ import annotations

from bisect import insort
from typing import Final

from irqsim.hw.cpu_interface import CpuInterface
from irqsim.hw.distributor import Distributor
from irqsim.hw.interrupt import RANK_INTID, RANK_SHIFT, Interrupt
from irqsim.hw.intid import LPI_BASE, NR_SGIS, NR_SPIS_MAX, SPI_BASE, SPURIOUS
from irqsim.hw.lpi import Lpis
from irqsim.hw.redistributor import Redistributor

# IAR and EOIR of GICv2 carry the sender of an SGI above the INTID.
_SOURCE_SHIFT: Final = 10
_V2_INTID: Final = 0x3FF
_V2_PES_MAX: Final = 8
_V3_INTID: Final = 0xFFFFFF


class Gic:
    """A whole interrupt controller.  INTIDs below 32 are banked by `pe`."""

    __slots__ = (
        "_intid_mask",
        "_seen_by",
        "changed",
        "cpus",
        "distributor",
        "irq",
        "lpis",
        "nr_intids",
        "nr_pes",
        "priority_mask",
        "redistributors",
        "version",
    )

    def __init__(self, version: int, nr_pes: int, nr_spis: int, priority_bits: int = 5) -> None:
        assert version in (2, 3)
        assert 1 <= nr_pes <= (_V2_PES_MAX if version == 2 else 1 << 16)
        assert 0 <= nr_spis <= NR_SPIS_MAX
        assert 4 <= priority_bits <= 8
        # Fixed.
        self.version: int = version
        self.nr_pes: int = nr_pes
        self.nr_intids: int = SPI_BASE + nr_spis
        self._intid_mask: int = _V2_INTID if version == 2 else _V3_INTID
        self.priority_mask: int = 0xFF & (-1 << (8 - priority_bits))
        # The signals: written here only; the owner empties `changed`.
        self.irq: list[bool] = [False] * nr_pes
        self.changed: list[int] = []
        # The parts: written here and by the registers' module.
        v2 = version == 2
        bpr_min = max(0, 7 - priority_bits) + (0 if v2 else 1)
        # IMPDEF: after reset every SPI of a GICv3 is routed to PE 0.
        self.distributor: Distributor = Distributor(
            nr_spis, v2, (0,) if not v2 or nr_pes == 1 else ()
        )
        self.redistributors: list[Redistributor] = [Redistributor(pe, v2) for pe in range(nr_pes)]
        self.cpus: list[CpuInterface] = [
            CpuInterface(bpr_min, 1 if v2 else 0) for _ in range(nr_pes)
        ]
        # By PE and INTID: the interrupts that a PE sees under these numbers.
        self._seen_by: list[list[Interrupt]] = [
            each.interrupts + self.distributor.interrupts for each in self.redistributors
        ]
        self.lpis: Lpis = Lpis()

    # Wires.

    def set_line(self, intid: int, level: bool, pe: int = 0) -> bool:
        """Drive the wire of an SPI or PPI.

        Edge-triggered: a rising edge is latched; False when it merged with a latched one.
        Level-sensitive, or no rising edge: True.
        """
        assert NR_SGIS <= intid < self.nr_intids
        interrupt = self._seen_by[pe][intid]
        if level is interrupt.line:
            return True
        interrupt.line = level
        if level:
            if not interrupt.is_level:
                if interrupt.latch:
                    return False
                interrupt.latch = True
            self.judge(interrupt)
        elif interrupt.is_ready:
            self.judge(interrupt)
        return True

    def pulse(self, intid: int, pe: int = 0) -> bool:
        """Drive a wire high and low again; return as set_line() does.

        A level-sensitive interrupt does not notice.
        """
        assert NR_SGIS <= intid < self.nr_intids
        interrupt = self._seen_by[pe][intid]
        if interrupt.is_level or interrupt.line:
            return self.set_line(intid, False, pe)
        if interrupt.latch:
            return False
        interrupt.latch = True
        self.judge(interrupt)
        return True

    def line(self, intid: int, pe: int = 0) -> bool:
        """Tell whether the wire is high."""
        return self._interrupt(intid, pe).line

    def send_sgi(self, source_pe: int, intid: int, targets: int) -> None:
        """Send a software generated interrupt to the PEs of a mask.

        GICv2 remembers who sent it, and delivers it once for each sender.  GICv3 merges.
        """
        assert 0 <= intid < NR_SGIS
        assert 0 <= targets < 1 << self.nr_pes
        while targets:
            pe = (targets & -targets).bit_length() - 1
            targets &= targets - 1
            if self.version == 2:
                self.set_sgi_pending(intid, 1 << source_pe, pe)
            else:
                self.set_pending(intid, pe)

    # CPU interface.

    def acknowledge(self, pe: int) -> int:
        """Take the most urgent interrupt: it becomes active and its priority runs (IAR).

        Return its INTID, with GICv2 an SGI's sender in bits 12:10; 1023 if there is none.
        """
        cpu = self.cpus[pe]
        rank = cpu.ready[0]
        if rank >= cpu.threshold:
            return SPURIOUS
        iar = rank & RANK_INTID
        if iar < LPI_BASE:
            interrupt = self._seen_by[pe][iar]
            interrupt.is_active = True
        else:
            interrupt = self.lpis.interrupts[iar]  # which is never active
        interrupt.latch = False
        if interrupt.sources:
            source = interrupt.source()
            iar |= source << _SOURCE_SHIFT
            interrupt.set_sources(interrupt.sources & ~(1 << source))
        cpu.push(rank >> RANK_SHIFT, iar)
        self.judge(interrupt)
        return iar

    def end_of_interrupt(self, pe: int, iar: int) -> None:
        """Drop the running priority; with EOImode 0 deactivate as well (EOIR).

        IMPDEF: ignored unless `iar` is the PE's newest acknowledge without an end.
        """
        cpu = self.cpus[pe]
        if not cpu.drop(iar):
            return
        if cpu.eoi_mode == 0:
            self._deactivate(iar & self._intid_mask, pe)
        self._signal(pe)

    def deactivate(self, pe: int, iar: int) -> None:
        """Deactivate an interrupt whose priority was dropped before (DIR).

        IMPDEF: ignored with EOImode 0 (UNPREDICTABLE), and for what is not active.
        """
        if self.cpus[pe].eoi_mode == 1:
            self._deactivate(iar & self._intid_mask, pe)

    def highest_pending(self, pe: int) -> int:
        """Return what acknowledge() would return now, and change nothing (HPPIR)."""
        cpu = self.cpus[pe]
        if cpu.ready[0] >= cpu.threshold:
            return SPURIOUS
        intid = cpu.ready[0] & RANK_INTID
        if intid >= LPI_BASE:
            return intid
        return intid | self._seen_by[pe][intid].source() << _SOURCE_SHIFT

    def running_priority(self, pe: int) -> int:
        """Return the PE's running group priority, 0xff when idle (RPR)."""
        return self.cpus[pe].running_priority()

    def set_group_enabled(self, pe: int, on: bool) -> None:
        """Switch the PE's signal on or off (GICC_CTLR.Enable, ICC_IGRPEN1)."""
        self.cpus[pe].is_enabled = on
        self._update_cpu(pe)

    def set_pmr(self, pe: int, value: int) -> None:
        """Let only priorities below `value` through; unimplemented bits are RAZ/WI."""
        self.cpus[pe].pmr = value & self.priority_mask
        self._update_cpu(pe)

    def pmr(self, pe: int) -> int:
        """Return the PE's priority mask."""
        return self.cpus[pe].pmr

    def set_bpr(self, pe: int, value: int) -> None:
        """Set the binary point, 0-7: of GICv2 that of GICC_BPR, of GICv3 of ICC_BPR1."""
        assert 0 <= value <= 7
        self.cpus[pe].set_bpr(value)
        self._signal(pe)

    def bpr(self, pe: int) -> int:
        """Return the PE's binary point."""
        return self.cpus[pe].bpr

    def set_eoi_mode(self, pe: int, mode: int) -> None:
        """Choose whether EOIR deactivates (0) or leaves that to DIR (1)."""
        assert mode in (0, 1)
        self.cpus[pe].eoi_mode = mode

    def eoi_mode(self, pe: int) -> int:
        """Return the PE's EOImode."""
        return self.cpus[pe].eoi_mode

    # Distributor and redistributors.

    def set_distributor_enabled(self, on: bool) -> None:
        """Forward interrupts at all (GICD_CTLR).  State is kept up either way."""
        self.distributor.is_enabled = self.distributor.is_group0_enabled = on
        for pe in range(self.nr_pes):
            self.cpus[pe].is_forwarding = on
            self._update_cpu(pe)

    def set_enabled(self, intid: int, on: bool, pe: int = 0) -> None:
        """Enable or disable an interrupt (ISENABLER, ICENABLER).  It latches either way."""
        interrupt = self._interrupt(intid, pe)
        interrupt.is_enabled = on
        self.judge(interrupt)

    def is_enabled(self, intid: int, pe: int = 0) -> bool:
        """Tell whether an interrupt is enabled."""
        return self._interrupt(intid, pe).is_enabled

    def set_group(self, intid: int, group: int, pe: int = 0) -> None:
        """Put an interrupt into Group 1 (IRQ) or 0 (not seen).  Ignored by GICv2."""
        assert group in (0, 1)
        if self.version == 2:
            return
        interrupt = self._interrupt(intid, pe)
        interrupt.is_grouped = group == 1
        self.judge(interrupt)

    def group(self, intid: int, pe: int = 0) -> int:
        """Return the group of an interrupt; always 0 with GICv2 (RAZ)."""
        return int(self.version == 3 and self._interrupt(intid, pe).is_grouped)

    def set_priority(self, intid: int, value: int, pe: int = 0) -> None:
        """Set the priority, lower is more urgent; unimplemented bits are RAZ/WI."""
        assert 0 <= value <= 0xFF
        self.prioritize(self._interrupt(intid, pe), value)

    def prioritize(self, interrupt: Interrupt, value: int) -> None:
        """Set the priority of an interrupt of any kind."""
        old = interrupt.rank
        interrupt.rank = (value & self.priority_mask) << RANK_SHIFT | old & RANK_INTID
        if interrupt.is_ready:
            for target in interrupt.pes:
                self.cpus[target].ready.remove(old)
                insort(self.cpus[target].ready, interrupt.rank)
                self._signal(target)

    def priority(self, intid: int, pe: int = 0) -> int:
        """Return the priority as implemented."""
        return self._interrupt(intid, pe).rank >> RANK_SHIFT

    def set_edge(self, intid: int, edge: bool, pe: int = 0) -> None:
        """Make an interrupt edge-triggered or level-sensitive (ICFGR).  SGIs ignore it.

        IMPDEF: latch and wire stay as they are; doing this to an enabled one is
        UNPREDICTABLE.
        """
        interrupt = self._interrupt(intid, pe)
        if intid >= NR_SGIS:
            interrupt.is_level = not edge
            self.judge(interrupt)

    def is_edge(self, intid: int, pe: int = 0) -> bool:
        """Tell whether an interrupt is edge-triggered."""
        return not self._interrupt(intid, pe).is_level

    def set_targets(self, intid: int, mask: int) -> None:
        """Send an SPI to the PEs of a mask (GICv2: ITARGETSR).

        Private interrupts, bits of PEs that do not exist, and a machine with one PE ignore
        it: RAZ/WI.
        """
        assert self.version == 2
        assert 0 <= intid < self.nr_intids
        if intid < SPI_BASE or self.nr_pes == 1:
            return
        pes = tuple(pe for pe in range(self.nr_pes) if mask >> pe & 1)
        self.move(self._interrupt(intid, 0), pes)

    def set_route(self, intid: int, pe: int | None) -> None:
        """Send an SPI to one PE, or with None to any one (GICv3: IROUTER, IRM).

        IMPDEF: with None all PEs are signalled, and the first to acknowledge takes it.
        """
        assert self.version == 3
        assert SPI_BASE <= intid < self.nr_intids
        assert pe is None or 0 <= pe < self.nr_pes
        pes = tuple(range(self.nr_pes)) if pe is None else (pe,)
        self.move(self._interrupt(intid, 0), pes)

    def targets(self, intid: int) -> int:
        """Return the mask of the PEs that an SPI goes to."""
        assert SPI_BASE <= intid < self.nr_intids
        return sum(1 << pe for pe in self._interrupt(intid, 0).pes)

    def set_pending(self, intid: int, pe: int = 0) -> None:
        """Make an interrupt pending by software (ISPENDR).  SGIs of GICv2 ignore it."""
        self._set_latch(intid, pe, True)

    def clear_pending(self, intid: int, pe: int = 0) -> None:
        """Clear the latch (ICPENDR); a high level line stays pending.  As set_pending()."""
        self._set_latch(intid, pe, False)

    def set_sgi_pending(self, intid: int, sources: int, pe: int) -> None:
        """Make an SGI pending from these PEs as well (GICv2: GICD_SPENDSGIR)."""
        assert self.version == 2
        interrupt = self.redistributors[pe].interrupts[intid]
        interrupt.set_sources(interrupt.sources | sources)
        self.judge(interrupt)

    def clear_sgi_pending(self, intid: int, sources: int, pe: int) -> None:
        """Take back an SGI from these PEs (GICv2: GICD_CPENDSGIR)."""
        assert self.version == 2
        interrupt = self.redistributors[pe].interrupts[intid]
        interrupt.set_sources(interrupt.sources & ~sources)
        self.judge(interrupt)

    def is_pending(self, intid: int, pe: int = 0) -> bool:
        """Tell whether an interrupt is pending, forwarded or not."""
        return self._interrupt(intid, pe).is_pending()

    def set_active(self, intid: int, pe: int = 0) -> None:
        """Make an interrupt active, so that it is not signalled (ISACTIVER)."""
        interrupt = self._interrupt(intid, pe)
        interrupt.is_active = True
        self.judge(interrupt)

    def clear_active(self, intid: int, pe: int = 0) -> None:
        """Deactivate an interrupt (ICACTIVER).  The running priority stays."""
        assert 0 <= intid < self.nr_intids
        self._deactivate(intid, pe)

    def is_active(self, intid: int, pe: int = 0) -> bool:
        """Tell whether an interrupt is active."""
        return self._interrupt(intid, pe).is_active

    # State first, signals second.

    def _interrupt(self, intid: int, pe: int) -> Interrupt:
        assert 0 <= intid < self.nr_intids
        return self._seen_by[pe][intid]

    def _set_latch(self, intid: int, pe: int, latch: bool) -> None:
        interrupt = self._interrupt(intid, pe)
        if intid >= NR_SGIS or self.version == 3:
            interrupt.latch = latch
            self.judge(interrupt)

    def move(self, interrupt: Interrupt, pes: tuple[int, ...]) -> None:
        """Send an SPI or LPI to these PEs.

        What is pending moves along.  What is active stays where it was acknowledged.
        """
        old, interrupt.pes = interrupt.pes, pes
        if interrupt.is_ready:
            for pe in old:
                self.cpus[pe].ready.remove(interrupt.rank)
            for pe in pes:
                insort(self.cpus[pe].ready, interrupt.rank)
            for pe in (*old, *pes):
                self._signal(pe)

    def _deactivate(self, intid: int, pe: int) -> None:
        if intid < self.nr_intids:
            interrupt = self._seen_by[pe][intid]
            interrupt.is_active = False
            if interrupt.latch or interrupt.line:
                self.judge(interrupt)

    def judge(self, interrupt: Interrupt) -> None:
        """See whether a changed interrupt is ready now; if that is new, tell its PEs."""
        is_ready = interrupt.is_forwardable()
        if is_ready is interrupt.is_ready:
            return
        interrupt.is_ready = is_ready
        for pe in interrupt.pes:
            ready = self.cpus[pe].ready
            if is_ready:
                insort(ready, interrupt.rank)
            else:
                ready.remove(interrupt.rank)
            self._signal(pe)

    def _update_cpu(self, pe: int) -> None:
        self.cpus[pe].update()
        self._signal(pe)

    def _signal(self, pe: int) -> None:
        """Signal anew after a change of what is ready for a PE, or of its CPU interface."""
        cpu = self.cpus[pe]
        irq = cpu.ready[0] < cpu.threshold
        if irq is not self.irq[pe]:
            self.irq[pe] = irq
            if irq:
                self.changed.append(pe)
