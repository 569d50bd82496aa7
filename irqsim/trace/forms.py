"""The rarer forms of a line: function_graph, verbose latency-format, raw, hex, and no context.

Each is a function from a line to its record, or None where the line has another form.  What
a form does not say is marked so that nobody takes it for known: the task is ``<...>`` with
the pid -1, and the time is that of the line before.

Source: kernel/trace/trace_functions_graph.c: print_graph_prologue(), print_graph_comment(),
verif_pid(); kernel/trace/trace_output.c: trace_print_lat_context(); kernel/trace/trace.c:
print_raw_fmt(), print_hex_fmt().
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from irqsim.events import UNKNOWN, UNKNOWN_TGID, Context, Record
from irqsim.trace.parse import LineParser

Form: TypeAlias = Callable[[str], Record | None]

NOBODY: Final = "<...>"
"""What the kernel prints for a task whose name it does not know."""
NO_PID: Final = -1

_GRAPH: Final = re.compile(
    r" *(?:([0-9]{1,15})\.([0-9]{6}) \|  ?)? *([0-9]{1,6})\) "
    r"(?: *([^|]{1,16}?)-([0-9]{1,10}) *\| )?(.*)"
)
_SWITCH: Final = re.compile(r" *([^|]{1,16}?)-([0-9]{1,10}) +=> +([^|]{1,16}?)-([0-9]{1,10}) *")
_COMMENT: Final = re.compile(r"[^|/]*\| +/\* (.*) \*/")
_VERBOSE: Final = re.compile(
    r" *(.{1,16}?) +([0-9]{1,10}) +([0-9]{1,6}) ([0-9]{1,3}) ([0-9a-f]{8}) [0-9a-f]{8}"
    r" \[([0-9a-f]{8,16})\] -?[0-9]+\.[0-9]{3}ms \(\+-?[0-9]+\.[0-9]{3}ms\): (.*)"
)
_RAW: Final = re.compile(r"([0-9]{1,10}) ([0-9]{1,6}) ([0-9]{1,20}) (.*)")
_HEX: Final = re.compile(r"([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{16}) ?(.*)")
_BARE: Final = re.compile(r"[a-z_][a-z0-9_]*: .*|.+ <-.+|<stack trace>")
_BYTE: Final = 0xFF


class OtherForms:
    """Reads the lines that LineParser does not."""

    __slots__ = ("_parser", "_tasks", "_time_ns")

    def __init__(self, parser: LineParser) -> None:
        self._parser = parser
        self._tasks: dict[int, tuple[str, int]] = {}
        """Who runs on each CPU, as far as function_graph says it."""
        self._time_ns = 0

    def find(self, tracer: str, first: str) -> Form | None:
        """The form of the first event's line, below the header of a tracer."""
        if self.verbose(first):
            return self.verbose
        if tracer == "function_graph" or _GRAPH.fullmatch(first):
            return self.graph
        for form in (self.hex, self.raw, self.bare):
            if tracer and form(first):
                return form
        return None

    def graph(self, line: str) -> Record | None:
        """A function, or an event between functions, which is a comment there."""
        match = _GRAPH.fullmatch(line)
        if match is None:
            return None
        seconds, fraction, digits, comm, pid, text = match.groups()
        cpu = int(digits)
        if seconds is not None:
            self._time_ns = int(seconds) * 1_000_000_000 + int(fraction) * 1000
        if switch := _SWITCH.fullmatch(text):
            self._tasks[cpu] = (switch[3], int(switch[4]))
            return None
        who = self._tasks.get(cpu, (NOBODY, NO_PID)) if comm is None else (comm, int(pid))
        context = self._context(*who, cpu)
        if comment := _COMMENT.fullmatch(text):
            return self._time_ns, context, self._parser.payload(comment[1])
        return self._time_ns, context, self._parser.table.intern(UNKNOWN, "", text)

    def verbose(self, line: str) -> Record | None:
        """latency-format with the option verbose: flags and times as numbers."""
        match = _VERBOSE.fullmatch(line)
        if match is None:
            return None
        comm, pid, cpu, flags, preempt_count, time_us, text = match.groups()
        context = self._parser.table.context(
            comm, int(pid), UNKNOWN_TGID, int(cpu), int(flags) & _BYTE,
            int(preempt_count, 16) & _BYTE,
        )  # fmt: skip
        return int(time_us, 16) * 1000, context, self._parser.payload(text)

    def raw(self, line: str) -> Record | None:
        """Pid, CPU and ns as numbers; which event it is, only its number says."""
        match = _RAW.fullmatch(line)
        return None if match is None else self._numbers(10, *match.groups())

    def hex(self, line: str) -> Record | None:
        """The same in hex."""
        match = _HEX.fullmatch(line)
        return None if match is None else self._numbers(16, *match.groups())

    def bare(self, line: str) -> Record | None:
        """An event alone, as with nocontext-info."""
        if _BARE.fullmatch(line) is None:
            return None
        return 0, self._context(NOBODY, NO_PID, 0), self._parser.payload(line)

    def _numbers(self, base: int, pid: str, cpu: str, time: str, text: str) -> Record:
        context = self._context(NOBODY, int(pid, base), int(cpu, base))
        return int(time, base), context, self._parser.table.intern(UNKNOWN, "", text)

    def _context(self, comm: str, pid: int, cpu: int) -> Context:
        return self._parser.table.context(comm, pid, UNKNOWN_TGID, cpu, 0, 0)
