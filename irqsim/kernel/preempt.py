"""preempt_count: one word that says in which context a CPU is.

Bits 0-7 count preempt_disable(), 8-15 softirqs (bit 8: one is being served; from bit 9 on:
the depth of local_bh_disable()), 16-19 hard interrupts, from 20 on NMIs.

Source: include/linux/preempt.h.
"""

from __future__ import annotations

from typing import Final

PREEMPT_OFFSET: Final = 0x1
SOFTIRQ_OFFSET: Final = 0x100
SOFTIRQ_DISABLE_OFFSET: Final = 0x200
HARDIRQ_OFFSET: Final = 0x10000
NMI_OFFSET: Final = 0x100000

PREEMPT_MASK: Final = 0x000000FF
SOFTIRQ_MASK: Final = 0x0000FF00
HARDIRQ_MASK: Final = 0x000F0000
NMI_MASK: Final = 0x00F00000

ATOMIC_MASK: Final = 0xFFFFFFFF
"""What makes a context atomic: anything that is counted."""
RT_ATOMIC_MASK: Final = ATOMIC_MASK & ~SOFTIRQ_MASK
"""The same on PREEMPT_RT, where softirqs and bottom halves off are a task's own affair.

Source: include/linux/preempt.h: softirq_count() of CONFIG_PREEMPT_RT is current's
softirq_disable_cnt, no part of preempt_count.
"""

IN_INTERRUPT_MASK: Final = NMI_MASK | HARDIRQ_MASK | SOFTIRQ_MASK
"""Releases before 5.8 have one NMI bit (0x1fff00); the model never nests NMIs, so the wider
mask answers alike."""


def in_interrupt(preempt_count: int) -> bool:
    """Whether in a hard interrupt or softirq, or with bottom halves disabled."""
    return preempt_count & IN_INTERRUPT_MASK != 0


def in_hardirq(preempt_count: int) -> bool:
    """Whether a hard interrupt is being handled."""
    return preempt_count & HARDIRQ_MASK != 0


def in_softirq(preempt_count: int) -> bool:
    """Whether a softirq is being served or bottom halves are disabled."""
    return preempt_count & SOFTIRQ_MASK != 0


def in_serving_softirq(preempt_count: int) -> bool:
    """Whether a softirq is being served."""
    return preempt_count & SOFTIRQ_OFFSET != 0


def in_task(preempt_count: int) -> bool:
    """Whether in process context, bottom halves disabled or not."""
    return preempt_count & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_OFFSET) == 0
