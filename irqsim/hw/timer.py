"""The architected timer of one PE.

It compares the system counter with a value; from then on its condition holds, and the PPI
line is high for as long as it does, unless the timer is off or masked.  There is no event
queue in here: the owner asks when the timer will act next, and calls fire() at that time.

Source: Arm ARM, DDI 0487, D11.2 (the Generic Timer): CVAL, CTL.ENABLE, CTL.IMASK,
CTL.ISTATUS.
Differs: the counter counts ns instead of ticks of its own frequency, and TVAL is left out.
"""

from __future__ import annotations

from typing import Final

from irqsim.hw.device import Wires

NEVER: Final = -1


class ArchTimer:
    """One timer, and the PPI that it raises on its PE."""

    __slots__ = (
        "_now_ns",
        "_wires",
        "compare_ns",
        "intid",
        "is_enabled",
        "is_masked",
        "line",
        "pe",
    )

    def __init__(self, wires: Wires, intid: int, pe: int) -> None:
        # Fixed.
        self._wires: Wires = wires
        self.intid: int = intid
        self.pe: int = pe
        # Registers: the methods below only.  The reset state is off.
        self.compare_ns: int = NEVER
        self.is_enabled: bool = False
        self.is_masked: bool = False
        # Derived: the output, and the last time that the timer was told.
        self.line: bool = False
        self._now_ns: int = 0

    @property
    def next_event_ns(self) -> int:
        """The time at which fire() has to be called, NEVER if there is none."""
        if not self.is_enabled or self.is_masked or self.line:
            return NEVER
        return self.compare_ns

    def set_compare(self, compare_ns: int, now_ns: int) -> None:
        """Set the time from which the condition holds, and switch the timer on (CVAL, CTL).

        A time that lies in the past holds at once.
        """
        assert compare_ns >= 0
        self.compare_ns = compare_ns
        self.is_enabled = True
        self.is_masked = False
        self._drive(now_ns)

    def set_masked(self, masked: bool, now_ns: int) -> None:
        """Keep the line low although the condition may hold (CTL.IMASK)."""
        self.is_masked = masked
        self._drive(now_ns)

    def stop(self, now_ns: int) -> None:
        """Switch the timer off (CTL.ENABLE)."""
        self.is_enabled = False
        self._drive(now_ns)

    def fire(self, now_ns: int) -> None:
        """Let time reach this point, and the line rise if the condition holds now."""
        self._drive(now_ns)

    def _drive(self, now_ns: int) -> None:
        assert now_ns >= self._now_ns
        self._now_ns = now_ns
        level = self.is_enabled and not self.is_masked and now_ns >= self.compare_ns
        if level is not self.line:
            self.line = level
            self._wires.set_line(self.intid, level, self.pe)
