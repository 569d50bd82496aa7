"""The Gic does what the naive model does, whatever legal things software and devices do to it.

The model is ``naive_gic.py``.  Rules perform only operations that the architecture defines: EOIs in
reverse order of the acknowledges, DIR only in EOImode 1 and after the EOI, trigger changes only
while the interrupt is disabled and idle, EOImode changes only while the PE handles nothing.

What software does is done twice over: by the Gic's own methods, and through its registers.

Left out: IGROUPR after the set-up (every interrupt is in group 1, as Linux has it) and ISPENDR,
ICPENDR of SGIs in a GICv2, where they are read-only.
"""

from __future__ import annotations

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from irqsim.hw.gic import Gic
from tests.gic_registers import RegisterGic
from tests.naive_gic import SPURIOUS, NaiveGic

SGIS = [0, 1, 15]
PPIS = [16, 27, 30]
SPIS = [32, 33, 34, 35, 36, 37]
WIRED = PPIS + SPIS
INTIDS = SGIS + WIRED

PES = st.integers(0, 3)  # modulo the number of PEs
CHOICES = st.integers(0, 63)  # modulo the number of things to choose from
PRIORITIES = st.sampled_from([0xA0, 0x00, 0x10, 0x80, 0x90, 0xA1, 0xA4, 0xA8, 0xF0, 0xFF]) | (
    st.integers(0, 0xFF)
)
PMRS = st.sampled_from([0xF0, 0xFF, 0x00, 0x10, 0xA0, 0xA1, 0xA8]) | st.integers(0, 0xFF)
MOSTLY = st.sampled_from([True, True, True, False])


class GicMachine(RuleBasedStateMachine):
    """Drive the Gic and the naive model with the same calls."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 0
        self.nr_pes = 0
        self.naive = NaiveGic(2, 1, 0)
        self.gic = self.make_gic(2, 1, len(SPIS), 5)
        # What software has to remember, per PE: the IARs that still need an EOI, the last one
        # first to be ended, and those that had it but are still active (EOImode 1).
        self.acknowledged: list[list[int]] = []
        self.dropped: list[list[int]] = []

    def make_gic(
        self, version: int, nr_pes: int, nr_spis: int, priority_bits: int
    ) -> Gic | RegisterGic:
        return Gic(version, nr_pes, nr_spis, priority_bits)

    # --- Set-up -------------------------------------------------------------------------------

    @initialize(
        version=st.sampled_from([2, 3]),
        nr_pes=st.integers(1, 4),
        priority_bits=st.sampled_from([4, 5, 8]),
        spacing=st.sampled_from([None, 0, 1, 4, 8, 16]),
    )
    def reset(self, version: int, nr_pes: int, priority_bits: int, spacing: int | None) -> None:
        note(f"gic = Gic({version}, {nr_pes}, {len(SPIS)}, {priority_bits})")
        self.version = version
        self.nr_pes = nr_pes
        self.naive = NaiveGic(version, nr_pes, len(SPIS), priority_bits)
        self.gic = self.make_gic(version, nr_pes, len(SPIS), priority_bits)
        self.acknowledged = [[] for _ in range(nr_pes)]
        self.dropped = [[] for _ in range(nr_pes)]
        for intid in SPIS:
            self.both("set_group", intid, 1)
            self.set_destination(intid, 0)
        for pe in range(nr_pes):
            for intid in SGIS + PPIS:
                self.both("set_group", intid, 1, pe)
        if spacing is not None:
            self.enable_everything(spacing)

    def enable_everything(self, spacing: int) -> None:
        """Let interrupts flow from the first step; a spacing of 0 is what Linux programs.

        With another spacing every interrupt has a higher priority than the one before it.
        """
        self.both("set_distributor_enabled", True)
        for pe in range(self.nr_pes):
            self.both("set_pmr", pe, 0xF0)
            self.both("set_group_enabled", pe, True)
        for rank, intid in enumerate(INTIDS):
            for pe in range(self.nr_pes) if intid < 32 else [0]:
                self.both("set_priority", intid, 0xC9 - rank * spacing, pe)
                if intid in WIRED and intid % 2:
                    self.both("set_edge", intid, True, pe)
                self.both("set_enabled", intid, True, pe)

    def set_destination(self, intid: int, pe: int) -> None:
        if self.version == 2:
            self.both("set_targets", intid, 1 << pe)
        else:
            self.both("set_route", intid, pe)

    def both(self, method: str, *args: int | None) -> object:
        """Call both models; they return the same and raise the IRQ signal of the same PEs."""
        note(f"gic.{method}({', '.join(map(repr, args))})")
        signalled = list(self.naive.irq)
        expected: object = getattr(self.naive, method)(*args)
        actual: object = getattr(self.gic, method)(*args)
        assert actual == expected
        raised = [pe for pe in range(self.nr_pes) if self.naive.irq[pe] and not signalled[pe]]
        assert [pe for pe in range(self.nr_pes) if pe in self.gic.changed] == raised
        self.gic.changed.clear()
        # An interrupt that anybody deactivated needs no DIR any more.
        for pe, iars in enumerate(self.dropped):
            iars[:] = [iar for iar in iars if self.naive.is_active(intid_of(iar), pe)]
        return expected

    # --- What is legal now --------------------------------------------------------------------

    def bank(self, intid: int, pe: int) -> int:
        """The PE to name in a call: it has no meaning for an SPI."""
        return pe % self.nr_pes if intid < 32 else 0

    def banks(self, intids: list[int]) -> list[tuple[int, int]]:
        """Every (INTID, PE) pair that has a state of its own."""
        private = [(i, pe) for i in intids if i < 32 for pe in range(self.nr_pes)]
        return private + [(i, 0) for i in intids if i >= 32]

    def reconfigurable(self) -> list[tuple[int, int]]:
        """Interrupts whose trigger may change: disabled, idle, line low."""
        return [
            (intid, pe)
            for intid, pe in self.banks(WIRED)
            if not self.naive.is_enabled(intid, pe)
            and not self.naive.is_pending(intid, pe)
            and not self.naive.is_active(intid, pe)
            and not self.line(intid, pe)
        ]

    def pulsable(self) -> list[tuple[int, int]]:
        return [
            (intid, pe)
            for intid, pe in self.banks(WIRED)
            if self.naive.is_edge(intid, pe) and not self.line(intid, pe)
        ]

    def writable(self) -> list[int]:
        """Interrupts that have an ISPENDR and an ICPENDR."""
        return INTIDS if self.version == 3 else WIRED

    def latched(self) -> list[tuple[int, int]]:
        """Pending interrupts that ICPENDR may clear, also those that then stay pending."""
        return [
            (intid, pe)
            for intid, pe in self.banks(self.writable())
            if self.naive.is_pending(intid, pe)
        ]

    def pending_spis(self) -> list[int]:
        return [intid for intid in SPIS if self.naive.is_pending(intid)]

    def deactivatable(self) -> list[tuple[int, int]]:
        """(PE, IAR) pairs that may be written to DIR now.

        Any PE may deactivate an SPI, also one that ISACTIVER made active, but none may do it
        between the acknowledge and the EOI.  A GICv2 needs the source of an SGI.
        """
        pairs = [(pe, iar) for pe in range(self.nr_pes) for iar in self.dropped[pe]]
        for intid, bank in self.banks(INTIDS if self.version == 3 else WIRED):
            if self.naive.is_active(intid, bank):
                pes = [bank] if intid < 32 else range(self.nr_pes)
                pairs += [(pe, intid) for pe in pes if (pe, intid) not in pairs]
        return [
            (pe, iar)
            for pe, iar in pairs
            if self.naive.cpu_interfaces[pe].eoi_mode == 1 and not self.is_awaiting_eoi(pe, iar)
        ]

    def is_awaiting_eoi(self, pe: int, iar: int) -> bool:
        intid = intid_of(iar)
        pes = [pe] if intid < 32 else range(self.nr_pes)
        return any(intid == intid_of(other) for p in pes for other in self.acknowledged[p])

    def idle_pes(self) -> list[int]:
        return [
            pe
            for pe in range(self.nr_pes)
            if not self.acknowledged[pe] and not self.dropped[pe]
        ]

    def line(self, intid: int, pe: int) -> bool:
        return self.naive._interrupt(intid, pe).line

    # --- Devices ------------------------------------------------------------------------------

    @rule(intid=st.sampled_from(WIRED), level=st.booleans(), pe=PES)
    def set_line(self, intid: int, level: bool, pe: int) -> None:
        self.both("set_line", intid, level, self.bank(intid, pe))

    @rule(intid=st.sampled_from(WIRED), pe=PES)
    def toggle_line(self, intid: int, pe: int) -> None:
        pe = self.bank(intid, pe)
        self.both("set_line", intid, not self.line(intid, pe), pe)

    @precondition(lambda self: self.pulsable())
    @rule(choice=CHOICES)
    def pulse(self, choice: int) -> None:
        pairs = self.pulsable()
        self.both("pulse", *pairs[choice % len(pairs)])

    # --- Distributor and Redistributors -------------------------------------------------------

    @rule(on=MOSTLY)
    def set_distributor_enabled(self, on: bool) -> None:
        self.both("set_distributor_enabled", on)

    @rule(intid=st.sampled_from(INTIDS), on=MOSTLY, pe=PES)
    def set_enabled(self, intid: int, on: bool, pe: int) -> None:
        self.both("set_enabled", intid, on, self.bank(intid, pe))

    @rule(intid=st.sampled_from(INTIDS), value=PRIORITIES, pe=PES)
    def set_priority(self, intid: int, value: int, pe: int) -> None:
        self.both("set_priority", intid, value, self.bank(intid, pe))

    @precondition(lambda self: self.reconfigurable())
    @rule(choice=CHOICES, edge=st.booleans())
    def set_edge(self, choice: int, edge: bool) -> None:
        pairs = self.reconfigurable()
        intid, pe = pairs[choice % len(pairs)]
        self.both("set_edge", intid, edge, pe)

    @precondition(lambda self: self.version == 2)
    @rule(intid=st.sampled_from(SPIS), mask=st.integers(0, 15))
    def set_targets(self, intid: int, mask: int) -> None:
        self.both("set_targets", intid, mask & ((1 << self.nr_pes) - 1))

    @precondition(lambda self: self.version == 3)
    @rule(intid=st.sampled_from(SPIS), pe=st.none() | PES)
    def set_route(self, intid: int, pe: int | None) -> None:
        self.both("set_route", intid, None if pe is None else pe % self.nr_pes)

    @precondition(lambda self: self.pending_spis())
    @rule(choice=CHOICES, pe=PES)
    def move_pending_spi(self, choice: int, pe: int) -> None:
        intids = self.pending_spis()
        self.set_destination(intids[choice % len(intids)], pe % self.nr_pes)

    @rule(choice=CHOICES)
    def set_pending(self, choice: int) -> None:
        pairs = self.banks(self.writable())
        self.both("set_pending", *pairs[choice % len(pairs)])

    @rule(choice=CHOICES)
    def clear_pending(self, choice: int) -> None:
        pairs = self.banks(self.writable())
        self.both("clear_pending", *pairs[choice % len(pairs)])

    @precondition(lambda self: self.latched())
    @rule(choice=CHOICES)
    def clear_latched(self, choice: int) -> None:
        pairs = self.latched()
        self.both("clear_pending", *pairs[choice % len(pairs)])

    @rule(intid=st.sampled_from(INTIDS), on=st.booleans(), pe=PES)
    def set_active(self, intid: int, on: bool, pe: int) -> None:
        self.both("set_active" if on else "clear_active", intid, self.bank(intid, pe))

    @rule(source=PES, intid=st.sampled_from(SGIS), mask=st.integers(0, 15))
    def send_sgi(self, source: int, intid: int, mask: int) -> None:
        self.both("send_sgi", source % self.nr_pes, intid, mask & ((1 << self.nr_pes) - 1))

    # --- CPU interfaces -----------------------------------------------------------------------

    @rule(pe=PES, on=MOSTLY)
    def set_group_enabled(self, pe: int, on: bool) -> None:
        self.both("set_group_enabled", pe % self.nr_pes, on)

    @rule(pe=PES, value=PMRS)
    def set_pmr(self, pe: int, value: int) -> None:
        self.both("set_pmr", pe % self.nr_pes, value)

    @rule(pe=PES, intid=st.sampled_from(INTIDS))
    def set_pmr_to_a_priority(self, pe: int, intid: int) -> None:
        pe %= self.nr_pes
        self.both("set_pmr", pe, self.naive.priority(intid, self.bank(intid, pe)))

    @rule(pe=PES, n=st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7]))
    def set_bpr(self, pe: int, n: int) -> None:
        self.both("set_bpr", pe % self.nr_pes, n)

    @precondition(lambda self: self.idle_pes())
    @rule(choice=CHOICES, mode=st.integers(0, 1))
    def set_eoi_mode(self, choice: int, mode: int) -> None:
        pes = self.idle_pes()
        self.both("set_eoi_mode", pes[choice % len(pes)], mode)

    @rule(pe=PES)
    def acknowledge(self, pe: int) -> None:
        self.take(pe % self.nr_pes)

    @precondition(lambda self: any(self.naive.irq))
    @rule(choice=CHOICES)
    def acknowledge_where_signalled(self, choice: int) -> None:
        pes = [pe for pe in range(self.nr_pes) if self.naive.irq[pe]]
        assert self.take(pes[choice % len(pes)]) != SPURIOUS

    def take(self, pe: int) -> int:
        """Acknowledge, and remember what for the EOI; HPPIR tells beforehand what it will be."""
        forecast = self.gic.highest_pending(pe)
        iar = self.both("acknowledge", pe)
        assert isinstance(iar, int)
        note(f"    -> {iar}")
        assert iar == forecast
        if iar != SPURIOUS:
            self.acknowledged[pe].append(iar)
        return iar

    @precondition(lambda self: any(self.acknowledged))
    @rule(choice=CHOICES, intid=st.sampled_from(WIRED), lead=st.sampled_from([0, 1, 4, 8, 16, 32]))
    def challenge(self, choice: int, intid: int, lead: int) -> None:
        """Let an interrupt come that is about as urgent as what a PE is handling."""
        pes = [pe for pe in range(self.nr_pes) if self.acknowledged[pe]]
        pe = pes[choice % len(pes)]
        bank = self.bank(intid, pe)
        if intid in SPIS:
            self.set_destination(intid, pe)
        self.both("set_priority", intid, max(self.naive.running_priority(pe) - lead, 0), bank)
        self.both("set_enabled", intid, True, bank)
        self.both("set_pending", intid, bank)

    @precondition(lambda self: any(self.acknowledged))
    @rule(choice=CHOICES)
    def end_of_interrupt(self, choice: int) -> None:
        pes = [pe for pe in range(self.nr_pes) if self.acknowledged[pe]]
        pe = pes[choice % len(pes)]
        iar = self.acknowledged[pe].pop()
        if self.naive.cpu_interfaces[pe].eoi_mode == 1:
            self.dropped[pe].append(iar)
        self.both("end_of_interrupt", pe, iar)

    @precondition(lambda self: self.deactivatable())
    @rule(choice=CHOICES)
    def deactivate(self, choice: int) -> None:
        pairs = self.deactivatable()
        self.both("deactivate", *pairs[choice % len(pairs)])

    # --- What must agree ----------------------------------------------------------------------

    @invariant()
    def every_pe_agrees(self) -> None:
        for pe in range(self.nr_pes):
            assert self.gic.irq[pe] == self.naive.irq[pe]
            assert self.gic.highest_pending(pe) == self.naive.highest_pending(pe)
            assert self.gic.running_priority(pe) == self.naive.running_priority(pe)

    @invariant()
    def every_interrupt_agrees(self) -> None:
        for intid, pe in self.banks(INTIDS):
            assert self.gic.is_pending(intid, pe) == self.naive.is_pending(intid, pe)
            assert self.gic.is_active(intid, pe) == self.naive.is_active(intid, pe)
            assert self.gic.is_enabled(intid, pe) == self.naive.is_enabled(intid, pe)
            assert self.gic.is_edge(intid, pe) == self.naive.is_edge(intid, pe)
            assert self.gic.priority(intid, pe) == self.naive.priority(intid, pe)

    @invariant()
    def irq_is_signalled_while_something_can_be_acknowledged(self) -> None:
        for pe in range(self.nr_pes):
            assert self.gic.irq[pe] == (self.gic.highest_pending(pe) != SPURIOUS)


def intid_of(iar: int) -> int:
    """The INTID in an IAR; a GICv2 adds the source CPU of an SGI."""
    return iar & 0x3FF


TestGic = GicMachine.TestCase
# The profile says whether these are always the same examples; fewer miss the rarer combinations.
TestGic.settings = settings(max_examples=max(400, settings().max_examples), deadline=None)


class RegisterMachine(GicMachine):
    """The same, but what software does it does by loads and stores."""

    def make_gic(
        self, version: int, nr_pes: int, nr_spis: int, priority_bits: int
    ) -> Gic | RegisterGic:
        return RegisterGic(version, nr_pes, nr_spis, priority_bits)


TestRegisters = RegisterMachine.TestCase
TestRegisters.settings = settings(max_examples=max(100, settings().max_examples), deadline=None)
