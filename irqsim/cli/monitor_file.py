"""The user's own laws, from a TOML file: every fault is named with its line and key.

    [[monitor]]
    name = "eth0_raises_net_rx"
    law = "What eth0's handler begins NET_RX goes on with before the CPU idles."
    scope = "CPU"
    start = "quiet"
    moves.quiet = { entry = "owes", raise = "quiet", idle = "quiet" }
    moves.owes = { entry = "owes", raise = "quiet" }
    within.owes = "1ms"

    [monitor.events]
    entry = { event = "irq_handler_entry", match = { name = "eth0*" } }
    raise = { event = "softirq_raise", match = { vec = "NET_RX" } }
    idle = { event = "sched_switch", match = { next_pid = 0 } }
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from irqsim.analysis.automaton import UNKNOWN
from irqsim.analysis.invariant import Invariant
from irqsim.analysis.monitor import SCOPES, Symbol, Test, cpu_test, field_test, monitor, task_test
from irqsim.errors import Fault, ScenarioError
from irqsim.events import TRACEPOINT_BY_NAME, Tracepoint, Value
from irqsim.scenario.locate import Path
from irqsim.scenario.names import hint
from irqsim.scenario.reader import parse_toml, read_utf8
from irqsim.trace.kinds import KINDS
from irqsim.units import parse_time

KEYS: Final = ("name", "law", "scope", "start", "warning", "events", "moves", "within")
REQUIRED: Final = ("name", "law", "scope", "events", "moves")
EVENT_KEYS: Final = ("event", "match", "task", "cpu", "key")

_KIND: Final = re.compile(r"\{(\w+):(\w+)\}")
_TYPES: Final[dict[str, tuple[type, str]]] = {
    "name": (str, "a string"),
    "law": (str, "a string"),
    "scope": (str, "a string"),
    "start": (str, "a string"),
    "warning": (bool, "true or false"),
    "events": (dict, "a table"),
    "moves": (dict, "a table"),
    "within": (dict, "a table"),
    "event": (str, "a string"),
    "match": (dict, "a table"),
    "task": (str, "a string"),
    "key": (str, "a string"),
}


def read_monitors(name: str, taken: Sequence[str]) -> list[Invariant]:
    """Read a file of monitors; `taken`: names that other laws have.  Raises ScenarioError."""
    file, text = read_utf8(name)
    document, lines = parse_toml(text.replace("\r\n", "\n"), file)
    reader = _Reader(file, lines)
    names = list(taken)
    found = []
    for key in document:
        if key != "monitor":
            reader.fault((key,), f"unknown key{hint(key, ['monitor'])}")
    tables = document.get("monitor", [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        reader.fault(("monitor",), "expected [[monitor]] tables")
        tables = []
    elif not tables:
        reader.fault((), "no [[monitor]] in it")
    for index, table in enumerate(tables):
        law = reader.monitor(("monitor", index), table, names)
        if law is not None:
            names.append(law.name)
            found.append(law)
    if reader.faults:
        raise ScenarioError(tuple(reader.faults))
    return found


class _Reader:
    """Reads the tables of one file, and collects their faults."""

    def __init__(self, file: str, lines: dict[Path, int]) -> None:
        self._file = file
        self._lines = lines
        self.faults: list[Fault] = []

    def fault(self, path: Path, message: str) -> None:
        """Note a fault at a key, or at the nearest table around it."""
        place = path
        while place and place not in self._lines:
            place = place[:-1]
        text = ""
        for part in path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        self.faults.append(Fault(self._file, self._lines.get(place), text, message))

    def monitor(self, path: Path, table: dict[str, Any], taken: Sequence[str]) -> Invariant | None:
        """One monitor; None if it has faults."""
        nr_faults = len(self.faults)
        self._check_keys(path, table, KEYS, REQUIRED)
        if len(self.faults) > nr_faults:
            return None
        name, scope = table["name"], table["scope"]
        if name in taken or not re.fullmatch(r"\w+", name):
            why = "another law has it" if name in taken else "letters, digits and _ only"
            self.fault((*path, "name"), f"{name!r}: {why}")
        if scope not in SCOPES:
            self.fault((*path, "scope"), f"unknown scope {scope!r}{hint(scope, SCOPES)}")
            return None
        symbols = [
            symbol
            for key, event in table["events"].items()
            if (symbol := self._symbol((*path, "events", key), key, event, scope)) is not None
        ]
        moves = self._moves((*path, "moves"), table["moves"], list(table["events"]))
        start = table.get("start", UNKNOWN)
        if start != UNKNOWN and start not in table["moves"]:
            self.fault((*path, "start"), f"unknown state {start!r}{hint(start, table['moves'])}")
        limits = self._limits((*path, "within"), table)
        if len(self.faults) > nr_faults:
            return None
        automaton = monitor(scope, symbols, moves, start, limits)
        return Invariant(
            name=name,
            law=table["law"],
            scope=scope,
            source=self._file,
            on=automaton.on,
            make=automaton.watch,
            is_strict=not table.get("warning", False),
            exceptions="",
        )

    def _check_keys(
        self, path: Path, table: dict[str, Any], known: Sequence[str], required: Sequence[str]
    ) -> None:
        for key, value in table.items():
            if key not in known:
                self.fault((*path, key), f"unknown key{hint(key, known)}")
            elif key in _TYPES and not isinstance(value, _TYPES[key][0]):
                self.fault((*path, key), f"expected {_TYPES[key][1]}, got {value!r}")
        for key in required:
            if key not in table:
                self.fault(path, f"{key} is missing")

    def _symbol(self, path: Path, name: str, table: object, scope: str) -> Symbol | None:
        if not isinstance(table, dict):
            self.fault(path, f"expected a table with 'event', got {table!r}")
            return None
        nr_faults = len(self.faults)
        self._check_keys(path, table, EVENT_KEYS, ("event",))
        if len(self.faults) > nr_faults:
            return None
        tracepoint = TRACEPOINT_BY_NAME.get(table["event"])
        if tracepoint is None:
            word = table["event"]
            self.fault((*path, "event"), f"unknown event {word!r}{hint(word, TRACEPOINT_BY_NAME)}")
            return None
        fields = tracepoint.index_of
        key = table.get("key")
        needed = SCOPES[scope][1] if key is None else key
        if needed and needed not in fields:
            self.fault((*path, "key"), f"{tracepoint.name} has no field "
                                       f"{needed!r}{hint(needed, fields)}")
        tests: list[Test] = []
        for field, wanted in table.get("match", {}).items():
            place = (*path, "match", field)
            if field not in fields:
                self.fault(place, f"{tracepoint.name} has no field {field!r}{hint(field, fields)}")
            else:
                tests.append(field_test(fields[field], self._values(place, tracepoint, wanted)))
        if "task" in table:
            tests.append(task_test(table["task"]))
        if "cpu" in table:
            tests.append(cpu_test(self._cpus((*path, "cpu"), table["cpu"])))
        return Symbol(name, tracepoint, tuple(tests), key)

    def _values(self, path: Path, tracepoint: Tracepoint, wanted: object) -> list[Value]:
        found: list[Value] = []
        for each in wanted if isinstance(wanted, list) else [wanted]:
            if isinstance(each, bool) or not isinstance(each, int | str):
                self.fault(path, f"expected a number, a string or a list of them, got {each!r}")
            else:
                found.append(self._value(path, tracepoint, each))
        return found

    def _value(self, path: Path, tracepoint: Tracepoint, wanted: int | str) -> Value:
        """What the field holds that prints as this: NET_RX, handled, S."""
        field = str(path[-1])
        ctype = tracepoint.fields[tracepoint.index_of[field]].ctype
        kinds = [kind for name, kind in _KIND.findall(tracepoint.formats[0].template)
                 if name == field]
        if isinstance(wanted, int) or "char" in ctype or "*" in wanted:
            return wanted
        for kind in kinds:
            if re.fullmatch(KINDS[kind].pattern, wanted):
                value = KINDS[kind].parse(wanted, None, None)
                # Of names, those that do not exist.
                if value != -1:
                    return value
        if not kinds or not re.fullmatch(r"-?[0-9]+", wanted):
            if "*" not in ctype:
                self.fault(path, f"{wanted!r} is nothing that {field} can be")
            return wanted
        return int(wanted)

    def _cpus(self, path: Path, wanted: object) -> list[int]:
        cpus: list[int] = []
        for each in wanted if isinstance(wanted, list) else [wanted]:
            if isinstance(each, int) and not isinstance(each, bool):
                cpus.append(each)
            else:
                self.fault(path, f"expected a CPU or a list of CPUs, got {each!r}")
        return cpus

    def _moves(
        self, path: Path, table: dict[str, Any], symbols: Sequence[str]
    ) -> dict[tuple[str, str], str]:
        moves = {}
        for state, row in table.items():
            if not isinstance(row, dict):
                self.fault((*path, state), f"expected a table of events and states, got {row!r}")
                continue
            for symbol, target in row.items():
                place = (*path, state, symbol)
                if symbol not in symbols:
                    self.fault(place, f"unknown event {symbol!r}{hint(symbol, symbols)}")
                elif not isinstance(target, str) or target not in table:
                    self.fault(place, f"unknown state {target!r}{hint(str(target), table)}")
                else:
                    moves[state, symbol] = target
        return moves

    def _limits(self, path: Path, table: dict[str, Any]) -> dict[str, int]:
        limits = {}
        for state, limit in table.get("within", {}).items():
            if state not in table["moves"]:
                self.fault((*path, state), f"unknown state {state!r}{hint(state, table['moves'])}")
                continue
            try:
                limits[state] = parse_time(limit, 1)
            except (ValueError, TypeError) as error:
                self.fault((*path, state), str(error))
        return limits
