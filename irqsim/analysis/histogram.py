"""Histograms in the text that cyclictest prints with -h, for the tools that plot it.

A column for each row of a table instead of one for each thread; comments say whose they are.

Source: rt-tests, cyclictest: print_hist().
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from irqsim.analysis.distribution import NS_PER_US, Distribution
from irqsim.analysis.measures import NOBODY, Key, Rows

LIMIT_DEFAULT = 1000
LIMIT_MAX = 1_000_000


def histogram_text(rows: Rows, name: str | None = None) -> str:
    """The histogram of a table, or of its rows with a name.

    The table must have been counted by microseconds.
    """
    chosen = [row for row in rows.in_order() if name is None or row[0][0] == name]
    return "".join(f"{line}\n" for line in _lines(chosen))


def _lines(rows: Sequence[tuple[Key, Distribution]]) -> Iterator[str]:
    linears = [row.linear for _, row in rows if row.linear is not None]
    assert len(linears) == len(rows)
    for index, (key, _) in enumerate(rows):
        yield f"# Column {index}: {_who(key)}"
    yield "# Histogram"
    for value in range(linears[0].limit if linears else 0):
        counts = "\t".join(f"{linear.counts[value]:06d}" for linear in linears)
        yield f"{value:06d} {counts}"
    yield _said("Total", 9, [sum(linear.counts) for linear in linears])
    yield _said("Min Latencies", 5, [row.min // NS_PER_US for _, row in rows])
    yield _said("Avg Latencies", 5, [row.total // row.count // NS_PER_US for _, row in rows])
    yield _said("Max Latencies", 5, [row.max // NS_PER_US for _, row in rows])
    yield _said("Histogram Overflows", 5, [linear.nr_overflows for linear in linears])
    yield "# Histogram Overflow at cycle number:"
    for index, linear in enumerate(linears):
        shown = "".join(f" {cycle:05d}" for cycle in linear.overflows)
        others = linear.nr_overflows - len(linear.overflows)
        yield f"# Thread {index}:{shown}" + (f" # {others:05d} others" if others else "")
    yield ""


def _said(what: str, width: int, values: Sequence[int]) -> str:
    return f"# {what}:" + "".join(f" {value:0{width}d}" for value in values)


def _who(key: Key) -> str:
    name, number, cpu = key
    more = "" if number == NOBODY else f" {number}"
    return f"{name}{more}" + ("" if cpu == NOBODY else f" on CPU {cpu}")
