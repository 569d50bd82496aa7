"""TOML to a scenario, with every fault and its line.

The text is parsed, located and overridden; then each table is read by its declaration, key by
key; then the parts are checked against each other.  Nothing stops at the first fault, and
what depends on a faulty part is left out rather than reported.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from os import PathLike, fspath
from pathlib import Path as FilePath
from typing import Any, Final

from attrs import NOTHING, fields_dict

from irqsim.errors import Fault, ScenarioError
from irqsim.scenario.checks import Draft, check
from irqsim.scenario.kinds import Tick, text_of
from irqsim.scenario.later import refuse_later
from irqsim.scenario.locate import Path, locate
from irqsim.scenario.names import hint, shown
from irqsim.scenario.overrides import DEPTH_MAX, apply_overrides, is_deeper, parse_float
from irqsim.scenario.place import OVERRIDE, Place, Reading
from irqsim.scenario.replay import read_replay
from irqsim.scenario.spec import CostSpec, KernelSpec, MachineSpec, RunSpec, ScenarioSpec
from irqsim.scenario.steps import Scope
from irqsim.scenario.tables import CPUS_MAX, TABLES, Key, Table

STDIN: Final = "stdin"
SIZE_MAX: Final = 64 << 20
"""The bytes of the largest scenario."""

_TABLE_NAMED: Final = {table.name: table for table in TABLES}
_SYNTAX_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_scenario(path: str | PathLike[str], overrides: Sequence[str] = ()) -> ScenarioSpec:
    """Read a scenario from a file, or from standard input (``-``).

    ``overrides`` are ``KEY=VALUE``.  Raises ScenarioError with every fault that was found.
    """
    name = fspath(path)
    file, text = read_utf8(name)
    base_dir = FilePath() if name == "-" else FilePath(name).parent
    return read_text(text, file, overrides, base_dir)


def read_utf8(name: str) -> tuple[str, str]:
    """What a file is called in messages, and its text.  Raises ScenarioError."""
    file = STDIN if name == "-" else name
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else open(name, "rb") as stream:
            data = stream.read(SIZE_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ScenarioError((Fault(file, None, "", f"cannot be read: {reason}"),)) from error
    if len(data) > SIZE_MAX:
        raise ScenarioError((Fault(file, None, "", f"larger than {SIZE_MAX >> 20} MiB"),))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        fault = Fault(file, line, "", "not text: TOML is written in UTF-8")
        raise ScenarioError((fault,)) from error
    return file, text


def read_text(
    text: str,
    file: str = "scenario",
    overrides: Sequence[str] = (),
    base_dir: str | PathLike[str] = ".",
) -> ScenarioSpec:
    """Read a scenario from text; ``file`` names it, files it names are in ``base_dir``.

    Raises ScenarioError with every fault that was found.
    """
    # As TOML has it, and so that the scanner counts lines as the parser does.
    text = text.replace("\r\n", "\n")
    document, lines = parse_toml(text, file)
    reading = Reading(file, FilePath(base_dir), lines)
    apply_overrides(document, overrides, reading)
    _prepare(document, reading)
    draft = _read_tables(document, reading)
    check(draft)
    refuse_later(document, reading)
    if reading.faults:
        raise ScenarioError(_in_order(reading))
    return draft.spec


def parse_toml(text: str, file: str) -> tuple[dict[str, Any], dict[Path, int]]:
    """The TOML document and its lines.  Raises ScenarioError at the first fault of syntax."""
    too_deep = Fault(file, None, "", f"nested more than {DEPTH_MAX} deep")
    try:
        document = tomllib.loads(text, parse_float=parse_float)
        if is_deeper(document, DEPTH_MAX):
            raise ScenarioError((too_deep,))
        return document, locate(text)
    except RecursionError as error:
        raise ScenarioError((too_deep,)) from error
    except ValueError as error:
        message = str(error)
        found = _SYNTAX_PLACE.search(message)
        line = None
        if found is not None:
            message = message[: found.start()]
            last = len(text.rstrip("\n").split("\n"))
            line, column = (int(found[1]), found[2]) if found[1] else (last, "")
            message += f" (column {column})" if column else " (at the end of the file)"
        raise ScenarioError((Fault(file, line, "", f"not TOML: {message}"),)) from error


def _prepare(document: dict[str, Any], reading: Reading) -> None:
    """Find what reading any key may depend on: the tick, the CPUs, the release, all names.

    Their own faults are noted when their tables are read.
    """
    root = Place(reading)
    tick_ns, nr_cpus, release = RunSpec().tick, MachineSpec().cpus, KernelSpec().release
    run, machine, kernel = (_table(document, name) for name in ("run", "machine", "kernel"))
    try:
        tick_ns = Tick().read(run["tick"], root.at("run").at("tick")) if "tick" in run else tick_ns
    except ValueError:
        pass
    if "cpus" in machine:
        given = machine["cpus"]
        is_valid = type(given) is int and 1 <= given <= CPUS_MAX
        nr_cpus = given if is_valid else CPUS_MAX
    for key in _TABLE_NAMED["kernel"].keys:
        if key.name == "release" and "release" in kernel:
            try:
                release = key.kind.read(kernel["release"], root.at("kernel").at("release"))
            except ValueError:
                pass
    names = {
        table.name: _names(document, table.name, root) for table in TABLES if table.form == "many"
    }
    reading.scope = Scope(names, nr_cpus, tick_ns, partial(read_replay, reading))
    reading.release = release


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _names(document: dict[str, Any], table: str, root: Place) -> dict[str, int]:
    """The names of the members of a list of tables; a name that is taken is a fault."""
    members = document.get(table)
    names: dict[str, int] = {}
    for index, member in enumerate(members if isinstance(members, list) else ()):
        if not isinstance(member, dict) or "name" not in member:
            continue
        place = root.at(table).at(index).at("name")
        name = text_of(member["name"], place)
        if name is None:
            continue
        first = names.setdefault(name, index)
        if first != index:
            line = root.at(table).at(first).at("name").line
            where = f" (line {line})" if line is not None else ""
            place.fault(f"the name {shown(name)} is taken by {table}[{first}]{where}")
    return names


def _read_tables(document: dict[str, Any], reading: Reading) -> Draft:
    """Read all tables that are there."""
    root = Place(reading)
    values: dict[str, Any] = {"file": reading.file}
    places: dict[str, list[Place]] = {}
    broken: list[str] = []
    for name, value in document.items():
        table = _TABLE_NAMED.get(name)
        if table is None:
            root.at(name).fault(f"unknown table{hint(name, _TABLE_NAMED)}")
            continue
        nr_faults = len(reading.faults)
        if table.form == "many":
            specs, places[name] = _read_members(table, value, root.at(name))
            values[table.attribute] = tuple(specs)
        else:
            spec = _read_one(table, value, root.at(name))
            if spec is not None:
                values[table.attribute] = spec
        if len(reading.faults) > nr_faults:
            broken.append(name)
    for name in ("run", "kernel"):
        table = _TABLE_NAMED[name]
        if name not in document:
            values[table.attribute] = _read_one(table, {}, root.at(name))
    return Draft(ScenarioSpec(**values), root, places, frozenset(broken))


def _read_members(table: Table, value: object, place: Place) -> tuple[list[Any], list[Place]]:
    """The members of ``[[name]]`` that have no fault, and their places."""
    if not isinstance(value, list) or not all(isinstance(member, dict) for member in value):
        place.fault(f"expected a list of tables, write [[{table.name}]]; got {shown(value)}")
        return [], []
    specs, places = [], []
    for index, member in enumerate(value):
        here = place.at(index)
        nr_faults = len(here.reading.faults)
        attributes = _read_keys(table, member, here)
        if len(here.reading.faults) == nr_faults:
            specs.append(table.spec(**attributes, line=here.line))
            places.append(here)
    return specs, places


def _read_one(table: Table, value: object, place: Place) -> Any:
    """``[name]``; None if it is not even a table, or has a fault."""
    if not isinstance(value, dict):
        place.fault(f"expected one table, write [{table.name}]; got {shown(value)}")
        return None
    nr_faults = len(place.reading.faults)
    attributes = _read_keys(table, value, place)
    if table.spec is CostSpec:
        return CostSpec(tuple(attributes.items()))
    if table.form == "map":
        return tuple(
            table.spec(name, body, place.at(name).line) for name, body in attributes.items()
        )
    return table.spec(**attributes) if len(place.reading.faults) == nr_faults else None


def _read_keys(table: Table, value: dict[str, Any], place: Place) -> dict[str, Any]:
    """The attributes that a table gives its class; faults are noted."""
    keys = {key.name: key for key in table.keys}
    attributes: dict[str, Any] = {}
    for name, item in value.items():
        here = place.at(name)
        key = keys.get(name)
        if key is None:
            here.fault(f"unknown key{hint(name, keys)}")
            continue
        try:
            attributes[key.attribute] = key.kind.read(item, here)
        except ValueError as error:
            here.fault(str(error))
    if table.form != "map":
        for key in table.keys:
            if key.name not in value:
                _default(table, key, attributes, place)
    if "lpi" in attributes and "trigger" not in value:
        attributes["trigger"] = "edge"
    return attributes


def _default(table: Table, key: Key, attributes: dict[str, Any], place: Place) -> None:
    """A key that is not there: a fault if it must be, or a default in whole ticks."""
    default = fields_dict(table.spec)[key.attribute].default
    if default is NOTHING:
        place.fault(f"missing key {key.name!r}")
        return
    rounded = getattr(key.kind, "rounded", None)
    if rounded is not None and default is not None:
        attributes[key.attribute] = rounded(default, place.reading.scope.tick_ns)


def _in_order(reading: Reading) -> tuple[Fault, ...]:
    """The faults by their places: the scenario's first, those of overrides last."""

    def rank(fault: Fault) -> tuple[int, str, int]:
        group = 0 if fault.file == reading.file else 2 if fault.file == OVERRIDE else 1
        return group, fault.file if group else "", fault.line or 0

    return tuple(sorted(dict.fromkeys(reading.faults), key=rank))
