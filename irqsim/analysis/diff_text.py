"""How two logs differ, as text and for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from irqsim.analysis.diff import Difference, Place, Side
from irqsim.analysis.distribution import Distribution
from irqsim.analysis.measures import MEASURES, NOBODY, Key, Measure
from irqsim.analysis.report import CATEGORIES
from irqsim.analysis.report_text import QUANTILES, percent, us
from irqsim.events import Record

ROWS_SHOWN: Final = 20
"""Rows of one kind that are printed unless all are wanted."""

Print = Callable[[Record], str]
"""Makes a line of a record, as its log has it."""
Row = tuple[str, int, str, str]
"""What became of events, how many, on which CPU, and what they are."""
Change = tuple[Measure, Key, Distribution, Distribution]

_MARK: Final = 10


def diff_text(difference: Difference, prints: tuple[Print, Print], all_rows: bool = False) -> str:
    """What differs; nothing if nothing does, not even in the measures."""
    changes = list(_changes(difference))
    if difference.is_equal and not changes:
        return ""
    lines = list(_head(difference))
    if difference.first is not None:
        lines += _first(difference, difference.first, prints, "difference")
    if difference.a.settings.with_times and difference.first_time is not None:
        lines += _first(difference, difference.first_time, prints, "other time")
    lines += _events(difference, all_rows)
    lines += _measures(changes, all_rows)
    lines += _cpus(difference)
    return "".join(f"{line}\n" for line in lines)


def _head(difference: Difference) -> Iterator[str]:
    for sign, side in (("---", difference.a), ("+++", difference.b)):
        report = side.report
        lost = f", {report.nr_lost} lost" if report.nr_lost else ""
        yield f"{sign} {side.name}: {report.nr_records} records of {us(report.span_ns)} us{lost}"
    total_a, total_b = (side.counts.total() for side in (difference.a, difference.b))
    yield f"# {difference.nr_same} events are the same, of {total_a} and {total_b}"
    for label, one, other in (
        ("the first", difference.a, difference.b), ("the second", difference.b, difference.a),
    ):  # fmt: skip
        known = dict.fromkeys(other.tracepoints())
        only = [name for name in one.tracepoints() if name not in known]
        if only:
            yield f"# only in {label}: {' '.join(only)}"
    for cpu_a, cpu_b in difference.pairs:
        if cpu_a != cpu_b and NOBODY not in (cpu_a, cpu_b):
            yield f"# CPU {cpu_a} is CPU {cpu_b} of the second"
    if difference.a.settings.with_context:
        for label, side in (("the first", difference.a), ("the second", difference.b)):
            if not side.report.header.has_irq_info:
                yield f"# {label} has no flag columns"
    shifts = difference.shifts
    if shifts.max:
        texts = [f"{name} {us(shifts.quantile(each))}" for name, each in QUANTILES]
        yield f"# shifted in time by us: {' '.join(texts)} max {us(shifts.max)}"
    if difference.a.settings.with_times and difference.nr_other_times:
        yield f"# {difference.nr_other_times} of the same events have another time"


# -- the first difference ----------------------------------------------------------------


def _first(
    difference: Difference, place: Place, prints: tuple[Print, Print], what: str
) -> Iterator[str]:
    yield "#"
    where = [_when(place.a_ns, "the first"), _when(place.b_ns, "the second")]
    cpu = place.cpu_a if place.cpu_a != NOBODY else place.cpu_b
    yield f"# first {what}: CPU {cpu}, {', '.join(where)}"
    for each in place.shown:
        if each.a is not None:
            sign = "-" if each.b is None else " "
            record = difference.a.record(place.cpu_a, each.a)
            yield f"{sign}{each.a.line:>8}: {_print(prints[0], record)}"
        elif each.b is not None:
            record = difference.b.record(place.cpu_b, each.b)
            yield f"+{each.b.line:>8}: {_print(prints[1], record)}"
        else:
            yield f" {'...':>8}"


def _print(print_: Print, record: Record) -> str:
    """One line: what belongs to it on further ones is left out."""
    return print_(record).split("\n", 1)[0]


def _when(ns: int | None, which: str) -> str:
    if ns is None:
        return f"after the end of {which}"
    return f"{us(ns)} us into {which}"


# -- events ------------------------------------------------------------------------------


def event_rows(difference: Difference) -> list[Row]:
    """What became of events that are not the same, the most frequent of each kind first."""
    texts = difference.a.names.texts
    rows: list[Row] = []
    for what, counter in (
        ("missing", difference.missing),
        ("inserted", difference.inserted),
        ("reordered", difference.reordered),
    ):
        rows += _sorted([(what, count, str(cpu), texts[number])
                         for (number, cpu), count in counter.items()])  # fmt: skip
    rows += _sorted([("moved", count, f"{cpu}->{goal}", texts[number])
                     for (number, cpu, goal), count in difference.moved.items()])  # fmt: skip
    return rows


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-row[1], row[3], row[2]))


def _events(difference: Difference, all_rows: bool) -> Iterator[str]:
    rows = event_rows(difference)
    if not rows:
        return
    yield "#"
    yield "# missing: only the first has it; inserted: only the second; moved: to another CPU;"
    yield "# reordered: both have it there, in another order"
    yield f"{'#':<{_MARK}} {'count':>8} {'cpu':>7}  event"
    counts: dict[str, int] = {}
    for what, count, cpu, text in rows:
        counts[what] = counts.get(what, 0) + 1
        if all_rows or counts[what] <= ROWS_SHOWN:
            yield f"{what:<{_MARK}} {count:>8} {cpu:>7}  {text}"
    for what, nr in counts.items():
        if nr > ROWS_SHOWN and not all_rows:
            yield f"# and {nr - ROWS_SHOWN} more rows: {what}"


# -- measures ----------------------------------------------------------------------------


def _changes(difference: Difference) -> Iterator[Change]:
    """The rows of the two reports that differ, those that differ the most first."""
    for measure in MEASURES:
        rows_a = difference.a.report.tables[measure.name].by_key
        rows_b = difference.b.report.tables[measure.name].by_key
        found: list[Change] = []
        for key in sorted({**rows_a, **rows_b}):
            a, b = (rows.get(key) or Distribution() for rows in (rows_a, rows_b))
            if (a.count, a.total, a.max) != (b.count, b.total, b.max):
                found.append((measure, key, a, b))
        yield from sorted(found, key=lambda each: -abs(each[3].total - each[2].total))


def _measures(changes: Sequence[Change], all_rows: bool) -> Iterator[str]:
    shown = [change for change in changes if all_rows or not change[0].is_detail]
    if not shown:
        return
    yield "#"
    yield "# measures that changed, of the first (a) and the second (b); the mean's change"
    heads = ["count_a", "count_b", "mean_a_us", "mean_b_us", "mean%", "p99_a_us", "p99_b_us",
             "max_a_us", "max_b_us"]  # fmt: skip
    widths = [8, 8, 11, 11, 9, 11, 11, 11, 11]
    yield _line("#", heads, widths, "name")
    for measure, key, a, b in shown:
        yield _line(measure.name, _cells(a, b), widths, key[0])


def _cells(a: Distribution, b: Distribution) -> Iterator[str]:
    yield str(a.count)
    yield str(b.count)
    yield f"{a.mean / 1000:.3f}" if a.count else "-"
    yield f"{b.mean / 1000:.3f}" if b.count else "-"
    yield f"{100 * (b.mean - a.mean) / a.mean:+.1f}" if a.mean and b.count else "-"
    for value in (a.quantile(990), b.quantile(990), a.max, b.max):
        yield us(value)


def _cpus(difference: Difference) -> Iterator[str]:
    a, b = difference.a.report, difference.b.report
    rows = []
    for cpu_a, cpu_b in difference.pairs:
        if cpu_a in a.cpus and cpu_b in b.cpus:
            one, other = a.cpus[cpu_a].times, b.cpus[cpu_b].times
            shares = [
                percent(times[each], span_ns)
                for each in CATEGORIES
                for times, span_ns in ((one, a.span_ns), (other, b.span_ns))
            ]
            if shares[::2] != shares[1::2]:
                rows.append([str(cpu_a), *shares])
    if rows:
        yield "#"
        heads = [f"{each}_{side}%" for each in CATEGORIES for side in "ab"]
        widths = [4, *[10] * len(heads)]
        yield _line("#", ["cpu", *heads], widths)
        for row in rows:
            yield _line("cpu", row, widths)


def _line(
    mark: str, cells: Sequence[str] | Iterator[str], widths: Sequence[int], name: str = ""
) -> str:
    columns = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return f"{mark:<{_MARK}} {' '.join(columns)}  {name}".rstrip()


# -- JSON --------------------------------------------------------------------------------


def diff_object(difference: Difference, prints: tuple[Print, Print]) -> dict[str, Any]:
    """The same for programs: all rows, all times in ns."""
    shifts = difference.shifts
    return {
        "equal": difference.is_equal,
        "a": _side_object(difference.a),
        "b": _side_object(difference.b),
        "cpus": [[None if cpu == NOBODY else cpu for cpu in pair] for pair in difference.pairs],
        "same": difference.nr_same,
        "missing": difference.nr_missing,
        "inserted": difference.nr_inserted,
        "other_times": difference.nr_other_times,
        "shift_ns": {
            **{name: shifts.quantile(each) if shifts.count else 0 for name, each in QUANTILES},
            "max": shifts.max,
        },
        "first": _place_object(difference, difference.first, prints),
        "first_other_time": _place_object(difference, difference.first_time, prints),
        "events": [
            {"what": what, "count": count, "cpu": cpu, "event": text}
            for what, count, cpu, text in event_rows(difference)
        ],
        "measures": [
            {"measure": measure.name, "name": key[0], "a": _row(a), "b": _row(b)}
            for measure, key, a, b in _changes(difference)
        ],
    }


def _place_object(
    difference: Difference, place: Place | None, prints: tuple[Print, Print]
) -> dict[str, Any] | None:
    if place is None:
        return None
    lines = [line for line in _first(difference, place, prints, "") if line[0] != "#"]
    return {
        "cpu": place.cpu_a if place.cpu_a != NOBODY else place.cpu_b,
        "a_ns": place.a_ns,
        "b_ns": place.b_ns,
        "lines": lines,
    }


def _side_object(side: Side) -> dict[str, Any]:
    report = side.report
    return {
        "name": side.name,
        "records": report.nr_records,
        "compared": side.counts.total(),
        "lost": report.nr_lost,
        "span_ns": report.span_ns,
    }


def _row(row: Distribution) -> dict[str, Any]:
    quantiles = {f"{name}_ns": row.quantile(each) for name, each in QUANTILES}
    return {"count": row.count, "total_ns": row.total, "mean_ns": row.mean, **quantiles,
            "max_ns": row.max}  # fmt: skip
