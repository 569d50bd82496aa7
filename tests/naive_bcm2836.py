"""A naive BCM2836: sets of names, every question answered by a full scan.

It is written from the documents alone and shares nothing with ``irqsim.hw``: the fast model is
compared with it step by step in ``test_bcm2836_stateful.py``.

Source: BCM2836 ARM-local peripherals (QA7), BCM2835 ARM peripherals, section 7.
"""

from __future__ import annotations

TIMERS = ("CNTPS", "CNTPNS", "CNTHP", "CNTV")
"""In the order of their bits; four mailboxes, the GPU and the PMU follow."""
SHORTCUT_GPU_IRQS = (7, 9, 10, 18, 19, 53, 54, 55, 56, 57, 62)
"""Numbered through banks 1 and 2; their bits in the basic pending register begin at 10."""


class NaiveBcm2836:
    """Both controllers of a machine."""

    def __init__(self, nr_cores: int) -> None:
        self.nr_cores = nr_cores
        self.high: set[tuple[int, str]] = set()
        """Core and source: the wires that are high."""
        self.let_through: set[tuple[int, str]] = set()
        self.mail: set[tuple[int, int, int]] = set()
        """Core, mailbox, bit."""
        self.mailboxes_on: set[tuple[int, int]] = set()
        self.gpu_core = 0
        self.inputs: set[tuple[int, int]] = set()
        """Bank and bit of ARMCTRL: the wires that are high."""
        self.enabled: set[tuple[int, int]] = set()

    def asking(self, bank: int) -> list[int]:
        """The bits of a bank that are high and enabled."""
        return sorted(bit for owner, bit in self.inputs & self.enabled if owner == bank)

    def basic_pending(self) -> int:
        """The register that software reads first."""
        word = sum(1 << bit for bit in self.asking(0))
        gpu = [*self.asking(1), *(32 + bit for bit in self.asking(2))]
        for place, irq in enumerate(SHORTCUT_GPU_IRQS):
            if irq in gpu:
                word += 1 << (10 + place)
        others = [irq for irq in gpu if irq not in SHORTCUT_GPU_IRQS]
        if any(irq < 32 for irq in others):
            word += 1 << 8
        if any(irq >= 32 for irq in others):
            word += 1 << 9
        return word

    def next_input(self) -> tuple[int, int] | None:
        """Which input software serves next: bank 0, shortcuts, the rest, each lowest first."""
        if self.asking(0):
            return 0, self.asking(0)[0]
        gpu = [*self.asking(1), *(32 + bit for bit in self.asking(2))]
        with_shortcut = [irq for irq in gpu if irq in SHORTCUT_GPU_IRQS]
        for irq in [*with_shortcut, *gpu]:
            return 1 + irq // 32, irq % 32
        return None

    def sources(self, core: int) -> list[int]:
        """The bits of a core's own word, ascending."""
        bits = [
            bit
            for bit, name in enumerate(TIMERS)
            if (core, name) in self.high and (core, name) in self.let_through
        ]
        for mailbox in range(4):
            has_mail = any((core, mailbox, bit) in self.mail for bit in range(32))
            if has_mail and (core, mailbox) in self.mailboxes_on:
                bits.append(4 + mailbox)
        if core == self.gpu_core and self.next_input() is not None:
            bits.append(8)
        if (core, "PMU") in self.high and (core, "PMU") in self.let_through:
            bits.append(9)
        return bits
