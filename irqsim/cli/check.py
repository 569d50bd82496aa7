"""`irqsim check`: hold traces against the invariants of the interrupt subsystem."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Final

import click

from irqsim.analysis.check import INVARIANTS
from irqsim.analysis.invariant import Invariant
from irqsim.analysis.trace_check import Finding, TraceCheck
from irqsim.cli.list import LISTS
from irqsim.cli.messages import complain, put_table, say, standard_output
from irqsim.cli.monitor_file import read_monitors
from irqsim.errors import IrqsimError, TraceFormatError
from irqsim.events import Release, release_number
from irqsim.kernel.release import RELEASES
from irqsim.scenario.names import hint
from irqsim.trace.reader import Trace, open_trace
from irqsim.trace.source import STDIN

BROKEN: Final = 1

EXAMPLE: Final = """\b
Example:
  irqsim new minimal | irqsim run - | irqsim check -q - && echo kept
"""


def _release(ctx: object, param: object, value: str | None) -> Release | None:
    names = [each.name for each in RELEASES]
    if value is None:
        return None
    try:
        return release_number(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no release{hint(value, names)}") from None


@click.command("check", epilog=EXAMPLE)
@click.argument("traces", metavar="TRACE...", nargs=-1)
@click.option("--rule", "rules", metavar="NAME", multiple=True,
              help="Only this law, or these; repeatable.")
@click.option("--list", "is_list", is_flag=True,
              help="List the laws, as 'irqsim list invariants' does.")
@click.option("--monitor", "monitors", metavar="FILE", multiple=True,
              help="A TOML file with laws of your own; repeatable.")
@click.option("--release", metavar="RELEASE", callback=_release,
              help="The kernel's release, where the trace does not say.")
@click.option("--rt", "is_rt", is_flag=True,
              help="The kernel is PREEMPT_RT, where the trace does not say (6.12).")
@click.option("--percpu", "percpu_irqs", metavar="IRQ", type=click.IntRange(0), multiple=True,
              help="This line is per-CPU, besides those of Linux's own drivers; repeatable.")
@click.option("--strict", is_flag=True, help="Warnings count as violations.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list of objects.")
@click.option("-q", "--quiet", is_flag=True, help="No summary.")
@click.option("-v", "--verbose", is_flag=True, help="Name every law that had nothing to say.")
def command(
    traces: tuple[str, ...],
    rules: tuple[str, ...],
    is_list: bool,
    monitors: tuple[str, ...],
    release: Release | None,
    is_rt: bool,
    percpu_irqs: tuple[int, ...],
    strict: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Hold traces against the laws of the interrupt subsystem.

    A TRACE is text of any layout, what trace-cmd report prints, a trace.dat, or gzip of any
    of them; - is standard input.  A record that breaks a law which every kernel keeps is a
    violation; where a law has exceptions it is a warning.
    """
    if is_list:
        columns, rows = LISTS["invariants"]
        put_table(columns, rows(), as_json)
        return 0
    if not traces:
        raise click.UsageError("Missing argument 'TRACE...'.")
    laws = _laws(rules, monitors)
    printer = _Printer(as_json)
    status = 0
    for name in traces:
        try:
            with open_trace(name) as trace:
                check = _started(trace, laws, release, is_rt, percpu_irqs)
                for number, item in trace:
                    for finding in check.feed(number, item):
                        printer.put(trace.name, finding)
        except IrqsimError as error:
            status = max(status, complain(error))
            continue
        if not quiet:
            for line in _summary(check, verbose):
                say(f"{STDIN if name == '-' else name}: {line}")
        if check.nr_violations or (strict and check.nr_warnings):
            status = max(status, BROKEN)
    printer.end()
    return status


def _laws(rules: tuple[str, ...], monitors: tuple[str, ...]) -> list[Invariant]:
    """The built-in laws and the user's, or those that are named.  Raises ScenarioError."""
    laws = list(INVARIANTS)
    for file in monitors:
        laws += read_monitors(file, [each.name for each in laws])
    names = [each.name for each in laws]
    for rule in rules:
        if rule not in names:
            raise click.BadParameter(f"{rule!r} is no law{hint(rule, names)}",
                                     param_hint="'--rule'")
    return [each for each in laws if not rules or each.name in rules]


def _started(
    trace: Trace,
    laws: list[Invariant],
    release: Release | None,
    is_rt: bool,
    percpu_irqs: tuple[int, ...],
) -> TraceCheck:
    """Raises TraceFormatError for a trace whose lines do not say what happened where."""
    try:
        return TraceCheck(trace.header, laws, release, is_rt=is_rt, percpu_irqs=percpu_irqs)
    except ValueError as error:
        raise TraceFormatError(trace.name, None, str(error)) from error


class _Printer:
    """Writes each finding as it comes."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._nr = 0
        self._out = standard_output()

    def put(self, file: str, finding: Finding) -> None:
        law, violation = finding.invariant, finding.violation
        if self._as_json:
            head = ",\n" if self._nr else "[\n"
            self._out.write(head + json.dumps(_object(file, finding), ensure_ascii=False))
        else:
            kind = "warning: " if finding.is_warning else ""
            self._out.write(
                f"{file}:{finding.line}: {kind}{law.name}: {violation.message}; "
                f"expected: {law.law}\n"
            )
        self._nr += 1

    def end(self) -> None:
        if self._as_json:
            self._out.write("\n]\n" if self._nr else "[]\n")


def _object(file: str, finding: Finding) -> dict[str, object]:
    law, violation = finding.invariant, finding.violation
    return {
        "file": file,
        "line": finding.line,
        "severity": "warning" if finding.is_warning else "violation",
        "rule": law.name,
        "message": violation.message,
        "expected": law.law,
        "exceptions": law.exceptions,
        "cpu": finding.cpu,
        "time_ns": violation.time_ns,
    }


def _summary(check: TraceCheck, verbose: bool) -> Iterator[str]:
    header = check.header
    silent = check.silent()
    nr_laws = check.nr_laws
    yield (
        f"{_many(check.nr_records, 'record')} of {_many(len(check.cpus), 'CPU')}, "
        f"{_many(check.nr_violations, 'violation')}, {_many(check.nr_warnings, 'warning')}; "
        f"{nr_laws - len(silent)} of {_many(nr_laws, 'law')} spoke"
    )
    if header.has_overrun:
        yield f"begins in the middle: {header.entries_in_buffer} of {header.entries_written} " \
              "records were kept"
    for cpu, nr in sorted(check.lost.items()):
        yield f"CPU {cpu} lost {nr or 'some'} records: its state was forgotten there"
    if verbose:
        for each in silent:
            yield f"{each.invariant.name} is silent: {each.why}"
        return
    missing = dict.fromkeys(name for each in silent for name in each.missing)
    if missing:
        nr_silent = sum(bool(each.missing) for each in silent)
        yield f"{_many(nr_silent, 'law')} silent for want of {', '.join(missing)}"
    reasons = Counter(each.why for each in silent if not each.missing)
    for why, number in reasons.items():
        yield f"{_many(number, 'law')} silent: {why}"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
