"""A level of a task's stack: the engine's, which has no counterpart in Linux."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from irqsim.kernel.task import Path


class Frame:
    """One level of a task's stack: its own code, or an interrupt on top of it."""

    __slots__ = ("irqs_disabled", "is_irq", "owed", "path", "preempt_count")

    # The engine's.
    path: Path
    owed: int
    """What is left of an interrupted stretch, in ns."""
    is_irq: bool
    preempt_count: int
    """On entry; the engine asserts that it is the same on return."""

    irqs_disabled: bool
    """The same of what an interrupt came upon: only a pseudo-NMI can come upon True."""

    def __init__(
        self, path: Path, is_irq: bool, preempt_count: int, irqs_disabled: bool = False
    ) -> None:
        self.path = path
        self.owed = 0
        self.is_irq = is_irq
        self.preempt_count = preempt_count
        self.irqs_disabled = irqs_disabled
