"""The CPU interface of one PE: priority mask, binary point, running priority.

Source: IHI 0069 section 4.8 (interrupt prioritization), IHI 0048 section 3.3 and 4.4.
Leaves out: Group 0, FIQ, bypass.
"""

from __future__ import annotations

from typing import Final

from irqsim.hw.interrupt import IDLE_PRIORITY, NOTHING, RANK_SHIFT

# An acknowledged interrupt: group priority above what the IAR returned.
_IAR_BITS: Final = 16
_IAR_MASK: Final = (1 << _IAR_BITS) - 1


def priority_limit(is_enabled: bool, pmr: int, running: int, group_mask: int) -> int:
    """Return the limit below which a priority is signalled to the PE.

    The rule: the CPU interface (and the distributor) forwards at all, priority < PMR, and
    either nothing is running or the group priority is below that of what is running.
    Subpriority bits do not preempt: `group_mask` has all bits above them set, and so
    priority & group_mask < running & group_mask is priority < running & group_mask.
    """
    if not is_enabled:
        return 0
    if running == IDLE_PRIORITY:
        return pmr
    return min(pmr, running & group_mask)


class CpuInterface:
    """The state of one PE's CPU interface."""

    __slots__ = (
        "_shift",
        "acknowledged",
        "bpr",
        "bpr_min",
        "eoi_mode",
        "group_mask",
        "idle_threshold",
        "is_enabled",
        "is_forwarding",
        "pmr",
        "ready",
        "threshold",
    )

    def __init__(self, bpr_min: int, group_shift: int) -> None:
        # The registers only; followed by update().
        self.is_enabled: bool = False
        self.pmr: int = 0
        self.eoi_mode: int = 0
        self.bpr_min: int = bpr_min
        self.bpr: int = bpr_min
        self._shift: int = group_shift
        self.group_mask: int = -1
        # The distributor's enable, as this PE sees it.
        self.is_forwarding: bool = False
        # push() and drop() only: what was acknowledged and has not been ended, innermost
        # last.  This is the content of the active priorities registers (APR).
        self.acknowledged: list[int] = []
        # Derived.  `threshold` by update(), push() and drop(): only a ranking below it is
        # signalled; `idle_threshold` by update(): what it is while nothing runs.
        # `ready` by Gic: the rankings of the forwardable interrupts that go to this PE, the
        # most urgent one, which is the candidate, first.
        self.threshold: int = 0
        self.idle_threshold: int = 0
        self.ready: list[int] = [NOTHING]
        self.set_bpr(bpr_min)

    def running_priority(self) -> int:
        """Return the group priority of the innermost running interrupt, 0xff when idle."""
        if self.acknowledged:
            return self.acknowledged[-1] >> _IAR_BITS
        return IDLE_PRIORITY

    def set_bpr(self, value: int) -> None:
        """Split priorities into group (which preempts) and subpriority (which orders).

        A value below the implemented minimum gives the minimum.
        """
        self.bpr = max(value, self.bpr_min)
        self.group_mask = -1 << (self.bpr + self._shift)
        self.update()

    def update(self) -> None:
        """Compute the thresholds anew.  Call it after any change of a register."""
        on = self.is_enabled and self.is_forwarding
        limit = priority_limit(on, self.pmr, IDLE_PRIORITY, self.group_mask)
        self.idle_threshold = limit << RANK_SHIFT
        limit = priority_limit(on, self.pmr, self.running_priority(), self.group_mask)
        self.threshold = limit << RANK_SHIFT

    def push(self, priority: int, iar: int) -> None:
        """Enter an interrupt that was signalled: its group priority becomes the running one.

        It is below the priority mask, and with it what priority_limit() now says.
        """
        running = priority & self.group_mask
        self.acknowledged.append(running << _IAR_BITS | iar)
        self.threshold = running << RANK_SHIFT

    def drop(self, iar: int) -> bool:
        """Leave an interrupt, and return to the priority that it interrupted.

        IMPDEF: only the innermost one can be left.  Ending anything else (out of order,
        or what was never acknowledged) is UNPREDICTABLE; it is ignored, and False returned.
        """
        acknowledged = self.acknowledged
        if not acknowledged or acknowledged[-1] & _IAR_MASK != iar:
            return False
        acknowledged.pop()
        if acknowledged:
            self.update()
        else:
            self.threshold = self.idle_threshold
        return True
