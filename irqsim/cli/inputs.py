"""What a command analyses: a trace, or a scenario, which is run; its content says which."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import click
from attrs import evolve, frozen

from irqsim.analysis.report import Deadline
from irqsim.cli.messages import say
from irqsim.errors import Fault, ScenarioError
from irqsim.records import Lost, Record, TraceHeader
from irqsim.scenario.reader import SIZE_MAX, read_text
from irqsim.scenario.spec import ScenarioSpec
from irqsim.simulation import Simulation, build
from irqsim.trace.reader import Trace
from irqsim.trace.source import Source

HEAD: Final = 1 << 16
"""Bytes that tell a scenario from a trace."""

_TOML: Final = re.compile(
    rb"\[\[?[ \t]*[\w.\"'-]+[ \t]*\]\]?[ \t]*(#.*)?|[\w.\"'-]+[ \t]*=.*"
)
_TRACE_HEAD: Final = re.compile(
    rb"# (?:tracer: |entries-in-buffer/)|cpus=\d+$|version = \d+$|CPU \d+ is empty$"
)
"""What only a trace begins with; the last three are of trace-cmd's report."""

Take = Callable[[int, Record | Lost], None]
"""Takes the next record or loss, with the number of its line."""
Begin = Callable[[str, TraceHeader], Take]
"""Told what it is that begins."""


@frozen
class Ended:
    """An input that has been read, or run, to its end."""

    header: TraceHeader
    spec: ScenarioSpec | None = None
    simulation: Simulation | None = None

    @property
    def panicked(self) -> bool:
        """It was a scenario, whose kernel panicked."""
        return self.simulation is not None and self.simulation.panicked

    def deadlines(self) -> tuple[Deadline, ...]:
        """How those of a scenario's devices were kept."""
        if self.simulation is None:
            return ()
        clock_ns = self.simulation.kernel.trace_clock_ns
        return tuple(
            Deadline(
                each.name,
                each.deadline_ns,
                services=each.count,
                missed=each.nr_missed,
                mean_ns=each.total_ns // each.count if each.count else 0,
                worst_ns=each.worst_ns,
                worst_at_ns=each.worst_arrival_ns + clock_ns,
                on_miss=each.on_miss,
            )
            for each in self.simulation.machine.latencies.values()
        )


def is_scenario(head: bytes) -> bool:
    """Whether a text that begins so is TOML: by its first line that is no comment."""
    for line in head.split(b"\n"):
        text = line.strip()
        if _TRACE_HEAD.match(text):
            return False
        if text and not text.startswith(b"#"):
            return _TOML.fullmatch(text) is not None
    return False


def drive(
    name: str,
    overrides: Sequence[str],
    begin: Begin,
    quiet: bool = False,
    prepare: Callable[[ScenarioSpec], ScenarioSpec] = lambda spec: spec,
    watch: Callable[[Simulation], None] = lambda simulation: None,
) -> Ended:
    """Read a trace, or run a scenario, and hand over its records one by one.

    What is run is what `prepare` makes of the scenario; `watch` is shown the simulation before
    it begins.  Raises TraceFormatError or ScenarioError.
    """
    source = Source(name)
    try:
        if is_scenario(source.peek(HEAD).removeprefix(b"\xef\xbb\xbf")):
            return _run(prepare(_scenario(source, name, overrides)), begin, quiet, watch)
        if overrides:
            raise click.UsageError(f"--set changes a scenario, and {source.name} is a trace")
        with Trace(source) as trace:
            take = begin(trace.name, trace.header)
            for line, item in trace:
                take(line, item)
            return Ended(trace.header)
    finally:
        source.close()


def _scenario(source: Source, name: str, overrides: Sequence[str]) -> ScenarioSpec:
    data = b""
    for chunk in source.chunks():
        data += chunk
        if len(data) > SIZE_MAX:
            fault = Fault(source.name, None, "", f"larger than {SIZE_MAX >> 20} MiB")
            raise ScenarioError((fault,))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        fault = Fault(source.name, line, "", "not text: TOML is written in UTF-8")
        raise ScenarioError((fault,)) from error
    return read_text(text, source.name, overrides, Path() if name == "-" else Path(name).parent)


def _run(
    spec: ScenarioSpec, begin: Begin, quiet: bool, watch: Callable[[Simulation], None]
) -> Ended:
    nr_records = 0

    def sink(records: list[Record]) -> None:
        nonlocal nr_records
        for record in records:
            nr_records += 1
            take(nr_records, record)

    simulation = build(spec, sink)
    if not quiet:
        simulation.on_console = say
    # The records have their flags, whether or not they would be printed.
    header = evolve(simulation.trace_header(), has_irq_info=True)
    watch(simulation)
    take = begin(spec.file, header)
    simulation.run()
    header = evolve(simulation.trace_header(), has_irq_info=True)
    return Ended(header, spec, simulation)
