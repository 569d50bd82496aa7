"""The invariants, and what checks a log against them.

The log may be anybody's: this works on records and never on a machine.  Records are fed in
their order, one by one; what is kept does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from attrs import evolve

from irqsim.analysis.invariant import Invariant, Setting, Violation, Watch
from irqsim.analysis.rules_context import CONTEXT_INVARIANTS
from irqsim.analysis.rules_ipi import IPI_INVARIANTS
from irqsim.analysis.rules_irq import IRQ_INVARIANTS
from irqsim.analysis.rules_log import LOG_INVARIANTS
from irqsim.analysis.rules_nest import NEST_INVARIANTS
from irqsim.analysis.rules_resched import RESCHED_INVARIANTS
from irqsim.analysis.rules_rt import RT_INVARIANTS
from irqsim.analysis.rules_sched import SCHED_INVARIANTS
from irqsim.analysis.rules_softirq import SOFTIRQ_INVARIANTS
from irqsim.analysis.rules_task import TASK_INVARIANTS
from irqsim.analysis.rules_timer import TIMER_INVARIANTS
from irqsim.analysis.rules_vector import VECTOR_INVARIANTS
from irqsim.analysis.rules_wake import WAKE_INVARIANTS
from irqsim.events import SCHED_SWITCH, TRACEPOINTS, Context, Event, Record, Tracepoint

__all__ = ["INVARIANTS", "Checker", "Invariant", "Setting", "Violation", "check"]

INVARIANTS: Final[tuple[Invariant, ...]] = (
    *IRQ_INVARIANTS,
    *IPI_INVARIANTS,
    *SOFTIRQ_INVARIANTS,
    *VECTOR_INVARIANTS,
    *SCHED_INVARIANTS,
    *WAKE_INVARIANTS,
    *TASK_INVARIANTS,
    *TIMER_INVARIANTS,
    *CONTEXT_INVARIANTS,
    *RESCHED_INVARIANTS,
    *RT_INVARIANTS,
    *NEST_INVARIANTS,
    *LOG_INVARIANTS,
)

DEFAULT: Final = Setting()

Step = Callable[[int, Context, Event], str]

_NOTHING: Final[tuple[Violation, ...]] = ()


class _Watched:
    """One invariant over one log."""

    __slots__ = ("invariant", "missing", "watch")

    def __init__(self, invariant: Invariant, setting: Setting) -> None:
        self.invariant = invariant
        self.watch: Watch = invariant.make(setting)
        self.missing: list[Tracepoint] = [] if setting.is_complete else list(invariant.needs)
        """Tracepoints that have not been seen yet: until then it is silent."""


class Checker:
    """Checks one log."""

    __slots__ = ("_by_tracepoint", "_index", "_stopped", "_unseen", "_wanted", "_watched")

    def __init__(
        self,
        invariants: Sequence[Invariant] = INVARIANTS,
        complete: bool = False,
        setting: Setting = DEFAULT,
        enabled: Collection[Tracepoint] | None = None,
        with_exceptions: bool = False,
    ) -> None:
        """`complete`: the log has everything from the start on, of the tracepoints that are
        `enabled` (None: of all).  `with_exceptions`: laws that are not strict speak too."""
        setting = evolve(setting, is_complete=complete)
        self._watched = [
            _Watched(each, setting)
            for each in invariants
            if each.applies(setting)
            and (complete or with_exceptions or each.is_strict)
            and (enabled is None or all(needed in enabled for needed in each.needs))
        ]
        # What watches is bound once: it is asked for every record.
        self._by_tracepoint: list[list[tuple[Step, _Watched]]] = [
            [
                (each.watch.step, each)
                for each in self._watched
                if not each.invariant.on or tracepoint in each.invariant.on
            ]
            for tracepoint in TRACEPOINTS
        ]
        self._wanted: list[list[_Watched]] = [
            [each for each in self._watched if tracepoint in each.missing]
            for tracepoint in TRACEPOINTS
        ]
        self._unseen = [True] * len(TRACEPOINTS)
        self._index = 0
        self._stopped: dict[int, bool] = {}
        """CPUs that have switched to their stopper, which may be the end of them."""

    def feed(self, record: Record) -> Sequence[Violation]:
        """Take in the next record; returns the laws that it breaks."""
        time_ns, context, event = record
        number = event.tracepoint.id
        if self._stopped and not context.pid and self._stopped.pop(context.cpu, False):
            # It was off, and comes back in its idle task: how it went is not in the log.
            self.lost(context.cpu)
        if number == SCHED_SWITCH.id:
            self._switch(context, event)
        if self._unseen[number]:
            self._unseen[number] = False
            for each in self._wanted[number]:
                each.missing.remove(event.tracepoint)
        found: list[Violation] | None = None
        for step, each in self._by_tracepoint[number]:
            said = step(time_ns, context, event)
            if said and not each.missing:
                where = f"CPU {context.cpu}, {context.comm}-{context.pid}: {said}"
                found = [] if found is None else found
                found.append(Violation(each.invariant.name, where, self._index, time_ns))
        self._index += 1
        return _NOTHING if found is None else found

    def _switch(self, context: Context, event: Event) -> None:
        if event["next_comm"] == f"migration/{context.cpu}":
            self._stopped[context.cpu] = True
        elif self._stopped:
            self._stopped.pop(context.cpu, None)

    def lost(self, cpu: int) -> None:
        """Records of this CPU are missing here."""
        for each in self._watched:
            each.watch.lost(cpu)

    def finish(self) -> Sequence[Violation]:
        """End the log.  What is open may stay so: a log ends anywhere."""
        return _NOTHING

    def applied(self) -> tuple[Invariant, ...]:
        """The invariants about which the log had anything to say."""
        return tuple(each.invariant for each in self._watched if not each.missing)

    def watched(self) -> list[str]:
        """The names of the invariants that apply to such a log."""
        return [each.invariant.name for each in self._watched]

    def seen(self) -> list[Tracepoint]:
        """The tracepoints that the log has had so far."""
        return [each for each in TRACEPOINTS if not self._unseen[each.id]]


def check(
    records: Iterable[Record],
    complete: bool = False,
    setting: Setting = DEFAULT,
    enabled: Collection[Tracepoint] | None = None,
) -> list[Violation]:
    """All that a log breaks."""
    checker = Checker(INVARIANTS, complete, setting, enabled)
    found = [violation for record in records for violation in checker.feed(record)]
    return [*found, *checker.finish()]
