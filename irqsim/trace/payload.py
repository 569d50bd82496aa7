"""The text of an event, from its declaration, and back.

``irq_handler_entry: irq=24 name=eth0`` is what stands behind the time of a line.  The print
formats of ``irqsim.events`` are compiled when they are first needed.

Reading never loses a byte: an event whose values would not print as the same text, in the
release's own format or in that of another, becomes an UNKNOWN one that keeps the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from irqsim.events import (
    FUNCTION,
    KERNEL_STACK,
    PRINT,
    TRACEPOINT_BY_NAME,
    TRACEPOINTS,
    UNKNOWN,
    Event,
    EventTable,
    Format,
    Tracepoint,
    Value,
    release_number,
)
from irqsim.trace.kinds import KINDS, Kind, Render, RenderWith, default_kind

MARKER: Final = "tracing_mark_write"
"""The symbol by which a line of trace_marker is known."""

UNKNOWN_VALUE: Final = "?"

_PLACE: Final = re.compile(r"\{(\w+)(?::(\w+))?\}")


class CompiledFormat:
    """One print format of one tracepoint."""

    __slots__ = ("_pieces", "_regex", "_renders", "_renders_with", "_template", "nr_fields")

    def __init__(
        self, tracepoint: Tracepoint, template: str, kinds: Mapping[str, Kind] = KINDS
    ) -> None:
        self.nr_fields = len(tracepoint.fields)
        self._pieces: list[tuple[int, int, Kind]] = []
        """Position of the value, position of the other value (or -1), kind."""
        self._renders: list[tuple[int, Render | None]] = []
        self._renders_with: list[tuple[int, int, int, RenderWith]] = []
        """For each piece that looks at two values: its position, and theirs."""
        pattern: list[str] = []
        literals: list[str] = []
        end = 0
        for place in _PLACE.finditer(template):
            literal = template[end : place.start()]
            index = tracepoint.index_of[place[1]]
            kind = kinds[place[2] or default_kind(tracepoint.fields[index])]
            other = tracepoint.index_of[kind.other] if kind.other else -1
            if kind.render_with is not None:
                self._renders_with.append((len(self._pieces), index, other, kind.render_with))
            self._renders.append((index, kind.render))
            self._pieces.append((index, other, kind))
            literals.append(literal.replace("%", "%%"))
            pattern += [re.escape(literal), "(", kind.pattern, ")"]
            end = place.end()
        tail = template[end:]
        self._template = "%s".join([*literals, tail.replace("%", "%%")])
        self._regex = re.compile("".join([*pattern, re.escape(tail)]))

    def can_render(self, values: tuple[Value, ...]) -> bool:
        """Whether the record has every value that this format shows."""
        return all(values[index] is not None for index, _, _ in self._pieces)

    def render(self, values: tuple[Value, ...]) -> str:
        texts = [
            values[index] if render is None else render(values[index])
            for index, render in self._renders
        ]
        for position, index, other, render_with in self._renders_with:
            texts[position] = render_with(values[index], values[other])
        return self._template % tuple(texts)

    def render_known(self, values: tuple[Value, ...]) -> str:
        """The same where some values are not known: a question mark stands for each."""
        texts: list[str] = []
        for index, other, kind in self._pieces:
            value, beside = values[index], values[other] if other >= 0 else 0
            if value is None or beside is None:
                texts.append(UNKNOWN_VALUE)
            elif kind.render_with is not None:
                texts.append(kind.render_with(value, beside))
            else:
                texts.append(str(value) if kind.render is None else kind.render(value))
        return self._template % tuple(texts)

    def parse(self, text: str) -> tuple[Value, ...] | None:
        """The values, or None where the text is not of this format."""
        match = self._regex.fullmatch(text)
        if match is None:
            return None
        values: list[Value] = [None] * self.nr_fields
        for group, (index, other, kind) in zip(match.groups(), self._pieces, strict=True):
            known = values[index]
            values[index] = kind.parse(group, known, values[other] if other >= 0 else None)
        return tuple(values)


class Payloads:
    """The texts of all events, as one release prints them."""

    __slots__ = ("_formats", "release")

    def __init__(self, release: str) -> None:
        self.release = release_number(release)
        self._formats: list[list[CompiledFormat] | None] = [None] * len(TRACEPOINTS)

    def text(self, event: Event) -> str:
        """``name: values``; ftrace's own entries have no name."""
        tracepoint = event.tracepoint
        if tracepoint is UNKNOWN and not event.values[0]:
            return str(event.values[1])
        formats = self._formats[tracepoint.id] or self._compile(tracepoint)
        body = _render(event, formats)
        return body if tracepoint.system == "ftrace" else f"{tracepoint.name}: {body}"

    def is_own(self, name: str, body: str) -> bool:
        """Whether this release prints that: it has the tracepoint, in this format."""
        tracepoint = TRACEPOINT_BY_NAME[name]
        own = (self._formats[tracepoint.id] or self._compile(tracepoint))[0]
        return tracepoint.exists_in(self.release) and own.parse(body) is not None

    def parse(self, text: str, table: EventTable) -> Event:
        """The event that prints as this text."""
        name, colon, body = text.partition(": ")
        tracepoint = TRACEPOINT_BY_NAME.get(name)
        if tracepoint is not None and tracepoint.system != "ftrace":
            for each in self._formats[tracepoint.id] or self._compile(tracepoint):
                values = each.parse(body)
                if values is not None and each.render(values) == body:
                    return table.intern(tracepoint, *values)
        if name == MARKER and colon:
            return table.intern(PRINT, MARKER, body)
        return self._parse_ftrace(text, name if colon else "", table)

    def _parse_ftrace(self, text: str, name: str, table: EventTable) -> Event:
        for tracepoint in (FUNCTION, KERNEL_STACK):
            formats = self._formats[tracepoint.id] or self._compile(tracepoint)
            values = formats[0].parse(text)
            if values is not None and formats[0].render(values) == text:
                return table.intern(tracepoint, *values)
        if name:
            return table.intern(UNKNOWN, name, text[len(name) + len(": ") :])
        return table.intern(UNKNOWN, "", text)

    def _compile(self, tracepoint: Tracepoint) -> list[CompiledFormat]:
        """This release's format, and then the others, newest first."""
        own = tracepoint.format_in(self.release)
        order: list[Format] = [own, *(each for each in tracepoint.formats if each is not own)]
        formats = [CompiledFormat(tracepoint, each.template) for each in order]
        self._formats[tracepoint.id] = formats
        return formats


def _render(event: Event, formats: list[CompiledFormat]) -> str:
    """In the release's format, or in another if the record lacks a value that it shows."""
    if None in event.values:
        for each in formats:
            if each.can_render(event.values):
                return each.render(event.values)
        return formats[0].render_known(event.values)
    return formats[0].render(event.values)
