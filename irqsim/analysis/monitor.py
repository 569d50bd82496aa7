"""Laws that users state themselves, as automata: which events are which symbols of whom.

A monitor is watched as the built-in laws are; only its readers are made here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final, TypeAlias

from attrs import frozen

from irqsim.analysis.automaton import Automaton, Key, Move, Reader
from irqsim.events import Context, Event, Tracepoint, Value

Test: TypeAlias = Callable[[Context, Event], bool]


def _cpu(context: Context, event: Event) -> Key:
    return context.cpu


def _task(context: Context, event: Event) -> Key:
    pid = event["pid"] if "pid" in event.tracepoint.index_of else context.pid
    return f"pid {pid}"


def _irq(context: Context, event: Event) -> Key:
    return f"irq {event['irq']}"


def _vector(context: Context, event: Event) -> Key:
    return context.cpu, f"vec {event['vec']}"


def _log(context: Context, event: Event) -> Key:
    return "log"


SCOPES: Final[dict[str, tuple[Callable[[Context, Event], Key], str]]] = {
    "CPU": (_cpu, ""),
    "task": (_task, ""),
    "irq": (_irq, "irq"),
    "vector": (_vector, "vec"),
    "log": (_log, ""),
}
"""Whose automaton an event moves, and the field that the event must have for that."""


@frozen
class Symbol:
    """Which events are a symbol of a monitor."""

    name: str
    tracepoint: Tracepoint
    tests: tuple[Test, ...]
    key: str | None = None
    """The field that names whose automaton moves; None: what the scope says."""


def field_test(position: int, values: Sequence[Value]) -> Test:
    """A field has one of these values; in a text `*` stands for anything."""
    patterns = [each for each in values if isinstance(each, str) and "*" in each]

    def test(context: Context, event: Event) -> bool:
        value = event.values[position]
        return value in values or (
            bool(patterns) and any(fnmatchcase(str(value), each) for each in patterns)
        )

    return test


def task_test(pattern: str) -> Test:
    """The task column has this name."""
    return lambda context, event: fnmatchcase(context.comm, pattern)


def cpu_test(cpus: Sequence[int]) -> Test:
    """It is a record of one of these CPUs."""
    return lambda context, event: context.cpu in cpus


def monitor(
    scope: str,
    symbols: Sequence[Symbol],
    moves: dict[tuple[str, str], str],
    start: str,
    limits: dict[str, int],
) -> Automaton:
    """The automaton; `start`: its state where a log begins, also in the middle."""
    by_tracepoint: dict[Tracepoint, list[Symbol]] = {}
    for symbol in symbols:
        by_tracepoint.setdefault(symbol.tracepoint, []).append(symbol)
    return Automaton(
        reads={each: _reader(scope, group) for each, group in by_tracepoint.items()},
        moves=moves,
        start=start,
        ignorance=start,
        cpu_of=_cpu_of,
        limits=limits,
    )


def _reader(scope: str, symbols: Sequence[Symbol]) -> Reader:
    key_of, _ = SCOPES[scope]

    def read(context: Context, event: Event) -> Iterable[Move]:
        for symbol in symbols:
            if all(test(context, event) for test in symbol.tests):
                if symbol.key is None:
                    yield key_of(context, event), symbol.name, None
                else:
                    value = event[symbol.key]
                    word = "pid" if scope == "task" else symbol.key
                    yield f"{word} {value}", symbol.name, None

    return read


def _cpu_of(key: Key) -> Value:
    if isinstance(key, tuple):
        return key[0]
    return key if isinstance(key, int) else None
