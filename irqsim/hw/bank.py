"""A bank of interrupts: the state machine that every wired interrupt goes through.

A distributor has one bank (the SPIs), every redistributor one (its SGIs and PPIs).
The state is a few integers in which bit n belongs to INTID n, the shape of the
architecture's own registers, so that any number of interrupts is judged at once.

Source: IHI 0069 section 4.1 (interrupt states), IHI 0048 section 3.2.
"""

from __future__ import annotations

from typing import Final

from irqsim.hw.intid import SPECIAL_BASE, SPURIOUS

IDLE_PRIORITY: Final = 0xFF

# A ranking is one integer, priority above INTID: the smaller one is served first, and
# among equal priorities it is the lowest INTID.
# IMPDEF: the order of equal priorities; this is the usual choice.
RANK_SHIFT: Final = 16
RANK_INTID: Final = (1 << RANK_SHIFT) - 1
NOTHING: Final = (IDLE_PRIORITY << RANK_SHIFT) | SPURIOUS

BIT: Final[tuple[int, ...]] = tuple(1 << intid for intid in range(SPECIAL_BASE))

Levels = list[tuple[int, int]]


def forwardable(
    latch: int, line: int, level: int, enabled: int, group: int, active: int
) -> int:
    """Return the interrupts that may be forwarded to their targets.

    - pending: latched (an edge, or by software), or a level-sensitive line is high;
    - enabled;
    - in the group that is signalled as IRQ;
    - not active: an active interrupt is not signalled again until it is deactivated.
    """
    return (latch | line & level) & enabled & group & ~active


def highest(ready: int, levels: Levels) -> int:
    """Return the ranking of the most urgent interrupt of `ready`, or NOTHING.

    `levels` are the priorities in use, most urgent first: (priority << RANK_SHIFT, mask).
    """
    for priority, mask in levels:
        hit = ready & mask
        if hit:
            return priority | ((hit & -hit).bit_length() - 1)
    return NOTHING


class Bank:
    """The state of a set of interrupts.  Bit n of every mask is INTID n."""

    __slots__ = (
        "_masks",
        "_priorities",
        "active",
        "enabled",
        "group",
        "latch",
        "level",
        "levels",
        "line",
        "ready",
    )

    def __init__(self, members: int, level: int, group: int) -> None:
        # Wires: whoever drives them.
        self.line: int = 0
        # State: wires, the CPU interfaces and the registers; followed by update().
        self.latch: int = 0
        self.active: int = 0
        # Configuration: the registers only; followed by update().
        self.level: int = level
        self.enabled: int = 0
        self.group: int = group
        # Derived: update() and set_priority() only.
        self.ready: int = 0
        self.levels: Levels = [(0, members)]
        self._masks: dict[int, int] = {0: members}
        self._priorities: dict[int, int] = {}

    def update(self) -> None:
        """Judge all interrupts anew.

        Call it after any change of state that can make an interrupt ready or keep it from
        being so; the methods below leave it out where theirs cannot.
        """
        self.ready = forwardable(
            self.latch, self.line, self.level, self.enabled, self.group, self.active
        )

    def pending(self) -> int:
        """Return the mask of the pending interrupts (ISPENDR)."""
        return self.latch | self.line & self.level

    def set_line(self, bit: int, level: bool) -> bool:
        """Drive a wire; return False when its edge merged with a pending one."""
        if level:
            if self.line & bit:
                return True
            self.line |= bit
            if not self.level & bit:
                if self.latch & bit:
                    return False
                self.latch |= bit
            self.update()
        elif self.line & bit:
            self.line ^= bit
            if self.ready & bit:
                self.update()
        return True

    def pulse(self, bit: int) -> bool:
        """Drive a wire high and low again; return as set_line() does."""
        if (self.line | self.level) & bit:
            self.set_line(bit, True)
            return self.set_line(bit, False)
        if self.latch & bit:
            return False
        self.latch |= bit
        self.update()
        return True

    def acknowledge(self, bit: int) -> None:
        """Move a ready interrupt from pending to active; a high line keeps it pending too."""
        if self.latch & bit:
            self.latch ^= bit
        self.active |= bit
        # No longer ready, whatever else it is; nothing else has changed.
        self.ready ^= bit

    def deactivate(self, bit: int) -> None:
        """Move an interrupt out of the active state."""
        if self.active & bit:
            self.active ^= bit
            if (self.latch | self.line) & bit:
                self.update()

    def set_priority(self, intid: int, priority: int) -> None:
        """Move an interrupt to another priority."""
        bit = BIT[intid]
        old = self.priority(intid)
        self._masks[old] &= ~bit
        self._masks[priority] = self._masks.get(priority, 0) | bit
        self._priorities[intid] = priority
        self.levels = [
            (value << RANK_SHIFT, self._masks[value])
            for value in sorted(self._masks)
            if self._masks[value]
        ]

    def priority(self, intid: int) -> int:
        """Return the priority of an interrupt; 0 after reset."""
        return self._priorities.get(intid, 0)


def put(mask: int, bit: int, on: bool) -> int:
    """Return the mask with the bit set or cleared."""
    return mask | bit if on else mask & ~bit
