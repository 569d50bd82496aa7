"""Markers stand right behind what they tell of, nest, and are counted."""

from __future__ import annotations

import re

from irqsim.records import Record, TraceHeader
from irqsim.trace.parse import LineParser, classify
from tests.test_chrome import LOG
from tests.written import written


def records() -> list[Record]:
    parser = LineParser()
    return [parser.parse(line) for line in LOG.splitlines()]


def marked() -> list[str]:
    return written("trace_pipe", records(), options=("markers",)).decode().splitlines()


def test_the_other_lines_stay_as_they_are() -> None:
    assert [line for line in marked() if "tracing_mark_write" not in line] == LOG.splitlines()


def test_a_slice_begins_and_ends_with_what_it_tells_of() -> None:
    lines = marked()
    for number, line in enumerate(lines):
        if re.search(r"(irq_handler|softirq|ipi|tasklet)_entry", line):
            assert re.search(r"tracing_mark_write: B\|\d+\|.", lines[number + 1]), line
        if re.search(r"(irq_handler|softirq|ipi|tasklet)_exit", line):
            assert re.search(r"tracing_mark_write: E\|\d+$", lines[number + 1]), line


def test_markers_carry_the_pid_and_the_name() -> None:
    assert any(line.endswith("tracing_mark_write: B|0|irq 13 uart") for line in marked())
    assert any(line.endswith("tracing_mark_write: B|0|TASKLET") for line in marked())


def test_the_header_counts_them() -> None:
    header = TraceHeader(entries_in_buffer=len(records()), entries_written=len(records()))
    text = written("trace", records(), header, options=("markers",)).decode()
    nr_lines = sum(classify(line) == "event" for line in text.splitlines())
    assert f"entries-in-buffer/entries-written: {nr_lines}/{nr_lines}" in text
