"""What a log tells of the passes of softirqs, and the two laws about them.

One call of handle_softirqs(), a turn, takes the pending vectors as a snapshot, runs them in
ascending order, and if more have come meanwhile, does so again.  The log shows entries, exits
and raises, but neither snapshots nor the ends of passes and turns.  So of each vector it is
known at best whether it is in a snapshot for certain or only possibly:

- what is raised outside of softirq context comes before the next turn's first snapshot;
- what is raised while a vector runs, or while one of the snapshot has yet to run, comes before
  the next snapshot;
- what is raised in a gap between two vectors may come before the next snapshot or after it.

A record without the softirq flag ends the turn, as far as the log shows it.

Source: kernel/softirq.c: handle_softirqs (__do_softirq before 6.10).
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.invariant import Setting
from irqsim.events import (
    PREEMPT_MASK,
    SOFTIRQ,
    SOFTIRQ_ENTRY,
    SOFTIRQ_EXIT,
    SOFTIRQ_RAISE,
    Context,
    Event,
)

KSOFTIRQD: Final = "ksoftirqd/"

_ALL: Final = (1 << 32) - 1
_NOTHING: Final = -1


class _Cpu:
    """One CPU's vectors, as sets of bits."""

    __slots__ = (
        "certain",
        "gap",
        "is_fresh",
        "last",
        "nr_passes",
        "possible",
        "running",
        "sure",
        "unsure",
    )

    def __init__(self, is_known: bool) -> None:
        self.is_fresh = not is_known
        """Nothing has been seen: the log may begin within a turn."""
        self.sure = 0
        """Pending for certain, and in the next snapshot."""
        self.unsure = 0 if is_known else _ALL
        """Perhaps pending; if so, in the next snapshot."""
        self.gap = 0
        """Raised in the present gap between two vectors."""
        self.certain = 0
        """In the present snapshot, and yet to run."""
        self.possible = 0 if is_known else _ALL
        """Perhaps in it, and yet to run."""
        self.last = _NOTHING
        """The last vector of the present pass."""
        self.running = _NOTHING
        self.nr_passes = 0
        """Of the present turn, at least; 0: no turn."""

    def begin_turn(self) -> None:
        self.certain, self.possible = self.sure, self.sure | self.unsure
        if not self.is_fresh:
            self.unsure = 0
        self.sure = self.gap = 0
        self.last = _NOTHING
        self.nr_passes = 1

    def end_turn(self) -> None:
        self.sure |= self.gap
        self.gap = self.certain = self.possible = 0
        self.running = _NOTHING
        self.nr_passes = 0

    def raised(self, bit: int) -> None:
        is_gap = self.running == _NOTHING and not self.certain and self.last != _NOTHING
        if self.nr_passes and is_gap:
            self.gap |= bit
        else:
            self.sure |= bit

    def enter(self, vec: int) -> str:
        """Run a vector; returns what is wrong with it, if anything for certain."""
        bit = 1 << vec
        if self.certain:
            said = self._in_this_pass(vec)
        elif vec > self.last and self.possible & bit:
            # Of this pass, or of a new one.
            said = ""
            self.unsure |= self.sure | self.gap
            self.possible |= self.unsure
            self.sure = self.gap = 0
        else:
            self.nr_passes += 1
            self.last = _NOTHING
            self.certain, self.possible = self.sure, self.sure | self.unsure | self.gap
            self.sure, self.unsure, self.gap = 0, self.gap, 0
            said = self._in_this_pass(vec)
        self.certain &= ~bit
        self.possible &= ~bit
        self.last = self.running = vec
        return said

    def _in_this_pass(self, vec: int) -> str:
        bit = 1 << vec
        lower = self.certain & (bit - 1)
        if lower:
            first = (lower & -lower).bit_length() - 1
            return f"vec {vec} runs before vec {first}, which was pending before"
        if vec <= self.last:
            return f"vec {vec} runs after vec {self.last} in one pass"
        if not self.possible & bit:
            return f"vec {vec} runs in a pass that began before it was raised"
        return ""


class PassOrder:
    """Vectors ascend within a pass."""

    __slots__ = ("_cpus", "_is_known")

    def __init__(self, setting: Setting) -> None:
        self._cpus: dict[int, _Cpu] = {}
        self._is_known = setting.is_complete

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        """Follow the turns of the record's CPU."""
        cpu = self._cpus.get(context.cpu)
        if cpu is None:
            cpu = self._cpus[context.cpu] = _Cpu(self._is_known)
        if not context.flags & SOFTIRQ:
            if cpu.nr_passes:
                cpu.end_turn()
        elif not cpu.nr_passes:
            cpu.begin_turn()
        cpu.is_fresh = False
        tracepoint = event.tracepoint
        if tracepoint is SOFTIRQ_RAISE:
            cpu.raised(1 << _vec_of(event))
        elif tracepoint is SOFTIRQ_ENTRY:
            return self._enter(cpu, _vec_of(event), context)
        elif tracepoint is SOFTIRQ_EXIT:
            cpu.running = _NOTHING
        return ""

    def lost(self, cpu: int) -> None:
        """Begin again in ignorance."""
        self._is_known = False
        self._cpus.pop(cpu, None)

    def _enter(self, cpu: _Cpu, vec: int, context: Context) -> str:
        return cpu.enter(vec)


class RestartLimit(PassOrder):
    """A turn that began at the end of an interrupt has no more passes than the limit.

    Turns of ksoftirqd, and those of local_bh_enable(), follow each other without a record
    between them; the latter show a preemption depth.  An interrupt of a disabled line runs no
    handler, and leaves no record either: that it came shows in the time only.
    """

    __slots__ = ("_ended_ns", "_gap_ns", "_is_far", "_limit")

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._limit = setting.softirq_restart
        self._gap_ns = setting.softirq_gap_ns
        self._ended_ns: dict[int, int] = {}
        self._is_far = False
        """The vector begins so late after the last one that a turn may have ended between them."""

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        if event.tracepoint is SOFTIRQ_EXIT:
            self._ended_ns[context.cpu] = time_ns
        elif event.tracepoint is SOFTIRQ_ENTRY and self._gap_ns is not None:
            self._is_far = time_ns > self._ended_ns.get(context.cpu, time_ns) + self._gap_ns
        return super().step(time_ns, context, event)

    def _enter(self, cpu: _Cpu, vec: int, context: Context) -> str:
        nr_passes = cpu.nr_passes
        cpu.enter(vec)
        if self._is_far and cpu.nr_passes > nr_passes:
            cpu.nr_passes = 1
        if context.comm.startswith(KSOFTIRQD):
            return ""
        if context.pid and context.preempt_count & PREEMPT_MASK:
            return ""
        if cpu.nr_passes <= self._limit:
            return ""
        return f"vec {vec} begins pass {cpu.nr_passes}, and {self._limit} is the limit"


def _vec_of(event: Event) -> int:
    vec = event.values[0]
    assert isinstance(vec, int)
    return vec
