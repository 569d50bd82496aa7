"""A run as the command line wants it: what is kept of it, and where that goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from irqsim.cli.messages import put, say, standard_output
from irqsim.cli.progress import Progress
from irqsim.errors import IrqsimError
from irqsim.records import Record
from irqsim.scenario.spec import AtCommand, AtSpec, ScenarioSpec
from irqsim.simulation import Simulation, build
from irqsim.trace.formats import FORMATS, open_log
from irqsim.trace.output import LineStream, Tree, seconds
from irqsim.trace.target import Target
from irqsim.units import format_ns, parse_time

PANICKED: Final = 3
OPTIONS: Final = ("irq-info", "record-tgid", "stacktrace", "latency-format", "exceptions")
"""The trace options that a run can be told on its command line."""


@frozen
class Cat:
    """A file to print: as it is at the end, or at a time."""

    path: str
    time_ns: int | None = None

    def __str__(self) -> str:
        return self.path if self.time_ns is None else f"{self.path}@{format_ns(self.time_ns)}"


@frozen
class Wanted:
    """What a run is wanted for."""

    format: str = "trace"
    layout: str | None = None
    """None: the layout of the release that is simulated."""
    output: Path | None = None
    cats: tuple[Cat, ...] = ()
    options: tuple[str, ...] = ()
    """Options of the format, besides those of the lines."""
    verbosity: int = 0
    progress: bool | None = None


def parse_cat(text: str, tick_ns: int) -> Cat:
    """Read PATH or PATH@TIME.  Raises ValueError."""
    path, at, time = text.rpartition("@")
    time_ns = None
    if at and "/" not in time:
        time_ns = parse_time(time, tick_ns)
    else:
        path = text
    if not path.startswith("/"):
        raise ValueError(f"expected a path from the root such as '/proc/stat', got {path!r}")
    return Cat(path, time_ns)


def switch_options(spec: ScenarioSpec, switches: tuple[str, ...]) -> ScenarioSpec:
    """The scenario with some of its trace options switched on, or off (`no...`)."""
    options = list(spec.trace.options)
    for switch in switches:
        name = switch if switch in OPTIONS else switch.removeprefix("no")
        options = [option for option in options if option != name]
        if switch == name:
            options.append(name)
    return evolve(spec, trace=evolve(spec.trace, options=tuple(options)))


def describe(spec: ScenarioSpec) -> str:
    """A run in one line: what it takes to have the same one again."""
    machine, kernel = spec.machine, spec.kernel
    return (
        f"{spec.file}: seed {spec.run.seed}; {machine.cpus} {machine.arch} CPUs with"
        f" {machine.irqchip}; Linux {kernel.release}, preempt {kernel.preempt}, {kernel.hz} Hz"
    )


def perform(spec: ScenarioSpec, wanted: Wanted) -> int:
    """Run the scenario, write what is wanted of it, and return the exit status."""
    if wanted.output is not None:
        with Tree(wanted.output) as tree:
            simulation = _run_into(tree, spec, wanted)
    elif wanted.cats:
        simulation = _run(_with_snapshots(spec, wanted.cats), evolve(wanted, format="none"))
        put("".join(_text(simulation, cat) for cat in wanted.cats))
    else:
        simulation = _run(spec, wanted)
    nr_snapshots = sum(command.verb == "cat" for at in spec.ats for command in at.commands)
    if nr_snapshots and wanted.output is None and wanted.verbosity >= 0:
        say(f"irqsim: {nr_snapshots} snapshot{'s' * (nr_snapshots > 1)} taken; -o DIR keeps them")
    return PANICKED if simulation.panicked else 0


def _run(spec: ScenarioSpec, wanted: Wanted, stream: LineStream | None = None) -> Simulation:
    """Run it, its console on standard error and its log on `stream`, or standard output."""
    format = FORMATS[wanted.format]
    is_silent = wanted.verbosity < 0 or (format.is_pipe and stream is None)
    progress = Progress(wanted.progress, is_silent)

    def sink(records: list[Record]) -> None:
        log.add(records)

    reads = [cat.path for cat in wanted.cats if cat.time_ns is None]
    simulation = build(spec, sink, reads=reads, is_pipe=format.is_pipe)
    log = open_log(
        format,
        Target(
            stream or standard_output(),
            make_text=lambda: simulation.text_format(wanted.layout),
            header=lambda: simulation.trace_header(),
            options=wanted.options,
        ),
    )
    if wanted.verbosity >= 0:
        simulation.on_console = _console(progress)
    simulation.run(progress if progress.is_shown else None)
    progress.clear()
    log.finish()
    return simulation


def _run_into(tree: Tree, spec: ScenarioSpec, wanted: Wanted) -> Simulation:
    """Run it and write the machine's files."""
    with ExitStack() as stack:
        stream = None
        if wanted.format != "none":
            stream = LineStream(stack.enter_context(tree.create(wanted.format)))
        simulation = _run(spec, wanted, stream)
    for path, text in simulation.tree():
        tree.add(path, text)
    for time_ns, path, text in simulation.snapshots:
        tree.add(f"at/{seconds(time_ns)}/{path}", text)
    return simulation


def _with_snapshots(spec: ScenarioSpec, cats: tuple[Cat, ...]) -> ScenarioSpec:
    """The scenario, and behind what it does itself at an instant the files of that time."""
    for cat in cats:
        if cat.time_ns is None:
            continue
        if spec.run.duration is not None and cat.time_ns >= spec.run.duration:
            raise IrqsimError(
                f"--cat {cat}: the run ends at {format_ns(spec.run.duration)};"
                f" without a time the file is printed as it stands then"
            )
        command = AtCommand("cat", cat.path, source=f"cat {cat.path}")
        spec = evolve(spec, ats=(*spec.ats, AtSpec(cat.time_ns, (command,))))
    return spec


def _text(simulation: Simulation, cat: Cat) -> str:
    if cat.time_ns is None:
        return simulation.read_file(cat.path)
    key = (cat.time_ns, cat.path)
    found = [text for time_ns, path, text in simulation.snapshots if (time_ns, path) == key]
    if not found:
        raise IrqsimError(f"--cat {cat}: there was no such file")
    # The last one: what the scenario itself does at that instant comes first.
    return found[-1]


def _console(progress: Progress) -> Callable[[str], None]:
    def on_console(line: str) -> None:
        progress.clear()
        say(line)

    return on_console
