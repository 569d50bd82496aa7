"""Which events begin and end something that takes time, and what it is called.

Viewers of slices (Chrome's JSON, markers in text) all ask the same: here is one row for each
pair of tracepoints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

from irqsim.events import (
    HRTIMER_EXPIRE_ENTRY,
    HRTIMER_EXPIRE_EXIT,
    IPI_ENTRY,
    IPI_EXIT,
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    TASKLET_ENTRY,
    TASKLET_EXIT,
    TIMER_EXPIRE_ENTRY,
    TIMER_EXPIRE_EXIT,
    WORKQUEUE_EXECUTE_END,
    WORKQUEUE_EXECUTE_START,
    Event,
    Tracepoint,
)
from irqsim.units import SOFTIRQ_NAMES


@frozen
class Slice:
    """A pair of tracepoints."""

    begin: Tracepoint
    end: Tracepoint
    category: str
    name: Callable[[Event], str]
    """What the slice is called, by the event that begins it."""


def softirq_name(event: Event) -> str:
    """The name of a vector; its number where there is none."""
    vec = event["vec"]
    assert isinstance(vec, int)
    return SOFTIRQ_NAMES[vec] if 0 <= vec < len(SOFTIRQ_NAMES) else f"vec {vec}"


SLICES: Final = (
    Slice(
        IRQ_HANDLER_ENTRY,
        IRQ_HANDLER_EXIT,
        "irq",
        lambda event: f"irq {event['irq']} {event['name']}",
    ),
    Slice(IPI_ENTRY, IPI_EXIT, "ipi", lambda event: str(event["reason"])),
    Slice(SOFTIRQ_ENTRY, SOFTIRQ_EXIT, "softirq", softirq_name),
    Slice(TASKLET_ENTRY, TASKLET_EXIT, "tasklet", lambda event: f"tasklet {event['func']}"),
    Slice(
        TIMER_EXPIRE_ENTRY, TIMER_EXPIRE_EXIT, "timer", lambda event: f"timer {event['function']}"
    ),
    Slice(
        HRTIMER_EXPIRE_ENTRY,
        HRTIMER_EXPIRE_EXIT,
        "timer",
        lambda event: f"hrtimer {event['function']}",
    ),
    Slice(
        WORKQUEUE_EXECUTE_START,
        WORKQUEUE_EXECUTE_END,
        "work",
        lambda event: f"work {event['function']}",
    ),
)

BEGINS: Final[dict[int, Slice]] = {each.begin.id: each for each in SLICES}
ENDS: Final[dict[int, Slice]] = {each.end.id: each for each in SLICES}
"""By the number of a tracepoint."""
