"""The flags of request_irq(), by their kernel names and values.

Source: include/linux/interrupt.h.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

IRQF_TRIGGER_RISING: Final = 0x1
IRQF_TRIGGER_FALLING: Final = 0x2
IRQF_TRIGGER_HIGH: Final = 0x4
IRQF_TRIGGER_LOW: Final = 0x8
IRQF_TRIGGER_MASK: Final = 0xF

IRQF_SHARED: Final = 0x80
IRQF_PERCPU: Final = 0x400
IRQF_NOBALANCING: Final = 0x800
IRQF_IRQPOLL: Final = 0x1000
IRQF_ONESHOT: Final = 0x2000
IRQF_NO_SUSPEND: Final = 0x4000
IRQF_NO_THREAD: Final = 0x10000
IRQF_COND_SUSPEND: Final = 0x40000
IRQF_NO_AUTOEN: Final = 0x80000
IRQF_COND_ONESHOT: Final = 0x200000

# The flags that a driver may pass; the trigger is a key of its own.
IRQF_FLAGS: Final[dict[str, int]] = {
    "IRQF_SHARED": IRQF_SHARED,
    "IRQF_ONESHOT": IRQF_ONESHOT,
    "IRQF_NO_THREAD": IRQF_NO_THREAD,
    "IRQF_PERCPU": IRQF_PERCPU,
    "IRQF_NOBALANCING": IRQF_NOBALANCING,
    "IRQF_NO_AUTOEN": IRQF_NO_AUTOEN,
    "IRQF_NO_SUSPEND": IRQF_NO_SUSPEND,
    "IRQF_COND_ONESHOT": IRQF_COND_ONESHOT,
    "IRQF_IRQPOLL": IRQF_IRQPOLL,
}

TRIGGER_FLAGS: Final[dict[str, int]] = {
    "level": IRQF_TRIGGER_HIGH,
    "edge": IRQF_TRIGGER_RISING,
}

RELEASES_WITH_COND_ONESHOT: Final = ("6.12",)
"""IRQF_COND_ONESHOT is of 6.8; since 6.11 request_irq() itself passes it."""


def irqf_value(names: Iterable[str], trigger: str = "") -> int:
    """The flags as an int, with those of the trigger (``level``, ``edge`` or none)."""
    flags = TRIGGER_FLAGS.get(trigger, 0)
    for name in names:
        flags |= IRQF_FLAGS[name]
    return flags
