"""Traces are read as what they say, and nothing of them is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from irqsim.errors import TraceFormatError
from irqsim.events import KERNEL_STACK, PRINT
from irqsim.records import Lost
from irqsim.trace.reader import Item, open_trace

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


def test_what_is_no_line_of_a_trace_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceFormatError, match=r"trace:22: not a line of a trace: 'rubbish'"):
        read(tmp_path, LINES.replace("two\n", "") + "CPU:1 [LOST EVENTS]\n\nrubbish\n")
