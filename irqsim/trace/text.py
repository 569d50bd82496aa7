"""A text trace as records: which of its lines are events, and what the others are.

Lines of a kind come in one form, which the first event decides.  What belongs to the event
above (the functions of a stack trace, the further lines of a message) becomes part of its
record; what is no event (comments, ``##### CPU 1 buffer started ####``) is kept as it is for
whoever wants the same text again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, groupby
from typing import Final, TypeAlias

from attrs import evolve

from irqsim.errors import TraceFormatError
from irqsim.events import KERNEL_STACK, PRINT, TRACEPOINT_BY_NAME, UNKNOWN
from irqsim.records import Event, Lost, Record, TraceHeader
from irqsim.trace.forms import Form, OtherForms
from irqsim.trace.header import guess_release, is_head, is_note, look_at, read_header
from irqsim.trace.parse import LineParser, classify, parse_lost
from irqsim.trace.report import ReportPayloads
from irqsim.trace.source import Source

Part: TypeAlias = tuple[int, Record | Lost | None, str]
"""The number of its first line, what it says (None: nothing), its text with its newlines."""

_GROWING: Final = (KERNEL_STACK, PRINT, UNKNOWN)
"""Events to which more lines may belong."""
_GROWN_MAX: Final = 1 << 16
"""Bytes of such an event; the kernel prints 8 kB at most."""
_HEAD_MAX: Final = 1000
"""Lines before the first event, and lines from there on that are looked at beforehand."""
_STACK: Final = re.compile(r"\s?=> (.*?)(?: \([0-9a-f]{8,16}\))?")
"""The kernel puts a blank in front, trace-cmd without plugins a tab; with them the address
is behind."""
_NOTHING: Final = "0x0"
"""Where a stack ends, for who prints as many functions as its format has places."""
_SHOWN_MAX: Final = 60
"""Letters of a wrong line that a message repeats."""


class TextReader:
    """Reads one text."""

    def __init__(self, source: Source) -> None:
        """Read up to the first event.  Raises TraceFormatError."""
        self._source = source
        self._lines: Iterator[tuple[list[str], str]] = source.lines()
        self._number = 0
        head, events = self._read_head()
        first = events[0] if events else ""
        header = look_at(read_header(head), first)
        self.header = header = evolve(header, layout=guess_release(header, events))
        is_report = header.source == "trace-cmd"
        self._parser = LineParser(header.layout, payloads=ReportPayloads() if is_report else None)
        self._forms: list[Form] = [self._parser.event, self._parser.latency]
        if first and not any(_is_of(form, first) for form in self._forms):
            is_ours = header.source == "ftrace"
            other = OtherForms(self._parser).find(header.tracer if is_ours else "", first)
            if other is not None:
                self._forms.insert(0, other)
                self.header = _of_form(header, other.__name__)

    def parts(self) -> Iterator[list[Part]]:
        """The whole text, in lists of parts, whose texts together are the text."""
        held: Part | None = None
        for lines, newline in self._lines:
            parts: list[Part] = []
            held = self._parse(lines, newline, held, parts)
            yield parts
        if held is not None:
            yield [held]

    def _read_head(self) -> tuple[list[str], list[str]]:
        """The lines above the first event, and some from there on; all will be read again."""
        seen: list[tuple[list[str], str]] = []
        head: list[str] = []
        events: list[str] = []
        for lines, newline in self._lines:
            seen.append((lines, newline))
            first = next((i for i, line in enumerate(lines) if not is_head(line)), len(lines))
            head += lines[:first]
            events = [line.removesuffix("\r") for line in lines[first : first + _HEAD_MAX]]
            if events or len(head) > _HEAD_MAX:
                break
        self._lines = chain(seen, self._lines)
        whole = [lines[:_HEAD_MAX] for lines, newline in seen if newline]
        if all(line.endswith("\r") for lines in whole for line in lines if line):
            self._lines = _without_returns(self._lines)
            head = [line.removesuffix("\r") for line in head]
        return head, events

    def _parse(
        self, lines: list[str], newline: str, held: Part | None, parts: list[Part]
    ) -> Part | None:
        """Append the parts of the next lines; what may go on is held back and returned."""
        form = self._forms[0]
        number = self._number
        try:
            for line in lines:
                number += 1
                record = form(line)
                if record is None:
                    held = self._other(number, line, newline, held, parts)
                    form = self._forms[0]
                    continue
                if held is not None:
                    parts.append(held)
                    held = None
                if record[2].tracepoint in _GROWING:
                    held = (number, record, line + newline)
                else:
                    parts.append((number, record, line + newline))
        except TraceFormatError as error:
            raise TraceFormatError(self._source.name, number, error.message) from None
        self._number = number
        return held

    def _other(
        self, number: int, line: str, newline: str, held: Part | None, parts: list[Part]
    ) -> Part | None:
        """A line that is no event in the form of those before."""
        stripped = line.removesuffix("\r")
        text = line + newline
        kind = classify(stripped)
        for form in self._forms:
            record = form(stripped)
            if record is not None:
                self._forms.remove(form)
                self._forms.insert(0, form)
                if held is not None:
                    parts.append(held)
                part = (number, record, text)
                if record[2].tracepoint in _GROWING:
                    return part
                parts.append(part)
                return None
        if held is not None:
            grown = _grow(held, stripped, text, kind)
            if grown is not None:
                return grown
            parts.append(held)
        if kind == "lost":
            parts.append((number, Lost(*parse_lost(stripped)), text))
        elif kind in ("header", "started", "blank", "stack") or is_note(stripped):
            parts.append((number, None, text))
        else:
            shown = stripped if len(stripped) <= _SHOWN_MAX else f"{stripped[:_SHOWN_MAX]}..."
            raise TraceFormatError("", None, f"not a line of a trace: {shown!r}")
        return None


def _without_returns(
    blocks: Iterator[tuple[list[str], str]],
) -> Iterator[tuple[list[str], str]]:
    """The lines of a text that ends them with CR LF, as one that a serial console printed."""
    for lines, newline in blocks:
        for has_return, group in groupby(lines, lambda line: line.endswith("\r")):
            if has_return:
                yield [line[:-1] for line in group], "\r" + newline
            else:
                yield list(group), newline


def _is_of(form: Form, line: str) -> bool:
    """Whether a line has a form, be it with impossible flags, which reading it will name."""
    try:
        return form(line) is not None
    except TraceFormatError:
        return True


def _of_form(header: TraceHeader, name: str) -> TraceHeader:
    """What is known of a trace in one of the other forms."""
    if name == "verbose":
        return evolve(header, source="latency")
    clock = "ns" if name in ("raw", "hex") else "us"
    return evolve(header, has_context=False, has_irq_info=False, clock=clock)


def _grow(held: Part, line: str, text: str, kind: str) -> Part | None:
    """An event and one more line of it; None if the line does not belong to it."""
    number, record, before = held
    assert isinstance(record, tuple)
    time, context, event = record
    first, body = event.values[0], event.values[-1]
    if len(before) > _GROWN_MAX:
        return None
    if event.tracepoint is KERNEL_STACK:
        found = _STACK.fullmatch(line)
        if found is None:
            return None
        symbol = found[1]
        if symbol == _NOTHING:
            return number, record, before + text
        values: tuple[str, ...] = (f"{first}\n{symbol}" if first else symbol,)
    elif first in TRACEPOINT_BY_NAME:
        # Its text is not as any kernel prints it: nor is what comes behind.
        return None
    elif kind in ("other", "stack") or (kind == "blank" and event.tracepoint is PRINT):
        values = (str(first), f"{body}\n{line}")
    else:
        return None
    return number, (time, context, Event(event.tracepoint, values)), before + text
