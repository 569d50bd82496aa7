"""A report as text: tables of fixed width, one line per row, each beginning with its table.

Lines that begin with `#` say what the columns are.  Times are in microseconds, but for those
in the log, which are in its own seconds and can be searched for.  The name stands last, since
it may have blanks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from irqsim.analysis.distribution import ERROR, EXACT_MAX, Distribution
from irqsim.analysis.measures import MEASURE_NAMED, NOBODY, Key, Measure
from irqsim.analysis.rates import NSEC_PER_SEC, Rate
from irqsim.analysis.report import CATEGORIES, Deadline, Report
from irqsim.analysis.timeline import CpuTime
from irqsim.units import format_cpulist

QUANTILES: Final = (("p50", 500), ("p90", 900), ("p99", 990))
OTHER_TABLES: Final = ("cpu", "rate", "deadline")
"""The tables that are not of durations."""

_MARK: Final = 10
"""How wide the first column is."""


def report_text(report: Report, wanted: Sequence[str] = ()) -> str:
    """The tables that are wanted, or all that have rows."""
    lines = list(_head(report))
    for name, table in _tables(report):
        if table and (name in wanted if wanted else not is_detail(name)):
            lines += ["#", *table]
    return "".join(f"{line}\n" for line in lines)


def is_detail(name: str) -> bool:
    """Whether a table is printed only if it is asked for."""
    return name in MEASURE_NAMED and MEASURE_NAMED[name].is_detail


def _tables(report: Report) -> Iterator[tuple[str, list[str]]]:
    yield "cpu", list(_cpus(report))
    yield "deadline", list(_deadlines(report.deadlines))
    for name, rows in report.tables.items():
        yield name, list(_durations(report, rows.measure))
    yield "rate", list(_rates(report))


def _head(report: Report) -> Iterator[str]:
    cpus = format_cpulist(report.cpus) or "none"
    yield f"# {report.name}: {report.nr_records} records, CPUs {cpus}"
    if report.nr_records:
        first, last = at(report.first_ns), at(report.last_ns)
        yield f"# from {first} s to {last} s: {us(report.span_ns).strip()} us"
    for cpu, state in report.cpus.items():
        if state.nr_lost:
            yield f"# CPU {cpu}: {state.nr_lost} records lost"
    if report.nr_lost and not any(state.nr_lost for state in report.cpus.values()):
        yield f"# {report.nr_lost} records lost"
    for note in report.notes():
        yield f"# note: {note}"
    tables = [rows.by_key.values() for rows in report.tables.values()]
    if not all(row.is_exact for rows in tables for row in rows):
        yield (
            f"# quantiles of rows with more than {EXACT_MAX} values: within {ERROR:.2%} of the"
            " exact ones"
        )


# -- durations ---------------------------------------------------------------------------


def _durations(report: Report, measure: Measure) -> Iterator[str]:
    rows = report.tables[measure.name].in_order()
    if not rows:
        return
    yield f"# {measure.name}: {measure.what}"
    per_cpu = any(cpu != NOBODY for (_, _, cpu), _ in rows)
    heads = ["count", "total_us" if measure.is_run else "min_us", "mean_us"]
    heads += [f"{name}_us" for name, _ in QUANTILES]
    heads += ["max_us", "max_at_s"]
    widths = [8, 13, 10, 10, 10, 10, 10, 13]
    if measure.is_run:
        heads.append("cpu%")
        widths.append(7)
    heads += ["cpu"] * per_cpu + [measure.number] * bool(measure.number)
    widths += [4] * per_cpu + [6] * bool(measure.number)
    yield _line("#", heads, widths, "name")
    for key, row in rows:
        yield _line(measure.name, _cells(report, measure, key, row, per_cpu), widths, key[0])


def _cells(
    report: Report, measure: Measure, key: Key, row: Distribution, per_cpu: bool
) -> Iterator[str]:
    yield str(row.count)
    yield us(row.total if measure.is_run else row.min)
    yield f"{row.mean / 1000:.3f}"
    for _, per_mille in QUANTILES:
        yield us(row.quantile(per_mille))
    yield us(row.max)
    yield at(row.max_at_ns)
    if measure.is_run:
        yield percent(row.total, report.span_ns)
    if per_cpu:
        yield number(key[2])
    if measure.number:
        yield number(key[1])


# -- other tables ------------------------------------------------------------------------


def _cpus(report: Report) -> Iterator[str]:
    if not report.cpus:
        return
    yield "# cpu: what each moment of a CPU belongs to; unseen: the log does not say"
    heads = ["span_us", *(f"{each}%" for each in CATEGORIES), "records", "partial", "lost"]
    widths = [4, 13, *[9] * len(CATEGORIES), 9, 8, 8]
    yield _line("#", ["cpu", *heads], widths)
    for cpu, state in report.cpus.items():
        yield _line("cpu", [str(cpu), *_cpu_cells(report, state)], widths)


def _cpu_cells(report: Report, state: CpuTime) -> Iterator[str]:
    yield us(report.span_ns)
    for each in CATEGORIES:
        yield percent(state.times[each], report.span_ns)
    yield str(state.nr_records)
    yield str(state.nr_partial)
    yield str(state.nr_lost)


def _deadlines(deadlines: Sequence[Deadline]) -> Iterator[str]:
    if not deadlines:
        return
    yield "# deadline: from an arrival to the end of its service"
    heads = ["services", "deadline_us", "missed", "mean_us", "worst_us", "worst_at_s"]
    widths = [8, 13, 10, 10, 10, 13]
    yield _line("#", heads, widths, "name")
    for each in deadlines:
        cells = [
            str(each.services), us(each.deadline_ns), str(each.missed), us(each.mean_ns),
            us(each.worst_ns), at(each.worst_at_ns),
        ]  # fmt: skip
        yield _line("deadline", cells, widths, each.device)
        if each.missed and each.on_miss:
            yield f"# missed: {each.device}: {each.on_miss}"


def _rates(report: Report) -> Iterator[str]:
    rows = sorted_rates(report)
    if not rows:
        return
    yield "# rate: interrupts per second; the peak is that of the busiest 10 ms"
    widths = [8, 10, 12, 12, 15, 7, 6]
    heads = ["count", "unhandled", "mean/s", "peak/s", "peak_at_s", "storms", "irq"]
    yield _line("#", heads, widths, "name")
    for (name, irq), rate in rows:
        yield _line("rate", _rate_cells(report, rate, irq), widths, name)
        if rate.worst is not None:
            storm = rate.worst
            yield (
                f"# storm: {name}: {storm.count} interrupts from {at(storm.first_ns)} s"
                f" to {at(storm.last_ns)} s"
            )


def _rate_cells(report: Report, rate: Rate, irq: int) -> Iterator[str]:
    yield str(rate.count)
    yield str(rate.nr_unhandled)
    yield f"{mean_per_sec(report, rate):.1f}"
    yield str(rate.peak_per_sec)
    yield at(rate.peak_ns)
    yield str(rate.nr_storms)
    yield number(irq)


def sorted_rates(report: Report) -> list[tuple[tuple[str, int], Rate]]:
    """The lines, the busiest first."""
    return sorted(report.rates.by_key.items(), key=lambda row: (-row[1].count, row[0]))


def mean_per_sec(report: Report, rate: Rate) -> float:
    """Interrupts per second of the whole log."""
    return rate.count * NSEC_PER_SEC / report.span_ns if report.span_ns else 0.0


# -- JSON --------------------------------------------------------------------------------


def report_object(report: Report) -> dict[str, Any]:
    """The same for programs: all tables, all times in ns, and every histogram."""
    return {
        "name": report.name,
        "records": report.nr_records,
        "lost": report.nr_lost,
        "first_ns": report.first_ns,
        "last_ns": report.last_ns,
        "span_ns": report.span_ns,
        "notes": report.notes(),
        "cpu": [_cpu_object(cpu, state) for cpu, state in report.cpus.items()],
        "deadline": [_deadline_object(each) for each in report.deadlines],
        **{
            name: [_row_object(rows.measure, key, row) for key, row in rows.in_order()]
            for name, rows in report.tables.items()
        },
        "rate": [_rate_object(report, *row) for row in sorted_rates(report)],
    }


def _cpu_object(cpu: int, state: CpuTime) -> dict[str, int]:
    times = {f"{each}_ns": state.times[each] for each in CATEGORIES}
    counts = {"records": state.nr_records, "partial": state.nr_partial, "lost": state.nr_lost}
    return {"cpu": cpu, **times, **counts}


def _deadline_object(each: Deadline) -> dict[str, Any]:
    return {
        "name": each.device,
        "deadline_ns": each.deadline_ns,
        "services": each.services,
        "missed": each.missed,
        "mean_ns": each.mean_ns,
        "worst_ns": each.worst_ns,
        "worst_at_ns": each.worst_at_ns,
        "on_miss": each.on_miss,
    }


def _row_object(measure: Measure, key: Key, row: Distribution) -> dict[str, Any]:
    who: dict[str, Any] = {"name": key[0]}
    if measure.number:
        who[measure.number] = key[1]
    if key[2] != NOBODY:
        who["cpu"] = key[2]
    return {
        **who,
        "count": row.count,
        "total_ns": row.total,
        "mean_ns": row.mean,
        "min_ns": row.min,
        **{f"{name}_ns": row.quantile(per_mille) for name, per_mille in QUANTILES},
        "max_ns": row.max,
        "max_at_ns": row.max_at_ns,
        "error": 0.0 if row.is_exact else ERROR,
        "histogram": [list(bucket) for bucket in row.buckets()],
    }


def _rate_object(report: Report, key: tuple[str, int], rate: Rate) -> dict[str, Any]:
    worst = rate.worst
    return {
        "name": key[0],
        "irq": key[1],
        "count": rate.count,
        "unhandled": rate.nr_unhandled,
        "mean_per_sec": mean_per_sec(report, rate),
        "peak_per_sec": rate.peak_per_sec,
        "peak_at_ns": rate.peak_ns,
        "storms": rate.nr_storms,
        "worst_storm": None if worst is None else {
            "count": worst.count, "first_ns": worst.first_ns, "last_ns": worst.last_ns,
        },
    }  # fmt: skip


# -- cells -------------------------------------------------------------------------------


def us(ns: int) -> str:
    """Microseconds, to the ns."""
    return f"{ns // 1000}.{ns % 1000:03d}"


def at(ns: int) -> str:
    """A time as the log prints it: seconds, rounded to microseconds as the kernel does it."""
    rounded = (ns + 500) // 1000
    return f"{rounded // 1_000_000}.{rounded % 1_000_000:06d}"


def percent(part: int, whole: int) -> str:
    """Percent of the time of one CPU."""
    return f"{100 * part / whole:.2f}" if whole else "0.00"


def number(value: int) -> str:
    """The number of a row, or a dash."""
    return "-" if value == NOBODY else str(value)


def _line(mark: str, cells: Iterable[str], widths: Sequence[int], name: str = "") -> str:
    columns = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return f"{mark:<{_MARK}} {' '.join(columns)}  {name}".rstrip()
