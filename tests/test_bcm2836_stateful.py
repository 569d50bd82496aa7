"""The Raspberry Pi's controllers against a naive model, step by step."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from irqsim.hw.bcm2836 import GPU_FAST, PMU_FAST, Bcm2836, input_of
from irqsim.kernel.irq.bcm2836 import Bcm2836Chip
from irqsim.machine import Machine
from irqsim.scenario.spec import MachineSpec, ScenarioSpec
from tests.naive_bcm2836 import TIMERS, NaiveBcm2836

BANK_SIZES = (8, 32, 32)
INPUTS = [(bank, bit) for bank, size in enumerate(BANK_SIZES) for bit in range(size)]

cores = st.integers(0, 3)
mailboxes = st.integers(0, 3)
bits = st.integers(0, 31)
FEW = [(0, 0), (0, 7), (1, 6), (1, 7), (1, 19), (2, 0), (2, 21), (2, 30), (2, 31)]
"""With and without shortcuts: of each bank what is looked at first and last."""
inputs = st.one_of(st.sampled_from(FEW), st.sampled_from(INPUTS))
sources = st.sampled_from([*TIMERS, "PMU"])


class Bcm2836Machine(RuleBasedStateMachine):
    """What wires and software do to both."""

    @initialize(nr_cores=st.integers(1, 4), is_enabled=st.booleans())
    def begin(self, nr_cores: int, is_enabled: bool) -> None:
        self.hw = Bcm2836(nr_cores)
        self.naive = NaiveBcm2836(nr_cores)
        spec = ScenarioSpec(machine=MachineSpec("arm", nr_cores, "bcm2836"))
        kernel = Machine(spec, lambda records: None).kernel
        self.chip = Bcm2836Chip(kernel, self.hw, {}, ())
        for core in range(nr_cores):
            self.hw.local.set_mailbox_control(core, 0)
        self.was_high = [False] * nr_cores
        if is_enabled:
            self.enable_all()

    @rule(core=cores, source=sources, level=st.booleans())
    def wire(self, core: int, source: str, level: bool) -> None:
        core %= self.naive.nr_cores
        number = PMU_FAST if source == "PMU" else TIMERS.index(source)
        self.hw.local.set_line(number, level, core)
        (self.naive.high.add if level else self.naive.high.discard)((core, source))

    @rule(core=cores, source=sources, on=st.booleans())
    def let_through(self, core: int, source: str, on: bool) -> None:
        core %= self.naive.nr_cores
        local = self.hw.local
        (self.naive.let_through.add if on else self.naive.let_through.discard)((core, source))
        if source == "PMU":
            bit = 1 << core
            local.set_pm_routing(local.pm_routing | bit if on else local.pm_routing & ~bit)
        else:
            value, bit = local.timer_control[core], 1 << TIMERS.index(source)
            local.set_timer_control(core, value | bit if on else value & ~bit)

    @rule(core=cores, mailbox=mailboxes, bit=bits, is_set=st.booleans())
    def mail(self, core: int, mailbox: int, bit: int, is_set: bool) -> None:
        core %= self.naive.nr_cores
        write = self.hw.local.set_mailbox if is_set else self.hw.local.clear_mailbox
        write(core, mailbox, 1 << bit)
        (self.naive.mail.add if is_set else self.naive.mail.discard)((core, mailbox, bit))

    @rule(core=cores, chosen=st.sets(mailboxes))
    def mailboxes_on(self, core: int, chosen: set[int]) -> None:
        core %= self.naive.nr_cores
        self.hw.local.set_mailbox_control(core, sum(1 << mailbox for mailbox in chosen))
        others = {(owner, mailbox) for owner, mailbox in self.naive.mailboxes_on if owner != core}
        self.naive.mailboxes_on = others | {(core, mailbox) for mailbox in chosen}

    @rule(place=inputs, level=st.booleans())
    def peripheral(self, place: tuple[int, int], level: bool) -> None:
        self.hw.armctrl.set_line(input_of(*place), level)
        (self.naive.inputs.add if level else self.naive.inputs.discard)(place)

    @rule(place=inputs, on=st.booleans())
    def enable(self, place: tuple[int, int], on: bool) -> None:
        self.hw.armctrl.set_enabled(input_of(*place), on)
        (self.naive.enabled.add if on else self.naive.enabled.discard)(place)

    @rule()
    def enable_all(self) -> None:
        for place in INPUTS:
            self.enable(place, True)

    @rule(core=cores)
    def route(self, core: int) -> None:
        core %= self.naive.nr_cores
        self.hw.local.set_gpu_routing(core)
        self.naive.gpu_core = core

    @invariant()
    def the_words_are_the_same(self) -> None:
        if not hasattr(self, "hw"):
            return
        assert self.hw.armctrl.pending(0) == self.naive.basic_pending()
        for bank in (1, 2):
            assert self.hw.armctrl.pending(bank) == sum(1 << n for n in self.naive.asking(bank))
        place = self.naive.next_input()
        expected = -1 if place is None else input_of(*place)
        assert self.chip.next_armctrl_hwirq() == expected
        for core in range(self.naive.nr_cores):
            found = self.naive.sources(core)
            assert self.hw.local.irq_pending(core) == sum(1 << source for source in found)
            assert self.hw.irq[core] == (found != [])
            assert self.hw.local.line(GPU_FAST, core) == (place is not None)

    @invariant()
    def a_signal_that_rose_is_told(self) -> None:
        if not hasattr(self, "hw"):
            return
        for core in range(self.naive.nr_cores):
            if self.hw.irq[core] and not self.was_high[core]:
                assert core in self.hw.changed
        self.was_high = list(self.hw.irq)
        self.hw.changed.clear()


TestBcm2836 = Bcm2836Machine.TestCase
TestBcm2836.settings = settings(max_examples=max(100, settings().max_examples), deadline=None)
