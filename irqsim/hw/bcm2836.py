"""The interrupt controllers of the Raspberry Pi 2 and 3: BCM2836 and BCM2837.

Theory of operation.  Two controllers stand behind each other.  Each core has a local one: a
word of pending bits, one for each of its four timers, its four mailboxes, its PMU, and the
output of the other controller, ARMCTRL, which all peripherals are wired to and which is routed
to one core.  ARMCTRL, older than the cores around it, has three banks: bank 0, the basic one,
with eight inputs of its own, and banks 1 and 2 with 32 each.  The word of bank 0 also tells
where to look further: a bit each for banks 1 and 2, and shortcuts, a bit for each of eleven
inputs of those; one that has a shortcut does not set its bank's bit.

Nothing here has a priority, a latch or an acknowledge: an input that is high and not masked is
pending, and the core's signal is high while any bit is.  Mailboxes alone keep something: the
bits that were written to their set register, until they are written to the clear register.

Source: BCM2836 ARM-local peripherals (QA7), sections 3 and 4; BCM2835 ARM peripherals, section 7.
Leaves out: FIQs, the local timer and AXI counter, stopping of the shortcut bits by the FIQ.
"""

from __future__ import annotations

from typing import Final

NR_TIMERS: Final = 4
MAILBOX0: Final = 4
"""The first of four mailboxes in a core's pending word."""
NR_MAILBOXES: Final = 4
GPU_FAST: Final = 8
PMU_FAST: Final = 9
NR_PES_MAX: Final = 4

NR_BANKS: Final = 3
BANK_BITS: Final = (8, 32, 32)
BANK_SHIFT: Final = 5
"""An input's number is its bank above its bit."""
BANK0_OWN: Final = 0xFF
BANK1_PENDING: Final = 1 << 8
BANK2_PENDING: Final = 1 << 9
SHORTCUT_SHIFT: Final = 10
SHORTCUTS: Final = (
    (1, 7), (1, 9), (1, 10), (1, 18), (1, 19),
    (2, 21), (2, 22), (2, 23), (2, 24), (2, 25), (2, 30),
)  # fmt: skip
"""Bank and bit, in the order of their bits in the word of bank 0."""

_HAS_SHORTCUT: Final = tuple(
    sum(1 << bit for owner, bit in SHORTCUTS if owner == bank) for bank in range(NR_BANKS)
)


class Local:
    """The cores' own controllers: `irq` is the signal of each core."""

    __slots__ = ("_inputs", "changed", "gpu_pe", "irq", "mailbox_control", "mailboxes", "nr_pes",
                 "pm_routing", "timer_control")  # fmt: skip

    def __init__(self, nr_pes: int) -> None:
        assert 1 <= nr_pes <= NR_PES_MAX
        # Fixed.
        self.nr_pes: int = nr_pes
        # The signals: written here only; the owner empties `changed`.
        self.irq: list[bool] = [False] * nr_pes
        self.changed: list[int] = []
        # Registers, by core: the methods below only.
        self.timer_control: list[int] = [0] * nr_pes
        """A bit for each timer that interrupts."""
        self.mailbox_control: list[int] = [0] * nr_pes
        """A bit for each mailbox that interrupts."""
        self.mailboxes: list[list[int]] = [[0] * NR_MAILBOXES for _ in range(nr_pes)]
        self.pm_routing: int = 0
        """A bit for each core whose PMU interrupts it."""
        self.gpu_pe: int = 0
        """The core that ARMCTRL interrupts."""
        # The wires of timers, PMU and ARMCTRL, as they are: whoever drives them.
        self._inputs: list[int] = [0] * nr_pes

    # Wires.

    def set_line(self, intid: int, level: bool, pe: int = 0) -> bool:
        """Drive the wire of a timer (0 to 3), of ARMCTRL (8), or of the PMU (9).

        ARMCTRL has one wire, whatever `pe` is.  Always True: nothing merges.
        """
        assert 0 <= intid < NR_TIMERS or intid in (GPU_FAST, PMU_FAST)
        pes = range(self.nr_pes) if intid == GPU_FAST else (pe,)
        for each in pes:
            bit = 1 << intid
            self._inputs[each] = self._inputs[each] | bit if level else self._inputs[each] & ~bit
            self._signal(each)
        return True

    def pulse(self, intid: int, pe: int = 0) -> bool:
        """Drive a wire high and low again: nobody notices."""
        return self.set_line(intid, False, pe)

    def line(self, intid: int, pe: int = 0) -> bool:
        """Tell whether the wire is high."""
        return bool(self._inputs[pe] >> intid & 1)

    # Registers.

    def irq_pending(self, pe: int) -> int:
        """The word of pending bits of a core (Core IRQ Source)."""
        inputs = self._inputs[pe]
        pending = inputs & self.timer_control[pe]
        for number, value in enumerate(self.mailboxes[pe]):
            if value and self.mailbox_control[pe] >> number & 1:
                pending |= 1 << (MAILBOX0 + number)
        if pe == self.gpu_pe:
            pending |= inputs & 1 << GPU_FAST
        if self.pm_routing >> pe & 1:
            pending |= inputs & 1 << PMU_FAST
        return pending

    def set_timer_control(self, pe: int, value: int) -> None:
        """Let these timers interrupt a core, and no others."""
        self.timer_control[pe] = value & (1 << NR_TIMERS) - 1
        self._signal(pe)

    def set_mailbox_control(self, pe: int, value: int) -> None:
        """Let these mailboxes interrupt a core, and no others."""
        self.mailbox_control[pe] = value & (1 << NR_MAILBOXES) - 1
        self._signal(pe)

    def set_mailbox(self, pe: int, mailbox: int, bits: int) -> None:
        """Write to a core's mailbox set register: these bits are set as well."""
        self.mailboxes[pe][mailbox] |= bits & 0xFFFFFFFF
        self._signal(pe)

    def clear_mailbox(self, pe: int, mailbox: int, bits: int) -> None:
        """Write to a core's mailbox clear register: these bits are cleared."""
        self.mailboxes[pe][mailbox] &= ~bits
        self._signal(pe)

    def set_pm_routing(self, value: int) -> None:
        """Let the PMUs of these cores interrupt them, and no others."""
        self.pm_routing = value & (1 << self.nr_pes) - 1
        for pe in range(self.nr_pes):
            self._signal(pe)

    def set_gpu_routing(self, pe: int) -> None:
        """Have ARMCTRL interrupt this core."""
        assert 0 <= pe < self.nr_pes
        self.gpu_pe = pe
        for each in range(self.nr_pes):
            self._signal(each)

    def _signal(self, pe: int) -> None:
        irq = self.irq_pending(pe) != 0
        if irq is not self.irq[pe]:
            self.irq[pe] = irq
            if irq:
                self.changed.append(pe)


class Armctrl:
    """The controller that the peripherals are wired to; its output is a wire of `local`."""

    __slots__ = ("_local", "enable", "inputs")

    def __init__(self, local: Local) -> None:
        self._local: Local = local
        # By bank: the wires, and the registers (enable and disable sets).
        self.inputs: list[int] = [0] * NR_BANKS
        self.enable: list[int] = [0] * NR_BANKS

    # Wires.

    def set_line(self, intid: int, level: bool, pe: int = 0) -> bool:
        """Drive the wire of an input, bank << 5 | bit.  Always True: nothing merges."""
        bank, bit = place_of(intid)
        mask = 1 << bit
        inputs = self.inputs[bank]
        self.inputs[bank] = inputs | mask if level else inputs & ~mask
        self._drive()
        return True

    def pulse(self, intid: int, pe: int = 0) -> bool:
        """Drive a wire high and low again: nobody notices, there is no latch."""
        return self.set_line(intid, False)

    def line(self, intid: int, pe: int = 0) -> bool:
        """Tell whether the wire is high."""
        bank, bit = place_of(intid)
        return bool(self.inputs[bank] >> bit & 1)

    # Registers.

    def pending(self, bank: int) -> int:
        """The pending word of a bank; that of bank 0 tells of the others as well."""
        if bank:
            return self.inputs[bank] & self.enable[bank]
        word = self.inputs[0] & self.enable[0] & BANK0_OWN
        for number, (owner, bit) in enumerate(SHORTCUTS):
            if self.pending(owner) >> bit & 1:
                word |= 1 << (SHORTCUT_SHIFT + number)
        for owner, flag in ((1, BANK1_PENDING), (2, BANK2_PENDING)):
            if self.pending(owner) & ~_HAS_SHORTCUT[owner]:
                word |= flag
        return word

    def set_enabled(self, intid: int, on: bool) -> None:
        """Write an input's bit to the enable or the disable register of its bank."""
        bank, bit = place_of(intid)
        if on:
            self.enable[bank] |= 1 << bit
        else:
            self.enable[bank] &= ~(1 << bit)
        self._drive()

    def is_enabled(self, intid: int) -> bool:
        """Tell whether an input is enabled."""
        bank, bit = place_of(intid)
        return bool(self.enable[bank] >> bit & 1)

    def _drive(self) -> None:
        is_pending = any(self.inputs[bank] & self.enable[bank] for bank in range(NR_BANKS))
        if is_pending is not self._local.line(GPU_FAST):
            self._local.set_line(GPU_FAST, is_pending)


class Bcm2836:
    """Both of them, as they are wired."""

    __slots__ = ("armctrl", "changed", "irq", "local")

    def __init__(self, nr_pes: int) -> None:
        self.local: Local = Local(nr_pes)
        self.armctrl: Armctrl = Armctrl(self.local)
        # The cores' signals: the local controller's own lists.
        self.irq: list[bool] = self.local.irq
        self.changed: list[int] = self.local.changed


def place_of(intid: int) -> tuple[int, int]:
    """The bank and the bit of an input of ARMCTRL."""
    bank, bit = intid >> BANK_SHIFT, intid & (1 << BANK_SHIFT) - 1
    assert 0 <= bank < NR_BANKS
    assert bit < BANK_BITS[bank]
    return bank, bit


def input_of(bank: int, bit: int) -> int:
    """The number of an input of ARMCTRL.  Source: MAKE_HWIRQ, drivers/irqchip/irq-bcm2835.c."""
    return bank << BANK_SHIFT | bit
