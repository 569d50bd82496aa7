"""`irqsim convert`: any trace that can be read, in any format that can be written."""

from __future__ import annotations

import re
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Final

import click

from irqsim.cli.messages import standard_output
from irqsim.cli.run import SWITCHES, among
from irqsim.records import TraceHeader
from irqsim.trace.convert import Cut, convert
from irqsim.trace.formats import FORMATS
from irqsim.trace.layout import LAYOUTS
from irqsim.trace.output import WholeFile
from irqsim.trace.reader import open_trace
from irqsim.units import parse_cpulist, parse_time

EXAMPLE: Final = """\b
Example:
  irqsim new minimal | irqsim run - | irqsim convert - -O latency-format
"""

BARE: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,9})?")


def _cpus(ctx: object, param: object, value: str | None) -> tuple[int, ...]:
    try:
        return () if value is None else parse_cpulist(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("convert", epilog=EXAMPLE)
@click.argument("trace")
@click.option("-f", "--format", metavar="FORMAT", default="trace", show_default=True,
              callback=among(FORMATS, "format"),
              help=f"One of {', '.join(FORMATS)}.")
@click.option("-o", "--output", metavar="FILE", default="-",
              help="Write this file, complete or not at all.")
@click.option("-O", "--option", "options", metavar="OPT", multiple=True,
              callback=among(SWITCHES, "trace option"),
              help="As in trace_options; what is not named stays as it was.")
@click.option("--layout", metavar="RELEASE", callback=among(LAYOUTS, "layout"),
              help=f"Print in the layout of another release: {', '.join(LAYOUTS)}.")
@click.option("--cpu", "cpus", metavar="LIST", callback=_cpus,
              help="Only these CPUs: 0-3,6.")
@click.option("-e", "--event", "events", metavar="EVENT", multiple=True,
              help="Only this, as in set_event: a system, an event, with '*'.")
@click.option("--from", "start", metavar="TIME",
              help="Only from this time on: in seconds, as printed, or with a unit.")
@click.option("--to", "end", metavar="TIME", help="Only what comes before this time.")
def command(
    trace: str,
    format: str,
    output: str,
    options: tuple[str, ...],
    layout: str | None,
    cpus: tuple[int, ...],
    events: tuple[str, ...],
    start: str | None,
    end: str | None,
) -> None:
    """Write a trace in another format, layout or part.

    TRACE is text of any layout, what trace-cmd report prints, a trace.dat, or gzip of any
    of them; - is standard input.  Text that keeps its layout keeps its bytes.
    """
    with ExitStack() as stack:
        opened = stack.enter_context(open_trace(trace))
        cut = Cut(
            cpus,
            events,
            _time(opened.header, start, "'--from'"),
            _time(opened.header, end, "'--to'"),
        )
        whole = None if output == "-" else WholeFile(Path(output))
        stream = standard_output() if whole is None else stack.enter_context(whole)
        convert(opened, FORMATS[format], stream, layout=layout, options=options, cut=cut)


def _time(header: TraceHeader, text: str | None, option: str) -> int | None:
    """A time as the trace has it: seconds without a unit, or a count."""
    if text is None:
        return None
    if BARE.fullmatch(text):
        return int(Fraction(text) * (1 if header.clock == "counts" else 1_000_000_000))
    try:
        return parse_time(text, 1)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error
