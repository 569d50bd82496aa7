"""`irqsim diff`: two logs as what happened on each CPU."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Final

import click

from irqsim.analysis.diff import Settings, Side, compare, is_same
from irqsim.analysis.diff_text import Print, diff_object, diff_text
from irqsim.analysis.identity import Names
from irqsim.cli.inputs import Take, drive
from irqsim.cli.messages import put
from irqsim.records import Record, TraceHeader
from irqsim.trace.ftrace import TextFormat

DIFFERENT: Final = 1

EXAMPLE: Final = """\b
Example:
  irqsim new minimal > a.toml
  irqsim run --seed 1 a.toml | irqsim diff a.toml - && echo the same
"""


@click.command("diff", epilog=EXAMPLE)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing: the exit status says it.")
@click.option("--times", is_flag=True, help="The times must be the same as well.")
@click.option("--context", is_flag=True, help="Task and flag columns must be the same as well.")
@click.option("--renumber-cpus", is_flag=True,
              help="CPUs are those that do the same, whatever their number.")
@click.option("-e", "--event", "events", metavar="EVENT", multiple=True,
              help="Compare only these, as in set_event; repeatable.")
@click.option("-a", "--all", "all_rows", is_flag=True, help="Print all rows of each table.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True,
              help="Override a value of B, a scenario, as in 'irqsim run'.")
def command(
    a: str,
    b: str,
    quiet: bool,
    times: bool,
    context: bool,
    renumber_cpus: bool,
    events: tuple[str, ...],
    all_rows: bool,
    as_json: bool,
    overrides: tuple[str, ...],
) -> int:
    """Say where two logs part, and by how much their measures differ.

    A and B are logs in any format, scenarios, which are run, or one of them - for standard
    input. Events are the same if they have the same names, whatever their times, pids, irqs
    and addresses. The exit status is 1 if what happened differs, 0 if not.
    """
    if a == b == "-":
        raise click.UsageError("standard input can be read only once")
    names = Names()
    settings = Settings(events, context, renumber_cpus, times, with_report=not quiet)
    with ExitStack() as stack:
        sides = []
        for name, changed in ((a, ()), (b, overrides)):
            side = _side(name, changed, names, settings)
            stack.callback(side.close)
            sides.append(side)
        if quiet:
            return 0 if is_same(*sides) else DIFFERENT
        difference = compare(*sides)
        prints = _print(sides[0]), _print(sides[1])
        if as_json:
            put(json.dumps(diff_object(difference, prints), indent=2, ensure_ascii=False) + "\n")
        else:
            put(diff_text(difference, prints, all_rows))
        return 0 if difference.is_equal else DIFFERENT


def _side(name: str, overrides: tuple[str, ...], names: Names, settings: Settings) -> Side:
    """A log, taken in."""
    sides: list[Side] = []

    def begin(shown: str, header: TraceHeader) -> Take:
        sides.append(Side(shown, header, names, settings))
        return sides[0].take

    ended = drive(name, overrides, begin, quiet=True)
    sides[0].report.header = ended.header
    sides[0].finish()
    return sides[0]


def _print(side: Side) -> Print:
    """What makes a line of a record as the log has it."""
    header = side.report.header
    text = TextFormat(header.layout, irq_info=header.has_irq_info)

    def print_(record: Record) -> str:
        return text.lines([record]) or text.finish()

    return print_
