"""Traces are read as what they say, and nothing of them is lost."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from irqsim.errors import TraceFormatError
from irqsim.events import KERNEL_STACK, PRINT, UNKNOWN, UNKNOWN_TGID, WORKQUEUE_QUEUE_WORK
from irqsim.records import Context, Lost, Record
from irqsim.trace.ftrace import TextFormat
from irqsim.trace.layout import LAYOUTS
from irqsim.trace.reader import Item, open_trace
from tests.test_ftrace import records
from tests.test_reference_formats import lines_of

LINES = """\
# tracer: nop
#
# entries-in-buffer/entries-written: 3/5   #P:2
#
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
          <idle>-0       [000] d.h..     1.000001: irq_handler_entry: irq=24 name=eth0
##### CPU 1 buffer started ####
          <idle>-0       [001] d.h..     1.000002: <stack trace>
 => handle_irq_event
 => handle_fasteoi_irq
CPU:1 [LOST 12 EVENTS]
            init-1       [001] .....     1.000003: tracing_mark_write: one
two
"""


def read(tmp_path: Path, text: str) -> list[Item]:
    path = tmp_path / "trace"
    path.write_text(text)
    with open_trace(str(path)) as trace:
        return list(trace)


def test_a_trace_says_what_stands_in_it(tmp_path: Path) -> None:
    """Each record has its line; stacks and further lines belong to the event above."""
    items = read(tmp_path, LINES)
    assert [line for line, _ in items] == [13, 15, 18, 19]
    assert items[2][1] == Lost(1, 12)
    records = [item for _, item in items if isinstance(item, tuple)]
    assert [time for time, _, _ in records] == [1_000_001_000, 1_000_002_000, 1_000_003_000]
    assert records[1][2].tracepoint is KERNEL_STACK
    assert records[1][2]["caller"] == "handle_irq_event\nhandle_fasteoi_irq"
    assert records[2][2].tracepoint is PRINT
    assert records[2][2]["buf"] == "one\ntwo"


NEWER = (("dBh2.", 0x12D), (".b...", 0x104), (".L...", 0x120), (".l...", 0x100))


@pytest.mark.parametrize(("letters", "flags"), NEWER)
def test_letters_of_newer_kernels_are_read(tmp_path: Path, letters: str, flags: int) -> None:
    """Source: kernel/trace/trace_output.c of 6.13: trace_print_lat_fmt()."""
    ((_, item),) = read(tmp_path, f"          init-1       [000] {letters}     1.000001: a: b\n")
    assert isinstance(item, tuple)
    assert item[1].flags == flags


def test_what_is_no_line_of_a_trace_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceFormatError, match=r"trace:22: not a line of a trace: 'rubbish'"):
        read(tmp_path, LINES.replace("two\n", "") + "CPU:1 [LOST EVENTS]\n\nrubbish\n")


def test_counts_are_those_of_grep(reference: Path) -> None:
    """Of every event in every capture, also between the functions of function_graph."""
    wrong: list[str] = []
    total = 0
    for path in sorted((reference / "captures").glob("*/trace")):
        counted: dict[str, int] = {}
        with open_trace(str(path)) as trace:
            for _, _, event in trace.records():
                point = event.tracepoint
                name = str(event.values[0]) if point is UNKNOWN else point.name
                counted[name] = counted.get(name, 0) + 1
        greps: dict[str, int] = {}
        for line in lines_of(path):
            for name in re.findall(r" ([a-z_]+): ", "" if line.startswith("#") else line)[:1]:
                greps[name] = greps.get(name, 0) + 1
        for name, count in greps.items():
            total += count
            mine = counted.get("print" if name == "tracing_mark_write" else name, 0)
            if mine != count:
                wrong.append(f"{path}: {name}: {mine} instead of {count}")
    assert not wrong, "\n".join(wrong[:10])
    assert total > 130_000


def test_what_the_header_says(reference: Path) -> None:
    """Layout, clock, counts, and how many CPUs; without a header, what the lines show."""
    said = {}
    for name in ("arm64-gicv3-4cpu-lost-events/trace", "arm64-gicv3-4cpu-lost-events/trace_pipe",
                 "arm64-rt-gicv3-4cpu-fmt-options/trace.latency-format",
                 "arm64-6.12-gicv3-4cpu-idle/trace", "arm64-gicv3-4cpu-fmt-clock-counter/trace",
                 "arm64-gicv3-4cpu-fmt-options/trace.record-tgid",
                 "arm64-gicv3-4cpu-fmt-options/trace.noirq-info"):  # fmt: skip
        with open_trace(str(reference / "captures" / name)) as trace:
            header = trace.header
        said[name.partition("gic")[2]] = (
            header.source, header.layout, header.clock, header.nr_cpus, header.entries_in_buffer,
            header.has_irq_info, header.has_tgid, header.is_rt,
        )  # fmt: skip
    assert list(said.values()) == [
        ("ftrace", "6.1", "us", 4, 2834, True, False, False),
        ("trace_pipe", "6.1", "us", None, None, True, False, False),
        ("latency", "6.1-rt", "us", 4, 1873, True, False, True),
        ("ftrace", "6.12", "us", 4, 1257, True, False, False),
        ("ftrace", "6.1", "counts", 4, 300, True, False, False),
        ("ftrace", "6.1", "us", 4, 1371, True, True, False),
        ("ftrace", "6.1", "us", 4, 1371, False, False, False),
    ]


@pytest.mark.parametrize("has_header", [True, False], ids=["header", "pipe"])
@pytest.mark.parametrize("irq_info", [True, False], ids=["flags", "noirq-info"])
@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=15, phases=[Phase.explicit, Phase.generate])
@given(data=st.data())
def test_any_records_printed_are_read_as_the_same(
    layout: str,
    irq_info: bool,
    has_header: bool,
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """In every layout, with and without flags and header, from a file whose form nobody told."""
    # Without flags, nothing tells a pointer from a name that looks like one.
    some = records(layout) if irq_info else records(layout).filter(is_placed)
    written = data.draw(st.lists(some, min_size=1, max_size=6))
    form = TextFormat(layout, record_tgid=irq_info, irq_info=irq_info)
    header = form.header(entries_in_buffer=len(written)) if has_header else ""
    path = tmp_path_factory.mktemp("printed") / "trace"
    path.write_text(header + form.lines(written), "utf-8", "surrogateescape")
    with open_trace(str(path)) as trace:
        assert list(trace.records()) == [shown(record, irq_info) for record in written]
        assert trace.header.has_irq_info is irq_info
        if irq_info:
            assert LAYOUTS[trace.header.layout].columns == LAYOUTS[layout].columns


def is_placed(record: Record) -> bool:
    """Not the event that has a name where it had a pointer before 5.13."""
    return record[2].tracepoint is not WORKQUEUE_QUEUE_WORK


def shown(record: Record, irq_info: bool) -> Record:
    """What of a record is printed."""
    time, who, what = record
    if irq_info:
        return record
    return time, Context(who.comm, who.pid, UNKNOWN_TGID, who.cpu, 0, 0), what


def test_standard_input_is_read_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINES.encode())))
    with open_trace("-") as trace:
        assert trace.name == "stdin"
        assert len(list(trace)) == 4


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceFormatError, match=r"none: No such file or directory"):
        open_trace(str(tmp_path / "none"))
