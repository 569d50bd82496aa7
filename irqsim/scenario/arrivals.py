"""When a device's hardware wants service: the forms of the key ``arrivals``."""

from __future__ import annotations

from typing import Any, Final

from attrs import NOTHING, fields, fields_dict, frozen

from irqsim.errors import Fault
from irqsim.scenario.kinds import Integer, Kind, RandomDuration, Schema, Time
from irqsim.scenario.names import hint, one_of, shown
from irqsim.scenario.place import Place, key_of
from irqsim.scenario.side_file import read_side_file
from irqsim.scenario.spec import Arrivals, Bursts, Listed, Periodic, Poisson
from irqsim.units import Duration, parse_time

COUNT_MAX: Final = 10**15


@frozen
class Jitter:
    """How late an arrival may be; a fixed time is the latest, and all up to it are as likely."""

    def read(self, value: object, place: Place) -> Duration:
        duration = RandomDuration().read(value, place)
        if duration.kind == "fixed" and duration.a > 0:
            return Duration("uniform", 0, duration.a)
        return duration

    def schema(self) -> Schema:
        return RandomDuration().schema()

    def show(self, value: Duration) -> object:
        return RandomDuration().show(value)


_COUNT: Final = Integer(0, COUNT_MAX, "a count")
# The keys of the tables; which of them a form has, its class says.
_KEYS: Final[dict[str, Kind]] = {
    "every": Time(is_zero_allowed=False),
    "poisson": Time(is_zero_allowed=False),
    "burst": Integer(1, COUNT_MAX, "a number of arrivals"),
    "gap": Time(),
    "start": Time(),
    "until": Time(),
    "count": _COUNT,
    "jitter": Jitter(),
}
_FORMS: Final = {"poisson": Poisson, "burst": Bursts, "every": Periodic}
"""By the key that tells them apart, in the order in which they are tried."""


@frozen
class ArrivalsKind:
    """A list of times, or a table: periodic, random, bursts, or a file."""

    def read(self, value: object, place: Place) -> Arrivals | None:
        if isinstance(value, list):
            return _listed(value, place)
        if not isinstance(value, dict):
            raise ValueError(f"expected a list of times or a table, got {shown(value)}")
        if "file" in value:
            return _from_file(value, place)
        for key, form in _FORMS.items():
            if key in value:
                return _from_table(form, value, place)
        for key in value:
            if key not in _KEYS:
                place.at(key).fault(f"unknown key{hint(key, (*_KEYS, 'file'))}")
        raise ValueError(f"expected {one_of((*_FORMS, 'file'))} in the table, got none")

    def schema(self) -> Schema:
        times: Schema = {"type": "array", "items": {"$ref": "#/$defs/time"}}
        file: Schema = {
            "type": "object",
            "properties": {"file": {"type": "string"}},
            "required": ["file"],
            "additionalProperties": False,
        }
        return {"anyOf": [times, *(_form_schema(form) for form in _FORMS.values()), file]}

    def show(self, value: Arrivals) -> object:
        raise AssertionError("no key has arrivals as its default")


def _listed(value: list[Any], place: Place) -> Listed:
    kind = Time()
    times = []
    for index, item in enumerate(value):
        try:
            times.append(kind.read(item, place))
        except ValueError as error:
            place.at(index).fault(str(error))
    return Listed(tuple(sorted(times)))


def _from_table(form: type, table: dict[str, Any], place: Place) -> Arrivals | None:
    """One of the forms; None if something is wrong with it."""
    values: dict[str, Any] = {}
    keys = fields_dict(form)
    is_whole = True
    for key, value in table.items():
        try:
            if key not in keys:
                raise ValueError(f"unknown key{hint(key, keys)}")
            values[key] = _KEYS[key].read(value, place.at(key))
        except ValueError as error:
            place.at(key).fault(str(error))
            is_whole = False
    for field in fields(form):
        if field.default is NOTHING and field.name not in table:
            place.fault(f"missing key {field.name!r}")
            is_whole = False
    if not is_whole:
        return None
    arrivals: Arrivals = form(**values)
    return arrivals


def _from_file(table: dict[str, Any], place: Place) -> Listed | None:
    """The times of a file beside the scenario: one per line; ``#`` begins a comment.

    Behind a time may stand a CPU: where a per-CPU device has this arrival.
    """
    for key in table:
        if key != "file":
            place.at(key).fault("unknown key; 'file' goes with no other")
    here = place.at("file")
    tick_ns = place.reading.scope.tick_ns
    arrivals: list[tuple[int, int | None]] = []
    file = read_side_file(place.reading, table["file"], "one time per line", here.fault)
    for number, text in file.lines:
        time, _, cpu = text.partition("#")[0].strip().partition(" ")
        try:
            arrivals.append((parse_time(time, tick_ns), _cpu(cpu.strip(), place)))
        except ValueError as error:
            fault = Fault(file.name, number, key_of(here.path), str(error))
            place.reading.faults.append(fault)
    arrivals.sort(key=lambda arrival: arrival[0])
    times = tuple(time for time, _ in arrivals)
    cpus = tuple(cpu for _, cpu in arrivals)
    return Listed(times, cpus if any(cpu is not None for cpu in cpus) else ())


def _cpu(word: str, place: Place) -> int | None:
    """The CPU behind a time, where a per-CPU device has only that one arrival."""
    if not word:
        return None
    nr_cpus = place.reading.scope.nr_cpus
    if not (word.isascii() and word.isdigit() and len(word) < 6 and int(word) < nr_cpus):
        raise ValueError(f"expected a CPU of this machine (0-{nr_cpus - 1}), got {shown(word)}")
    return int(word)


def _form_schema(form: type) -> Schema:
    required = [field.name for field in fields(form) if field.default is NOTHING]
    return {
        "type": "object",
        "properties": {name: _KEYS[name].schema() for name in fields_dict(form)},
        "required": required,
        "additionalProperties": False,
    }
