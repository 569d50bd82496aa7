"""What an invariant is: a law over a stream of records, and how one is watched.

A law over records is data: its name, what it is about (a CPU, a task, a line), the law in one
sentence, where it comes from, and whether it holds on every log or only on one that is
complete.  `make` builds the small machine that watches it.

A log is complete if tracing was on from the start, no event was lost and every tracepoint of
`needs` was enabled.  On any other log a law that is strict still holds, because what watches it
begins in ignorance and speaks only of what it has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from attrs import frozen

from irqsim.events import Context, Event, Release, Tracepoint

PERCPU_NAMES: Final = ("IPI", "arch_timer", "arm-pmu", "arm_pmuv3", "kvm guest vtimer")
"""Actions of per-CPU interrupts that Linux's own ARM drivers request."""


@frozen
class Setting:
    """What is known of a log besides its records."""

    is_complete: bool = False
    release: Release = (6, 1)
    youngest: Release | None = None
    """If the release is not known: it is `release` or a later one, up to this."""
    is_rt: bool = False
    has_flags: bool = True
    """The log was printed with irq-info: contexts have flags."""
    percpu_irqs: frozenset[int] = frozenset()
    """Per-CPU interrupts, besides those that are known by name."""
    has_outside: bool = False
    """Tasks are woken from outside of what the log shows."""
    softirq_restart: int = 10
    softirq_gap_ns: int | None = None
    """The longest time from the end of a pass of softirqs to the next; None: nobody knows."""

    @property
    def latest(self) -> Release:
        """The release, or the latest that it may be."""
        return self.release if self.youngest is None else self.youngest


class Watch(Protocol):
    """Watches one law over one log."""

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        """Take in one record; returns what is wrong with it, or nothing."""

    def lost(self, cpu: int) -> None:
        """Records of this CPU are missing here."""


@frozen
class Invariant:
    """A law over records."""

    name: str
    law: str
    scope: str
    """What it is about: CPU, task, irq, tasklet, vector or log."""
    source: str
    """Where the law comes from: functions of the kernel."""
    on: tuple[Tracepoint, ...]
    """What it looks at; nothing: every record."""
    make: Callable[[Setting], Watch]
    needs: tuple[Tracepoint, ...] = ()
    """Without these in the log there is nothing to say."""
    is_strict: bool = True
    """It holds on any real log; otherwise only on one that is complete."""
    exceptions: str = ""
    """What a real kernel does otherwise, and where."""
    applies: Callable[[Setting], bool] = lambda setting: True


@frozen
class Violation:
    """A record that breaks a law."""

    name: str
    message: str
    index: int
    """The record's place in the log, from 0."""
    time_ns: int

    def __str__(self) -> str:
        return f"record {self.index}, {self.time_ns} ns: {self.name}: {self.message}"


class Stateless:
    """Watches a law about single records."""

    __slots__ = ("_check",)

    def __init__(self, check: Callable[[Context, Event], str]) -> None:
        self._check = check

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        """Check one record."""
        return self._check(context, event)

    def lost(self, cpu: int) -> None:
        """Nothing is remembered."""
