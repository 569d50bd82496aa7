"""Lines of ``trace``, ``trace_pipe`` and latency-format as records.

The inverse of ``irqsim.trace.ftrace``, line by line.  Contexts and events are interned, so
that a head or a text that comes again costs one look-up.

Times come back as printed: in microseconds, times a thousand.  latency-format counts from
the start of the buffer and cuts the name of a task to eight characters.  Lines of
``trace-cmd report`` differ in little: its latency format has times from the start.
"""

from __future__ import annotations

import re
from typing import Final, Literal, Protocol

from irqsim.errors import TraceFormatError
from irqsim.events import UNKNOWN, UNKNOWN_TGID, Context, Event, EventTable, Record
from irqsim.trace.layout import LAYOUTS, Layout, parse_flags
from irqsim.trace.payload import Payloads

LineKind = Literal[
    "event", "latency", "header", "lost", "started", "stack", "graph", "blank", "other"
]

_EVENT: Final = re.compile(
    r"((?:.{16}|.*?)-[0-9]{1,10} +(?:\((?: *[0-9]{1,10}|-+)\) )?\[[0-9]{1,6}\]"
    r" (?:[^ ]{4,7}(?= ))?) *([0-9]{1,20})(?:\.([0-9]{6}|[0-9]{9}))?: (.*)"
)
_HEAD: Final = re.compile(
    r"(.{16}|.*?)-([0-9]+) +(?:\((?: *([0-9]+)|-+)\) )?\[([0-9]+)\] ([^ ]*)"
)
_LATENCY: Final = re.compile(
    r"((?:.{8}|.*?)-[0-9]{1,10} +[0-9]{1,6}[^0-9 ][^ ]{3,6}) +([0-9]{1,20})"
    r"(?:us(.)|\.([0-9]{6}|[0-9]{9}))?: (.*)"
)
_LATENCY_HEAD: Final = re.compile(r"(.{8}|.*?)-([0-9]+) +([0-9]+)([^0-9 ][^ ]*)")
_LOST: Final = re.compile(
    r"CPU:([0-9]{1,6}) \[(?:LOST (?:([0-9]{1,20}) )?EVENTS|(?:([0-9]{1,20}) )?EVENTS DROPPED)\]"
)
_GRAPH: Final = re.compile(r" *[0-9]+\) |(?: *[0-9]+\.[0-9]{6} \| )? *[0-9]+\) ")

TEXT_MAX: Final = 1 << 14
"""No kernel prints an event that is longer: it is 4 kB, and 8 kB since 6.8."""
CACHE_MAX: Final = 1 << 16
"""Texts that are kept, at most."""


class ReadsText(Protocol):
    """Reads the texts of events, as somebody prints them."""

    def parse(self, text: str, table: EventTable) -> Event:
        """The event that prints as this text."""


class LineParser:
    """Reads one stream of lines, and interns what it reads."""

    __slots__ = ("_contexts", "_events", "payloads", "table")

    def __init__(
        self,
        layout: str | Layout = "6.1",
        table: EventTable | None = None,
        payloads: ReadsText | None = None,
    ) -> None:
        name = layout if isinstance(layout, str) else layout.name
        self.payloads: ReadsText = payloads or Payloads(LAYOUTS[name].name)
        self.table = EventTable() if table is None else table
        self._contexts: dict[str, Context] = {}
        self._events: dict[str, Event] = {}

    def parse(self, line: str) -> Record:
        """The record of a line, which has no newline at its end.

        Raises TraceFormatError, with neither file nor line number, for any other line.
        """
        record = self.event(line) or self.latency(line)
        if record is None:
            raise TraceFormatError("", None, f"not an event: {line!r}")
        return record

    def event(self, line: str) -> Record | None:
        """The record of a line of ``trace`` or ``trace_pipe``; None for any other line."""
        match = _EVENT.fullmatch(line)
        if match is None:
            return None
        head, seconds, fraction, text = match.groups()
        time = int(seconds)
        if fraction is not None:
            time = time * 1_000_000_000 + int(fraction.ljust(9, "0"))
        context = self._contexts.get(head)
        if context is None:
            context = self._keep_context(head, self._parse_head(head))
        return time, context, self.payload(text)

    def latency(self, line: str) -> Record | None:
        """The record of a line of latency-format; None for any other line."""
        match = _LATENCY.fullmatch(line)
        if match is None:
            return None
        head, digits, mark, fraction, text = match.groups()
        time = int(digits) * (1 if mark is None else 1000)
        if fraction is not None:
            time = time * 1_000_000_000 + int(fraction.ljust(9, "0"))
        context = self._contexts.get(head)
        if context is None:
            context = self._keep_context(head, self._parse_latency_head(head))
        return time, context, self.payload(text)

    def payload(self, text: str) -> Event:
        """The event that prints as this text."""
        event = self._events.get(text)
        if event is None:
            if len(text) > TEXT_MAX:
                name, colon, body = text.partition(": ")
                return self.table.intern(UNKNOWN, *((name, body) if colon else ("", text)))
            event = self.payloads.parse(text, self.table)
            if event.index >= 0 and len(self._events) < CACHE_MAX:
                self._events[text] = event
        return event

    def _keep_context(self, head: str, context: Context) -> Context:
        if len(self._contexts) < CACHE_MAX:
            self._contexts[head] = context
        return context

    def _parse_head(self, head: str) -> Context:
        match = _HEAD.fullmatch(head)
        assert match is not None
        comm, pid, tgid, cpu, letters = match.groups()
        flags, preempt_count = _flags(letters)
        return self.table.context(
            comm.lstrip(" "),
            int(pid),
            UNKNOWN_TGID if tgid is None else int(tgid),
            int(cpu),
            flags,
            preempt_count,
        )

    def _parse_latency_head(self, head: str) -> Context:
        match = _LATENCY_HEAD.fullmatch(head)
        assert match is not None
        comm, pid, cpu, letters = match.groups()
        flags, preempt_count = _flags(letters)
        return self.table.context(
            comm.lstrip(" "), int(pid), UNKNOWN_TGID, int(cpu), flags, preempt_count
        )


def parse_line(line: str, layout: str = "6.1") -> Record:
    """The record of a single line."""
    return LineParser(layout).parse(line.removesuffix("\n"))


def classify(line: str) -> LineKind:
    """What a line of a trace is, without its newline."""
    if not line:
        return "blank"
    if line.startswith("##### CPU "):
        return "started"
    if line.startswith("#"):
        return "header"
    if line.startswith(" => "):
        return "stack"
    if _LOST.fullmatch(line):
        return "lost"
    if _EVENT.fullmatch(line):
        return "event"
    if _LATENCY.fullmatch(line):
        return "latency"
    if _GRAPH.match(line):
        return "graph"
    return "other"


def parse_lost(line: str) -> tuple[int, int]:
    """CPU and number of records of a LOST line; 0: nobody counted."""
    match = _LOST.fullmatch(line)
    if match is None:
        raise TraceFormatError("", None, f"not a line of lost events: {line!r}")
    return int(match[1]), int(match[2] or match[3] or 0)


def _flags(letters: str) -> tuple[int, int]:
    try:
        return parse_flags(letters)
    except ValueError as error:
        raise TraceFormatError("", None, str(error)) from None
