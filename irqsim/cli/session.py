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
from irqsim.kernel.release import release_named
from irqsim.machine import Machine, build
from irqsim.scenario.spec import AtCommand, AtSpec, ScenarioSpec
from irqsim.trace.formats import FORMATS, Log, Setting
from irqsim.trace.ftrace import TextFormat
from irqsim.trace.output import LineStream, Tree, seconds
from irqsim.trace.ring_buffer import RingBuffer
from irqsim.units import format_ns, parse_time

PANICKED: Final = 3
OPTIONS: Final = ("irq-info", "record-tgid", "latency-format")
"""The trace options that a text can be printed with."""

PREEMPT_MODELS: Final = {
    "none": "server",
    "voluntary": "desktop",
    "full": "preempt",
    "rt": "preempt_rt",
}
"""What the header of latency-format calls `kernel.preempt`.

Source: print_trace_header(), kernel/trace/trace.c.
"""


@frozen
class Cat:
    """A file to print: as it is at the end, or at a time."""

    path: str
    time_ns: int | None = None


@frozen
class Wanted:
    """What a run is wanted for."""

    format: str = "trace"
    layout: str | None = None
    """None: the layout of the release that is simulated."""
    output: Path | None = None
    cats: tuple[Cat, ...] = ()
    verbosity: int = 0
    progress: bool | None = None


def parse_cat(text: str, tick_ns: int) -> Cat:
    """Read PATH or PATH@TIME.  Raises ValueError."""
    path, at, time = text.rpartition("@")
    if not at or "/" in time:
        path, time = text, ""
    if not path.startswith("/"):
        raise ValueError(f"expected a path from the root such as '/proc/stat', got {path!r}")
    return Cat(path, parse_time(time, tick_ns) if at and path != text else None)


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
    timed = [cat for cat in wanted.cats if cat.time_ns is not None]
    for cat in timed:
        assert cat.time_ns is not None
        _refuse_late(cat, cat.time_ns, spec.run.duration)
        snapshot = AtSpec(cat.time_ns, (AtCommand("cat", cat.path, source=f"cat {cat.path}"),))
        spec = evolve(spec, ats=(*spec.ats, snapshot))
    with ExitStack() as stack:
        if wanted.output is not None:
            tree = stack.enter_context(Tree(wanted.output))
            machine = _run_into(spec, wanted, tree)
        elif wanted.cats:
            machine = _run(spec, wanted, _no_log())
            put("".join(_text(machine, cat) for cat in wanted.cats))
        else:
            log = FORMATS[wanted.format].open(_setting(spec, wanted.layout), standard_output())
            machine = _run(spec, wanted, log)
    _remark(machine, wanted, len(timed))
    return PANICKED if machine.panicked else 0


def _run(spec: ScenarioSpec, wanted: Wanted, log: Log) -> Machine:
    """Run it with its console on standard error."""
    is_streamed = wanted.output is None and FORMATS[wanted.format].is_streamed
    progress = Progress(wanted.progress, is_silent=wanted.verbosity < 0 or is_streamed)
    machine = build(spec, log.add)
    if wanted.verbosity >= 0:
        machine.on_console = _console(progress)
    machine.run(progress)
    progress.clear()
    log.finish(machine.online_cpus)
    return machine


def _run_into(spec: ScenarioSpec, wanted: Wanted, tree: Tree) -> Machine:
    """Run it and write the machine's files."""
    if wanted.format == "none":
        machine = _run(spec, wanted, _no_log())
    else:
        with tree.create(wanted.format) as file:
            setting = _setting(spec, wanted.layout)
            log = FORMATS[wanted.format].open(setting, LineStream(file))
            machine = _run(spec, wanted, log)
    for path, text in machine.tree():
        tree.add(path, text)
    for time_ns, path, text in machine.snapshots:
        tree.add(f"at/{seconds(time_ns)}/{path}", text)
    return machine


def _setting(spec: ScenarioSpec, layout: str | None) -> Setting:
    kernel, trace = spec.kernel, spec.trace
    is_rt = kernel.preempt == "rt"
    ring = None
    if trace.buffer_size_kb is not None:
        ring = RingBuffer(
            spec.machine.cpus,
            trace.buffer_size_kb,
            release=kernel.release,
            long_bits=32 if spec.machine.arch == "arm" else 64,
        )
    return Setting(
        TextFormat(
            layout or ("6.1-rt" if is_rt else kernel.release),
            irq_info="irq-info" in trace.options,
            record_tgid="record-tgid" in trace.options,
            latency="latency-format" in trace.options,
            start_ns=spec.run.clock,
        ),
        trace.tracer,
        release_named(kernel.release).version,
        PREEMPT_MODELS[kernel.preempt],
        ring,
    )


def _no_log() -> Log:
    return FORMATS["none"].open(Setting(TextFormat()), standard_output())


def _text(machine: Machine, cat: Cat) -> str:
    if cat.time_ns is None:
        return machine.read_file(cat.path)
    found = [text for at, path, text in machine.snapshots if (at, path) == (cat.time_ns, cat.path)]
    if not found:
        raise IrqsimError(f"--cat {cat.path}@{format_ns(cat.time_ns)}: no such file at that time")
    # The last one: what the scenario itself does at that instant comes first.
    return found[-1]


def _refuse_late(cat: Cat, time_ns: int, duration_ns: int | None) -> None:
    if duration_ns is not None and time_ns >= duration_ns:
        raise IrqsimError(
            f"--cat {cat.path}@{format_ns(time_ns)}: the run ends at {format_ns(duration_ns)};"
            f" without a time the file is printed as it stands then"
        )


def _console(progress: Progress) -> Callable[[str], None]:
    def on_console(line: str) -> None:
        progress.clear()
        say(line)

    return on_console


def _remark(machine: Machine, wanted: Wanted, nr_printed: int) -> None:
    """Say what the user may not expect."""
    nr_kept = len(machine.snapshots) - nr_printed
    if wanted.output is None and nr_kept > 0 and wanted.verbosity >= 0:
        say(f"irqsim: {nr_kept} snapshot{'s' * (nr_kept > 1)} taken; -o DIR keeps them")
