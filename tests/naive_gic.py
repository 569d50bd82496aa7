"""A naive GICv2/GICv3: one plain object per interrupt, every question answered by a full scan.

It is written from the architecture alone and shares nothing with ``irqsim.hw``: the fast model is
compared with it step by step in ``test_gic_stateful.py``.  Clarity first, speed never.

Source: IHI 0048B (GICv2) chapters 3 and 4, IHI 0069 (GICv3) chapters 4 and 12.

Leaves out: LPIs, security states, registers as such.  What the architecture calls UNPREDICTABLE
(EOIs out of order, DIR in EOImode 0, trigger changes while enabled) has no meaning here either.

IMPDEF: among equal priorities the lowest INTID goes first, then the lowest source CPU of an SGI.
IMPDEF: an SGI has one active state per target PE, whichever source was acknowledged.
IMPDEF: SGIs latch while the Distributor is disabled.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SPURIOUS = 1023
IDLE_PRIORITY = 0xFF
NR_SGIS = 16
FIRST_SPI = 32


@dataclass
class Interrupt:
    """All that is known about one interrupt of one PE (SGI, PPI), or of all PEs (SPI)."""

    intid: int
    # What software configures.
    enabled: bool = False
    group: int = 0
    priority: int = 0
    edge: bool = False
    targets: list[int] = field(default_factory=list)
    # What happens to it.  `latch` is the edge, or what ISPENDR wrote.
    line: bool = False
    latch: bool = False
    active: bool = False
    sources: list[int] = field(default_factory=list)  # GICv2 SGIs only: who sent it

    @property
    def is_pending(self) -> bool:
        """What ISPENDR reads: an edge is remembered, a level is also read from the wire."""
        if self.edge:
            return self.latch or self.sources != []
        return self.latch or self.line


@dataclass
class CpuInterface:
    """The registers of one PE's CPU interface."""

    group_enabled: bool = False
    pmr: int = 0
    bpr: int = 0
    eoi_mode: int = 0
    active_priorities: list[int] = field(default_factory=list)  # group priorities, last is highest


class NaiveGic:
    """The interrupt controller; the methods are those of ``irqsim.hw.gic.Gic``."""

    def __init__(self, version: int, nr_pes: int, nr_spis: int, priority_bits: int = 5) -> None:
        self.version = version
        self.nr_pes = nr_pes
        self.implemented_mask = (0xFF << (8 - priority_bits)) & 0xFF
        self.distributor_enabled = False
        self.cpu_interfaces = [CpuInterface() for _ in range(nr_pes)]
        self.private = [
            [Interrupt(intid, edge=intid < NR_SGIS, targets=[pe]) for intid in range(FIRST_SPI)]
            for pe in range(nr_pes)
        ]
        self.shared = [Interrupt(FIRST_SPI + i) for i in range(nr_spis)]
        if nr_pes == 1:  # One PE: ITARGETSR is RAZ/WI and every interrupt goes to that PE.
            for interrupt in self.shared:
                interrupt.targets = [0]
        self.irq = [False] * nr_pes
        self.changed: list[int] = []

    # --- Distributor and Redistributors -------------------------------------------------------

    def set_distributor_enabled(self, on: bool) -> None:
        """GICD_CTLR: off forwards nothing, states still latch."""
        self.distributor_enabled = on
        self._update()

    def set_group(self, intid: int, group: int, pe: int = 0) -> None:
        """IGROUPR: only group 1 is signalled as IRQ."""
        self._interrupt(intid, pe).group = group
        self._update()

    def set_enabled(self, intid: int, on: bool, pe: int = 0) -> None:
        """ISENABLER, ICENABLER: forwarding only; neither pending nor active state changes."""
        self._interrupt(intid, pe).enabled = on
        self._update()

    def is_enabled(self, intid: int, pe: int = 0) -> bool:
        return self._interrupt(intid, pe).enabled

    def set_priority(self, intid: int, value: int, pe: int = 0) -> None:
        """IPRIORITYR: unimplemented low bits are RAZ/WI."""
        self._interrupt(intid, pe).priority = value & self.implemented_mask
        self._update()

    def priority(self, intid: int, pe: int = 0) -> int:
        return self._interrupt(intid, pe).priority

    def set_edge(self, intid: int, edge: bool, pe: int = 0) -> None:
        """ICFGR; read-only for SGIs, which are always edge-triggered."""
        if intid >= NR_SGIS:
            self._interrupt(intid, pe).edge = edge
        self._update()

    def is_edge(self, intid: int, pe: int = 0) -> bool:
        return self._interrupt(intid, pe).edge

    def set_targets(self, intid: int, mask: int) -> None:
        """GICD_ITARGETSR (GICv2): a bit per PE; RAZ/WI with one PE and for private interrupts."""
        if self.nr_pes > 1 and intid >= FIRST_SPI:
            targets = [pe for pe in range(self.nr_pes) if mask & (1 << pe)]
            self._interrupt(intid, 0).targets = targets
        self._update()

    def set_route(self, intid: int, pe: int | None) -> None:
        """GICD_IROUTER (GICv3): one PE, or with IRM=1 (None) any participating PE."""
        targets = list(range(self.nr_pes)) if pe is None else [pe]
        self._interrupt(intid, 0).targets = targets
        self._update()

    def set_line(self, intid: int, level: bool, pe: int = 0) -> bool:
        """Drive the wire.  False when this was an edge that found the latch already set."""
        interrupt = self._interrupt(intid, pe)
        rising = level and not interrupt.line
        interrupt.line = level
        merged = False
        if interrupt.edge and rising:
            merged = interrupt.latch
            interrupt.latch = True
        self._update()
        return not merged

    def pulse(self, intid: int, pe: int = 0) -> bool:
        """A rising and a falling edge on a wire that was low."""
        latched = self.set_line(intid, True, pe)
        self.set_line(intid, False, pe)
        return latched

    def set_pending(self, intid: int, pe: int = 0) -> None:
        """ISPENDR; a level-sensitive interrupt then stays pending without its line."""
        self._interrupt(intid, pe).latch = True
        self._update()

    def clear_pending(self, intid: int, pe: int = 0) -> None:
        """ICPENDR; a level-sensitive interrupt stays pending while its line is asserted."""
        self._interrupt(intid, pe).latch = False
        self._update()

    def is_pending(self, intid: int, pe: int = 0) -> bool:
        return self._interrupt(intid, pe).is_pending

    def set_active(self, intid: int, pe: int = 0) -> None:
        """ISACTIVER: no running priority changes."""
        self._interrupt(intid, pe).active = True
        self._update()

    def clear_active(self, intid: int, pe: int = 0) -> None:
        """ICACTIVER: no running priority changes."""
        self._interrupt(intid, pe).active = False
        self._update()

    def is_active(self, intid: int, pe: int = 0) -> bool:
        return self._interrupt(intid, pe).active

    def send_sgi(self, source_pe: int, intid: int, targets: int) -> None:
        """GICD_SGIR keeps one pending state per source CPU, ICC_SGI1R_EL1 merges the senders."""
        for pe in range(self.nr_pes):
            if targets & (1 << pe):
                interrupt = self._interrupt(intid, pe)
                if self.version == 3:
                    interrupt.latch = True
                elif source_pe not in interrupt.sources:
                    interrupt.sources.append(source_pe)
        self._update()

    # --- CPU interface ------------------------------------------------------------------------

    def set_group_enabled(self, pe: int, on: bool) -> None:
        """GICC_CTLR.EnableGrp1, ICC_IGRPEN1_EL1."""
        self.cpu_interfaces[pe].group_enabled = on
        self._update()

    def set_pmr(self, pe: int, v: int) -> None:
        """PMR has as many bits as a priority has; the others are RAZ/WI."""
        self.cpu_interfaces[pe].pmr = v & self.implemented_mask
        self._update()

    def set_bpr(self, pe: int, n: int) -> None:
        self.cpu_interfaces[pe].bpr = n
        self._update()

    def set_eoi_mode(self, pe: int, mode: int) -> None:
        self.cpu_interfaces[pe].eoi_mode = mode
        self._update()

    def running_priority(self, pe: int) -> int:
        """RPR: the highest active group priority, or idle."""
        active_priorities = self.cpu_interfaces[pe].active_priorities
        return min(active_priorities) if active_priorities else IDLE_PRIORITY

    def highest_pending(self, pe: int) -> int:
        """HPPIR: what IAR would return now, without its side effects."""
        interrupt = self._highest_candidate(pe)
        return SPURIOUS if interrupt is None else self._iar(interrupt)

    def acknowledge(self, pe: int) -> int:
        """IAR: the pending interrupt becomes active and its group priority the running one."""
        interrupt = self._highest_candidate(pe)
        if interrupt is None:
            return SPURIOUS
        iar = self._iar(interrupt)
        interrupt.active = True
        interrupt.latch = False
        if interrupt.sources:
            interrupt.sources.remove(min(interrupt.sources))
        group_priority = self._group_priority(pe, interrupt.priority)
        self.cpu_interfaces[pe].active_priorities.append(group_priority)
        self._update()
        return iar

    def end_of_interrupt(self, pe: int, iar: int) -> None:
        """EOIR: drop the running priority; in EOImode 0 also deactivate."""
        cpu_interface = self.cpu_interfaces[pe]
        cpu_interface.active_priorities.pop()
        if cpu_interface.eoi_mode == 0:
            self._interrupt(self._intid(iar), pe).active = False
        self._update()

    def deactivate(self, pe: int, iar: int) -> None:
        """DIR (EOImode 1): deactivate, whatever the running priority is."""
        self._interrupt(self._intid(iar), pe).active = False
        self._update()

    # --- The rules ----------------------------------------------------------------------------

    def _candidates(self, pe: int) -> list[Interrupt]:
        """Every interrupt that could be signalled to this PE now."""
        cpu_interface = self.cpu_interfaces[pe]
        if not (self.distributor_enabled and cpu_interface.group_enabled):
            return []
        return [
            interrupt
            for interrupt in self.private[pe] + self.shared
            if interrupt.enabled
            and interrupt.is_pending
            and not interrupt.active
            and interrupt.group == 1
            and pe in interrupt.targets
            and interrupt.priority < cpu_interface.pmr
            and self._preempts(pe, interrupt)
        ]

    def _highest_candidate(self, pe: int) -> Interrupt | None:
        """The lowest priority value, then the lowest INTID."""
        candidates = self._candidates(pe)
        return min(candidates, key=lambda i: (i.priority, i.intid)) if candidates else None

    def _preempts(self, pe: int, interrupt: Interrupt) -> bool:
        """Whether the interrupt has a higher group priority than what the PE is handling."""
        running = self.running_priority(pe)
        if running == IDLE_PRIORITY:
            return True
        return self._group_priority(pe, interrupt.priority) < self._group_priority(pe, running)

    def _group_priority(self, pe: int, priority: int) -> int:
        """The bits of a priority above the binary point.

        GICC_BPR (GICv2): bits [7:n+1].  ICC_BPR1_EL1 (GICv3): bits [7:n], and n is at least 1,
        because there are at most 128 levels of preemption.
        """
        bpr = self.cpu_interfaces[pe].bpr
        lowest_bit = bpr + 1 if self.version == 2 else max(bpr, 1)
        return priority & (0xFF << lowest_bit) & self.implemented_mask

    def _iar(self, interrupt: Interrupt) -> int:
        """GICC_IAR has the source CPU of an SGI in bits 12:10; everything else is RAZ there."""
        if interrupt.sources:
            return (min(interrupt.sources) << 10) | interrupt.intid
        return interrupt.intid

    def _intid(self, iar: int) -> int:
        return iar & 0x3FF if self.version == 2 else iar

    def _interrupt(self, intid: int, pe: int) -> Interrupt:
        """SGIs and PPIs are banked per PE, SPIs are shared."""
        return self.private[pe][intid] if intid < FIRST_SPI else self.shared[intid - FIRST_SPI]

    def _update(self) -> None:
        """Drive the IRQ signal into every PE."""
        for pe in range(self.nr_pes):
            signalled = self._candidates(pe) != []
            if signalled and not self.irq[pe]:
                self.changed.append(pe)
            self.irq[pe] = signalled
