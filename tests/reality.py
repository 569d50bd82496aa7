"""Logs of real kernels and ours, side by side.

Two logs of one scenario never have the same times, and a real one is full of what the
scenario knows nothing of: ticks, kworkers, other devices.  So what is compared is the order
of events on each CPU, of those things only that the scenario names.  Both logs are read as
text, here, by a reader that shares nothing with the simulator.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from irqsim.kernel.state import Kernel
from irqsim.kernel.tick import update_jiffies
from irqsim.records import Record
from irqsim.scenario.program import symbol_of
from irqsim.scenario.reader import read_scenario, read_text
from irqsim.scenario.spec import ScenarioSpec
from irqsim.simulation import Simulation, build
from tests.conftest import ROOT

PLATFORM_VECTORS: Final = ("TIMER", "SCHED", "HRTIMER", "RCU")
"""What a real kernel raises on its own account, at any time."""

ALL_EVENTS: Final = 'trace.events=["*"]'

SPINNER: Final = read_text(
    """
    [run]
    duration = "1s"

    [[task]]
    name = "spinner"
    policy = "idle"
    run = ["10ms"]
    loop = true
    """
)

_LINE: Final = re.compile(
    r" *(?P<comm>.+)-(?P<pid>\d+) +\[(?P<cpu>\d+)\] (?P<letters>[^ ]{4,7}) +"
    r"(?P<seconds>\d+)\.(?P<micros>\d{6}): (?P<event>\w+): (?P<text>.*)"
)


def reference_folder() -> Path | None:
    """Where the captures of real kernels are, if there are any."""
    place = Path(os.environ.get("IRQSIM_REFERENCE", ROOT.parent / "shared" / "reference"))
    return place if place.is_dir() else None


# -- running -----------------------------------------------------------------------------


@frozen
class Run:
    """A scenario that has run, and the log of it."""

    spec: ScenarioSpec
    simulation: Simulation
    log: str


def run(path: Path, *overrides: str) -> Run:
    """Run a scenario.  Raises ScenarioError."""
    return run_spec(read_scenario(path, overrides))


def run_spec(spec: ScenarioSpec, prepare: Callable[[Simulation], None] | None = None) -> Run:
    """Run it; `prepare` is called with the simulation before it begins."""
    records: list[Record] = []
    simulation = build(spec, records.extend)
    if prepare is not None:
        prepare(simulation)
    simulation.run()
    return Run(spec, simulation, simulation.text_format().lines(records))


def run_in_the_lab(spec: ScenarioSpec, is_prompt: bool = False) -> Run:
    """Run it on the machine on which real kernels ran scenarios, which had one CPU more.

    That CPU was the hardware: it raised the lines, and between that it ran a task that kept
    it from idling, so that it was the one that advanced jiffies.  Of ticks at the same instant
    its own came last for CPUs that were busy, and mostly first (`is_prompt`) for idle ones.
    """
    nr_cpus = spec.machine.cpus
    everywhere = tuple(range(nr_cpus))
    devices = [evolve(each, affinity=each.affinity or everywhere) for each in spec.devices]
    lab = evolve(
        spec,
        machine=evolve(spec.machine, cpus=nr_cpus + 1),
        devices=tuple(devices),
        tasks=(evolve(SPINNER.tasks[0], cpu=nr_cpus), *spec.tasks),
    )

    def prepare(simulation: Simulation) -> None:
        _as_the_lab_begins(simulation)
        if is_prompt:
            _keep_time(simulation.kernel, 0)

    return run_spec(lab, prepare)


def _keep_time(k: Kernel, now_ns: int) -> None:
    """Advance jiffies before any CPU acts at this instant, and at the next tick again."""
    update_jiffies(k)
    k.queue.schedule(now_ns + k.tick_ns, lambda then_ns: _keep_time(k, then_ns))


def _as_the_lab_begins(simulation: Simulation) -> None:
    """What had happened in the lab when a scenario began.

    Its last CPU advanced jiffies.  Its lines had been requested, and their threads had run once,
    before they were moved to where the scenario has them: a secondary thread that does not
    follow its line was still on CPU 0, but on PREEMPT_RT, where it had not run yet.
    """
    k = simulation.kernel
    k.tick_do_timer_cpu = len(k.cpus) - 1
    if k.release.irq_threads_move_at_once or k.preempt_rt:
        return
    for driver in simulation.machine.drivers.values():
        secondary = driver.action and driver.action.secondary
        if secondary and secondary.thread:
            secondary.follows_line = False
            secondary.thread.allowed, secondary.thread.cpu = (0,), 0


# -- reading -----------------------------------------------------------------------------


@frozen
class Line:
    """One line of a log."""

    comm: str
    cpu: int
    letters: str
    time_us: int
    event: str
    text: str

    @property
    def fields(self) -> dict[str, str]:
        """What is written as key=value; a name may have blanks if it is the last."""
        return dict(re.findall(r"(\w+)=((?:(?! \w+=| ==>).)*)", self.text))


def lines_of(log: str) -> Iterator[Line]:
    """The events of a log; its header and what is no event are left out."""
    for match in map(_LINE.fullmatch, log.splitlines()):
        if match is not None:
            yield Line(
                match["comm"].strip(),
                int(match["cpu"]),
                match["letters"],
                int(match["seconds"]) * 1_000_000 + int(match["micros"]),
                match["event"],
                match["text"],
            )


# -- comparing ---------------------------------------------------------------------------


@frozen
class Cast:
    """Who and what in a log belongs to a scenario."""

    devices: tuple[str, ...]
    functions: dict[str, str]
    """The functions of tasklets, works and timers, as a log calls them -> their names."""
    tasks: tuple[str, ...]
    vectors: tuple[str, ...]

    @classmethod
    def of(cls, spec: ScenarioSpec, vectors: Iterable[str]) -> Cast:
        """All of a scenario, and the vectors that nobody but the scenario raises."""
        functions = {}
        for kind, names in (
            ("tasklet", [each.name for each in spec.tasklets]),
            ("work", [each.name for each in spec.works]),
            ("timer", [each.name for each in spec.timers]),
            ("hrtimer", [each.name for each in spec.hrtimers]),
        ):
            for number, name in enumerate(names):
                # The first is our log's, the second is that of the lab that makes real ones.
                functions[symbol_of(name)] = name
                functions[f"{kind}_{number}"] = name
        return cls(
            tuple(each.name for each in spec.devices),
            functions,
            tuple(each.name[:15] for each in spec.tasks),
            tuple(vectors),
        )


class Story:
    """Reads one log, and tells what happened on each CPU in words that know no numbers."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self._action: dict[tuple[int, str], str] = {}
        self._timer: dict[tuple[int, str], str | None] = {}

    def tell(self, lines: Iterable[Line]) -> dict[int, list[str]]:
        """`comm letters what` for every event of the cast, by CPU."""
        told: dict[int, list[str]] = {}
        for line in lines:
            what = self.what(line)
            if what is not None:
                told.setdefault(line.cpu, []).append(f"{self.who(line.comm):>16} {what}")
        return told

    def what(self, line: Line) -> str | None:
        """Flag columns and event, if it belongs to the cast."""
        kind, _, step = line.event.partition("_")
        what: str | None = None
        if kind == "irq":
            what = self._irq(line)
        elif kind == "softirq":
            vector = line.text.partition("action=")[2].rstrip("]")
            what = vector if vector in self.cast.vectors else None
        elif kind == "napi":
            what = line.text.rpartition(" work ")[2]
        elif kind == "tasklet" or (kind == "workqueue" and step != "activate_work"):
            what = self._function(line)
        elif step in ("expire_entry", "expire_exit"):
            what = self._expire(line, kind)
        elif line.event in ("sched_waking", "sched_wakeup"):
            who = self.who(line.fields["comm"])
            what = f"{who} cpu {int(line.fields['target_cpu'])}" if self._is_cast(who) else None
        elif line.event == "sched_switch":
            what = self._switch(line)
        return f"{line.letters} {line.event} {what}" if what is not None else None

    def who(self, comm: str) -> str:
        """A task without the numbers that differ between logs."""
        thread = re.fullmatch(r"irq/\d+-(.*)", comm)
        if thread is not None:
            names = [name for name in self.cast.devices if name.startswith(thread[1])]
            return f"irq/{names[0] if names else thread[1]}"
        worker = re.fullmatch(r"(kworker/u?\d+):.*?(H?)", comm)
        return worker[1] + worker[2] if worker else comm

    def _is_cast(self, who: str) -> bool:
        device = who.removeprefix("irq/")
        return who in self.cast.tasks or (device != who and device in self.cast.devices)

    def _irq(self, line: Line) -> str | None:
        key = line.cpu, line.fields["irq"]
        if line.event == "irq_handler_entry":
            self._action[key] = line.fields["name"]
        name = self._action.get(key)
        if name not in self.cast.devices:
            return None
        ret = line.fields.get("ret")
        return f"{name} {ret}" if ret else name

    def _function(self, line: Line) -> str | None:
        symbol = re.search(r"func(?:tion)?[= ](\w+)", line.text)
        return self.cast.functions.get(symbol[1]) if symbol else None

    def _expire(self, line: Line, kind: str) -> str | None:
        if line.event.endswith("entry"):
            self._timer[line.cpu, kind] = self._function(line)
        return self._timer.get((line.cpu, kind))

    def _switch(self, line: Line) -> str | None:
        """A switch to or from the cast; who else there is, is nobody's business."""
        fields = line.fields
        before, after = self.who(fields["prev_comm"]), self.who(fields["next_comm"])
        if not (self._is_cast(before) or self._is_cast(after)):
            return None
        return f"{before} {fields['prev_state']} ==> {after}"


def difference(real: list[str], ours: list[str], context: int = 4) -> str:
    """The first places where two tellings differ, as a diff; empty if they are the same."""
    if real == ours:
        return ""
    diff = list(difflib.unified_diff(real, ours, "real", "simulated", n=context, lineterm=""))
    return "\n".join(diff[:40])
