"""How often each line interrupts: on average, at its worst, and when it storms.

Interrupts are counted in windows of `WINDOW_NS`, one after the other, of which the first begins
with the line's first interrupt.  A storm is a run of windows with at least so many interrupts
as make the threshold per second.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.measures import OTHERS, ROWS_MAX
from irqsim.events import (
    IRQ_HANDLER_ENTRY,
    IRQ_HANDLER_EXIT,
    IRQ_NONE,
    Context,
    Event,
    Tracepoint,
)

NSEC_PER_SEC: Final = 1_000_000_000
WINDOW_NS: Final = 10_000_000
STORM_PER_SEC: Final = 10_000
"""Interrupts per second from which on they are a storm."""


class Storm:
    """Windows of one line, one after the other, that are above the threshold."""

    __slots__ = ("count", "first_ns", "last_ns")

    def __init__(self, first_ns: int, count: int) -> None:
        self.first_ns = first_ns
        self.last_ns = first_ns + WINDOW_NS
        self.count = count


class Rate:
    """One action of a line."""

    __slots__ = (
        "_storm",
        "count",
        "first_ns",
        "in_window",
        "last_ns",
        "nr_storms",
        "nr_unhandled",
        "peak",
        "peak_ns",
        "window_ns",
        "worst",
    )  # fmt: skip

    def __init__(self, time_ns: int) -> None:
        self.count = 0
        self.nr_unhandled = 0
        self.first_ns = self.last_ns = time_ns
        self.window_ns = time_ns
        self.in_window = 0
        self.peak = 0
        """The most in one window."""
        self.peak_ns = time_ns
        self.nr_storms = 0
        self.worst: Storm | None = None
        """The storm of the most interrupts."""
        self._storm: Storm | None = None

    def add(self, time_ns: int, storm_min: int) -> None:
        """Count an interrupt; so many in a window are a storm."""
        nr_windows = (time_ns - self.window_ns) // WINDOW_NS
        if nr_windows > 0:
            self.close(storm_min)
            self.window_ns += nr_windows * WINDOW_NS
            if nr_windows > 1:
                self._storm = None
        self.in_window += 1
        self.count += 1
        self.last_ns = time_ns

    def close(self, storm_min: int) -> None:
        """End the present window."""
        if self.in_window > self.peak:
            self.peak, self.peak_ns = self.in_window, self.window_ns
        if self.in_window < storm_min:
            self._storm = None
        elif self._storm is None:
            self._storm = Storm(self.window_ns, self.in_window)
            self.nr_storms += 1
        else:
            self._storm.count += self.in_window
            self._storm.last_ns = self.window_ns + WINDOW_NS
        if self._storm is not None:
            if self.worst is None or self._storm.count > self.worst.count:
                self.worst = self._storm
        self.in_window = 0

    @property
    def peak_per_sec(self) -> int:
        """The rate of the window with the most."""
        return self.peak * (NSEC_PER_SEC // WINDOW_NS)


class Rates:
    """The rates of all lines."""

    __slots__ = ("_open", "_storm_min", "by_key")

    on: Final[tuple[Tracepoint, ...]] = (IRQ_HANDLER_ENTRY, IRQ_HANDLER_EXIT)

    def __init__(self, storm_per_sec: int = STORM_PER_SEC) -> None:
        self._storm_min = max(1, -(-storm_per_sec * WINDOW_NS // NSEC_PER_SEC))
        self.by_key: dict[tuple[str, int], Rate] = {}
        self._open: dict[int, Rate] = {}
        """By CPU: whose handler runs."""

    def feed(self, time_ns: int, context: Context, event: Event) -> None:
        """Take in the beginning or the end of a handler."""
        irq, second = event.values
        assert isinstance(irq, int)
        if event.tracepoint is IRQ_HANDLER_EXIT:
            rate = self._open.pop(context.cpu, None)
            if rate is not None and second == IRQ_NONE:
                rate.nr_unhandled += 1
            return
        key = (str(second), irq)
        found = self.by_key.get(key)
        if found is None:
            if len(self.by_key) >= ROWS_MAX:
                key = (OTHERS, -1)
            found = self.by_key.setdefault(key, Rate(time_ns))
        found.add(time_ns, self._storm_min)
        self._open[context.cpu] = found

    def lost(self, cpu: int) -> None:
        """Forget whose handler runs."""
        self._open.pop(cpu, None)

    def finish(self) -> None:
        """End the log."""
        for rate in self.by_key.values():
            rate.close(self._storm_min)
