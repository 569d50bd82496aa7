"""A GPIO controller: lines with a mask and, where they are edges, a latch; one output.

The output is high while a line that is not masked is pending: its wire is high, or, of an edge
line, an edge has come since it was cleared, masked or not.  What the output leads to is another
controller's input, or, of an expander behind a bus, a device of its own.

Source: ARM DDI 0190 (PL061), section 3: GPIOIS, GPIOIE, GPIORIS, GPIOMIS, GPIOIC.
Leaves out: data and direction; both edges and the low level, which to the lines' counts are the
same.
"""

from __future__ import annotations

from collections.abc import Callable


class Gpio:
    """A controller; `output` is called with the level of its output when that changes."""

    __slots__ = ("_inputs", "_is_high", "_output", "enable", "is_level", "latch", "nr_lines")

    def __init__(self, nr_lines: int, output: Callable[[bool], None]) -> None:
        # Fixed.
        self.nr_lines: int = nr_lines
        self._output: Callable[[bool], None] = output
        # By line, a bit each: the wires; the registers.
        self._inputs: int = 0
        self.latch: int = 0
        self.enable: int = 0
        self.is_level: int = 0
        # Derived.
        self._is_high: bool = False

    # Wires.

    def set_line(self, intid: int, level: bool, pe: int = 0) -> bool:
        """Drive the wire of a line.

        Of an edge line a rising edge is latched; False when it merged with a latched one.
        """
        assert 0 <= intid < self.nr_lines
        bit = 1 << intid
        is_new = True
        if level and not self._inputs & bit and not self.is_level & bit:
            is_new = not self.latch & bit
            self.latch |= bit
        self._inputs = self._inputs | bit if level else self._inputs & ~bit
        self._drive()
        return is_new

    def pulse(self, intid: int, pe: int = 0) -> bool:
        """Drive a wire high and low again; return as set_line() does.  A level line does not
        notice."""
        if self.is_level >> intid & 1:
            return self.set_line(intid, False)
        is_new = self.set_line(intid, True)
        self.set_line(intid, False)
        return is_new

    def line(self, intid: int, pe: int = 0) -> bool:
        """Tell whether the wire is high."""
        return bool(self._inputs >> intid & 1)

    def is_pending(self, intid: int, pe: int = 0) -> bool:
        """Tell whether a line is pending, masked or not (GPIORIS)."""
        return bool(self._raw() >> intid & 1)

    # Registers.

    @property
    def output(self) -> bool:
        """The level of the output."""
        return self._is_high

    def pending(self) -> int:
        """The lines that are pending and not masked (GPIOMIS)."""
        return self._raw() & self.enable

    def set_enabled(self, intid: int, on: bool) -> None:
        """Unmask or mask a line (GPIOIE)."""
        bit = 1 << intid
        self.enable = self.enable | bit if on else self.enable & ~bit
        self._drive()

    def set_level(self, intid: int, is_level: bool) -> None:
        """Make a line level-sensitive or edge-triggered (GPIOIS)."""
        bit = 1 << intid
        self.is_level = self.is_level | bit if is_level else self.is_level & ~bit
        self._drive()

    def clear(self, lines: int) -> None:
        """Clear the latches of these lines (GPIOIC)."""
        self.latch &= ~lines
        self._drive()

    def _raw(self) -> int:
        return self._inputs & self.is_level | self.latch & ~self.is_level

    def _drive(self) -> None:
        is_high = self.pending() != 0
        if is_high is not self._is_high:
            self._is_high = is_high
            self._output(is_high)
