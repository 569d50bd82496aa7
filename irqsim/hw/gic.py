"""The interrupt controller, GICv2 or GICv3: lines in, one IRQ signal per PE out.

Theory of operation
-------------------

An interrupt goes through three parts, and each of them applies its share of the rule for
"is this to be signalled":

1. Its bank (the distributor for an SPI, the PE's redistributor for an SGI or PPI) knows
   whether it is pending, enabled, in the right group and not active: `bank.forwardable`,
   on whole masks at once.  The result is kept in `bank.ready`.
2. Of what is ready and targets the PE, the most urgent one is its candidate:
   `bank.highest`.  A candidate is one integer, the priority above the INTID, so that
   "smaller" means "served first" and equal priorities fall to the lowest INTID.
3. The CPU interface lets a candidate through that is below its threshold, which
   `cpu_interface.priority_limit` makes of the enables, the priority mask and the running
   priority.

These three pure functions are the whole rule.  What is derived from them (`ready`,
`candidate`, `threshold`, and `irq`) is computed anew after every change by the one who
changed it: first all of the state, then the signals, once.  So `irq` and `changed` show the
state before and after a call and nothing in between.

An SPI exists once; each PE that it targets sees it through the mask `targets`.  Hence a
pending SPI moves when it is retargeted, and once one PE has acknowledged it, it is active
and no other PE sees it (1-of-N).  An active interrupt belongs to the PE that acknowledged
it by way of that PE's list of running priorities, whatever becomes of its route.

Priority drop and deactivation are two things.  EOImode 0 does both at the write to EOIR;
EOImode 1 drops at EOIR and deactivates at DIR.

Source: IHI 0069 (GICv3) chapter 4, IHI 0048 (GICv2) chapter 3.
Leaves out: security states and Group 0 as FIQ (this is the Non-secure view: with GICv3 an
interrupt of Group 0 is never seen; GICv2 has one group, and IGROUPR is RAZ/WI), LPIs,
virtualisation.
"""

from __future__ import annotations

from typing import Final

from irqsim.hw.bank import BIT, NOTHING, RANK_INTID, RANK_SHIFT, Bank, highest, put
from irqsim.hw.cpu_interface import CpuInterface
from irqsim.hw.distributor import Distributor
from irqsim.hw.intid import NR_SGIS, NR_SPIS_MAX, SPI_BASE, SPURIOUS, is_private
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
        "_priority_mask",
        "changed",
        "cpus",
        "distributor",
        "irq",
        "nr_intids",
        "nr_pes",
        "redistributors",
        "version",
    )

    def __init__(
        self, version: int, nr_pes: int, nr_spis: int, priority_bits: int = 5
    ) -> None:
        assert version in (2, 3)
        assert 1 <= nr_pes <= (_V2_PES_MAX if version == 2 else 1 << 16)
        assert 0 <= nr_spis <= NR_SPIS_MAX
        assert 4 <= priority_bits <= 8
        # Fixed.
        self.version: int = version
        self.nr_pes: int = nr_pes
        self.nr_intids: int = SPI_BASE + nr_spis
        self._intid_mask: int = _V2_INTID if version == 2 else _V3_INTID
        self._priority_mask: int = 0xFF & (-1 << (8 - priority_bits))
        # The signals: written here only; the owner empties `changed`.
        self.irq: list[bool] = [False] * nr_pes
        self.changed: list[int] = []
        # The parts: written here and by the registers' module.
        v2 = version == 2
        bpr_min = max(0, 7 - priority_bits) + (0 if v2 else 1)
        self.distributor: Distributor = Distributor(nr_spis, nr_pes, v2)
        self.redistributors: list[Redistributor] = [Redistributor(v2) for _ in range(nr_pes)]
        self.cpus: list[CpuInterface] = [
            CpuInterface(bpr_min, 1 if v2 else 0) for _ in range(nr_pes)
        ]
        # IMPDEF: after reset every SPI of a GICv3 is routed to PE 0.
        if not v2 or nr_pes == 1:
            for intid in range(SPI_BASE, self.nr_intids):
                self.distributor.set_route(intid, (0,))

    # Wires.

    def set_line(self, intid: int, level: bool, pe: int = 0) -> bool:
        """Drive the wire of an SPI or PPI.

        Edge-triggered: a rising edge is latched; False when it merged with a latched one.
        Level-sensitive, or no rising edge: True.
        """
        assert NR_SGIS <= intid < self.nr_intids
        bank: Bank = self.redistributors[pe] if intid < SPI_BASE else self.distributor
        ready = bank.ready
        result = bank.set_line(BIT[intid], level)
        if bank.ready != ready:
            self._follow(intid, pe)
        return result

    def pulse(self, intid: int, pe: int = 0) -> bool:
        """Drive a wire high and low again; return as set_line() does.

        A level-sensitive interrupt does not notice.
        """
        assert NR_SGIS <= intid < self.nr_intids
        bank: Bank = self.redistributors[pe] if intid < SPI_BASE else self.distributor
        ready = bank.ready
        result = bank.pulse(BIT[intid])
        if bank.ready != ready:
            self._follow(intid, pe)
        return result

    def line(self, intid: int, pe: int = 0) -> bool:
        """Tell whether the wire is high."""
        return self._bank(intid, pe).line & BIT[intid] != 0

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
        candidate = cpu.candidate
        if candidate >= cpu.threshold:
            return SPURIOUS
        intid = iar = candidate & RANK_INTID
        bit = BIT[intid]
        if intid >= SPI_BASE:
            self.distributor.acknowledge(bit)
        else:
            private = self.redistributors[pe]
            private.acknowledge(bit)
            if intid < NR_SGIS and self.version == 2:
                source = private.sgi_source(intid)
                iar |= source << _SOURCE_SHIFT
                private.set_sgi_sources(intid, private.sgi_sources[intid] & ~(1 << source))
        cpu.push(candidate >> RANK_SHIFT, iar)
        self._follow(intid, pe)
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
        if cpu.candidate >= cpu.threshold:
            return SPURIOUS
        intid = cpu.candidate & RANK_INTID
        if intid < NR_SGIS and self.version == 2:
            return intid | self.redistributors[pe].sgi_source(intid) << _SOURCE_SHIFT
        return intid

    def running_priority(self, pe: int) -> int:
        """Return the PE's running group priority, 0xff when idle (RPR)."""
        return self.cpus[pe].running_priority()

    def set_group_enabled(self, pe: int, on: bool) -> None:
        """Switch the PE's signal on or off (GICC_CTLR.Enable, ICC_IGRPEN1)."""
        self.cpus[pe].is_enabled = on
        self._update_cpu(pe)

    def set_pmr(self, pe: int, value: int) -> None:
        """Let only priorities below `value` through; unimplemented bits are RAZ/WI."""
        self.cpus[pe].pmr = value & self._priority_mask
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
        self.distributor.is_enabled = on
        for pe in range(self.nr_pes):
            self.cpus[pe].is_forwarding = on
            self._update_cpu(pe)

    def set_enabled(self, intid: int, on: bool, pe: int = 0) -> None:
        """Enable or disable an interrupt (ISENABLER, ICENABLER).  It latches either way."""
        bank = self._bank(intid, pe)
        bank.enabled = put(bank.enabled, BIT[intid], on)
        self._update(bank, intid, pe)

    def is_enabled(self, intid: int, pe: int = 0) -> bool:
        """Tell whether an interrupt is enabled."""
        return self._bank(intid, pe).enabled & BIT[intid] != 0

    def set_group(self, intid: int, group: int, pe: int = 0) -> None:
        """Put an interrupt into Group 1 (IRQ) or 0 (not seen).  Ignored by GICv2."""
        assert group in (0, 1)
        if self.version == 2:
            return
        bank = self._bank(intid, pe)
        bank.group = put(bank.group, BIT[intid], group == 1)
        self._update(bank, intid, pe)

    def group(self, intid: int, pe: int = 0) -> int:
        """Return the group of an interrupt; always 0 with GICv2 (RAZ)."""
        if self.version == 2:
            return 0
        return 1 if self._bank(intid, pe).group & BIT[intid] else 0

    def set_priority(self, intid: int, value: int, pe: int = 0) -> None:
        """Set the priority, lower is more urgent; unimplemented bits are RAZ/WI."""
        assert 0 <= value <= 0xFF
        self._bank(intid, pe).set_priority(intid, value & self._priority_mask)
        self._follow(intid, pe)

    def priority(self, intid: int, pe: int = 0) -> int:
        """Return the priority as implemented."""
        return self._bank(intid, pe).priority(intid)

    def set_edge(self, intid: int, edge: bool, pe: int = 0) -> None:
        """Make an interrupt edge-triggered or level-sensitive (ICFGR).  SGIs ignore it.

        IMPDEF: latch and wire stay as they are; doing this to an enabled one is
        UNPREDICTABLE.
        """
        bank = self._bank(intid, pe)
        if intid < NR_SGIS:
            return
        bank.level = put(bank.level, BIT[intid], not edge)
        self._update(bank, intid, pe)

    def is_edge(self, intid: int, pe: int = 0) -> bool:
        """Tell whether an interrupt is edge-triggered."""
        return self._bank(intid, pe).level & BIT[intid] == 0

    def set_targets(self, intid: int, mask: int) -> None:
        """Send an SPI to the PEs of a mask (GICv2: ITARGETSR).

        Private interrupts, bits of PEs that do not exist, and a machine with one PE ignore
        it: RAZ/WI.
        """
        assert self.version == 2
        assert 0 <= intid < self.nr_intids
        if intid < SPI_BASE or self.nr_pes == 1:
            return
        self._set_route(intid, tuple(pe for pe in range(self.nr_pes) if mask >> pe & 1))

    def set_route(self, intid: int, pe: int | None) -> None:
        """Send an SPI to one PE, or with None to any one (GICv3: IROUTER, IRM).

        IMPDEF: with None all PEs are signalled, and the first to acknowledge takes it.
        """
        assert self.version == 3
        assert SPI_BASE <= intid < self.nr_intids
        if pe is None:
            self._set_route(intid, tuple(range(self.nr_pes)))
        else:
            assert 0 <= pe < self.nr_pes
            self._set_route(intid, (pe,))

    def targets(self, intid: int) -> int:
        """Return the mask of the PEs that an SPI goes to."""
        assert SPI_BASE <= intid < self.nr_intids
        return sum(1 << pe for pe in self.distributor.routes[intid])

    def set_pending(self, intid: int, pe: int = 0) -> None:
        """Make an interrupt pending by software (ISPENDR).  SGIs of GICv2 ignore it."""
        bank = self._bank(intid, pe)
        if intid < NR_SGIS and self.version == 2:
            return
        bank.latch |= BIT[intid]
        self._update(bank, intid, pe)

    def clear_pending(self, intid: int, pe: int = 0) -> None:
        """Clear the latch (ICPENDR); a high level line stays pending.  As set_pending()."""
        bank = self._bank(intid, pe)
        if intid < NR_SGIS and self.version == 2:
            return
        bank.latch &= ~BIT[intid]
        self._update(bank, intid, pe)

    def set_sgi_pending(self, intid: int, sources: int, pe: int) -> None:
        """Make an SGI pending from these PEs as well (GICv2: GICD_SPENDSGIR)."""
        assert self.version == 2
        private = self.redistributors[pe]
        private.set_sgi_sources(intid, private.sgi_sources[intid] | sources)
        self._recompute(pe)

    def clear_sgi_pending(self, intid: int, sources: int, pe: int) -> None:
        """Take back an SGI from these PEs (GICv2: GICD_CPENDSGIR)."""
        assert self.version == 2
        private = self.redistributors[pe]
        private.set_sgi_sources(intid, private.sgi_sources[intid] & ~sources)
        self._recompute(pe)

    def is_pending(self, intid: int, pe: int = 0) -> bool:
        """Tell whether an interrupt is pending, forwarded or not."""
        return self._bank(intid, pe).pending() & BIT[intid] != 0

    def set_active(self, intid: int, pe: int = 0) -> None:
        """Make an interrupt active, so that it is not signalled (ISACTIVER)."""
        bank = self._bank(intid, pe)
        bank.active |= BIT[intid]
        self._update(bank, intid, pe)

    def clear_active(self, intid: int, pe: int = 0) -> None:
        """Deactivate an interrupt (ICACTIVER).  The running priority stays."""
        self._bank(intid, pe)
        self._deactivate(intid, pe)

    def is_active(self, intid: int, pe: int = 0) -> bool:
        """Tell whether an interrupt is active."""
        return self._bank(intid, pe).active & BIT[intid] != 0

    # State first, signals second.

    def _bank(self, intid: int, pe: int) -> Bank:
        assert 0 <= intid < self.nr_intids
        return self.redistributors[pe] if is_private(intid) else self.distributor

    def _set_route(self, intid: int, pes: tuple[int, ...]) -> None:
        old = self.distributor.routes[intid]
        self.distributor.set_route(intid, pes)
        for pe in old:
            self._recompute(pe)
        self._follow(intid, 0)

    def _deactivate(self, intid: int, pe: int) -> None:
        if intid >= self.nr_intids:
            return
        bank: Bank = self.redistributors[pe] if intid < SPI_BASE else self.distributor
        ready = bank.ready
        bank.deactivate(BIT[intid])
        if bank.ready != ready:
            self._follow(intid, pe)

    def _update(self, bank: Bank, intid: int, pe: int) -> None:
        bank.update()
        self._follow(intid, pe)

    def _update_cpu(self, pe: int) -> None:
        self.cpus[pe].update()
        self._signal(pe)

    def _follow(self, intid: int, pe: int) -> None:
        """Recompute the PEs that a changed interrupt concerns."""
        if intid < SPI_BASE:
            self._recompute(pe)
        else:
            for target in self.distributor.routes[intid]:
                self._recompute(target)

    def _recompute(self, pe: int) -> None:
        """Find the PE's candidate anew, and signal."""
        private = self.redistributors[pe]
        spis = self.distributor
        candidate = NOTHING
        if private.ready:
            candidate = highest(private.ready, private.levels)
        if spis.ready:
            shared = highest(spis.ready & spis.targets[pe], spis.levels)
            if shared < candidate:
                candidate = shared
        self.cpus[pe].candidate = candidate
        self._signal(pe)

    def _signal(self, pe: int) -> None:
        """Signal what the PE's candidate and the state of its CPU interface amount to."""
        cpu = self.cpus[pe]
        irq = cpu.candidate < cpu.threshold
        if irq is not self.irq[pe]:
            self.irq[pe] = irq
            if irq:
                self.changed.append(pe)
