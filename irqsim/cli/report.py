"""`irqsim report`: what a log says of who used the CPUs and who waited."""

from __future__ import annotations

import json
from typing import Final

import click

from irqsim.analysis.histogram import LIMIT_DEFAULT, LIMIT_MAX, histogram_text
from irqsim.analysis.measures import MEASURE_NAMED
from irqsim.analysis.rates import STORM_PER_SEC
from irqsim.analysis.report import Report, Reporter
from irqsim.analysis.report_text import OTHER_TABLES, report_object, report_text
from irqsim.cli.inputs import Ended, Take, drive
from irqsim.cli.messages import put
from irqsim.cli.session import PANICKED
from irqsim.errors import IrqsimError
from irqsim.records import Lost, Record, TraceHeader
from irqsim.scenario.names import hint

MISSED: Final = 1
TABLES: Final = (*OTHER_TABLES, *MEASURE_NAMED)

EXAMPLE: Final = """\b
Example:
  irqsim new minimal | irqsim report -
"""


def _tables(ctx: object, param: object, value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if name not in TABLES:
            raise click.BadParameter(f"{name!r} is no table{hint(name, list(TABLES))}")
    return value


def _histogram(ctx: object, param: object, value: str | None) -> tuple[str, str | None] | None:
    if value is None:
        return None
    table, colon, name = value.partition(":")
    if table not in MEASURE_NAMED:
        raise click.BadParameter(f"{table!r} has no histogram{hint(table, list(MEASURE_NAMED))}")
    return table, name if colon else None


@click.command("report", epilog=EXAMPLE)
@click.argument("source", metavar="TRACE")
@click.option("-t", "--table", "tables", metavar="TABLE", multiple=True, callback=_tables,
              help=f"Only this one of {', '.join(TABLES)}; repeatable.")
@click.option("--per-cpu", is_flag=True, help="A row for each CPU.")
@click.option("--histogram", metavar="TABLE[:NAME]", callback=_histogram,
              help="Print a table, or its rows of that name, as cyclictest -h does.")
@click.option("--limit", metavar="US", type=click.IntRange(1, LIMIT_MAX), default=LIMIT_DEFAULT,
              show_default=True, help="Microseconds from which on a histogram overflows.")
@click.option("--storm", metavar="RATE", type=click.IntRange(1), default=STORM_PER_SEC,
              show_default=True, help="Interrupts per second that are called a storm.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object, with all histograms.")
@click.option("--fail-on-miss", is_flag=True,
              help="Exit with status 1 if a device's deadline was missed (scenarios).")
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True,
              help="Override a value of a scenario, as in 'irqsim run'.")
@click.option("-q", "--quiet", is_flag=True, help="Keep the kernel's warnings off standard error.")
def command(
    source: str,
    tables: tuple[str, ...],
    per_cpu: bool,
    histogram: tuple[str, str | None] | None,
    limit: int,
    storm: int,
    as_json: bool,
    fail_on_miss: bool,
    overrides: tuple[str, ...],
    quiet: bool,
) -> int:
    """Measure who used the CPUs, and who waited how long.

    TRACE is a log in any format, a scenario, which is run, or - for standard input.
    """
    if histogram is not None and (as_json or tables):
        raise click.UsageError("--histogram prints one histogram and nothing else")
    linear = None if histogram is None else (histogram[0], limit)
    reporters: list[Reporter] = []

    def begin(name: str, header: TraceHeader) -> Take:
        reporter = Reporter(name, header, per_cpu=per_cpu, linear=linear, storm_per_sec=storm)
        reporters.append(reporter)
        return taker(reporter)

    ended = drive(source, overrides, begin, quiet)
    report = finish(reporters[0], ended)
    if fail_on_miss and ended.spec is None:
        raise click.UsageError(f"--fail-on-miss: {source} is a trace, and only scenarios have"
                               " deadlines")
    if histogram is not None:
        put(_histogram_of(report, *histogram))
    elif as_json:
        put(json.dumps(report_object(report), indent=2, ensure_ascii=False) + "\n")
    else:
        put(report_text(report, tables))
    if ended.panicked:
        return PANICKED
    return MISSED if fail_on_miss and report.nr_missed else 0


def taker(reporter: Reporter) -> Take:
    """What hands a reporter its records and losses."""

    def take(line: int, item: Record | Lost) -> None:
        if isinstance(item, Lost):
            reporter.lost(item)
        else:
            reporter.feed(item)

    return take


def finish(reporter: Reporter, ended: Ended) -> Report:
    """The report of an input that has ended."""
    reporter.report.header = ended.header
    reporter.report.deadlines = ended.deadlines()
    return reporter.finish()


def _histogram_of(report: Report, table: str, name: str | None) -> str:
    rows = report.tables[table]
    names = list(dict.fromkeys(key[0] for key in rows.by_key))
    if name is not None and name not in names:
        raise IrqsimError(f"--histogram {table}:{name}: no such row{hint(name, names)}")
    return histogram_text(rows, name)
