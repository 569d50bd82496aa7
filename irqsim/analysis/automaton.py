"""Laws as small automata: states, symbols, and the moves that are allowed.

A cell that is missing is a violation.  Whose automaton moves and by which symbol, a reader says
for each tracepoint; a symbol may carry a value (the irq of a handler), which is remembered by
the symbols in `keeps` and compared by those in `compares`: if it is another than the one that
was remembered, the symbol is `other ...`.

Where the log begins in the middle, or records are missing, the state is unknown: any symbol is
allowed then, and leads to the state to which all cells with that symbol lead, if it is one.  So
the table of a law is the same for a whole log and for a part of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from attrs import field, frozen

from irqsim.analysis.invariant import Setting
from irqsim.events import NMI, Context, Event, Tracepoint, Value

UNKNOWN: Final = "unknown"

Key: TypeAlias = int | str | tuple[int | str, ...]
"""Which of a law's automata: a CPU, a pid, (CPU, vector), ..."""
Move: TypeAlias = tuple[Key, str, Value]
"""Whose automaton moves, by which symbol, with which value."""
Reader: TypeAlias = Callable[[Context, Event], Iterable[Move]]


@frozen
class Automaton:
    """The table of a law: `(state, symbol) -> state`."""

    reads: dict[Tracepoint, Reader]
    moves: dict[tuple[str, str], str]
    start: str
    """The state in which a log that is complete begins."""
    ignorance: str = UNKNOWN
    """The state where nothing is known."""
    keeps: tuple[str, ...] = ()
    compares: tuple[str, ...] = ()
    cpu_of: Callable[[Key], Value] = lambda key: key if isinstance(key, int) else None
    """The CPU that a key belongs to; None: no single one."""
    settles: dict[str, str] = field(factory=dict)
    """Where symbols lead from ignorance that lead to several states from the others."""
    limits: dict[str, int] = field(factory=dict)
    """How long a state lasts at most, in ns; noticed at the next symbol of its automaton."""
    from_unknown: dict[str, str] = field(init=False)

    @from_unknown.default
    def _from_unknown(self) -> dict[str, str]:
        targets: dict[str, list[str]] = {}
        for (_, symbol), state in self.moves.items():
            known = targets.setdefault(symbol, [])
            if state not in known:
                known.append(state)
        return {
            symbol: states[0] if len(states) == 1 else UNKNOWN
            for symbol, states in targets.items()
        } | self.settles

    @property
    def on(self) -> tuple[Tracepoint, ...]:
        return tuple(self.reads)

    def watch(self, setting: Setting) -> AutomatonWatch:
        """Automata for one log, one for each key."""
        return AutomatonWatch(self, setting)


class AutomatonWatch:
    """The automata of one law over one log."""

    __slots__ = ("_fresh", "_readers", "_since", "_states", "_values", "automaton")

    def __init__(self, automaton: Automaton, setting: Setting) -> None:
        self.automaton = automaton
        self._readers = {each.id: reader for each, reader in automaton.reads.items()}
        self._fresh = automaton.start if setting.is_complete else automaton.ignorance
        self._states: dict[Key, str] = {}
        self._values: dict[Key, Value] = {}
        self._since: dict[Key, int] = {}

    def step(self, time_ns: int, context: Context, event: Event) -> str:
        """Move the automata that this record concerns."""
        said = ""
        for key, symbol, value in self._readers[event.tracepoint.id](context, event):
            if self.automaton.limits:
                said = self._outlasts(key, time_ns, event) or said
            said = self._move(key, symbol, value, event) or said
        return said

    def lost(self, cpu: int) -> None:
        """Forget the CPU's automata, and those that belong to no CPU."""
        self._fresh = self.automaton.ignorance
        for key in list(self._states):
            if self.automaton.cpu_of(key) in (cpu, None):
                del self._states[key]
                self._values.pop(key, None)
                self._since.pop(key, None)

    def _outlasts(self, key: Key, time_ns: int, event: Event) -> str:
        """Whether a state has lasted too long; keeps the time at which each began."""
        state = self._states.get(key, self._fresh)
        limit_ns = self.automaton.limits.get(state)
        lasted_ns = time_ns - self._since.get(key, time_ns)
        self._since[key] = time_ns
        if limit_ns is None or lasted_ns <= limit_ns:
            return ""
        return f"{_named(key)}{event.tracepoint.name} after {lasted_ns} ns {state}, " \
               f"and {limit_ns} ns is the limit"

    def _move(self, key: Key, symbol: str, value: Value, event: Event) -> str:
        table, states = self.automaton, self._states
        state = states.get(key, self._fresh)
        said = symbol
        if symbol in table.compares and key in self._values and value != self._values[key]:
            said = f"other {symbol}"
        if symbol in table.keeps:
            self._values[key] = value
        if state == UNKNOWN:
            states[key] = table.from_unknown.get(said, UNKNOWN)
            return ""
        following = table.moves.get((state, said))
        if following is not None:
            states[key] = following
            return ""
        # Go on as if nothing had been known.
        following = table.from_unknown.get(symbol, UNKNOWN)
        states[key] = table.ignorance if following == UNKNOWN else following
        return f"{_named(key)}{event.tracepoint.name} {_values_of(event)} while {state}"


def _named(key: Key) -> str:
    """A key in words; CPUs name themselves in the record's context."""
    return "" if isinstance(key, int) else f"{key}: "


def _values_of(event: Event) -> str:
    pairs = zip(event.tracepoint.fields, event.values, strict=True)
    return " ".join(f"{each.name}={value}" for each, value in pairs)


# -- shapes that many laws have ----------------------------------------------------------


def on_cpu(symbol: str, position: int | None = None, skips_nmi: bool = False) -> Reader:
    """A reader for the automata of CPUs: one symbol, with the value at a position or none."""

    def read(context: Context, event: Event) -> Iterable[Move]:
        if skips_nmi and context.flags & NMI:
            return ()
        return ((context.cpu, symbol, None if position is None else event.values[position]),)

    return read


def nesting(
    entry: Tracepoint, exit_: Tracepoint, outside: str, inside: str, skips_nmi: bool = False
) -> Automaton:
    """On a CPU there is never one entry inside another."""
    return Automaton(
        reads={
            entry: on_cpu("entry", skips_nmi=skips_nmi),
            exit_: on_cpu("exit", skips_nmi=skips_nmi),
        },
        moves={
            (outside, "entry"): inside,
            (inside, "exit"): outside,
            # An exit too many is the business of `closing`.
            (outside, "exit"): outside,
        },
        start=outside,
    )


def closing(
    entry: Tracepoint,
    exit_: Tracepoint,
    outside: str,
    inside: str,
    reader: Callable[[str], Reader] = lambda symbol: on_cpu(symbol, 0),
    cpu_of: Callable[[Key], Value] = lambda key: key if isinstance(key, int) else None,
) -> Automaton:
    """Each exit follows an entry with the same value; `reader` makes the reader of a symbol."""
    return Automaton(
        reads={entry: reader("entry"), exit_: reader("exit")},
        moves={
            (outside, "entry"): inside,
            (inside, "exit"): outside,
            # An entry too many is the business of `nesting`.
            (inside, "entry"): inside,
        },
        start=outside,
        keeps=("entry",),
        compares=("exit",),
        cpu_of=cpu_of,
    )


def pairing(
    entry: Tracepoint,
    exit_: Tracepoint,
    outside: str,
    inside: str,
    reader: Callable[[str], Reader] = lambda symbol: on_cpu(symbol, 0),
    cpu_of: Callable[[Key], Value] = lambda key: key if isinstance(key, int) else None,
) -> Automaton:
    """Entries and exits alternate, each exit with the value of its entry."""
    return Automaton(
        reads={entry: reader("entry"), exit_: reader("exit")},
        moves={(outside, "entry"): inside, (inside, "exit"): outside},
        start=outside,
        keeps=("entry",),
        compares=("exit",),
        cpu_of=cpu_of,
    )
