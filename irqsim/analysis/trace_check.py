"""Checking a trace of which only its header is known: what it is, and what that leaves to say.

A kernel's text does not say all that the laws need: the release is known within bounds, and
whether a CPU's records begin later than those of the others only if the header counts what was
overwritten.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from attrs import evolve, frozen

from irqsim.analysis.check import INVARIANTS, Checker
from irqsim.analysis.invariant import Invariant, Setting, Violation
from irqsim.events import Release, release_number
from irqsim.records import Lost, Record, TraceHeader

YOUNGEST: Final[Release] = (99, 0)
SPANS: Final[dict[str, tuple[Release, Release]]] = {
    "4.19": ((4, 14), (5, 9)),
    "5.10": ((5, 10), (5, 14)),
    "6.1": ((5, 15), YOUNGEST),
    "6.6": ((6, 2), YOUNGEST),
    "6.12": ((6, 9), YOUNGEST),
    "6.1-rt": ((5, 15), YOUNGEST),
}
"""The releases that print what a layout prints: the oldest and the youngest."""
ACROSS_CPUS: Final = ("task", "tasklet", "timer", "work", "IPI")
"""What laws are about that one CPU's records do not show whole."""


@frozen
class Finding:
    """A violation, with its line."""

    line: int
    invariant: Invariant
    violation: Violation
    cpu: int

    @property
    def is_warning(self) -> bool:
        """The law has exceptions: a real kernel may do this."""
        return not self.invariant.is_strict


@frozen
class Silence:
    """A law that had nothing to say."""

    invariant: Invariant
    missing: tuple[str, ...]
    """Tracepoints that the trace would need to have."""
    why: str


def setting_of(
    header: TraceHeader,
    release: Release | None = None,
    *,
    is_rt: bool = False,
    percpu_irqs: Collection[int] = (),
) -> Setting:
    """What a header tells of its kernel; all else: what the user knows better."""
    oldest, youngest = SPANS[header.layout]
    if release is None and header.kernel_version is not None:
        oldest = youngest = release_number(header.kernel_version)
    elif release is not None:
        oldest = youngest = release
    return Setting(
        release=oldest,
        youngest=youngest,
        is_rt=header.is_rt or is_rt,
        has_flags=header.has_irq_info,
        percpu_irqs=frozenset(percpu_irqs),
    )


class TraceCheck:
    """Checks one trace, record by record."""

    __slots__ = (
        "_begins_late", "_checker", "_cpus", "_is_single", "_named", "header", "lost",
        "nr_records", "nr_violations", "nr_warnings", "setting",
    )  # fmt: skip

    def __init__(
        self,
        header: TraceHeader,
        invariants: Sequence[Invariant] = INVARIANTS,
        release: Release | None = None,
        *,
        is_rt: bool = False,
        percpu_irqs: Collection[int] = (),
    ) -> None:
        """Raises ValueError for a trace whose lines do not say what happened where."""
        if not header.has_context:
            raise ValueError("its lines do not say which task ran on which CPU (context-info)")
        self.header = header
        self.setting = setting_of(header, release, is_rt=is_rt, percpu_irqs=percpu_irqs)
        self._checker = Checker(invariants, setting=self.setting, with_exceptions=True)
        self._named = {each.name: each for each in invariants}
        self._cpus: dict[int, int] = {}
        """Records, by CPU."""
        self._begins_late = header.has_overrun or header.source in ("trace.dat", "trace-cmd")
        self._is_single = header.nr_cpus == 1
        self.lost: dict[int, int] = {}
        """How many records each CPU has lost; 0: nobody counted."""
        self.nr_records = 0
        self.nr_violations = 0
        self.nr_warnings = 0

    @property
    def nr_laws(self) -> int:
        """Those that were asked for."""
        return len(self._named)

    @property
    def cpus(self) -> list[int]:
        """Those that have records."""
        return sorted(self._cpus)

    def feed(self, line: int, item: Record | Lost) -> list[Finding]:
        """Take in what stands on a line."""
        if isinstance(item, Lost):
            self.lost[item.cpu] = self.lost.get(item.cpu, 0) + item.nr
            self._checker.lost(item.cpu)
            return []
        self.nr_records += 1
        cpu = item[1].cpu
        if cpu not in self._cpus:
            self._cpus[cpu] = 0
            if self._begins_late:
                # Its older records are gone, and those of other CPUs of that time are not.
                self._checker.lost(cpu)
        violations = self._checker.feed(item)
        return [] if not violations else self._found(line, cpu, violations)

    def silent(self) -> list[Silence]:
        """The laws that had nothing to say, and why."""
        found = []
        seen = self._checker.seen()
        watched = self._checker.watched()
        for each in self._named.values():
            missing = tuple(needed.name for needed in each.needs if needed not in seen)
            if not missing and each.on and not any(other in seen for other in each.on):
                missing = (each.on[0].name,)
            if each.name not in watched:
                found.append(Silence(each, (), self._why_not(each)))
            elif missing:
                found.append(Silence(each, missing, f"no {', '.join(missing)} in the trace"))
            elif each.scope in ACROSS_CPUS and not self._sees_others:
                found.append(Silence(each, (), "the trace has records of one CPU only"))
        return found

    @property
    def _sees_others(self) -> bool:
        return self._is_single or len(self._cpus) > 1

    def _found(self, line: int, cpu: int, violations: Sequence[Violation]) -> list[Finding]:
        found = []
        for violation in violations:
            invariant = self._named[violation.name]
            if invariant.scope in ACROSS_CPUS and not self._sees_others:
                continue
            found.append(Finding(line, invariant, violation, cpu))
            if invariant.is_strict:
                self.nr_violations += 1
            else:
                self.nr_warnings += 1
        return found

    def _why_not(self, invariant: Invariant) -> str:
        setting = self.setting
        if not setting.has_flags and invariant.applies(evolve(setting, has_flags=True)):
            return "the trace has no flags"
        if setting.is_rt and invariant.applies(evolve(setting, is_rt=False)):
            return "not on PREEMPT_RT"
        return "another release than it may be: see --release"
