"""The files of a replay: what code did at each of its occurrences, and who ran next.

A line of such a file is one occurrence, in the order in which they came:

    1.397ms 2 +7us: run 3us; raise_softirq RCU; run 9us

when it began, on which CPU, how long after it could have begun (if that took a while), and the
steps, with a semicolon and a space between them.  A line's number, where other lines refer to
it, counts these lines only: the first is 1.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from irqsim.errors import Fault
from irqsim.scenario.kinds import Schema
from irqsim.scenario.names import shown
from irqsim.scenario.place import Place, Reading
from irqsim.scenario.side_file import read_side_file
from irqsim.scenario.spec import RecordedLine, Replay
from irqsim.scenario.steps import Path, Report, check_cpus, parse_step
from irqsim.units import parse_time

_HEAD: Final = re.compile(r"(\S+) ([0-9]{1,5})(?: \+(\S+))?((?: \w+)*): ?(.*)")
_BETWEEN: Final = re.compile(r"; +")
SEMICOLON: Final = "\\x3b"
"""What stands for a semicolon inside a step."""


def read_replay(
    reading: Reading, name: object, context: str, report: Report, path: Path
) -> Replay:
    """Read the file of a replay for code of ``context``; ``path`` is below what is read."""
    scope = reading.scope
    what = "one line per occurrence"
    file = read_side_file(reading, name, what, lambda message: report(path, message))
    lines = []
    for number, text in file.lines:
        match = _HEAD.fullmatch(text)
        try:
            if match is None:
                raise ValueError("expected 'TIME CPU: STEP; STEP...'")
            time, cpu, delay, words, steps = match.groups()
            check_cpus((int(cpu),), scope.nr_cpus)
            body = tuple(
                parse_step(step.replace(SEMICOLON, ";"), context, scope, number, in_replay=True)
                for step in _BETWEEN.split(steps)
                if step
            )
            lines.append(
                RecordedLine(
                    parse_time(time, scope.tick_ns),
                    int(cpu),
                    parse_time(delay, scope.tick_ns) if delay else 0,
                    tuple(words.split()),
                    body,
                )
            )
        except ValueError as error:
            reading.faults.append(Fault(file.name, number, "", str(error)))
    return Replay(str(name), tuple(lines))


@frozen
class ReplayFile:
    """The file of a replay, for code of one context."""

    context: str

    def read(self, value: object, place: Place) -> Replay:
        return read_replay(place.reading, value, self.context, place.reports(), ())

    def schema(self) -> Schema:
        return {"type": "string"}

    def show(self, value: Replay) -> object:
        return value.file


@frozen
class ReplayFiles:
    """A list of files of replays."""

    context: str

    def read(self, value: object, place: Place) -> tuple[Replay, ...]:
        if not isinstance(value, list):
            raise ValueError(f"expected a list of files, got {shown(value)}")
        kind = ReplayFile(self.context)
        return tuple(kind.read(item, place.at(index)) for index, item in enumerate(value))

    def schema(self) -> Schema:
        return {"type": "array", "items": {"type": "string"}}

    def show(self, value: tuple[Replay, ...]) -> object:
        return [each.file for each in value]


Switches = tuple[tuple[int, int, str, str], ...]


@frozen
class SwitchesFile:
    """The switches of a capture: lines of a time, a CPU, who gave way, and who ran next.

    The names are those of tasks of the scenario, of the kernel's own threads, and swapper/N;
    a tab stands between them.
    """

    def read(self, value: object, place: Place) -> Switches:
        what = "lines of TIME, CPU, TASK and TASK"
        file = read_side_file(place.reading, value, what, place.fault)
        scope = place.reading.scope
        switches = []
        for number, text in file.lines:
            try:
                time, cpu, prev, following = text.split("\t")
                check_cpus((int(cpu),), scope.nr_cpus)
                switches.append((parse_time(time, scope.tick_ns), int(cpu), prev, following))
            except ValueError:
                message = "expected a time, a CPU, a task and a task, with tabs between them"
                place.reading.faults.append(Fault(file.name, number, "", message))
        return tuple(switches)

    def schema(self) -> Schema:
        return {"type": "string"}

    def show(self, value: Switches) -> object:
        return []
